"""The package for `--py-files`: conf and contracts compiled, the same bytes for the same input."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from sparkkit.errors import InfrastructureError, UsageError
from sparkkit.project import BUNDLE, Project
from sparkkit.schema.contract import Contract
from sparkkit.submission import package

CONTRACT = """\
kind: DataContract
apiVersion: v3.1.0
id: t
version: 1.0.0
status: active
schema:
  - {name: one, properties: [{name: a, logicalType: string}]}
  - {name: two, properties: [{name: b, logicalType: integer}]}
"""


@pytest.fixture
def home(tmp_path: Path) -> Project:
    pytest.importorskip("open_data_contract_standard")
    (tmp_path / "conf" / "env").mkdir(parents=True)
    (tmp_path / "schemas").mkdir()
    (tmp_path / "conf" / "a.toml").write_text("[inputs.x]\ncontract = 't#two'\n")
    (tmp_path / "conf" / "local.toml").write_text("[run]\nrecords = 'secret'\n")
    (tmp_path / "conf" / "env" / "big.toml").write_text("[spark]\na = 1\n")
    (tmp_path / "schemas" / "t.yaml").write_text(CONTRACT)
    return Project(tmp_path)


def bundle(path: Path) -> Project:
    with zipfile.ZipFile(path) as archive:
        return Project(Path("nowhere"), json.loads(archive.read(f"sparkkit/{BUNDLE}")))


def test_the_bundle_holds_conf_and_contracts_and_leaves_the_local_file_out(home: Project) -> None:
    found = bundle(package.build(home, home.root / "p.zip"))
    assert found.toml("a.toml") == {"inputs": {"x": {"contract": "t#two"}}}
    assert (found.toml("local.toml"), found.environments()) == (None, ["big"])
    assert (found.contract("t"), found.contract("t#two")) == (home.contract("t"), home.contract("t#two"))


def test_a_contract_survives_the_bundle_whole() -> None:
    root = Path(__file__).resolve().parents[1]
    pytest.importorskip("open_data_contract_standard")
    home = Project(root)
    found = package.compiled(home)["schemas"]
    for name, compiled in found.items():
        assert Contract.from_json(json.dumps(compiled)).hash == home.contract(name).hash
    assert "names" in found


def test_the_same_input_gives_the_same_bytes(home: Project) -> None:
    one = package.build(home, home.root / "x" / "1.zip").read_bytes()
    (home.root / "conf" / "a.toml").touch()
    assert one == package.build(home, home.root / "2.zip").read_bytes()


def test_the_zip_holds_the_package_s_modules_and_no_templates(home: Project) -> None:
    with zipfile.ZipFile(package.build(home, home.root / "p.zip")) as archive:
        names = archive.namelist()
    assert {"sparkkit/__init__.py", "sparkkit/run.py", "sparkkit/schema/conform.py"} <= set(names)
    assert [n for n in names if "templates" in n or "__pycache__" in n] == []
    assert len(names) == len(set(names))


def test_a_wrong_contract_is_refused_and_no_zip_is_left(home: Project) -> None:
    (home.root / "schemas" / "t.yaml").write_text("kind: no")
    with pytest.raises(UsageError):
        package.build(home, home.root / "out" / "p.zip")
    assert not (home.root / "out").exists()


def test_a_place_that_can_not_be_written_to_is_named(home: Project) -> None:
    with pytest.raises(InfrastructureError, match="p.zip can't be written"):
        package.build(home, home.root / "conf" / "a.toml" / "p.zip")


def test_a_secret_in_conf_is_not_packed(home: Project) -> None:
    (home.root / "conf" / "env" / "big.toml").write_text("[inputs.x.options]\npassword = 'hunter2'\n")
    with pytest.raises(UsageError, match="conf/env/big.toml: inputs.x.options.password holds a secret in plain text"):
        package.compiled(home)
