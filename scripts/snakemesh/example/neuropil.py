"""A synthetic block of neuropil: packed compartments, and thin branching processes between them.

Thick dendrites and irregular compartments are the cells of a warped power diagram, each the union
of a chain of seeds. Axons with varicosities and branches, and the spines of the dendrites, then
grow along the borders of those cells. Some of it is separated by a thin gap of background, the rest
touches.
All arithmetic is in integers, and random numbers are the raw words of PCG64, whose stream NumPy
guarantees: the result is the same everywhere. Axes are z y x, lengths 1/16 nm.
"""

from dataclasses import dataclass

import numpy as np

from snakemesh.example import kernels
from snakemesh.example.growth import DIRECTION, STEP, grow
from snakemesh.example.kernels import BLOCK, NM, VOXEL

SEED = 21  # one of those where a thin process crosses every face between two chunks
PITCH = 380 * NM  # between the seeds of compartments
TRUNK_AXES = (0, 0, 0, 1, 1, 2, 2)  # the axis each thick dendrite runs along
TRUNK_SEEDS = 64
SPINES = 9  # per dendrite
AXON_STEPS = 900
ENTRY = (20, 50, 50)  # voxels: one axon enters a face in each rectangle of this size
GAP_ABOVE = 8  # of the noise, about ±60: where cells are separated
LARGE_FRAGMENT = 2000  # voxels: what comes off a label becomes a new one, or background if smaller


