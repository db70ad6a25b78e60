"""A synthetic piece of neuropil: branched tubes, cell bodies with vesicles, and a sheet.

The tubes are the rods of a cubic rod packing: parallel lines along each axis, of which no two come
nearer to each other than half a pitch. A slice across y:

     |  o  |  o  |  o  |       |  rods along z, half a pitch behind those along x
    =|=====|=====|=====|=      =  rods along x
     |  o  |  o  |  o  |       o  rods along y, half a pitch from both

A warp of space bends the rods, so tubes never cross. Tubes that meet a cell body are its dendrites.
Two tubes that swell where they are nearest have one label: they are branches.

Every machine makes the same voxels: all arithmetic is in integers, and so are the random numbers.
Triples are z, y, x. Lengths are in nm. Voxel 0 is at _BEGIN on each axis, which is more than the
warp shifts a voxel, so that no position is negative.
"""

import numpy as np

SHAPE_UNIT = (16, 32, 32)  # voxels between two control points of the warp
_SEED = 21
_VOXEL = (20, 8, 8)
_BITS = 8  # the pitch as a power of two: positions are divided by it with shifts and masks
_PITCH, _HALF = 1 << _BITS, 1 << (_BITS - 1)
_BEGIN = 3 * _PITCH
_STEP_BITS = 5  # the radius of a tube may change every 2^5 nm
# How far control points are shifted at most, in 1/16 nm: four neighbours together, and each alone.
_TOGETHER, _ALONE = 10800, 600
_JOINTS = 150  # pairs of neighbouring tubes that are looked at to be joined
_JOINT = 86  # radius of joined tubes where they are nearest; from half of _HALF on, they touch
# Cell bodies: their centres and their radius. In two axes of three, any two bodies are so far apart
# that no tube meets both.
_BODIES = np.array([(1900, 1500, 1300), (2750, 2400, 2100), (3600, 3300, 1200)])
_BODY = 400
_SHEET = (1191, 1241)  # where the sheet begins and ends along z; there is nothing before it
# What a voxel may be in: nothing, a cell body, the sheet, a tube (from here on), or a vesicle
_FIRST_BODY, _SHEET_NUMBER, _FIRST_TUBE = 1, 4, 5
_SLAB = 2  # planes that are made at a time: their arrays fit into the cache of a core


class Random:
    """Random integers from the raw words of PCG64.

    NumPy guarantees that the stream of these words never changes. It does not guarantee this for
    the numbers of its Generator.
    """

    def __init__(self, seed: int) -> None:
        self._words = np.random.PCG64(seed).random_raw

    def integers(self, low: int, high: int, shape: tuple[int, ...] = ()) -> np.ndarray:
        """Random int64 in [low, high), of the given shape."""
        words = np.reshape(self._words(int(np.prod(shape, dtype=np.int64))), shape)
        return low + ((words >> np.uint64(16)) % np.uint64(high - low)).astype(np.int64)

    def label_ids(self, n: int) -> np.ndarray:
        """0 for the background, then `n` ids as users have them: uint64 of shape (n + 1,).

        They are far apart. One in eight is above 2^32, and one in eight above 2^53, where float64
        cannot hold every integer.
        """
        words = self._words(n)
        ids = words % np.uint64(2**32)
        ids[0::8] = np.uint64(2**32) + words[0::8] % np.uint64(2**34)
        ids[4::8] = np.uint64(864691135000000000) + words[4::8] % np.uint64(10**9)
        return np.concatenate([np.zeros(1, np.uint64), ids])


def neuropil(shape: tuple[int, int, int]) -> np.ndarray:
    """The labels of a volume: uint64 of this shape, a multiple of SHAPE_UNIT; background 0."""
    random = Random(_SEED)
    side = (max(n * v for n, v in zip(shape, _VOXEL, strict=True)) + 2 * _BEGIN) // _PITCH + 1
    squares, tubes = _tubes(random, side)
    vesicles = _vesicles(random, side)
    things = np.concatenate([tubes, np.arange(vesicles.size) + tubes.size])
    numbers = np.unique(things, return_inverse=True)[1]
    ids = random.label_ids(int(numbers.max()))[numbers]
    shifts = [_refined(_refined(_shifts(random, shape), 0), 1) for _ in range(3)]
    labels = np.empty(shape, np.uint64)
    places = [np.arange(n, dtype=np.int32) * v + _BEGIN for n, v in zip(shape, _VOXEL, strict=True)]
    for z in range(0, shape[0], _SLAB):
        planes = slice(z, z + _SLAB)
        straight = np.ix_(places[0][planes], *places[1:])
        at = [p + (_refined(s[planes], 2) >> 4) for p, s in zip(straight, shifts, strict=True)]
        ids.take(_things_at(at, squares, vesicles), mode="clip", out=labels[planes])
    return labels


