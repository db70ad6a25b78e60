"""The quick way to compile gives the machine code of numba's own way."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from snakemesh.compiling import quick_numba
from snakemesh.kernels import kernel_files

SOURCE = Path(kernel_files.__file__).parents[2]
PROGRAM = """
import sys
from pathlib import Path
from snakemesh.kernels import kernel_files
kernel_files.folders = lambda: [Path(sys.argv[1])]
from snakemesh.compiling.quick_numba import use_quick_numba
from snakemesh.compiling.stages import STAGES, _finer, _pieces
from numba.core.registry import cpu_target
cpu_target.target_context.refresh()
if sys.argv[2] == "quick":
    use_quick_numba()
_finer()
_pieces()
"""


def machine_code(folder: Path, way: str) -> dict[str, bytes]:
    """By file of a kept function, its machine code."""
    line = [sys.executable, "-c", PROGRAM, str(folder), way]
    subprocess.run(line, env=os.environ | {"PYTHONPATH": str(SOURCE)}, check=True)
    found = {}
    for path in folder.iterdir():
        state = pickle.loads(kernel_files._read(path))
        [code] = [part[2][0] for part in state if isinstance(part, tuple) and "object" in part]
        found[path.name] = code
    return found


def test_the_same_machine_code(tmp_path):
    assert numba.__version__.startswith(quick_numba._TRIED)
    quick = machine_code(tmp_path / "quick", "quick")
    assert len(quick) > 5
    assert quick == machine_code(tmp_path / "own", "own")


@pytest.mark.parametrize("version", ["0.67.1", "0.69.0", "1.0"])
def test_other_versions_compile_in_their_own_way(monkeypatch, version):
    monkeypatch.setattr(numba, "__version__", version)
    monkeypatch.setattr(quick_numba, "_keep_types_of_calls", lambda: pytest.fail(version))
    quick_numba.use_quick_numba()
