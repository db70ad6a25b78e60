"""The records that planning hands to the jobs: all that a job knows, and all that the two share.

Three parts are z y x, except in the octree, which is x y z like everything that the viewer reads.
"""

from dataclasses import dataclass

from snakemesh.boxes import Index, Nanometres, Shape
from snakemesh.chunk_files import ChunkFiles, Watch

# Raise it with every change of the code that changes a byte of the levels or of the meshes: what an
# older version has made is then made again.
RESULTS_VERSION = 1
# One pass over a level makes levels that are at most this many times coarser on an axis.
MAX_STAGE_FACTOR = 8


@dataclass(frozen=True)
class LevelPart:
    """The part of a level that is meshed: which voxels of which array.

    path, name: the array; the name only where one path holds several (precomputed). origin: the
    array's voxel where the part begins. shape: voxels of the part. is_built: whether a run of ours
    has made the level.
    """

    path: str
    name: str | None
    origin: Shape
    shape: Shape
    is_built: bool = False


@dataclass(frozen=True)
class SuperChunkJob:
    """One super-chunk of a stage: read once, every missing level written.

    reads: the level that is read. targets: per level of the stage the files of its array, None
    where the level exists. steps: per level of the stage its factor over the one before. begin,
    end: the super-chunk, in voxels of the part that is read. watch: the chunks of the input that
    are read, None where the input is not checked or a built level is read.
    """

    reads: LevelPart
    targets: tuple[ChunkFiles | None, ...]
    steps: tuple[Shape, ...]
    begin: Shape
    end: Shape
    method: str
    watch: Watch | None = None


@dataclass(frozen=True)
class BuiltLevel:
    """A level that a run builds: its array in the pyramid's group, and where its voxel 0 lies."""

    name: str
    shape: Shape
    voxel_size: Nanometres
    translation: Nanometres


@dataclass(frozen=True)
class LinkedLevel:
    """A level of the source that the pyramid's group links to."""

    name: str
    path: str
    voxel_size: Nanometres
    translation: Nanometres


@dataclass(frozen=True)
class PyramidGroup:
    """The group of the levels that are built.

    path: of the group. format: zarr2 or zarr3. chunks, dtype: of the levels that are built.
    method: how voxels are merged.
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
    """How labels are spread over `2**shard_bits` files of `2**minishard_bits` minishards each."""

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
        """Number of shard files."""
        return 1 << self.shard_bits

    @property
    def index_bytes(self) -> int:
        """Size of the shard index at the start of a shard file: 16 bytes a minishard."""
        return 16 << self.minishard_bits


@dataclass(frozen=True)
class OctreeGrid:
    """Where the octree lies: the corner of its cell (0, 0, 0) and the size of an LOD-0 cell.

    origin_nm, cell_nm: x y z. lod_scales: per LOD its resolution, in units of the
    `lod_scale_multiplier` of the `info` document.
    """

    origin_nm: Nanometres
    cell_nm: Nanometres
    lod_scales: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.lod_scales or self.lod_scales[0] <= 0:
            raise ValueError(f"expected positive LOD scales, one per LOD: {self.lod_scales}")
        # The viewer skips a level whose scale is not above the one before.
        if any(b <= a for a, b in zip(self.lod_scales, self.lod_scales[1:], strict=False)):
            raise ValueError(f"LOD scales must grow strictly: {self.lod_scales}")

    @property
    def num_lods(self) -> int:
        """Number of levels of detail."""
        return len(self.lod_scales)


@dataclass(frozen=True)
class MeshBlockJob:
    """One block of whole cells of an LOD, to be meshed tile by tile.

    reads: the level that is meshed. first_cell, n_cells: of the block. tile_cells: meshed at once.
    grid_cells: cells of the whole octree at this LOD. cell_voxels: voxels of the level in a cell.
    cell_nm: x y z. open_sides: per axis whether objects are left open at the lower and at the upper
    end of what is meshed. keep: part of the dense faces to keep. watch:
    as for a super-chunk.
    """

    lod: int
    reads: LevelPart
    first_cell: Index
    n_cells: Shape
    tile_cells: Shape
    grid_cells: Shape
    cell_voxels: Shape
    cell_nm: Nanometres
    open_sides: tuple[tuple[bool, bool], ...]
    n_smoothing_iter: int
    keep: float
    max_error: float
    target_ids: tuple[int, ...] | None
    sharding: Sharding
    watch: Watch | None = None


@dataclass(frozen=True)
class ShardJob:
    """What all shards have in common."""

    grid: OctreeGrid
    sharding: Sharding
    sharded: bool


def halo_voxels(n_smoothing_iter: int) -> int:
    """Voxels a block must see around itself for its surface to be that of the whole volume.

    Each of a sweep's two passes looks one voxel further; the extraction looks at three.
    """
    return 2 * n_smoothing_iter + 3