def _things_at(at: list[np.ndarray], squares: np.ndarray, vesicles: np.ndarray) -> np.ndarray:
    """What is at each of some positions, int32 of their shape (see _FIRST_TUBE).

    at: the three coordinates. squares, vesicles: see `_tubes` and `_vesicles`.
    """
    side, n_steps = squares.shape[2:]
    even, odd = [(a + _HALF) >> _BITS for a in at], [a >> _BITS for a in at]
    from_even = [(((a + _HALF) & (_PITCH - 1)) - _HALF) ** 2 for a in at]
    from_odd = [((a & (_PITCH - 1)) - _HALF) ** 2 for a in at]
    # the thing that the position is deepest in: squared distance minus squared radius
    depth, found = np.zeros(at[0].shape, np.int32), np.zeros(at[0].shape, np.int32)
    for axis in range(3):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        tube = (axis * side + even[i]) * side + odd[j]
        step = tube * n_steps + (at[axis] >> _STEP_BITS)
        excess = from_even[i] + from_odd[j] - squares.take(step, mode="clip")
        np.copyto(found, tube + _FIRST_TUBE, where=excess < depth)
        np.minimum(depth, excess, out=depth)
    for number, body in enumerate(_BODIES.tolist(), start=_FIRST_BODY):
        excess = sum((a - b) ** 2 for a, b in zip(at, body, strict=True)) - _BODY**2
        np.copyto(found, number, where=excess < depth)
        np.minimum(depth, excess, out=depth)
    cell = (odd[0] * side + odd[1]) * side + odd[2]
    is_vesicle = sum(from_odd) < vesicles.take(cell, mode="clip")
    np.copyto(found, cell + (_FIRST_TUBE + 3 * side**2), where=is_vesicle)
    found[at[0] < _SHEET[1]] = _SHEET_NUMBER
    found[at[0] < _SHEET[0]] = 0
    return found


def _tubes(random: Random, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The squared radii of tubes, int32 (axis, side, side, steps along the axis).

    Also returns, of each thing but vesicles, the first one with the same label, int64.
    """
    radii = _radii(random, side)
    same = np.arange(_FIRST_TUBE + 3 * side**2)
    tubes = same[_FIRST_TUBE:].reshape(3, side, side)
    lines = np.arange(side) * _PITCH
    for axis in range(3):
        across = [(axis + 1) % 3, (axis + 2) % 3]
        middles = np.stack(np.meshgrid(lines, lines + _HALF, indexing="ij"), -1)
        if axis != 0:  # those before the sheet would bulge through it
            radii[axis][middles[..., across.index(0)] < _SHEET[1]] = 0
        for number, body in enumerate(_BODIES, start=_FIRST_BODY):
            tubes[axis][((middles - body[across]) ** 2).sum(axis=-1) < _BODY**2] = number
    swelling = _JOINT - 2 * np.arange(-4, 5) ** 2
    for _ in range(_JOINTS):
        axis = int(random.integers(0, 3))
        i, j, k = (int(n) for n in random.integers(1, side - 1, (3,)))
        other, up = (axis + 1) % 3, int(random.integers(0, 2))
        first, second = (axis, i, j), (other, j + up, k)
        a, b = sorted((tubes[first], tubes[second]))
        if a < _FIRST_TUBE or a == b:
            continue
        for tube, place in (first, k * _PITCH + _HALF), (second, i * _PITCH):
            near = radii[tube][(place >> _STEP_BITS) - 4 : (place >> _STEP_BITS) + 5]
            np.maximum(near, swelling, out=near)
        same[same == b] = a
    return (radii**2).astype(np.int32), same


def _radii(random: Random, side: int) -> np.ndarray:
    """Radii of tubes along them: dendrites are even and thick, axons thin with varicosities."""
    steps = np.arange(side << (_BITS - _STEP_BITS))
    base = random.integers(50, 80, (3, side, side, 1))
    period = random.integers(14, 30, base.shape)
    half = period // 3
    away = np.abs((steps + random.integers(0, 64, base.shape)) % period - half)
    bump = np.maximum(half**2 - away**2, 0) ** 2  # a parabola, squared for smooth shoulders
    axons = base + base * random.integers(30, 90, base.shape) * bump // (100 * half**4)
    is_dendrite = random.integers(0, 5, base.shape) == 0
    return np.where(is_dendrite, base + 28, np.minimum(axons, 104))


def _vesicles(random: Random, side: int) -> np.ndarray:
    """Squared radii of vesicles, int32 (side, side, side), each half-way between all lines.

    They are 0 where no cell body holds the vesicle.
    """
    middles = np.stack(np.meshgrid(*[np.arange(side) * _PITCH + _HALF] * 3, indexing="ij"), -1)
    away = ((middles[..., None, :] - _BODIES) ** 2).sum(axis=-1).min(axis=-1)
    radii = random.integers(40, 85, away.shape)
    return np.where(away < (_BODY - 90) ** 2, radii**2, 0).astype(np.int32)


def _shifts(random: Random, shape: tuple[int, int, int]) -> np.ndarray:
    """How far the warp shifts its control points along an axis, int32, in 1/16 nm."""
    counts = [n // unit + 3 for n, unit in zip(shape, SHAPE_UNIT, strict=True)]
    shifts = random.integers(-_TOGETHER, _TOGETHER + 1, tuple(n // 4 + 4 for n in counts))
    for a in range(3):
        shifts = _refined(shifts.astype(np.int32), a, 4)
    shifts = shifts[tuple(slice(n) for n in counts)]
    return shifts + random.integers(-_ALONE, _ALONE + 1, shifts.shape).astype(np.int32)


def _refined(points: np.ndarray, axis: int, unit: int = 0) -> np.ndarray:
    """The cubic B-spline of int32 control points along an axis, at `unit` places from each to next.

    unit: that of SHAPE_UNIT if 0. The outermost control point at each end has no places.
    """
    unit = unit or SHAPE_UNIT[axis]
    a = np.arange(unit, dtype=np.int32)
    inner = [3 * t**3 - 6 * unit * t**2 + 4 * unit**3 for t in (a, unit - a)]
    points = np.moveaxis(points, axis, -1)
    n = points.shape[-1] - 3
    total = np.zeros((*points.shape[:-1], n, unit), np.int32)
    for k, weights in enumerate(((unit - a) ** 3, *inner, a**3)):
        total += points[..., k : k + n, None] * weights
    total //= 6 * unit**3
    return np.moveaxis(total.reshape(*points.shape[:-1], n * unit), -1, axis)
