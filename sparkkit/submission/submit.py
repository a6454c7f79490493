"""The verb `submit`: here, or elsewhere by `remote`, which is imported only then: a run here is to start fast."""
from __future__ import annotations

from collections.abc import Sequence

from sparkkit import project
from sparkkit.submission import local, words
from sparkkit.submission.order import Command

MASTERS = (("yarn", "yarn"), ("spark://", "standalone"), ("k8s://", "k8s"))
"""What a master says of the target, where none is named."""


def main(argv: Sequence[str]) -> int:
    """Submits a job, or with `--print` shows what would be sent; the exit code."""
    if list(argv[-1:]) in (["-h"], ["--help"]) and all(word.startswith("-") or word in words.TARGETS for word in argv):
        print(words.USAGE)
        return 0
    said = words.parse(argv)
    target = _target(said)
    if target == "local":
        return _here(said)
    from sparkkit.submission import remote

    return remote.submit(said, target)


def _here(said: words.Words) -> int:
    spark_words = (*said.spark, *(("--deploy-mode", said.deploy_mode) if said.deploy_mode else ()))
    options = (*(("--env", said.env) if said.env else ()), *said.options)
    if said.printing or said.deploy_mode == "cluster":
        what = Command(("spark-submit", *spark_words, str(local.job_file(said.job)), *options))
        return print(what.shown()) or 0 if said.printing else local.replace(what)
    return local.run(said.job, options, spark_words, prog=f"spark-submit.sh {said.job}")


def _target(said: words.Words) -> str:
    """The target that is named, by `--target` or in the conf of the environment; else the one that the master means."""
    if said.target:
        return said.target
    env = said.env or words.value_of("--env", said.options, "")
    found = project.find(local.job_file(said.job)).toml(f"env/{env}.toml") if env and ".." not in env else None
    named = (found or {}).get("submit", {}).get("target")
    if named:
        return words.among("--target", named)
    master = words.value_of("--master", said.spark, "local[*]")
    return next((target for start, target in MASTERS if master.startswith(start)), "local")
