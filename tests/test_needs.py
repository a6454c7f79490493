"""What a session needs for the paths and formats of a conf, and the settings that go with it."""
from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sparkkit import jars, needs
from sparkkit.conf import Conf, InputConf, OutputConf

VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "HADOOP_CONF_DIR")


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPARKKIT_JARS", str(tmp_path / "jars"))


def conf(*paths: str, out: str = "out/x", **more: Any) -> Conf:
    edges = {"inputs": {"a": InputConf(paths, **more)}, "outputs": {"output": OutputConf(out)}}
    return Conf(**edges, run={}, spark={}, params={}, origins={})  # type: ignore[arg-type]


@pytest.mark.parametrize(("given", "expected"), [
    (conf("data/s3/x.csv"), ()),
    (conf("data/x.csv", "s3://b/x"), ("s3",)),
    (conf("data/x.csv", out="S3A://b/x"), ("s3",)),
    (conf("x", format="delta", out="s3n://b/x"), ("delta", "s3")),
])
def test_a_run_needs_what_its_formats_and_paths_say(given: Conf, expected: tuple[str, ...]) -> None:
    assert needs.of(given) == expected


def test_an_event_log_on_s3_needs_s3() -> None:
    given = conf("x")
    assert needs.of(SimpleNamespace(**{**vars(given), "spark": {"spark.eventLog.dir": "s3://b/log"}})) == ("s3",)  # type: ignore[arg-type]


def test_a_folder_with_a_log_is_a_delta_table(tmp_path: Path) -> None:
    (tmp_path / "t" / "_delta_log").mkdir(parents=True)
    assert needs.of(conf(f"file://{tmp_path}/t")) == ("delta",)


@pytest.mark.parametrize(("variables", "expected"), [
    ({}, {}),
    ({"AWS_REGION": "eu-west-1"}, {"endpoint.region": "eu-west-1"}),
    ({"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000", "AWS_ENDPOINT_URL": "http://other"},
     {"endpoint": "http://127.0.0.1:9000", "path.style.access": "true", "endpoint.region": "us-east-1"}),
    ({"AWS_ENDPOINT_URL": "https://s3.eu-west-1.amazonaws.com", "AWS_DEFAULT_REGION": "eu-west-1"},
     {"endpoint": "https://s3.eu-west-1.amazonaws.com", "path.style.access": "false", "endpoint.region": "eu-west-1"}),
])
def test_amazons_variables_lead_to_the_server(variables: dict[str, str], expected: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = {key.removeprefix("spark.hadoop.fs.s3a."): value for key, value in needs.settings(["s3"]).items()
             if key not in needs.S3 and key not in needs.COMMITTERS}
    assert found == expected


def test_what_the_conf_of_hadoop_says_of_s3_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "core-site.xml").write_text("<property><name>fs.s3.impl</name><value>other</value></property>", encoding="utf-8")
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path))
    assert set(needs.S3) - set(needs.settings(["s3"])) == {"spark.hadoop.fs.s3.impl"}


def test_delta_on_s3_gets_the_log_store_where_it_was_built(tmp_path: Path) -> None:
    before = needs.settings(["delta", "s3"])
    (tmp_path / "jars").mkdir()
    (tmp_path / "jars" / jars.LOG_STORE).touch()
    after = needs.settings(["delta", "s3"])
    assert {key: after[key] for key in after.keys() - before.keys()} == needs.LOG_STORES
    assert not needs.LOG_STORES.keys() & (needs.settings(["delta"]).keys() | needs.settings(["s3"]).keys())
