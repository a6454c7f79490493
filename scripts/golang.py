"""Programs of the tests that are built from a Go module, once, into a folder."""
from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from scripts.daemons import MissingError


def program(module: str, into: Path, what: str) -> str:
    """The program of a module: the machine's own, the one that was built before, or one built now.

    Raises:
        MissingError: it is not here, and can't be built; `what` it would have been is said.
    """
    name = module.partition("@")[0].rpartition("/")[2]
    if found := shutil.which(name) or shutil.which(into / name):
        return found
    go = shutil.which("go")
    if go is None:
        raise MissingError(f"no {what} here: {name} is built by Go, which is not installed")
    own = {"GOBIN": str(into), "GOPATH": str(into / "go"), "GOFLAGS": "-modcacherw"}
    try:
        subprocess.run([go, "install", module], env={**os.environ, **own}, check=True, capture_output=True, text=True, timeout=900)
    except (subprocess.SubprocessError, OSError) as error:
        said = str(getattr(error, "stderr", "") or error).strip().splitlines()[-1:]
        raise MissingError(f"no {what} here: {name} could not be built: {''.join(said)}") from error
    finally:
        shutil.rmtree(into / "go", ignore_errors=True)
    return str(into / name)
