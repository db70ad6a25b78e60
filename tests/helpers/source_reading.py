"""How tests read a source: the one place that names the module of `read_source`."""

from pathlib import Path
from typing import Any

import numpy as np

from in_process import level_labels, planned
from snakemesh.source.read import read_source

__all__ = ["placements", "read_source", "voxels"]

Placed = tuple[tuple[float, float, float], tuple[float, float, float]]


def placements(path: str, **options: Any) -> list[Placed]:
    """Voxel size and centre of voxel 0 of every level, finest first, z y x in nm."""
    return [(level.voxel_size, level.translation) for level in read_source(path, **options)]


def voxels(path: str, output: Path, **config: Any) -> np.ndarray:
    """The voxels of s0, z y x, as the jobs of a run read them. output: of that run."""
    settings = {"input_path": path, "output_directory": str(output), "num_lods": 1}
    return level_labels(planned(settings | config), 0)
