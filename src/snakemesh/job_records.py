"""The records that planning hands to the jobs. A job knows nothing else of the plan.

All triples are z, y, x, except those of the octree. They are x, y, z, like all that the viewer
reads; the fields below say so.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from snakemesh.boxes import Box, Index, Nanometres, Shape, ceil_div, triple
from snakemesh.chunk_files import ChunkFiles, Watch
from snakemesh.label_list import LabelLists
from snakemesh.label_values import LABELS, LabelValues
from snakemesh.stored_array import StoredArray

# Raise it with every change of the code that changes a byte of the levels or of the meshes: what an
# older version has made is then made again.
RESULTS_VERSION = 5
# The levels that a stage makes are at most this many times coarser than its base, on each axis.
MAX_STAGE_FACTOR = 8


@dataclass(frozen=True)
class LevelPart:
    """The part of a level that is meshed: which voxels of which array.

    path: the array. name: which of the arrays at `path`, where there are several (precomputed);
    otherwise None. origin: the voxel of the array at which the part begins. shape: voxels of the
    part. is_built: whether a run of ours has made the level. stored: how the array is opened, None
    for a level that is built. values: what its values mean.
    """

    path: str
    name: str | None
    origin: Shape
    shape: Shape
    is_built: bool = False
    stored: StoredArray | None = None
    values: LabelValues = LABELS


@dataclass(frozen=True)
class LabelMap:
    """How the labels that a job reads become bodies, and where the job records which it has seen.

    path, marker: the sorted table, and what vouches for it. keep_rest: labels that are not in it
    stay what they are, or else become background. dtype: of the levels. record, token: of the
    labels that are seen (`tables.seen`).
    """

    path: str
    marker: str
    keep_rest: bool
    dtype: str
    record: str
    token: int


@dataclass(frozen=True)
class SuperChunkJob:
    """One super-chunk of a stage: it is read once, and every missing level is written from it.

    reads: the base. targets: for each level of the stage the files of its array, or None if the
    level exists already. steps: for each level of the stage how many times coarser it is than the
    level before it, on each axis. begin, end: the super-chunk, in voxels of the part that is read.
    method: how voxels are merged, a value of the config key `downsample_method`. watch: the chunks
    of the input that are read; None if the input is not checked, or if the base is a built level.
    label_map: of the labels that are read; None if they are the bodies already.
    """

    reads: LevelPart
    targets: tuple[ChunkFiles | None, ...]
    steps: tuple[Shape, ...]
    begin: Shape
    end: Shape
    method: str
    watch: Watch | None = None
    label_map: LabelMap | None = None

    def filled(self) -> Iterator[tuple[ChunkFiles, Box]]:
        """The files of every level that is written, and the box of its chunks that is filled."""
        factor = (1, 1, 1)
        for files, step in zip(self.targets, self.steps, strict=True):
            factor = triple(f * s for f, s in zip(factor, step, strict=True))
            if files is not None:
                begin = triple(b // f for b, f in zip(self.begin, factor, strict=True))
                yield files, files.indices_of((begin, ceil_div(self.end, factor)))


@dataclass(frozen=True)
class BuiltLevel:
    """A level that a run builds.

    name: of its array in the group. shape: voxels. voxel_size: nm. translation: the centre of its
    voxel 0, in nm.
    """

    name: str
    shape: Shape
    voxel_size: Nanometres
    translation: Nanometres


@dataclass(frozen=True)
class LinkedLevel:
    """A level of the source that the group of the built levels links to.

    name: of the link in the group. path: the array that it points to. voxel_size, translation: as
    in `BuiltLevel`, for the whole array and not only for the part that is meshed.
    """

    name: str
    path: str
    voxel_size: Nanometres
    translation: Nanometres


@dataclass(frozen=True)
class PyramidGroup:
    """The group of the levels that are built.

    path: of the group. format: "zarr2" or "zarr3". chunks: voxels of a chunk of the levels that are
    built. dtype: their data type. method: how voxels are merged, a value of the config key
    `downsample_method`.
    """

    path: str
    format: str
    built: tuple[BuiltLevel, ...]
    linked: tuple[LinkedLevel, ...]
    chunks: Shape
    dtype: str
    method: str


@dataclass(frozen=True)
class Sharding:
    """How labels are spread over `2**shard_bits` files of `2**minishard_bits` minishards each.

    preshift_bits: the lowest bits of a label, which do not count for its place. Raises ValueError
    if a number of bits is negative or too large.
    Format: https://github.com/google/neuroglancer/blob/master/src/datasource/precomputed/sharded.md
    """

    shard_bits: int
    minishard_bits: int
    preshift_bits: int = 0

    def __post_init__(self) -> None:
        if min(self.shard_bits, self.minishard_bits, self.preshift_bits) < 0:
            raise ValueError(f"the bits of a sharding cannot be negative: {self}")
        if self.shard_bits + self.minishard_bits > 32 or self.preshift_bits > 63:
            raise ValueError(f"more bits than any number of labels needs: {self}")

    @property
    def num_shards(self) -> int:
        """The number of shard files."""
        return 1 << self.shard_bits

    @property
    def index_bytes(self) -> int:
        """The size of the shard index at the start of a shard file: 16 bytes for each minishard."""
        return 16 << self.minishard_bits


@dataclass(frozen=True)
class OctreeGrid:
    """The octree in space.

    origin_nm: the lower corner of cell (0, 0, 0), x y z. cell_nm: the size of a cell at LOD 0, x y
    z. lod_voxels: the size of a voxel of each LOD's level, in voxels of s0 (geometric means of the
    axes). base_nm: the part of `origin_nm` that is the `transform` of the `info` document, x y z;
    manifests hold the rest. scale_nm: the `lod_scale_multiplier` of that document, the unit of the
    LOD scales in the manifests; the plan has the size of a voxel of s0. Raises ValueError if the
    sizes of voxels are not positive and strictly growing.
    """

    origin_nm: Nanometres
    cell_nm: Nanometres
    lod_voxels: tuple[float, ...]
    base_nm: tuple[int, int, int] = (0, 0, 0)
    scale_nm: float = 1.0

    def __post_init__(self) -> None:
        sizes = self.lod_voxels
        if not sizes or min(*sizes, self.scale_nm) <= 0:
            raise ValueError(f"expected positive sizes of voxels, one per LOD: {self}")
        if any(b <= a for a, b in zip(sizes, sizes[1:], strict=False)):
            raise ValueError(f"the sizes of voxels must grow from LOD to LOD: {sizes}")

    @property
    def num_lods(self) -> int:
        """The number of LODs."""
        return len(self.lod_voxels)


@dataclass(frozen=True)
class FinerBlocks:
    """The containers of the LOD below that a block is made of. shape, cell_voxels: voxels of their
    level that are meshed, and of a cell. factor: of the level of this LOD over s0.
    """

    containers: tuple[str, ...]
    shape: Shape
    cell_voxels: Shape
    factor: Shape


@dataclass(frozen=True)
class MeshBlockJob:
    """One block of whole cells of an LOD, to be meshed tile by tile.

    reads: the level that is meshed. finer: what the block is made of instead, None for voxels.
    voxels_of_s0: in a voxel of the level, where another LOD is made of this one; otherwise 0.
    first_cell: the index of the block's first cell. n_cells: the number of its cells on each axis.
    tile_cells: cells of a tile. grid_cells: cells of the whole octree at this LOD. cell_voxels:
    voxels of the level in a cell. cell_nm: the size of a cell of this LOD, x y z. ends: where the
    part that is meshed ends, in voxels of the level; not whole where s0 ends inside one.
    n_smoothing_iter: sweeps of smoothing. keep: fraction of the dense faces to
    keep, 0 to 1. max_error: how far simplification may move a surface, in voxels of the level (the
    geometric mean of the three axes). label_lists: which labels are meshed. watch, label_map: as
    for a super-chunk. contacts: whether the contacts of labels are looked for, or "background":
    those of the background too.
    """

    lod: int
    reads: LevelPart
    first_cell: Index
    n_cells: Shape
    tile_cells: Shape
    grid_cells: Shape
    cell_voxels: Shape
    cell_nm: Nanometres
    ends: tuple[float, float, float]
    n_smoothing_iter: int
    keep: float
    max_error: float
    label_lists: LabelLists
    sharding: Sharding
    watch: Watch | None = None
    label_map: LabelMap | None = None
    finer: FinerBlocks | None = None
    voxels_of_s0: int = 0
    contacts: bool | str = False


@dataclass(frozen=True)
class ShardJob:
    """What all shard jobs have in common.

    sharded: write shard files, or else two files a label. min_voxels: labels of fewer voxels of s0
    are left out. voxel_nm: the size of a voxel of s0, x y z.
    """

    grid: OctreeGrid
    sharding: Sharding
    sharded: bool
    min_voxels: int
    voxel_nm: Nanometres


@dataclass(frozen=True)
class OwnLevel:
    """A coarser level that the input has itself. number: of its LOD. factor: over s0."""

    number: int
    reads: LevelPart
    factor: Shape


@dataclass(frozen=True)
class VerifyJob:
    """What all jobs that verify an output have in common.

    reads: s0. voxel_nm: the size of a voxel of s0, x y z. grid: its origin is the corner of the
    part that is meshed. sharding: as the member `sharding` of an `info` document; without shards,
    it says which labels a job checks. max_error: as for a block.
    label_lists, min_voxels: which labels have no mesh. label_map, keep_rest: the sorted table of
    bodies, None without one, and whether labels that are not in it stay what they are. own_levels:
    those of the input that are meshed.
    """

    reads: LevelPart
    voxel_nm: Nanometres
    grid: OctreeGrid
    sharding: dict[str, Any]
    sharded: bool
    max_error: float
    label_lists: LabelLists
    min_voxels: int
    label_map: str | None = None
    keep_rest: bool = True
    own_levels: tuple[OwnLevel, ...] = ()
