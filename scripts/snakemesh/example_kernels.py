"""The voxel loops of the synthetic neuropil, in integers only.

Every position, radius and direction is an int64, so that no compiler's choice of fused or reordered
floating-point operations can move a voxel: the example is the same everywhere. The one exception is
the square root, which IEEE 754 rounds correctly on every machine. Lengths are in 1/16 nm.
"""

import math

import numpy as np
from numba import njit

NM = 16  # one nanometre
VOXEL = (20 * NM, 8 * NM, 8 * NM)  # z y x
BLOCK = (4, 8, 8)  # voxels between two points of a noise lattice; their product is 2^8
UNIT = 4096  # length of a direction vector
STEP = 8 * NM  # length of one step of a growing process
_DEEP = 240  # a margin (see partition) no foreign process may go beyond
_VZ, _VY, _VX = VOXEL
_MARGIN_SHIFT = 16
_TURN_EVERY = 4  # steps
_TURNS = 32  # headings tried, ever wilder
_DRIFT = 640  # pull towards the heading a process was given, against UNIT
_REACH = 80 * NM  # how far outside the volume a process is followed


@njit(cache=True, nogil=True)
def _interpolated(lattice, z, y, i):
    """The noise where the row ``z y`` enters and leaves block ``i``, times 32: bilinear."""
    k, j, c, b = z // 4, y // 8, z % 4, y % 8
    enter = (lattice[k, j, i] * (8 - b) + lattice[k, j + 1, i] * b) * (4 - c)
    enter += (lattice[k + 1, j, i] * (8 - b) + lattice[k + 1, j + 1, i] * b) * c
    i += 1
    leave = (lattice[k, j, i] * (8 - b) + lattice[k, j + 1, i] * b) * (4 - c)
    leave += (lattice[k + 1, j, i] * (8 - b) + lattice[k + 1, j + 1, i] * b) * c
    return enter, leave


@njit(cache=True, nogil=True)
def _distance(z, y, x, to):
    return math.sqrt((z - to[0]) ** 2 + (y - to[1]) ** 2 + (x - to[2]) ** 2)


@njit(cache=True, nogil=True)
def _candidates(seeds, weights, warp, begin, end, among):
    """Those seeds of ``among`` that can own a voxel of the blocks from ``begin`` to ``end``.

    The warped blocks lie in the hull of their warped corners, hence in any ball that holds these.
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


@njit(cache=True, nogil=True)
def _two_nearest(seeds, weights, cell_of, near, z, y, x):
    """The cell that owns a point, and by how much: power distance to the next cell less its own."""
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


@njit(cache=True, nogil=True)
def _fill_block(seeds, weights, cell_of, near, lattices, block, cells, margin, rough):
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
    """Fill space with the cells of a power diagram, seen through a warp that curves its faces.

    ``seeds`` (n, 3) z y x and ``weights`` (n,) squared; ``cell_of`` (n,) the cell of each seed.
    ``lattices`` (4, blocks + 1 on each axis): the warp's z y x and a noise of about ±100.
    Fills ``cells``, ``margin`` (0 at the border between two cells, 255 deep inside) and ``rough``
    (the noise at each voxel); their shape must be whole blocks.
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


@njit(cache=True, nogil=True)
def _unit(z, y, x):
    """The direction of a vector."""
    length = int(math.sqrt(z * z + y * y + x * x)) + 1
    return z * UNIT // length, y * UNIT // length, x * UNIT // length


