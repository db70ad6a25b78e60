"""A compiled function is made again if one that it calls has changed, in another file."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import snakemesh.compiled

CALLED = """
from snakemesh.compiled import njit

@njit(cache=True)
def called(x):
    return x + {}
"""
CALLER = """
from snakemesh.called import called
from snakemesh.compiled import njit

@njit(cache=True)
def caller(x):
    return called(x)
"""


PROGRAM = """
from snakemesh.caller import caller
print(caller(1), sum(caller.stats.cache_hits.values()))
"""


def result(folder: Path) -> str:
    """What the compiled function returns, and how often it came from the cache."""
    line = [sys.executable, "-c", PROGRAM]
    env = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run(line, env=env, capture_output=True, text=True, check=True).stdout.strip()


def test_a_change_in_another_file_is_noticed(tmp_path):
    package = tmp_path / "snakemesh"
    package.mkdir()
    shutil.copy(snakemesh.compiled.__file__, package)
    (package / "caller.py").write_text(CALLER)
    for added in (1, 10):
        (package / "called.py").write_text(CALLED.format(added))
        assert result(tmp_path) == f"{1 + added} 0"
        assert result(tmp_path) == f"{1 + added} 1"
