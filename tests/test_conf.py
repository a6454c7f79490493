"""Layered settings: each key knows where it came from, and a wrong one is refused with the nearest known one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sparkkit import conf as confs
from sparkkit.conf import Conf
from sparkkit.errors import UsageError
from sparkkit.project import Project


@pytest.fixture
def home(tmp_path: Path) -> Project:
    """A project whose four layers each set one key more."""
    (tmp_path / "conf" / "env").mkdir(parents=True)
    files = {
        "report": "[inputs.people]\npath = 'job'\nformat = 'csv'\n"
        "[outputs.output]\nmode = 'append'\n[params]\nsince = 1\n",
        "env/big": "[inputs.people]\npath = 'env'\n[spark]\n'spark.a.b' = 7\n[spark.c]\nd = true\n",
        "env/bag": "",
    }
    for name, text in files.items():
        (tmp_path / "conf" / f"{name}.toml").write_text(text)
    return Project(tmp_path)


def load(home: Project, **given: Any) -> Conf:
    return confs.load(home, "report", inputs=("people",), outputs=("output",), params=("since",), **given)


def refused(home: Project, text: str) -> str:
    (home.root / "conf" / "report.toml").write_text(text)
    with pytest.raises(UsageError) as found:
        load(home)
    assert found.value.exit_code == 2
    return str(found.value)


def test_a_job_without_any_file_has_the_defaults(tmp_path: Path) -> None:
    result = load(Project(tmp_path))
    assert (result.outputs["output"].mode, result.outputs["output"].format, result.inputs["people"].path) == (
        "error",
        "parquet",
        (),
    )


def test_each_layer_wins_over_the_one_before(home: Project) -> None:
    (home.root / "conf" / "local.toml").write_text("[inputs.people]\nformat = 'json'\n")
    result = load(
        home,
        env="big",
        base={"outputs.output.mode": "overwrite", "outputs.output.format": "orc"},
        over={"inputs.people.keep_source": "true"},
    )
    people, output = result.inputs["people"], result.outputs["output"]
    assert (people.path, people.format, people.keep_source, output.mode, output.format) == (
        ("env",),
        "json",
        True,
        "append",
        "orc",
    )


def test_each_key_knows_its_origin(home: Project) -> None:
    origins = load(home, env="big", base={"outputs.output.format": "orc"}, over={"params.since": 3}).origins
    assert origins == {
        "outputs.output.format": "job report",
        "inputs.people.path": "conf/env/big.toml",
        "inputs.people.format": "conf/report.toml",
        "outputs.output.mode": "conf/report.toml",
        "params.since": "command line",
        "spark.a.b": "conf/env/big.toml",
        "spark.c.d": "conf/env/big.toml",
    }


def test_spark_settings_may_be_written_as_dotted_keys_or_as_tables(home: Project) -> None:
    assert load(home, env="big").spark == {"spark.a.b": "7", "spark.c.d": "true"}


@pytest.mark.parametrize(
    "over",
    [
        {"inputs.people.options.delimiter": ";", "inputs.people.options.a.b": "c"},
        {"inputs.people.options": {"delimiter": ";", "a.b": "c"}},
    ],
)
def test_options_of_a_format_are_free(home: Project, over: dict[str, Any]) -> None:
    assert load(home, over=over).inputs["people"].options == {"delimiter": ";", "a.b": "c"}


def test_a_key_below_one_that_has_a_value_is_refused(home: Project) -> None:
    with pytest.raises(UsageError, match=r"inputs.people.path.y is given, and so is a value for what it is a part of"):
        load(home, over={"inputs.people.path": "/a", "inputs.people.path.y": "b"})


def test_a_list_is_taken_where_an_option_holds_several_texts(home: Project) -> None:
    over = {"inputs.people.options": {"null_values": ["NA", "-"]}}
    assert load(home, over=over).inputs["people"].options == {"null_values": "NA,-"}


def test_a_dotted_spark_key_of_the_command_line_stays_whole(home: Project) -> None:
    assert load(home, over={"spark.sql.shuffle.partitions": 5}).spark["spark.sql.shuffle.partitions"] == "5"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[inputs.people]\nformt = 'csv'",
            "conf/report.toml: unknown key 'inputs.people.formt': did you mean 'inputs.people.format'?",
        ),
        ("[inputs.poeple]\nformat = 'csv'", "unknown key 'inputs.poeple': did you mean 'inputs.people'?"),
        ("[ouputs.output]\nmode = 'append'", "unknown key 'ouputs': did you mean 'outputs'?"),
        ("[params]\nsinse = 3", "unknown key 'params.sinse': did you mean 'params.since'?"),
        ("[inputs.people]\nkeep_source = 'yes'", "inputs.people.keep_source is 'yes', expected true or false"),
        ("[inputs.people]\npath = [1]", "inputs.people.path is [1], expected a text or a list of texts"),
        (
            "[outputs.output]\nmode = 'overwrit'",
            "expected one of append, overwrite, overwrite_partitions, merge, cdc, scd2, error: did you mean 'overwrite'?",
        ),
        ("[outputs.output]\nformat = 3", "outputs.output.format is 3, expected a text"),
        ("[inputs.people]\noptions = 3", "inputs.people.options is 3, expected a table of options"),
        ("[run]\nprofil = 'test'", "unknown key 'run.profil': did you mean 'run.profile'?"),
        ("[inputs.people.options]\ndelimiter = [';']", "conf/report.toml: inputs.people.options.delimiter is [';'], expected a text"),
        ("[inputs.people.options]\nnull_values = ['a,b']", "inputs.people.options.null_values is ['a,b'], expected a text"),
        ("[outputs.output.options]\nnull_values = ['a']", "outputs.output.options.null_values is ['a'], expected a text"),
        ("[outputs.output.options]\ndelta.x = 1", "outputs.output.options.delta is {'x': 1}, expected a text: put a key"),
        ("[spark.sql]\nextensions = ['a', 'b']", "conf/report.toml: spark.sql.extensions is ['a', 'b'], expected a text"),
        ("inputs = 3", "conf/report.toml: inputs is 3, expected a table"),
        ("spark = 3", "spark is 3, expected a table"),
        ("not toml", "report.toml is not TOML"),
    ],
)
def test_what_is_wrong_in_a_file_is_refused_with_file_and_key(home: Project, text: str, message: str) -> None:
    assert message in refused(home, text)


def test_an_environment_without_a_file_is_refused_with_the_nearest(home: Project) -> None:
    with pytest.raises(UsageError, match="no conf/env/bigg.toml for --env bigg: did you mean 'big'"):
        load(home, env="bigg")


def test_an_environment_may_be_empty(home: Project) -> None:
    assert load(home, env="bag").inputs["people"].path == ("job",)