@njit(cache=True, nogil=True)
def _bounds(centre, radius, voxel, n):
    """The voxels on one axis within ``radius`` of ``centre``, clipped to the array."""
    return max(-((radius - centre) // voxel), 0), min((centre + radius) // voxel + 1, n)


@njit(cache=True, nogil=True)
def _is_clear(owner, label, centre, radius):
    """Whether no process but ``label`` has a voxel in the ball."""
    z0, z1 = _bounds(centre[0], radius, _VZ, owner.shape[0])
    y0, y1 = _bounds(centre[1], radius, _VY, owner.shape[1])
    x0, x1 = _bounds(centre[2], radius, _VX, owner.shape[2])
    for z in range(z0, z1):
        for y in range(y0, y1):
            left = radius**2 - (z * _VZ - centre[0]) ** 2 - (y * _VY - centre[1]) ** 2
            for x in range(x0, x1):
                there = owner[z, y, x]
                if there != 0 and there != label and (x * _VX - centre[2]) ** 2 <= left:
                    return False
    return True


@njit(cache=True, nogil=True)
def _paint(owner, rough, label, centre, radius):
    """Give the free voxels of a ball with an uneven surface to ``label``."""
    outer = radius + radius // 4
    z0, z1 = _bounds(centre[0], outer, _VZ, owner.shape[0])
    y0, y1 = _bounds(centre[1], outer, _VY, owner.shape[1])
    x0, x1 = _bounds(centre[2], outer, _VX, owner.shape[2])
    for z in range(z0, z1):
        for y in range(y0, y1):
            d = (z * _VZ - centre[0]) ** 2 + (y * _VY - centre[1]) ** 2
            for x in range(x0, x1):
                limit = radius**2 * (256 + rough[z, y, x]) >> 8
                if owner[z, y, x] == 0 and d + (x * _VX - centre[2]) ** 2 <= limit:
                    owner[z, y, x] = label


@njit(cache=True, nogil=True)
def _jitter(words, cursor, amplitude):
    return (np.int64(words[cursor % len(words)] & np.uint64(2047)) - 1024) * amplitude


@njit(cache=True, nogil=True)
def _turn(owner, cells, margin, label, here, going, heading, radius, words, cursor):
    """The next direction: free of other processes, near the border of two cells, not too sharp.

    Returns zeros when there is no way on.
    """
    best, chosen = 1 << 30, (0, 0, 0)
    ahead = radius + radius // 2 + 32 * NM
    clearance = (label % 3) * 8 * NM  # some processes touch, others keep apart
    for t in range(_TURNS):
        dz, dy, dx = _unit(
            going[0] + heading[0] * _DRIFT // UNIT + _jitter(words, cursor + 3 * t, t + 2) // 3,
            going[1] + heading[1] * _DRIFT // UNIT + _jitter(words, cursor + 3 * t + 1, t + 2) // 3,
            going[2] + heading[2] * _DRIFT // UNIT + _jitter(words, cursor + 3 * t + 2, t + 2) // 3,
        )
        there = (
            here[0] + dz * ahead // UNIT,
            here[1] + dy * ahead // UNIT,
            here[2] + dx * ahead // UNIT,
        )
        cost = 6 * t
        z, y, x = there[0] // _VZ, there[1] // _VY, there[2] // _VX
        inside = 0 <= z < owner.shape[0] and 0 <= y < owner.shape[1] and 0 <= x < owner.shape[2]
        if inside and cells[z, y, x] != label:
            if margin[z, y, x] > _DEEP:
                continue
            cost += margin[z, y, x]
        if cost < best and _is_clear(owner, label, there, radius + clearance):
            best, chosen = cost, (dz, dy, dx)
    return chosen


@njit(cache=True, nogil=True)
def grow(owner, cells, margin, rough, label, start, heading, radii, words, cursor):
    """Grow one unbranched process, a step per entry of ``radii``, until it is stuck or outside.

    ``start`` z y x; ``heading`` a direction (length ``UNIT``); ``words`` random uint64, read from
    ``cursor`` on. Voxels go to ``owner``. Returns the positions, (steps, 3).
    """
    path = np.empty((len(radii), 3), np.int64)
    z, y, x = start[0], start[1], start[2]
    end_z, end_y, end_x = owner.shape[0] * _VZ, owner.shape[1] * _VY, owner.shape[2] * _VX
    heading = (heading[0], heading[1], heading[2])
    going, towards = heading, heading
    for n in range(len(radii)):
        if n % _TURN_EVERY == 0:
            at = cursor + 3 * _TURNS * n
            towards = _turn(
                owner, cells, margin, label, (z, y, x), going, heading, radii[n], words, at
            )
            if towards == (0, 0, 0):
                return path[:n]
        dz, dy, dx = going
        going = _unit(3 * dz + towards[0], 3 * dy + towards[1], 3 * dx + towards[2])
        z += going[0] * STEP // UNIT
        y += going[1] * STEP // UNIT
        x += going[2] * STEP // UNIT
        if min(z, y, x) < -_REACH or max(z - end_z, y - end_y, x - end_x) > _REACH:
            return path[:n]
        _paint(owner, rough, label, (z, y, x), radii[n])
        path[n, 0], path[n, 1], path[n, 2] = z, y, x
    return path


@njit(cache=True, nogil=True)
def _gives_way(owner, cells, z, y, x):
    """Whether a voxel of a cell touches a process of another label, or a cell of a larger one."""
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


@njit(cache=True, nogil=True)
def merge(owner, cells, rough, gap_above, out):
    """Processes over cells into ``out``, with a gap of one voxel of background where ``rough`` is
    above ``gap_above``. Only cells give way to it, so that no thin process is cut."""
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            for x in range(out.shape[2]):
                if owner[z, y, x] != 0:
                    out[z, y, x] = owner[z, y, x]
                elif rough[z, y, x] > gap_above and _gives_way(owner, cells, z, y, x):
                    out[z, y, x] = 0
                else:
                    out[z, y, x] = cells[z, y, x]


@njit(cache=True, nogil=True)
def _join(parent, a, b):
    """Union of two trees: the smaller root stays, so a root is its component's first voxel."""
    while parent[a] != a:
        parent[a] = parent[parent[a]]
        a = parent[a]
    while parent[b] != b:
        parent[b] = parent[parent[b]]
        b = parent[b]
    parent[max(a, b)] = min(a, b)


@njit(cache=True, nogil=True)
def components(labels, numbers):
    """Number the 6-connected pieces of equal labels, from 0 in the order of their first voxels.

    Fills ``numbers`` (int32, the shape of ``labels``); returns each piece's label and size.
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
        else:  # its parent comes before it, and holds its number already
            parent[n] = parent[parent[n]]
        sizes[parent[n]] += 1
    return owners, sizes
