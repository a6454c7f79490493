import importlib
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sparkkit import codebase

Version = Callable[[], str | None]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Writes files below a folder; `outside` is on the path of Python's modules."""
    monkeypatch.syspath_prepend(str(tmp_path / "outside"))

    def write(**texts: str) -> None:
        for name, text in texts.items():
            file = tmp_path / f"{name.replace('__', '/')}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        importlib.invalidate_caches()

    return write


@pytest.fixture
def version(tmp_path: Path) -> Version:
    return lambda: codebase.version(tmp_path / "home" / "jobs" / "a.py", tmp_path / "home")


def test_the_version_changes_with_the_job_s_file(files: Callable[..., None], version: Version) -> None:
    files(home__jobs__a="1")
    before = version()
    files(home__jobs__a="2")
    assert before != version() is not None


def test_a_job_without_a_file_has_no_version(version: Version) -> None:
    assert version() is None


@pytest.mark.parametrize("way", ["import one", "from one import f", "def build():\n    import one\n", "def build():\n    from one import f",
                                 "try:\n    import one.two\nexcept ImportError: pass"])
def test_the_version_changes_with_a_module_of_another_folder(files: Callable[..., None], version: Version, way: str) -> None:
    files(home__jobs__a=way, outside__one="f = 1")
    before = version()
    files(outside__one="f = 2")
    assert before != version()


def test_a_module_that_a_module_imports_counts_too(files: Callable[..., None], version: Version) -> None:
    files(home__jobs__a="def build():\n    import pack.one", outside__pack__one="from .sub import two\nfrom .. import beyond")
    (Path(sys.path[0]) / "pack" / "__init__.py").write_text("")
    files(outside__pack__sub__two="1")
    before = version()
    files(outside__pack__sub__two="2")
    inner = version()
    (Path(sys.path[0]) / "pack" / "__init__.py").write_text("x = 1")
    assert len({before, inner, version()}) == 3


def test_modules_that_import_each_other_end(files: Callable[..., None], version: Version) -> None:
    files(home__jobs__a="import one", outside__one="import two", outside__two="import one")
    assert version()


def test_a_module_in_a_zip_counts(files: Callable[..., None], version: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files(home__jobs__a="import zipped")
    found = []
    for n in range(2):
        with zipfile.ZipFile(tmp_path / f"{n}.zip", "w") as archive:
            archive.writestr("zipped.py", f"x = {n}")
        with monkeypatch.context() as patch:
            patch.syspath_prepend(str(tmp_path / f"{n}.zip"))
            found.append(version())
    assert None not in found and found[0] != found[1]


def test_a_module_that_came_out_of_a_zip_of_the_project_counts(
    files: Callable[..., None], version: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    files(home__jobs__a="import zipped_too")
    with zipfile.ZipFile(tmp_path / "home" / "h.zip", "w") as archive:
        archive.writestr("zipped_too.py", "x = 1")
    monkeypatch.syspath_prepend(str(tmp_path / "home" / "h.zip"))
    before = version()
    importlib.import_module("zipped_too")
    assert version() == before is not None


def test_what_is_installed_or_python_s_own_does_not_count(files: Callable[..., None], version: Version, tmp_path: Path) -> None:
    files(home__jobs__a="import one, json, pyspark, pandas")
    before = version()
    files(outside__one="1")
    (tmp_path / "outside" / "one-1.dist-info").mkdir()
    codebase._installed.cache_clear()
    assert before == version()


def test_a_module_that_can_t_be_parsed_counts_by_its_bytes(files: Callable[..., None], version: Version) -> None:
    files(home__jobs__a="import one", outside__one="def")
    before = version()
    files(outside__one="deff")
    assert before != version() is not None
