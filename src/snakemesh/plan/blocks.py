"""How the cells of an LOD are divided into blocks, one for each job, and blocks into tiles.

Super-chunks, which jobs of the pyramid read, and bundles of blocks get their sizes here too. All
sizes follow from the volume alone and not from the machine, because products are named after these
boxes and tiles decide where surfaces are cut. All triples are z, y, x.
"""

import math

from snakemesh.boxes import Shape, ceil_div, triple

# The largest number of voxels of a block: those of a default cell, whose memory a job may ask for.
MAX_BLOCK_VOXELS = 256**3
# An LOD has at least this many blocks, to keep all cores busy ...
MIN_BLOCKS = 8
# ... but blocks have at least half of this many voxels on average. A block of dense tissue with
# this many voxels takes 2 s or more, and its job on a cluster takes 0.7 s to start.
WORTHWHILE_VOXELS = 1 << 22
# How often blocks of a sparse volume are doubled: a job takes no longer than in dense tissue.
SPARSE_GROWTH = 3
# A tile has at most this many voxels, or one cell if that is larger. A tile of 512^3 voxels of
# dense uint32 labels took 3.9 GB; half of it takes 2 GB.
TILE_VOXELS = 512 * 512 * 256
# A super-chunk has at least this many voxels of its base, if the base has them. A job reads them
# and votes in less than a second, and takes about as long to start. They do not change its memory.
MIN_SUPER_CHUNK_VOXELS = 1 << 24
# A shard job opens each container three times. With more pairs of a container and a shard than
# this, the containers are copied into fewer bundles before ...
MAX_SECTIONS = 1 << 22
# ... so few that there are at most about this many pairs of a bundle and a shard.
BUNDLED_SECTIONS = 1 << 18


def block_cells(n_cells: Shape, cell_voxels: Shape, shape: Shape, growth: int) -> Shape:
    """The cells of a block of an LOD: all of them, halved until blocks are small and many enough.

    A block is never less than a cell. n_cells: cells of the LOD. cell_voxels: voxels of a cell.
    shape: voxels of the level. growth: how often blocks are doubled, to have fewer jobs.
    """
    block = n_cells
    while max(block) > 1:
        n_blocks = math.prod(ceil_div(n_cells, block))
        largest = math.prod(_voxels(block, cell_voxels, shape))
        average = math.prod(shape) / n_blocks
        is_large = largest > MAX_BLOCK_VOXELS << growth
        is_one_of_few = n_blocks < MIN_BLOCKS and average > WORTHWHILE_VOXELS << growth
        if not is_large and not is_one_of_few:
            break
        block = _halved(block, cell_voxels, shape)
    return block


def tile_cells(block: Shape, cell_voxels: Shape, shape: Shape) -> Shape:
    """The cells of a tile: those of its block, halved until there are at most TILE_VOXELS.

    cell_voxels, shape: as in `block_cells`.
    """
    tile = block
    while max(tile) > 1 and math.prod(_voxels(tile, cell_voxels, shape)) > TILE_VOXELS:
        tile = _halved(tile, cell_voxels, shape)
    return tile


def worthwhile_super_chunk(least: Shape, shape: Shape) -> Shape:
    """`least`, doubled along its shortest axes until there are MIN_SUPER_CHUNK_VOXELS in it.

    least: voxels of the smallest super-chunk that holds whole chunks of all its levels. shape:
    voxels of the base; an axis of the super-chunk that is as long as that of the base stays.
    """
    box = least
    while math.prod(map(min, box, shape)) < MIN_SUPER_CHUNK_VOXELS:
        short = [axis for axis in range(3) if box[axis] < shape[axis]]
        if not short:
            break
        shortest = min(short, key=box.__getitem__)
        box = triple(n * 2 if axis == shortest else n for axis, n in enumerate(box))
    return box


def blocks_per_bundle(n_blocks: int, num_shards: int) -> int:
    """How many blocks a bundle holds; 1 if shards read the containers of the blocks.

    n_blocks: of all LODs.
    """
    sections = n_blocks * num_shards
    return 1 if sections <= MAX_SECTIONS else -(-sections // BUNDLED_SECTIONS)


def _halved(cells: Shape, cell_voxels: Shape, shape: Shape) -> Shape:
    """A box of cells, halved and rounded up where it has most voxels of the axes that have two."""
    voxels = _voxels(cells, cell_voxels, shape)
    longest = max((axis for axis in range(3) if cells[axis] > 1), key=voxels.__getitem__)
    return triple(-(-n // 2) if axis == longest else n for axis, n in enumerate(cells))


def _voxels(cells: Shape, cell_voxels: Shape, shape: Shape) -> Shape:
    """The voxels of a box of cells on each axis, as far as there are any."""
    per_axis = zip(cells, cell_voxels, shape, strict=True)
    return triple(min(n * c, end) for n, c, end in per_axis)
