"""The least that AWS has to allow for a job, from what its conf says it reads and writes; and who may take that role."""
from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sparkkit.conf import Conf
from sparkkit.errors import UsageError
from sparkkit.submission import fields

VERSION = "2012-10-17"

READ = ("s3:GetObject",)
WRITE = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload")
ACTIONS: Mapping[str, tuple[str, ...]] = {"Read": READ, "Write": WRITE, "Code": READ, "Logs": ("s3:PutObject",)}
"""What each statement allows on objects, by its name."""

SHIPPED = ("spark.jars", "spark.files", "spark.archives", "spark.submit.pyFiles")
"""Settings that name files which Spark fetches before the job starts."""

KEY = r"arn:aws[\w-]*:kms:[\w-]+:\d{12}:key/[\w-]+"
SIGN = re.compile(r"\{[^}]*\}|\[[^\]]*\]|[*?$]")


@dataclass(frozen=True)
class Need:
    """What one place is needed for: patterns of a bucket's objects, and of the prefixes that are listed.

    A look for an object that is not there is answered to those alone who may list its name: so the names stand among the prefixes, too.
    """

    statement: str
    bucket: str
    objects: tuple[str, ...]
    prefixes: tuple[str, ...] = ()


def document(conf: Conf, target: str, ledger: str) -> dict[str, Any]:
    """The policy and the trust policy of a job's role.

    Raises:
        UsageError: the conf does not say what they need, or nothing that it names is on S3.
    """
    return {"policy": policy(conf, target, ledger), "trust": trust(conf.submit, target)}


def policy(conf: Conf, target: str, ledger: str) -> dict[str, Any]:
    """The policy: objects by exact prefixes, lists of a bucket by conditions on the same, keys that `submit.kms_keys` names.

    Raises:
        UsageError: nothing is on S3 (`nothing_on_s3`), or a key is none.
    """
    needs = [*_inputs(conf), *_outputs(conf), *_records(conf, ledger), *_code(conf, target)]
    if not needs:
        raise UsageError("the job has no input, output or ledger on S3", reason="nothing_on_s3",
                         hint="give its paths in conf, or by --input and --output")
    partition = _partition(conf.submit)
    statements = [_objects(name, needs, partition) for name in ACTIONS if any(need.statement == name for need in needs)]
    buckets = sorted({need.bucket for need in needs if need.prefixes})
    statements += [_list(number, bucket, needs, partition) for number, bucket in enumerate(buckets, 1)]
    return {"Version": VERSION, "Statement": statements + _keys(conf.submit, partition)}


def elsewhere(conf: Conf) -> list[str]:
    """The paths of inputs and outputs that are not on S3, for which the policy has nothing."""
    paths = [path for edge in conf.inputs.values() for path in edge.path]
    paths += [str(edge.path) for edge in conf.outputs.values() if edge.path]
    return [path for path in paths if _place(path) is None]


def _place(uri: object) -> tuple[str, str] | None:
    found = re.fullmatch(r"s3[an]?://([^/]+)/*(.*?)/*", str(uri), re.DOTALL)
    return (found[1], re.sub("/+", "/", found[2])) if found else None


def _inputs(conf: Conf) -> Iterator[Need]:
    for edge in conf.inputs.values():
        for bucket, key in filter(None, map(_place, edge.path)):
            yield Need("Read", bucket, _below(_pattern(key)), (*_levels(key), *_below(_pattern(key))))
            if key and not SIGN.search(key):  # where another run publishes it, its journal says what is whole
                journal = _beside(key, "sparkkit")
                yield Need("Read", bucket, _below(journal), _below(journal))


def _below(pattern: str) -> tuple[str, ...]:
    """A path's own object, where it is a file or is asked for, and all below it."""
    return (pattern, f"{pattern}/*") if pattern else ("*",)


def _pattern(key: str) -> str:
    """A glob of Hadoop as one of IAM, which knows two signs and writes them as `${*}` where they are meant.

    >>> _pattern("raw/2024-*/{a,b}.csv"), _pattern("raw/[ab]?.csv")
    ('raw/2024-*/*.csv', 'raw/??.csv')
    """
    return SIGN.sub(lambda found: {"{": "*", "[": "?", "$": "${$}"}.get(found[0][0], found[0]), key)


def _levels(key: str) -> list[str]:
    """The folders that Hadoop lists to follow a glob: those above its parts that have signs.

    >>> _levels("raw/2024-*/part/*.csv"), _levels("raw/all")
    (['raw/', 'raw/2024-*/part/'], [])
    """
    parts = key.split("/")
    return ["/".join([*map(_pattern, parts[:i]), ""]) for i, part in enumerate(parts) if re.search(r"[*?{\[]", part)]


def _outputs(conf: Conf) -> Iterator[Need]:
    """Each output with the folders beside it in which it is staged, and the quarantine, which is that of the first one."""
    for number, edge in enumerate(conf.outputs.values()):
        path = str(edge.path or "").rstrip("/")
        shelf = edge.quarantine or f"{path}.quarantine"
        yield from _written(path)
        if not number:
            yield from _written(shelf)


def _written(path: str) -> Iterator[Need]:
    found = _place(path)
    if found and not found[1]:
        raise UsageError(f"the output {path} is a whole bucket", reason="wrong_path", hint="write to a folder in it")
    if found:
        key = _literal(found[1])
        places = (*_below(key), *_below(_beside(key, "sparkkit")), _beside(key, "staging-*"))  # the last where there is no journal
        yield Need("Write", found[0], places, places)


