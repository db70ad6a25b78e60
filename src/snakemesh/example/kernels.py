"""The voxel loops of the synthetic neuropil. Those of its thin processes are in `growth`.

The example is the same on every machine. Every position, radius and direction is therefore an
int64: compilers may fuse and reorder floating-point operations, which would move voxels. The one
exception is the square root, which IEEE 754 rounds correctly on every machine.
All triples are z, y, x. Lengths are in 1/16 nm.
"""

import math

import numpy as np

from snakemesh.kernels.compiled import njit

NM = 16  # one nanometre
VOXEL = (20 * NM, 8 * NM, 8 * NM)
# Voxels of a block. The noise is known at the corners of blocks and interpolated between them. The
# product of the three is 2^8, so that a shift by 8 bits divides by it.
BLOCK = (4, 8, 8)
_VZ, _VY, _VX = VOXEL
_MARGIN_SHIFT = 16  # with this scale, a margin of 255 is about 90 nm from the border


@njit(cache=True, nogil=True, allocates=False)
def _interpolated(lattice, z, y, i):
    """The noise, times 32, where the row of voxels `z y` enters and where it leaves block `i`.

    It is interpolated bilinearly between the corners of the block's face.
    """
    k, j, c, b = z // 4, y // 8, z % 4, y % 8
    enter = (lattice[k, j, i] * (8 - b) + lattice[k, j + 1, i] * b) * (4 - c)
    enter += (lattice[k + 1, j, i] * (8 - b) + lattice[k + 1, j + 1, i] * b) * c
    i += 1
    leave = (lattice[k, j, i] * (8 - b) + lattice[k, j + 1, i] * b) * (4 - c)
    leave += (lattice[k + 1, j, i] * (8 - b) + lattice[k + 1, j + 1, i] * b) * c
    return enter, leave


@njit(cache=True, nogil=True, allocates=False)
def _distance(z, y, x, to):
    """The distance of two points, a float."""
    return math.sqrt((z - to[0]) ** 2 + (y - to[1]) ** 2 + (x - to[2]) ** 2)


@njit(cache=True, nogil=True)
def _candidates(seeds, weights, warp, begin, end, among):
    """The seeds of `among` that can own a voxel of the blocks from `begin` to `end`.

    Warped blocks lie in the convex hull of their warped corners, and so in any ball that holds all
    these corners. A seed is left out if another seed is nearer to every point of the ball.
    Distances are rounded so that no seed is missed.
    """
    middle = (
        (begin[0] + end[0]) * 2 * _VZ,
        (begin[1] + end[1]) * 4 * _VY,
        (begin[2] + end[2]) * 4 * _VX,
    )
    radius = 0
    for k in range(begin[0], end[0] + 1):
        for j in range(begin[1], end[1] + 1):
            for i in range(begin[2], end[2] + 1):
                z, y, x = k * 4 * _VZ, j * 8 * _VY, i * 8 * _VX
                z, y, x = z + warp[0, k, j, i], y + warp[1, k, j, i], x + warp[2, k, j, i]
                radius = max(radius, int(_distance(z, y, x, middle)) + 2)
    distances, found = np.empty_like(among), np.empty_like(among)
    reach = np.int64(1) << 62
    for n in range(len(among)):
        s = among[n]
        distances[n] = int(_distance(seeds[s, 0], seeds[s, 1], seeds[s, 2], middle))
        reach = min(reach, (distances[n] + 1 + radius) ** 2 - weights[s])
    count = 0
    for n in range(len(among)):
        if max(distances[n] - radius, 0) ** 2 - weights[among[n]] <= reach:
            found[count] = among[n]
            count += 1
    return found[:count]


@njit(cache=True, nogil=True, allocates=False)
def _two_nearest(seeds, weights, cell_of, near, z, y, x):
    """The cell that owns a point, and its lead: how much nearer it is than the next cell.

    The lead is the difference of the two power distances, in squared lengths.
    """
    best, second, owner = np.int64(1) << 62, np.int64(1) << 62, 0
    for n in near:
        d = (seeds[n, 0] - z) ** 2 + (seeds[n, 1] - y) ** 2 + (seeds[n, 2] - x) ** 2 - weights[n]
        if d < best:
            if cell_of[n] != owner:
                second = best
            best, owner = d, cell_of[n]
        elif d < second and cell_of[n] != owner:
            second = d
    return owner, second - best


@njit(cache=True, nogil=True, allocates=False)
def _fill_block(seeds, weights, cell_of, near, lattices, block, cells, margin, rough):
    """Do the work of `partition` for one block. near: the seeds that can own a voxel of it."""
    k, j, i = block
    for z in range(k * 4, k * 4 + 4):
        for y in range(j * 8, j * 8 + 8):
            z0, z1 = _interpolated(lattices[0], z, y, i)
            y0, y1 = _interpolated(lattices[1], z, y, i)
            x0, x1 = _interpolated(lattices[2], z, y, i)
            r0, r1 = _interpolated(lattices[3], z, y, i)
            for a in range(8):
                x = i * 8 + a
                cells[z, y, x], lead = _two_nearest(
                    seeds,
                    weights,
                    cell_of,
                    near,
                    z * _VZ + ((z0 * (8 - a) + z1 * a) >> 8),
                    y * _VY + ((y0 * (8 - a) + y1 * a) >> 8),
                    x * _VX + ((x0 * (8 - a) + x1 * a) >> 8),
                )
                margin[z, y, x] = min(lead >> _MARGIN_SHIFT, 255)
                rough[z, y, x] = min(max((r0 * (8 - a) + r1 * a) >> 8, -100), 100)


