"""Libraries of tests/faults that change calls of the C library in every process of a run."""

import atexit
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

_FAULTS = Path(__file__).resolve().parents[1] / "faults"


@cache
def library(name: str) -> Path:
    """The compiled library `tests/faults/<name>.c`, for LD_PRELOAD."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip(f"NOT TESTED: {name} needs a C compiler")
    folder = tempfile.mkdtemp(prefix="snakemesh.faults.")
    atexit.register(shutil.rmtree, folder)
    built = Path(folder, f"{name}.so")
    source = _FAULTS / f"{name}.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", built, source, "-ldl"], check=True)
    return built


def refusing(**errors: int) -> dict[str, str]:
    """The environment of a process whose calls fail with these errors: `refusing(flock=ENOSYS)`.

    The calls are those of tests/faults/refuse_calls.c. The error 0 pretends to have done it.
    """
    calls = " ".join(f"{call}={error}" for call, error in errors.items())
    return os.environ | {"LD_PRELOAD": str(library("refuse_calls")), "REFUSED_CALLS": calls}
