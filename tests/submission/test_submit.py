"""From the command line to what is sent: conf, defaults, code, and what is refused at home instead of on a cluster."""
from __future__ import annotations

import io
import itertools
import shlex
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from sparkkit import cli
from sparkkit.errors import UsageError
from sparkkit.submission import remote, words

ROOT = Path(__file__).resolve().parents[2]
JOB = '''
"""A job."""
from sparkkit import DataFrame, Job
from helpers.words import greeting


def build(people: DataFrame, *, since: int = 3, password: str = "") -> DataFrame:
    """A row for each."""
    return people


JOB = Job(build)
'''
ENV = '''
[submit]
target = "yarn"
deploy_mode = "cluster"
[spark]
"spark.yarn.queue" = "nightly"
"spark.hadoop.fs.s3a.secret.key" = "${env:NOT_SET}"
'''


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (("jobs/one.py", JOB), ("helpers/words.py", "import duckdb\ndef greeting(): ..."), ("conf/env/prod.toml", ENV),
                       ("conf/env/yarn.toml", ""), ("conf/one.toml", '[spark]\n"spark.a" = 1\n')):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shown(argv: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert cli.main(["submit", "--print", *shlex.split(argv)]) == 0
    return shlex.split(capsys.readouterr().out)


def test_an_environment_names_its_target_and_what_is_secret_stays_at_home(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = shown("one --env prod --since 4", capsys)
    assert found[:8] == ["env", "-u", "PYTHONPATH", "spark-submit", "--master", "yarn", "--deploy-mode", "cluster"]
    settings = [word for before, word in itertools.pairwise(found) if before == "--conf"]
    assert settings == ["spark.a=1", "spark.yarn.queue=nightly", "spark.yarn.submit.waitAppCompletion=false"]
    assert found[-5:] == [str(project / "jobs" / "one.py"), "--env", "prod", "--since", "4"]


def test_the_environment_of_the_targets_name_is_the_default(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown("--target yarn one", capsys)[-2:] == ["--env", "yarn"]
    assert shown("--master yarn one", capsys)[-2:] == ["--env", "yarn"]
    assert "--env" not in shown("--target standalone --master spark://h:7077 one", capsys)


def test_without_a_target_the_job_is_to_run_here(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(project / "jobs" / "one.py")
    assert shown("--master local[2] one --since 4", capsys) == ["spark-submit", "--master", "local[2]", file, "--since", "4"]


def test_the_package_holds_the_projects_own_modules_under_a_name_that_changes_with_them(project: Path) -> None:
    first = remote.order(words.parse(["one"]), "yarn")
    (project / "helpers" / "words.py").write_text("def greeting(): return 1")
    second = remote.order(words.parse(["one"]), "yarn")
    assert first.package != second.package
    assert remote.order(words.parse(["one"]), "yarn").package == second.package
    with zipfile.ZipFile(io.BytesIO(second.uploads[str(second.package)])) as archive:
        assert {"helpers/words.py", "sparkkit/run.py", "sparkkit/bundle.json"} <= set(archive.namelist())


def test_code_with_a_place_of_its_own_is_put_there_by_its_hash(project: Path) -> None:
    (project / "conf/env/yarn.toml").write_text('[submit]\ncode = "hdfs:///apps/"\n')
    found = remote.order(words.parse(["one"]), "yarn")
    assert found.file.startswith("hdfs:///apps/")
    assert (found.file.endswith("/one.py"), set(found.uploads)) == (True, {found.file, found.package})


def test_what_the_package_can_not_hold_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["package", str(project / "p.zip")]) == 0
    assert capsys.readouterr().err == "not in it, the cluster's Python needs them: duckdb\n"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--target", "yarn", "one", "--sinec", "3"], "unrecognized arguments: --sinec"),
        (["--target", "yarn", "one", "--since", "x"], "--since"),
        (["--target", "yarn", "one", "--env", "prdo"], "did you mean 'prod'?"),
        (["--target", "yarn", "one", "--password=a b"], "--password is a secret.*write a reference"),
        (["--target", "yarn", "one", "--password", "x"], "--password is a secret"),
        (["--target", "emr", "one"], "target emr needs a folder that it can read.*set code in"),
    ],
)
def test_what_a_run_would_refuse_is_refused_before_it_is_sent(project: Path, argv: list[str], message: str) -> None:
    said = words.parse(argv)
    with pytest.raises(UsageError, match=message):
        remote.order(said, said.target or "")


@pytest.mark.parametrize(("job", "option"), [("train_sentiment", "--seed=17"), ("score", "--model=sentiment")])
def test_a_driver_on_a_cluster_does_not_keep_or_seek_models_in_a_file_of_this_machine(project: Path, job: str, option: str) -> None:
    def order(*settings: str, more: tuple[str, ...] = ()) -> remote.Order:
        return remote.order(words.parse(["--deploy-mode", "cluster", *settings, str(ROOT / "jobs" / f"{job}.py"), option, *more]), "yarn")

    with pytest.raises(UsageError, match="needs the registry of models, and a driver on the cluster does not see"):
        order()
    with pytest.raises(UsageError, match="needs the registry of models"):
        order(more=("--set", "run.registry=sqlite:///models.db"))
    assert order(more=("--set", "run.registry=https://models")).options
    assert order("--conf", "spark.yarn.appMasterEnv.MLFLOW_TRACKING_URI=https://models").options


def test_a_step_s_driver_is_far_in_client_mode_too(project: Path) -> None:
    with pytest.raises(UsageError, match="needs the registry of models"):
        remote.order(words.parse(["--deploy-mode", "client", str(ROOT / "jobs" / "train_sentiment.py")]), "emr")


def test_yarn_that_is_not_known_here_is_told_and_nothing_is_sent(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("HADOOP_CONF_DIR", "YARN_CONF_DIR"):
        monkeypatch.delenv(name, raising=False)
    assert cli.main(["submit", "--target", "yarn", "one"]) == 2
    assert "set HADOOP_CONF_DIR" in capsys.readouterr().err
    assert not (project / ".sparkkit" / "packages").exists()


def test_an_order_keeps_no_bytes_in_its_text(project: Path) -> None:
    found = remote.order(words.parse(["one"]), "yarn")
    assert "PK" not in repr(replace(found, token=""))
