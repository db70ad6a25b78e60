"""The records of jobs that measure blocks and shards, and the words for measures."""

from dataclasses import dataclass

from snakemesh.boxes import Nanometres, Shape
from snakemesh.chunk_files import Watch
from snakemesh.job_records import LabelMap, LevelPart, ShardJob

COMPONENTS = "components"
THICKNESS = "thickness"
CURVATURE = "curvature"
# The largest distance to a surface that is told from larger ones, in sides of a voxel along its
# shortest axis. Jobs read so much more around their block: 64 would double their time.
REACH = 32


@dataclass(frozen=True)
class MeasureJob:
    """A box of s0 to measure. Triples are z y x.

    reads: s0. begin, end: the box, in voxels of the part that is meshed. voxel_nm: the sides of a
    voxel. measures: which ones, of `of_voxels`. watch, label_map: as for a block.
    """

    reads: LevelPart
    begin: Shape
    end: Shape
    voxel_nm: Nanometres
    measures: tuple[str, ...]
    watch: Watch | None = None
    label_map: LabelMap | None = None


@dataclass(frozen=True)
class CurvatureJob:
    """The curvature of the labels of a shard. upper_nm: where what is meshed ends, x y z."""

    shard: ShardJob
    upper_nm: Nanometres


def of_voxels(measures: tuple[str, ...]) -> tuple[str, ...]:
    """The measures among these for which blocks of voxels are read."""
    return tuple(name for name in measures if name != CURVATURE)


def margin(measures: tuple[str, ...], voxel_nm: Nanometres) -> Shape:
    """The voxels around a box that its measures depend on, z y x."""
    if THICKNESS not in measures:
        return (1, 1, 1)
    # one voxel more, because ridges look at neighbours
    z, y, x = (int(-(-REACH * min(voxel_nm) // side)) + 1 for side in voxel_nm)
    return (z, y, x)
