"""The verb `models`: what the registry holds, and which version scores. No JVM."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from sparkkit import cli
from sparkkit.models.bundle import Bundle, seal
from sparkkit.models.registry import Registry
from sparkkit.schema.contract import Column, Contract

pytest.importorskip("mlflow")


def bundle(folder: Path, auc: float, **more: Any) -> Bundle:
    (folder / "spark").mkdir(parents=True)
    (folder / "spark" / "data").write_text(str(auc), encoding="utf-8")
    figures = [{"slice": "all", "metric": "roc_auc", "value": auc, "low": auc - 0.02, "high": auc + 0.02, "rows": 50}]
    return seal(
        folder,
        {
            "name": "mood",
            "run": f"run-{auc}",
            "created": "2026-11-29T10:00:00.000Z",
            "label": "liked",
            "classes": [None, 1],
            "threshold": 0.5,
            "contract": json.loads(Contract("mood", (Column("text", "string", required=True),)).to_json()),
            "code": "c1",
            "split": "by hash",
            "rows": {"examples": 100, "train": 50, "test": 50, "unlabelled": 0},
            "seed": 17,
            "params": {"depth": 3},
            "stages": ["a.b.Tokenizer"],
            "packages": {"pyspark": "4.2.0"},
            "portable": None,
            "metrics": {"roc_auc": auc},
            "figures": figures,
            "data": {"reviews": "x"},
            **more,
        },
    )


@pytest.fixture
def uri(tmp_path_factory) -> str:
    """A registry with two versions of one model and no champion."""
    folder = tmp_path_factory.mktemp("registry")
    there = Registry(f"sqlite:///{folder}/mlflow.db")
    for number, auc in enumerate((0.7, 0.8)):
        there.register(bundle(folder / str(number), auc, params={"depth": number}), run=f"r{number}", logical_id=f"l{number}")
    return there.uri


@pytest.fixture
def models(uri, capsys):
    """`models("list")` gives the exit code and what was said."""

    def call(*words: str) -> tuple[int, str]:
        code = cli.main(["models", *words, "--registry", uri])
        said = capsys.readouterr()
        return code, said.out + said.err

    return call


def test_a_list_shows_the_newest_where_there_is_no_champion(models):
    code, said = models("list")
    assert code == 0 and "0.8000" in said and "0.7000" not in said


def test_a_name_shows_every_version(models):
    assert "0.7000" in models("list", "mood")[1]


def test_a_card_is_readable_and_whole_as_json(models):
    said = models("show", "mood:1")[1]
    assert "predicts   liked = 1" in said and "roc_auc             0.7000  (0.6800 to 0.7200)" in said
    assert json.loads(models("show", "mood:1", "--json")[1])["run"] == "run-0.7"


def test_a_card_tells_what_the_model_needs_most(models, uri, tmp_path):
    features = [{"feature": f"f{i}", "value": 0.1 / (i + 1), "low": 0.0, "high": 0.2} for i in range(7)]
    told = bundle(tmp_path / "b", 0.9, importance={"figure": "roc_auc", "rows": 50, "shuffles": 3, "features": features})
    Registry(uri).register(told, run="r", logical_id="l")
    lines = models("show", "mood")[1].splitlines()
    assert lines[-6:-4] == ["roc_auc lost without a feature (the most of 7)", "  f0                  0.1000  (0.0000 to 0.2000)"]


def test_a_report_is_written_and_told_where(models, tmp_path):
    page = tmp_path / "page.html"
    assert models("report", "mood:1", "--output", str(page)) == (0, f"the report on version 1 of mood is in {page}\n")
    assert "<h1>mood version 1</h1>" in page.read_text(encoding="utf-8")


def test_a_report_does_not_replace_a_folder(models, tmp_path):
    code, said = models("report", "mood", "--output", str(tmp_path))
    assert code == 2 and "which is a folder" in said and tmp_path.is_dir()


def test_a_comparison_tells_what_differs(models):
    said = models("compare", "mood:2", "mood:1")[1]
    assert "+0.1000" in said and "params: {'depth': 1} against {'depth': 0}" in said and "data" not in said


def test_promote_and_rollback_say_what_they_did(models):
    assert models("promote", "mood:1") == (0, "version 1 of mood is the champion; `sparkkit models rollback mood` undoes it\n")
    assert models("rollback", "mood")[0] == 2
    assert models("promote", "mood")[1].startswith("version 2 ")
    assert models("rollback", "mood") == (0, "version 1 of mood is the champion again, in place of version 2\n")


def test_a_fresh_model_without_new_rows_is_not_due(models):
    models("promote", "mood:2")
    code, said = models("due", "mood", "--new-rows=10", "--exit-code")
    assert (code, said) == (3, "keep: 10 new rows, fewer than 1000 to learn from\n")


def test_an_old_model_is_due(models, monkeypatch):
    import datetime as dt

    from sparkkit.verbs import models as verb

    class Later(dt.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> dt.datetime:
            return dt.datetime.fromtimestamp(time.time() + 100 * 86_400, tz)

    models("promote", "mood:2")
    monkeypatch.setattr(verb.dt, "datetime", Later)
    assert models("due", "mood", "--new-rows=5000")[1].startswith("retrain: the model is 100 days old")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "moo"), "no model 'moo' in"),
        (("show", "mood:7"), "model 'mood' has no version 7"),
        (("promote", "a b@c/d"), "names no model"),
    ],
)
def test_what_is_not_there_is_said(models, words, said):
    code, text = models(*words)
    assert code == 2 and said in text


def test_a_registry_that_can_not_be_reached_is_infrastructure(capsys, tmp_path):
    (tmp_path / "folder").mkdir()
    assert cli.main(["models", "list", "--registry", f"sqlite:///{tmp_path}/folder"]) == 6
    assert "the registry of models at sqlite:///" in capsys.readouterr().err
