"""The command line: each verb, its exit code, and how little it loads. What needs a session is tested elsewhere."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from sparkkit import cli

ROOT = Path(__file__).resolve().parents[1]
CONTRACT = "{{kind: DataContract, apiVersion: v3.1.0, id: t, version: 1.0.0, status: active, schema: [{{name: t, properties: [{}]}}]}}"


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def fresh(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Python code in a process of its own."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=300)


def cpu_seconds(argv: Sequence[str]) -> float:
    """The least CPU time of three runs of a verb: the wall of a busy machine says nothing about us."""
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        fresh(f"from sparkkit.cli import main; main({list(argv)!r})")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(seconds)


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    code = cli.main(["--help"])
    out = capsys.readouterr().out
    assert (code, [verb for verb in cli.VERBS if not re.search(rf"\n    {verb}\s", out)]) == (0, [])


@pytest.mark.parametrize("verb", cli.VERBS)
def test_each_verb_has_its_own_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([verb, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: sparkkit {verb}")


def test_no_verb_at_all_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert (cli.main([]), "VERB" in capsys.readouterr().out) == (0, True)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["lst"], "no verb 'lst': did you mean 'list'?"),
        (["frobnicate"], "`sparkkit --help` lists the verbs"),
        (["run"], "run needs a JOB"),
        (["dry-run"], "dry-run needs a JOB"),
        (["describe", "wrod_count"], "did you mean 'word_count'?"),
        (["run", "jobs/none.py"], "no job file jobs/none.py"),
        (["schema", "show", "nmes"], "did you mean 'names'?"),
        (["describe", "word_count", "--env", "lptop"], "did you mean 'laptop'?"),
        (["init", "No"], "can't be a job's name"),
    ],
)
def test_wrong_use_ends_with_2_and_says_what_to_do(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(argv) == 2
    assert message in capsys.readouterr().err


def test_an_error_that_nobody_foresaw_is_one_line_and_no_stack(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def missing(args: object) -> int:
        raise ModuleNotFoundError("No module named 'yaml'")

    monkeypatch.setitem(cli.VERBS, "list", missing)
    assert cli.main(["list"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("sparkkit: No module named 'yaml'")


def test_a_reader_that_goes_away_is_no_stack() -> None:
    done = subprocess.run(
        f"{sys.executable} -m sparkkit describe names | head -n 1",
        shell=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stderr, done.stdout.startswith("names:")) == ("", True)


def test_wrong_options_of_a_verb_end_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert (cli.main(["schema"]), cli.main(["describe"]), cli.main(["list", "--x"])) == (2, 2, 2)


def test_list_shows_each_job_with_its_first_line(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["list"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == sorted(p.stem for p in (ROOT / "jobs").glob("*.py"))
    assert all(len(line.split()) > 3 for line in lines)


def test_describe_says_where_each_setting_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    code = cli.main(["describe", "names", "--env", "test"])
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    wanted = [
        "people: data/names/csv (told by the files' names)",
        "inputs.people.path = data/names/csv conf/names.toml",
        "outputs.output.mode = overwrite job names",
        "run.profile = test conf/env/test.toml",
        "params.times = 100 default",
        "--times INT what each salary is multiplied by. (default 100)",
    ]
    assert (code, [line for line in wanted if line not in lines]) == (0, [])
    assert any(line.startswith("people: names 1.0.0, 6 columns: firstname string") for line in lines)


def test_a_job_s_help_lists_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "names", "--help"]) == 0
    assert "sparkkit run names" in (out := capsys.readouterr().out)
    assert "--over INT" in out


def test_schema_show_is_the_contract_as_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["schema", "show", "names"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("# names 1.0.0\n")
    assert "| `salary` | `int` |" in out
    assert "missing_column: stop" in out


@pytest.mark.parametrize(
    ("old", "new", "code", "said"),
    [
        ("{name: a, logicalType: integer}", "{name: a, logicalType: string}", 4, "BREAKING"),
        ("{name: a, physicalType: int}", "{name: a, physicalType: bigint}", 0, "fine"),
        ("{name: a, logicalType: integer}", "{name: a, logicalType: integer}", 0, "no changes"),
    ],
)
def test_schema_diff_ends_with_4_where_a_change_breaks(
    old: str,
    new: str,
    code: int,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, properties in (("old", old), ("new", new)):
        (tmp_path / f"{name}.yaml").write_text(CONTRACT.format(properties))
    assert cli.main(["schema", "diff", str(tmp_path / "old.yaml"), str(tmp_path / "new.yaml")]) == code
    assert capsys.readouterr().out.startswith(said)


def test_schema_infer_does_not_overwrite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.yaml").write_text("mine")
    assert cli.main(["schema", "infer", "data/names/csv", "--output", str(tmp_path / "c.yaml")]) == 2
    assert ("is not overwritten" in capsys.readouterr().err, (tmp_path / "c.yaml").read_text()) == (True, "mine")


def test_init_names_what_it_wrote_and_what_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").write_text("mine")
    assert cli.main(["init"]) == 0
    out = capsys.readouterr().out
    assert "wrote jobs/word_count.py" in out
    assert "stands as it was: README.md" in out
    assert "Next: ./spark-submit.sh jobs/word_count.py" in out


def test_package_prints_the_zip_s_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["package", str(tmp_path / "p.zip")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "p.zip")
    assert (tmp_path / "p.zip").stat().st_size > 10_000


def test_an_empty_project_says_how_to_make_a_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert (cli.main(["list"]), "`sparkkit init` makes one" in capsys.readouterr().out) == (0, True)


@pytest.mark.parametrize("argv", [["--help"], ["list"], ["run", "--help"], ["init", "Wrong"]])
def test_a_light_verb_loads_no_pyspark(argv: list[str]) -> None:
    done = fresh(f"import sys\nfrom sparkkit.cli import main\nmain({argv!r})\nsys.exit('pyspark' in sys.modules)")
    assert done.returncode == 0, done.stderr


def test_describe_starts_no_jvm() -> None:
    done = fresh(
        "import sys\nfrom sparkkit.cli import main\nsys.exit(main(['describe', 'names']))",
        PATH="/none",
        JAVA_HOME="/none",
    )
    assert (done.returncode, "people: names" in done.stdout) == (0, True), done.stderr


def test_the_command_line_starts_quickly() -> None:
    seconds = {
        "help": cpu_seconds(["--help"]),
        "list": cpu_seconds(["list"]),
        "describe": cpu_seconds(["describe", "names"]),
    }
    assert seconds["help"] < 0.3, seconds
    assert seconds["list"] < 1, seconds
    assert seconds["describe"] < 1, seconds
