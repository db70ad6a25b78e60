"""Compiled functions are kept under a hash of all that they depend on, and shared."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import snakemesh.kernels.compiled

LIBRARY = Path(snakemesh.kernels.compiled.__file__).parent
PARTS = ("callees", "compiled", "fingerprint", "kernel_files")
CONSTANTS = """
from typing import NamedTuple

class Table(NamedTuple):
    {first}: int
    {second}: int

CONSTANT = {constant}
"""
CALLED = """
from snakemesh.kernels.compiled import njit
from snakemesh.constants import CONSTANT

@njit(cache=True)
def called(x):
    return x + {added} + CONSTANT
"""
CALLER = """
from snakemesh.called import called
from snakemesh.kernels.compiled import njit

@njit(cache=True)
def caller(x, table):
    '''{docstring}'''
    return called(x) + 100 * table.a
"""
PROGRAM = """
from snakemesh.caller import caller
from snakemesh.constants import Table
print(caller(1, Table(3, 4)), sum(caller.stats.cache_hits.values()))
"""
FIRST = {
    "constant": 10,
    "first": "a",
    "second": "b",
    "added": 1,
    "docstring": "A sum.",
}


def write_package(folder: Path, **changes: object) -> None:
    """A package like ours, whose compiled function depends on two other files."""
    package = folder / "snakemesh"
    (package / "kernels").mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").touch()  # else the installed one would be taken
    for part in PARTS:
        shutil.copy(LIBRARY / f"{part}.py", package / "kernels")
    values = FIRST | changes
    for name, text in (("constants", CONSTANTS), ("called", CALLED), ("caller", CALLER)):
        (package / f"{name}.py").write_text(text.format(**values))


def result(folder: Path, cache: Path, **variables: str) -> str:
    """What the compiled function returns, and how often it was found instead of compiled."""
    line = [sys.executable, "-c", PROGRAM]
    env = os.environ | {"PYTHONPATH": str(folder), "XDG_CACHE_HOME": str(cache), **variables}
    # Python takes a module for unchanged that is written again in the same second
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    done = subprocess.run(line, env=env, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.fixture
def clone(tmp_path):
    """A clone of the package whose function has been compiled: its folder and the user's cache."""
    write_package(tmp_path)
    assert result(tmp_path, tmp_path / "cache") == "312 0"
    return tmp_path


@pytest.mark.parametrize(
    ("changes", "returned"),
    [
        ({"added": 2}, 313),
        ({"constant": 20}, 322),
        ({"first": "b", "second": "a"}, 412),
    ],
    ids=["a function in another file", "a constant in another file", "the order of a named tuple"],
)
def test_a_change_of_what_it_depends_on_is_noticed(clone, changes, returned):
    write_package(clone, **changes)
    assert result(clone, clone / "cache") == f"{returned} 0"
    assert result(clone, clone / "cache") == f"{returned} 1"
    write_package(clone)
    assert result(clone, clone / "cache") == "312 1"


def test_words_and_lines_are_no_change(clone):
    write_package(clone, docstring="Another sum.\n\n    Three lines later.")
    assert result(clone, clone / "cache") == "312 1"


