"""Finished outputs of a few bodies in four shards, with the table of their segments."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import in_process
from formats import Placed, write_zarr
from snakemesh.job_records import Sharding
from snakemesh.plan.plan import Plan
from surfaces import voronoi

VOXEL_NM = (20, 8, 8)  # z y x
CORNER_NM = (1000, 2000, 3000)
LABELS = voronoi((40, 70, 60), 24, 3, VOXEL_NM).astype(np.uint64)
BODIES = np.unique(LABELS)[1:]
# One label needs 64 bits, and one has a single voxel and so LOD 0 alone.
ODD_LABELS = LABELS.copy()
ODD_LABELS[ODD_LABELS == 3] = 2**63 + 3
ODD_LABELS[5, 5, 5] = 999


def small_run(root: Path, labels: np.ndarray, corner_nm: Sequence[float]) -> tuple[Plan, Path]:
    """The plan and the `multires` folder of a run with three LODs and four shards in `root`/out."""
    path = write_zarr(root / "volume.zarr", [Placed(labels, VOXEL_NM, corner_nm, (32, 32, 32))])
    config = {"input_path": path, "output_directory": str(root / "out"), "num_lods": 3}
    config |= {"cell_size": 32, "target_reduction": 0.5, "decimation_factor": 4}
    plan = in_process.planned(config)
    plan = replace(plan, sharding=Sharding(shard_bits=2, minishard_bits=1))
    in_process.build_pyramid(plan)
    return plan, in_process.mesh(plan)


def small_output(root: Path) -> Path:
    """The `multires` folder of the labels BODIES, below `root`."""
    _, multires = small_run(root, LABELS, CORNER_NM)
    shutil.rmtree(root / "out" / "work")
    return multires