class Random:
    """Integers from the raw words of PCG64: NumPy keeps that stream for good, not Generator's."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(seed)

    def words(self, n: int) -> np.ndarray:
        """``n`` random uint64."""
        return self._bits.random_raw(n)

    def integers(self, low: int, high: int, shape: tuple[int, ...] = ()) -> np.ndarray:
        """int64 in [low, high)."""
        words = self.words(int(np.prod(shape, dtype=np.int64))).reshape(shape)
        return low + ((words >> np.uint64(16)) % np.uint64(high - low)).astype(np.int64)

    def direction(self) -> np.ndarray:
        """A direction, (3,) of length ``DIRECTION``."""
        while True:
            vector = self.integers(-DIRECTION, DIRECTION + 1, (3,))
            squared = int((vector * vector).sum())
            if DIRECTION**2 // 16 < squared <= DIRECTION**2:
                return vector * DIRECTION // (int(np.sqrt(squared)) + 1)


@dataclass(frozen=True)
class Seeds:
    """Seeds of a power diagram: positions (n, 3), weights (n,) squared, the cell of each (n,)."""

    positions: np.ndarray
    weights: np.ndarray
    cells: np.ndarray


@dataclass(frozen=True)
class Scene:
    """Voxel arrays that processes grow in; see ``kernels.partition`` and ``grow``."""

    cells: np.ndarray
    margin: np.ndarray
    rough: np.ndarray
    owner: np.ndarray
    words: np.ndarray


def neuropil(shape: tuple[int, int, int]) -> np.ndarray:
    """The labels of a volume of ``shape`` z y x (multiples of ``BLOCK``): uint64, 0 background."""
    random = Random(SEED)
    overlaid = _overlaid(random, shape)
    numbers, renumbered = whole_pieces(overlaid)
    ids = label_ids(random, int(renumbered.max()))
    return ids[renumbered][numbers]


def _overlaid(random: Random, shape: tuple[int, int, int]) -> np.ndarray:
    """Cells, processes and gaps: int16, labels that may be in several pieces."""
    extent = np.array(shape) * VOXEL
    dendrites = trunks(random, extent)
    others = compartments(random, extent, len(TRUNK_AXES) + 1)
    scene = partitioned(random, shape, dendrites, others)
    grow_spines(random, scene, dendrites)
    grow_axons(random, scene, int(others.cells.max()) + 1)
    labels = np.empty(shape, np.int16)
    kernels.merge(scene.owner, scene.cells, scene.rough, GAP_ABOVE, labels)
    return labels


def trunks(random: Random, extent: np.ndarray) -> Seeds:
    """Thick dendrites, cells 1 and up: seeds along a curve from one face to the opposite one."""
    t = np.arange(TRUNK_SEEDS)[:, None]
    u = TRUNK_SEEDS - 1 - t
    positions, weights = [], []
    for axis in TRUNK_AXES:
        a, b, c = (extent * random.integers(100, 900, (3,)) // 1000 for _ in range(3))
        a[axis], c[axis] = -PITCH // 2, extent[axis] + PITCH // 2
        positions.append((u * u * a + 2 * t * u * b + t * t * c) // (TRUNK_SEEDS - 1) ** 2)
        radius = random.integers(150 * NM, 250 * NM)
        weights.append(np.full(TRUNK_SEEDS, radius**2))
    cells = np.repeat(np.arange(1, len(TRUNK_AXES) + 1), TRUNK_SEEDS)
    return Seeds(np.concatenate(positions), np.concatenate(weights), cells)


def compartments(random: Random, extent: np.ndarray, first_cell: int) -> Seeds:
    """Irregular compartments: chains of neighbours on a jittered grid, that keep their direction
    for a while. Cells are numbered from ``first_cell``."""
    grid = tuple(int(n) for n in extent // PITCH + 3)
    corners = np.stack(np.meshgrid(*map(np.arange, grid), indexing="ij"), -1) - 1
    positions = corners * PITCH + random.integers(0, PITCH, (*grid, 3))
    weights = random.integers(0, 120 * NM, grid) ** 2
    cells = np.zeros(grid, np.int64)
    steps = np.concatenate([np.eye(3, dtype=np.int64), -np.eye(3, dtype=np.int64)])
    cell = first_cell
    order = np.argsort(random.words(cells.size), kind="stable")
    for start in zip(*(axis.tolist() for axis in np.unravel_index(order, grid)), strict=True):
        if cells[start]:
            continue
        at, step = start, int(random.integers(0, 6))
        for _ in range(int(random.integers(4, 24))):
            cells[at] = cell
            if random.integers(0, 3) == 0:
                step = int(random.integers(0, 6))
            at = tuple(int(n) for n in at + steps[step])
            if any(not 0 <= n < size for n, size in zip(at, grid, strict=True)) or cells[at]:
                break
        cell += 1
    return Seeds(positions.reshape(-1, 3), weights.ravel(), cells.ravel())


def fractal_noise(random: Random, shape: tuple[int, ...], amplitude: int) -> np.ndarray:
    """Smooth noise of three octaves, int64 of ``shape``, the coarsest 8 points long: each octave is
    refined to the next as a cubic B-spline (masks 1 6 1 and 1 1 of Lane and Riesenfeld)."""
    size = tuple(n // 8 + 5 for n in shape)
    noise = random.integers(-amplitude, amplitude + 1, size)
    for octave in range(1, 4):
        for axis in range(3):
            p = np.moveaxis(noise, axis, 0)
            finer = np.empty((2 * (len(p) - 2), *p.shape[1:]), np.int64)
            finer[0::2] = (p[:-2] + 6 * p[1:-1] + p[2:]) >> 3
            finer[1::2] = (p[1:-1] + p[2:]) >> 1
            noise = np.moveaxis(finer, 0, axis)
        if octave < 3:  # the finest stays smooth: it is interpolated linearly from here
            noise = noise + random.integers(-amplitude >> octave, amplitude >> octave, noise.shape)
    return noise[tuple(slice(n) for n in shape)]


def partitioned(random: Random, shape: tuple[int, int, int], *seeds: Seeds) -> Scene:
    """The cells of all seeds, and no process yet."""
    lattice = tuple(n // b + 1 for n, b in zip(shape, BLOCK, strict=True))
    amplitudes = (300 * NM, 300 * NM, 300 * NM, 200)
    lattices = np.stack([fractal_noise(random, lattice, a) for a in amplitudes])
    cells, margin = np.empty(shape, np.int16), np.empty(shape, np.uint8)
    rough = np.empty(shape, np.int8)
    kernels.partition(
        np.concatenate([s.positions for s in seeds]),
        np.concatenate([s.weights for s in seeds]),
        np.concatenate([s.cells for s in seeds]),
        lattices,
        cells,
        margin,
        rough,
    )
    return Scene(cells, margin, rough, np.zeros(shape, np.int16), random.words(1 << 20))


def _grow(random: Random, scene: Scene, label: int, start, heading, radii) -> np.ndarray:
    cursor = int(random.integers(0, len(scene.words)))
    return grow(
        scene.owner,
        scene.cells,
        scene.margin,
        scene.rough,
        label,
        start,
        heading,
        radii,
        scene.words,
        cursor,
    )


def grow_spines(random: Random, scene: Scene, dendrites: Seeds) -> None:
    """Spines, of the label of their dendrite: a thin neck and a head."""
    for cell in range(1, len(TRUNK_AXES) + 1):
        trunk = np.flatnonzero(dendrites.cells == cell)
        for _ in range(SPINES):
            n = trunk[int(random.integers(0, len(trunk)))]
            root = int(np.sqrt(dendrites.weights[n])) // STEP  # steps to the dendrite's surface
            neck, head = root + int(random.integers(30, 60)), int(random.integers(10, 18))
            radii = np.full(neck + head, 20 * NM)
            radii[neck:] = int(random.integers(45, 70)) * NM
            start = dendrites.positions[n]
            _grow(random, scene, cell, start, random.direction(), radii)


def calibre(random: Random, radius: int, steps: int) -> np.ndarray:
    """Radii of an axon, a step each: ``radius``, and about twice that at its varicosities."""
    period, half = int(random.integers(70, 140)), int(random.integers(12, 24))
    away = np.abs((np.arange(steps) + random.integers(0, period)) % period - half)
    bump = np.maximum(half**2 - away**2, 0)  # a parabola, squared below for smooth shoulders
    return radius + radius * random.integers(50, 120) * bump**2 // (100 * half**4)


def grow_axons(random: Random, scene: Scene, first_label: int) -> None:
    """Axons from the faces inward, with up to two thinner branches each."""
    entries = [entry for axis in range(3) for entry in _entries(random, scene, axis)]
    order = np.argsort(random.words(len(entries)), kind="stable")
    for label, k in enumerate(order, start=first_label):
        start, heading = entries[k]
        radius = int(random.integers(18, 30)) * NM
        path = _grow(random, scene, label, start, heading, calibre(random, radius, AXON_STEPS))
        for _ in range(int(random.integers(0, 3)) if len(path) >= 80 else 0):
            at = path[int(random.integers(40, len(path) - 20))]
            aside = (heading + 2 * random.direction()) // 2
            thinner = calibre(random, max(radius * 3 // 4, 18 * NM), AXON_STEPS // 2)
            _grow(random, scene, label, at, aside, thinner)


def _entries(random: Random, scene: Scene, axis: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Where axons enter through the two faces across ``axis``, near a border between cells, and
    their headings: each (3,)."""
    shape = np.array(scene.cells.shape)
    counts = shape // ENTRY
    counts[axis] = 1
    entries = []
    for side in (0, 1):
        for corner in np.ndindex(*counts):
            within = random.integers(0, 64, (24, 3)) * ENTRY // 64
            voxels = np.array(corner) * ENTRY + within
            voxels[:, axis] = side * (shape[axis] - 1)
            nearest = voxels[np.argmin(scene.margin[tuple(voxels.T)])]
            heading = random.direction() // 2
            heading[axis] = DIRECTION * (1 - 2 * side)
            entries.append((nearest * VOXEL, heading))
    return entries