def test_another_clone_shares_the_code(clone, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    write_package(other)
    assert result(other, clone / "cache") == "312 1"
    # and then has it itself, for nodes that do not see the user's cache
    assert result(other, other / "none") == "312 1"


def test_two_kinds_of_cpu_at_once(tmp_path):
    """Eight nodes of two kinds begin at once with one folder: each runs its own code only."""
    write_package(tmp_path)
    kinds = [{"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": ""} for name in ("x86-64", "x86-64-v2")]
    with ThreadPoolExecutor(8) as nodes:
        found = nodes.map(lambda i: result(tmp_path, tmp_path / "cache", **kinds[i % 2]), range(8))
    assert {line.split()[0] for line in found} == {"312"}
    kept = sorted((tmp_path / "cache" / "snakemesh" / "kernels").glob("caller.*"))
    assert len(kept) == 2
    for kind in kinds:
        assert result(tmp_path, tmp_path / "cache", **kind) == "312 1"
    assert result(tmp_path, tmp_path / "cache") == "312 0"  # of this machine


def test_nothing_can_be_written(tmp_path):
    """A clone and a home that are closed even to root: functions are compiled in memory."""
    write_package(tmp_path)
    (tmp_path / "snakemesh" / "__pycache__").write_text("a file where a folder should be")
    assert result(tmp_path, Path("/proc/none"), HOME="/proc/none") == "312 0"
    assert result(tmp_path, Path("/proc/none"), HOME="/proc/none") == "312 0"


@pytest.mark.parametrize("flags", ["NUMBA_BOUNDSCHECK", "NUMBA_OPT"])
def test_settings_of_the_compiler_count(clone, flags):
    assert result(clone, clone / "cache", **{flags: "1"}) == "312 0"


def test_constants_and_narrow_integers_need_no_version_of_their_own(tmp_path):
    program = """
import numpy as np
from numba.core import event
from snakemesh.kernels.compiled import njit

compiled = []

class Listener(event.Listener):
    def on_start(self, event):
        if event.data["dispatcher"].py_func is inner.py_func:
            compiled.append([str(t) for t in event.data["args"]])

    def on_end(self, event):
        pass

event.register("numba:compile", Listener())

@njit(cache=True)
def inner(x):
    return x + 1

@njit(cache=True)
def outer(values):
    return inner(values[0]) + inner(3) + inner(values.size) + inner(np.int8(-1))

assert outer(np.array([4], np.int32)) == 11
print(compiled)
"""
    assert run_twice(tmp_path, program) == ("[['int64']]", "[]")


def test_machine_code_is_only_made_of_what_python_calls(tmp_path):
    """A function that Python and others call, and that calls itself; exceptions and constants."""
    program = """
import numpy as np
from numba.core.codegen import JitEngine
from snakemesh.kernels.compiled import njit

names, add_module = [], JitEngine.add_module

def added(engine, module):
    names.append(module.name)
    return add_module(engine, module)

JitEngine.add_module = added
NAMES = ("few", "many")

@njit(cache=True)
def sum_up_to(n):
    return n + sum_up_to(n - 1) if n > 0 else 0

@njit(cache=True)
def checked(values, n):
    if values.size < n:
        raise ValueError("too short", n)
    return NAMES[int(n > 2)], sum_up_to(n), np.full(n, 2).sum()

@njit(cache=True)
def outer(n):
    return checked(np.zeros(4, np.uint8), n)

assert outer(3) == ("many", 6, 6) and outer(1) == ("few", 1, 2)
assert checked(np.zeros(2, np.uint8), 2) == ("few", 3, 4) and sum_up_to(5) == 15
for raising in (lambda: outer(7), lambda: checked(np.zeros(2, np.uint8), 7)):
    try:
        raising()
    except ValueError as error:
        assert error.args == ("too short", 7)
    else:
        raise AssertionError("nothing raised")
print(*sorted(names))
"""
    first, _ = run_twice(tmp_path, program)
    assert first == "checked nrt outer sum_up_to"


def run_twice(folder: Path, program: str) -> tuple[str, str]:
    """What a program prints that has compiled nothing yet, and what it then prints again."""
    write_package(folder)
    env = os.environ | {"PYTHONPATH": str(folder), "XDG_CACHE_HOME": str(folder)}
    (folder / "program.py").write_text(program)
    line = [sys.executable, str(folder / "program.py")]
    runs = [subprocess.run(line, env=env, capture_output=True, text=True) for _ in range(2)]
    assert all(done.returncode == 0 for done in runs), runs[0].stderr + runs[1].stderr
    return runs[0].stdout.strip(), runs[1].stdout.strip()


def test_what_cannot_be_described_is_refused(tmp_path):
    write_package(tmp_path)
    called = tmp_path / "snakemesh" / "called.py"
    called.write_text(called.read_text().replace("import CONSTANT", "import CONSTANT\nimport os"))
    called.write_text(called.read_text().replace("+ CONSTANT", "+ CONSTANT + len(os.sep)"))
    with pytest.raises(subprocess.CalledProcessError) as failed:
        result(tmp_path, tmp_path / "cache")
    assert "a compiled function refers to <module 'os'" in failed.value.stderr