@njit(cache=True, nogil=True)
def partition(seeds, weights, cell_of, lattices, cells, margin, rough):
    """Fill the volume with the cells of a power diagram. A warp curves the faces between them.

    seeds: (n, 3) positions. weights: (n,) squared lengths. cell_of: (n,) the cell of each seed; a
    cell is the union of the regions of its seeds. lattices: (4, blocks + 1 on each axis), noise at
    the corners of the blocks: the three components of the warp, then a noise of about ±100.

    Fills three arrays of one shape, which must be whole blocks: `cells`, int16, the cell of each
    voxel; `margin`, uint8, 0 at the border between two cells and 255 deep inside; `rough`, int8,
    the fourth noise at each voxel.
    """
    nz, ny, nx = cells.shape[0] // 4, cells.shape[1] // 8, cells.shape[2] // 8
    everything = np.arange(len(seeds))
    for kk in range(0, nz, 4):
        for jj in range(0, ny, 4):
            for ii in range(0, nx, 4):
                ends = min(kk + 4, nz), min(jj + 4, ny), min(ii + 4, nx)
                some = _candidates(seeds, weights, lattices, (kk, jj, ii), ends, everything)
                for k in range(kk, ends[0]):
                    for j in range(jj, ends[1]):
                        for i in range(ii, ends[2]):
                            to = (k + 1, j + 1, i + 1)
                            near = _candidates(seeds, weights, lattices, (k, j, i), to, some)
                            _fill_block(
                                seeds,
                                weights,
                                cell_of,
                                near,
                                lattices,
                                (k, j, i),
                                cells,
                                margin,
                                rough,
                            )


@njit(cache=True, nogil=True, allocates=False)
def _gives_way(owner, cells, z, y, x):
    """Whether a voxel of a cell touches a process of another label or a cell of a larger number."""
    label = cells[z, y, x]
    for zz in range(max(z - 1, 0), min(z + 2, cells.shape[0])):
        for yy in range(max(y - 1, 0), min(y + 2, cells.shape[1])):
            for xx in range(max(x - 1, 0), min(x + 2, cells.shape[2])):
                if abs(zz - z) + abs(yy - y) + abs(xx - x) == 1:
                    there = owner[zz, yy, xx]
                    if there == 0:
                        if cells[zz, yy, xx] > label:
                            return True
                    elif there != label:
                        return True
    return False


@njit(cache=True, nogil=True, allocates=False)
def merge(owner, cells, rough, gap_above, out):
    """Write the processes over the cells, into `out`, with gaps between some of them.

    Where `rough` is above `gap_above`, cells are separated from their neighbours by one voxel of
    background. Only voxels of cells become background, so that no thin process is cut.
    """
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            for x in range(out.shape[2]):
                if owner[z, y, x] != 0:
                    out[z, y, x] = owner[z, y, x]
                elif rough[z, y, x] > gap_above and _gives_way(owner, cells, z, y, x):
                    out[z, y, x] = 0
                else:
                    out[z, y, x] = cells[z, y, x]


@njit(cache=True, nogil=True, allocates=False)
def _join(parent, a, b):
    """Join the trees of `a` and `b`. The smaller root stays: it is the first voxel of its piece."""
    while parent[a] != a:
        parent[a] = parent[parent[a]]
        a = parent[a]
    while parent[b] != b:
        parent[b] = parent[parent[b]]
        b = parent[b]
    parent[max(a, b)] = min(a, b)


@njit(cache=True, nogil=True)
def components(labels, numbers):
    """Number the 6-connected pieces of equal labels, from 0 on, in the order of their first voxels.

    Background is a label like all others. Fills `numbers`, int32 of the shape of `labels`, with the
    piece of each voxel. Returns the label and the number of voxels of each piece, both int64 of
    shape (pieces,).
    """
    nz, ny, nx = labels.shape
    flat, parent = labels.ravel(), numbers.ravel()
    n = 0
    for z in range(nz):
        for y in range(ny):
            for x in range(nx):
                parent[n] = n
                if x > 0 and flat[n - 1] == flat[n]:
                    parent[n] = parent[n - 1]
                if y > 0 and flat[n - nx] == flat[n]:
                    _join(parent, n - nx, n)
                if z > 0 and flat[n - nx * ny] == flat[n]:
                    _join(parent, n - nx * ny, n)
                n += 1
    count = 0
    for n in range(len(flat)):
        count += parent[n] == n
    owners, sizes = np.empty(count, np.int64), np.zeros(count, np.int64)
    count = 0
    for n in range(len(flat)):
        if parent[n] == n:
            owners[count] = flat[n]
            parent[n] = count
            count += 1
        else:  # the parent comes before its child, so it already holds its number
            parent[n] = parent[parent[n]]
        sizes[parent[n]] += 1
    return owners, sizes