def whole_pieces(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 6-connected piece each voxel is in, int32, and each piece's new label, 1 and up.

    Every new label is one piece. What comes off a label gets one of its own, or 0, background, when
    it is small.
    """
    numbers = np.empty(labels.shape, np.int32)
    owners, sizes = kernels.components(labels, numbers)
    order = np.lexsort((-sizes, owners))
    largest = np.ones(len(order), bool)
    largest[1:] = owners[order[1:]] != owners[order[:-1]]
    kept = order[(owners[order] != 0) & (largest | (sizes[order] >= LARGE_FRAGMENT))]
    renumbered = np.zeros(len(order), np.int64)
    renumbered[kept] = np.arange(1, len(kept) + 1)
    return numbers, renumbered


def label_ids(random: Random, n: int) -> np.ndarray:
    """uint64 (n + 1,): 0, then ``n`` ids as users have them: far apart, one in eight above 2^32 and
    one in eight above 2^53, where float64 loses integers."""
    words = random.words(n)
    ids = words % np.uint64(2**32)
    ids[0::8] = np.uint64(2**32) + words[0::8] % np.uint64(2**34)
    ids[4::8] = np.uint64(864691135000000000) + words[4::8] % np.uint64(10**9)
    return np.concatenate([np.zeros(1, np.uint64), ids])