def _beside(key: str, what: str) -> str:
    """The hidden folder of this kind beside a path.

    >>> _beside("out/words", "sparkkit"), _beside("words", "sparkkit")
    ('out/.words.sparkkit', '.words.sparkkit')
    """
    above, _, name = key.rpartition("/")
    return f"{above}/.{name}.{what}" if above else f".{name}.{what}"


def _literal(key: str) -> str:
    return re.sub(r"[*?$]", lambda found: f"${{{found[0]}}}", key)


def _records(conf: Conf, ledger: str) -> Iterator[Need]:
    """The ledger of all runs, and where the conf puts records and Spark's event log."""
    for uri in (ledger, conf.run.get("records"), conf.spark.get("spark.eventLog.dir")):
        found = _place(uri)
        if found and found[1]:
            key = _literal(found[1])
            yield Need("Write", found[0], _below(key), _below(key))


def _code(conf: Conf, target: str) -> Iterator[Need]:
    """The code, which only AWS's own targets fetch from S3, and what goes with it; and their logs."""
    submit = conf.submit
    single: list[Any] = [one for key in SHIPPED for one in conf.spark.get(key, "").split(",")]
    if target in ("emr", "emr-serverless"):
        single += [submit.get("environment"), *(() if submit.get("cluster") or target != "emr" else submit.get("bootstrap", ()))]
        for statement, key in (("Code", "code"), ("Logs", "log_uri")):
            if submit.get(key) and not (key == "log_uri" and submit.get("cluster")):
                bucket, folder = _place(fields.s3(key, submit[key])) or ("", "")
                yield Need(statement, bucket, (f"{_literal(folder)}/*" if folder else "*",))
    for bucket, key in filter(None, (_place(uri) for uri in single)):
        yield Need("Code", bucket, (_literal(key),))


def _objects(name: str, needs: Iterable[Need], partition: str) -> dict[str, Any]:
    arns = {f"arn:{partition}:s3:::{need.bucket}/{pattern}" for need in needs if need.statement == name for pattern in need.objects}
    return {"Sid": name, "Effect": "Allow", "Action": [*ACTIONS[name]], "Resource": sorted(arns)}


def _list(number: int, bucket: str, needs: Iterable[Need], partition: str) -> dict[str, Any]:
    """The right to list a bucket by these prefixes; a statement for each bucket, for a condition would hold for all of them."""
    prefixes = sorted({prefix for need in needs if need.bucket == bucket for prefix in need.prefixes})
    condition = {"StringLike": {"s3:prefix": prefixes}}
    arn = f"arn:{partition}:s3:::{bucket}"
    return {"Sid": f"List{number}", "Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [arn], "Condition": condition}


def _keys(submit: Mapping[str, Any], partition: str) -> list[dict[str, Any]]:
    keys = [fields.text("kms_keys", arn, KEY, "the ARNs of keys") for arn in fields.texts("kms_keys", submit.get("kms_keys"))]
    if not keys:
        return []
    via = f"s3.*.amazonaws.com{'.cn' if partition == 'aws-cn' else ''}"
    condition = {"StringLike": {"kms:ViaService": via}}
    actions = ["kms:Decrypt", "kms:GenerateDataKey"]
    return [{"Sid": "Keys", "Effect": "Allow", "Action": actions, "Resource": sorted(keys), "Condition": condition}]


def _partition(submit: Mapping[str, Any]) -> str:
    region = str(submit.get("region") or "")
    return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"


def trust(submit: Mapping[str, Any], target: str) -> dict[str, Any]:
    """Who may take the role: the machines of EMR, or its application, and none of another account.

    Raises:
        UsageError: a step has a role of its own, and nothing says which role its cluster has.
    """
    role = fields.role("execution_role", submit["execution_role"]) if submit.get("execution_role") else None
    if target == "emr-serverless":
        return _trust({"Service": "emr-serverless.amazonaws.com"}, ["sts:AssumeRole"], _from_application(submit, role))
    if role is None:
        return _trust({"Service": f"ec2.amazonaws.com{'.cn' if _partition(submit) == 'aws-cn' else ''}"}, ["sts:AssumeRole"], {})
    profile = submit.get("instance_profile")
    if not profile:
        raise UsageError("the machines of the cluster take the step's role, and nothing says which role they have", reason="not_configured",
                         hint="set instance_profile in [submit] of the environment's conf")
    arn = profile if str(profile).startswith("arn:") else f"{role.partition(':role/')[0]}:role/{profile}"
    return _trust({"AWS": arn}, ["sts:AssumeRole", "sts:TagSession"], {})


def _from_application(submit: Mapping[str, Any], role: str | None) -> dict[str, Any]:
    """Only for this account's application: else one of another account could have the service use the role."""
    if role is None:
        return {}
    _, partition, _, _, account, _ = role.split(":", 5)
    region, application = submit.get("region") or "*", submit.get("application") or "*"
    source = f"arn:{partition}:emr-serverless:{region}:{account}:/applications/{application}"
    return {"StringEquals": {"aws:SourceAccount": account}, "ArnLike": {"aws:SourceArn": source}}


def _trust(principal: Mapping[str, str], actions: list[str], condition: Mapping[str, Any]) -> dict[str, Any]:
    allowed: dict[str, Any] = {"Effect": "Allow", "Principal": dict(principal), "Action": actions}
    return {"Version": VERSION, "Statement": [allowed | ({"Condition": condition} if condition else {})]}
