"""What the layout promises, read from the source: the pure ring is pure, jobs stand alone, things stay small."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PURE = ("schema", "transforms", "checks", "ml", "monitoring")

MODULES = {
    "time": "clock",
    "secrets": "randomness without a seed",
    "uuid": "randomness without a seed",
    "os": "environment",
    "pathlib": "disk",
    "shutil": "disk",
    "tempfile": "disk",
    "io": "disk",
    "glob": "disk",
    "socket": "network",
    "subprocess": "processes",
    "urllib": "network",
    "boto3": "network",
}
"""Modules that the pure ring does not import: what they would bring in."""

ATTRIBUTES = {
    **dict.fromkeys(("sparkSession", "getOrCreate", "getActiveSession", "createDataFrame"), "session"),
    **dict.fromkeys(("rdd", "_jvm", "_jdf", "_jsc", "_jsparkSession", "sparkContext"), "internals"),
    **dict.fromkeys(("writeTo", "writeStream", "readStream"), "action"),
    **dict.fromkeys(
        ("toPandas", "toArrow", "toLocalIterator", "foreachPartition", "foreachBatch", "isEmpty"), "action"
    ),
    **dict.fromkeys(("utcnow", "environ", "getenv"), "clock or environment"),
    **dict.fromkeys(("read_text", "read_bytes", "write_text", "write_bytes"), "disk"),
}
"""Attributes that the pure ring does not touch."""

CALLS = {
    **dict.fromkeys(("collect", "count", "first", "head", "show", "cache", "persist", "checkpoint"), "action"),
    **dict.fromkeys(("localCheckpoint", "unpersist", "toJSON"), "action"),
    **dict.fromkeys(("now", "today"), "clock"),
}
"""Methods that act when they are called without a value of the frame's own: `df.count()`, not `F.count("x")`."""

WITH_ARGUMENTS = {"take": "action", "tail": "action", "foreach": "action", "randomSplit": "action"}

ALLOWED: dict[tuple[str, str], str] = {
    ("checks/expectations.py", "environment: import os"): "Great Expectations' analytics are turned off by the environment alone",
    ("checks/expectations.py", "clock or environment: environ"): "the same",
    ("schema/odcs.py", "disk: import pathlib"): "load reads a contract's file, once, on the driver; the rest is pure",
    ("schema/odcs.py", "disk: read_text"): "the same",
    ("transforms/export.py", "action: toArrow"): "to_pandas is bounded by its limit, and is the ring's one way out",
    ("transforms/export.py", "action: collect()"): "the same, on Spark 3.5, which has no toArrow",
    ("transforms/privacy.py", "session: sparkSession"): "the key must be a row: a literal would stand in the event log",
    ("transforms/privacy.py", "session: createDataFrame"): "the same",
    **{("ml/encoding.py", what): "a fit acts: one bounded aggregation; the model's means are joined as a small frame"
       for what in ("action: collect()", "session: sparkSession", "session: createDataFrame")},
    **{("ml/decomposition.py", what): "a fit acts: mllib computes the vectors in the JVM, and Spark's own model holds them"
       for what in ("action: collect()", "action: head()", "action: persist()", "action: unpersist()", "internals: _jvm",
                    "internals: sparkContext", "session: sparkSession")},
}
"""What the pure ring may do all the same, by file: why."""


def files(*folders: str) -> list[Path]:
    """The Python files below these folders of the project."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imported(tree: ast.AST) -> Iterator[str]:
    """The modules that a tree imports, by full name, those inside functions too; relative ones start with a dot."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def impure(source: str) -> set[str]:
    """What a module of the pure ring does that it must not."""
    tree, found = ast.parse(source), set()
    roots = {name.split(".")[0] for name in imported(tree)}
    found |= {f"{MODULES[name]}: import {name}" for name in roots & MODULES.keys()}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            found |= _touched(node)
        if isinstance(node, ast.Name) and node.id in ("open", "SparkSession", "print", "input"):
            found.add(f"edge: {node.id}")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            found |= _called(node, node.func.attr)
    return found


def _touched(node: ast.Attribute) -> set[str]:
    inner = node.value
    if isinstance(inner, ast.Attribute) and inner.attr in ("read", "write"):
        return {f"action: {inner.attr}"}
    if isinstance(inner, ast.Name) and inner.id == "random" and node.attr != "Random":
        return {f"randomness without a seed: {node.attr}"}
    return {f"{ATTRIBUTES[node.attr]}: {node.attr}"} if node.attr in ATTRIBUTES else set()


def _called(node: ast.Call, name: str) -> set[str]:
    bare = not [arg for arg in node.args if not (isinstance(arg, ast.Constant) and isinstance(arg.value, (int, bool)))]
    if name == "Random" and not node.args:
        return {"randomness without a seed: Random()"}
    if name in CALLS and bare:
        return {f"{CALLS[name]}: {name}()"}
    return {f"{WITH_ARGUMENTS[name]}: {name}()"} if name in WITH_ARGUMENTS else set()


def test_the_pure_ring_has_no_session_action_clock_environment_or_disk():
    base = ROOT / "sparkkit"
    paths = files(*(f"sparkkit/{ring}" for ring in PURE))
    found = {(str(path.relative_to(base)), what) for path in paths for what in impure(path.read_text(encoding="utf-8"))}
    assert len(paths) > 10
    assert sorted(found - ALLOWED.keys()) == []
    assert sorted(ALLOWED.keys() - found) == []


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("df.count()", "action: count()"),
        ("df.collect()", "action: collect()"),
        ("df.head(1)", "action: head()"),
        ("df.take(5)", "action: take()"),
        ("df.show(20, False)", "action: show()"),
        ("df.write.parquet(p)", "action: write"),
        ("spark.read.json(p)", "action: read"),
        ("random.random()", "randomness without a seed: random"),
        ("random.Random()", "randomness without a seed: Random()"),
        ("df.cache()", "action: cache()"),
        ("df.toPandas()", "action: toPandas"),
        ("df.foreach(f)", "action: foreach()"),
        ("df.rdd", "internals: rdd"),
        ("spark._jvm", "internals: _jvm"),
        ("df.sparkSession", "session: sparkSession"),
        ("SparkSession.builder", "edge: SparkSession"),
        ("datetime.now()", "clock: now()"),
        ("dt.date.today()", "clock: today()"),
        ("import time", "clock: import time"),
        ("def f():\n    from os import environ", "environment: import os"),
        ("import os.path as p", "environment: import os"),
        ("open('x')", "edge: open"),
        ("path.read_text()", "disk: read_text"),
    ],
)
def test_the_ban_sees_each_kind(line, what):
    assert what in impure(line)


@pytest.mark.parametrize(
    "line",
    ["F.count('x')", "random.Random(7)", "F.first(c, ignorenulls=True)", "words.count(name)", "F.collect_list('x')"],
)
def test_the_ban_leaves_expressions_alone(line):
    assert impure(line) == set()


def test_jobs_import_sparkkit_alone_and_never_each_other():
    stems = {path.stem for path in files("jobs")}
    known = {"sparkkit"} | (sys.stdlib_module_names - stems)
    others = {
        (path.name, name)
        for path in files("jobs")
        for name in imported(ast.parse(path.read_text(encoding="utf-8")))
        if name.split(".")[0] not in known and not name.startswith("pyspark.ml")  # the stages of a pipeline are Spark's own
    }
    assert stems
    assert others == set()


def test_nothing_imports_jobs():
    stems = {path.stem for path in files("jobs")} | {"jobs"}
    found = {
        (str(path.relative_to(ROOT)), name)
        for path in files("sparkkit", "scripts", "tests")
        for name in imported(ast.parse(path.read_text(encoding="utf-8")))
        if name.split(".")[0] in stems
    }
    assert found == set()


def functions(path: Path) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, bool]]:
    """Each function and class of a file, with a name for messages, and whether it is public."""

    def below(body: list[ast.stmt], public: bool) -> Iterator[tuple[ast.stmt, bool]]:
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                shown = public and not node.name.startswith("_")
                yield node, shown
                yield from below(node.body, shown and isinstance(node, ast.ClassDef))

    for node, public in below(ast.parse(path.read_text(encoding="utf-8")).body, True):
        yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node, public  # type: ignore[attr-defined, misc]


def lines(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> int:
    """The lines of a function's body without its docstring."""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return (node.end_lineno or 0) - body[0].lineno + 1 if body else 0


SOURCES = [path for path in files("sparkkit", "jobs", "scripts") if "templates" not in path.parts]
"""All but what `init` copies into the projects of others."""


def test_no_module_has_more_than_400_lines():
    sizes = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {name: size for name, size in sizes.items() if size > 400} == {}


def test_no_function_has_more_than_60_lines():
    sizes = {
        name: lines(node) for path in SOURCES for name, node, _ in functions(path) if not isinstance(node, ast.ClassDef)
    }
    assert {name: size for name, size in sizes.items() if size > 60} == {}


def test_everything_public_has_a_docstring():
    paths = [path for path in SOURCES if path.relative_to(ROOT).parts[0] != "scripts"]
    undocumented = [
        name for path in paths for name, node, public in functions(path) if public and not ast.get_docstring(node)
    ]
    assert undocumented == []


def test_every_module_has_a_docstring():
    filled = [path for path in SOURCES if path.stat().st_size]
    assert [
        str(p.relative_to(ROOT)) for p in filled if not ast.get_docstring(ast.parse(p.read_text(encoding="utf-8")))
    ] == []
