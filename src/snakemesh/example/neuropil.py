"""A synthetic block of neuropil: packed compartments, and thin branching processes between them.

Thick dendrites and irregular compartments are the cells of a warped power diagram. Each cell is the
union of the regions of a chain of seeds. Then axons, with varicosities and branches, and the spines
of the dendrites grow along the borders of the cells. A thin gap of background separates some
neighbours; the others touch.

The result is the same on every machine: all arithmetic is in integers, and `noise` makes random
numbers that are the same everywhere.
All triples are z, y, x. Lengths are in 1/16 nm.
"""

from dataclasses import dataclass

import numpy as np

from snakemesh.example import kernels
from snakemesh.example.growth import DIRECTION, STEP, grow
from snakemesh.example.kernels import BLOCK, NM, VOXEL
from snakemesh.example.noise import Random, fractal_noise

SEED = 21  # with this seed, thin processes cross every face between two chunks
PITCH = 380 * NM  # the pitch of the grid of the seeds of compartments
TRUNK_AXES = (0, 0, 0, 1, 1, 2, 2)  # the axis that each thick dendrite runs along
TRUNK_SEEDS = 64  # seeds of each dendrite
SPINES = 9  # spines of each dendrite
AXON_STEPS = 900  # steps of an axon at most
ENTRY = (20, 50, 50)  # one axon enters a face in each rectangle of so many voxels
GAP_ABOVE = 8  # cells are separated where the noise, about ±60, is above this
# A piece that is cut off its label becomes a label of its own if it has at least so many voxels.
# Otherwise it becomes background.
LARGE_FRAGMENT = 2000
_WORDS = 1 << 20  # random words from which processes take their turns


@dataclass(frozen=True)
class Seeds:
    """Seeds of a power diagram, int64.

    positions: (n, 3). weights: (n,) squared lengths. cells: (n,) the number of each seed's cell.
    """

    positions: np.ndarray
    weights: np.ndarray
    cells: np.ndarray


@dataclass(frozen=True)
class Scene:
    """The arrays of voxels that processes grow in, all of one shape, and random words.

    cells (int16), margin (uint8), rough (int8): see `kernels.partition`. owner (int16), words
    (uint64): see `growth.grow`.
    """

    cells: np.ndarray
    margin: np.ndarray
    rough: np.ndarray
    owner: np.ndarray
    words: np.ndarray


def neuropil(shape: tuple[int, int, int]) -> np.ndarray:
    """The labels of a volume: uint64 of this shape, background 0.

    Each number of `shape` must be a multiple of that of BLOCK.
    """
    random = Random(SEED)
    overlaid = _overlaid(random, shape)
    numbers, renumbered = whole_pieces(overlaid)
    ids = label_ids(random, int(renumbered.max()))
    labels: np.ndarray = ids[renumbered][numbers]
    return labels


def _overlaid(random: Random, shape: tuple[int, int, int]) -> np.ndarray:
    """Cells, processes and gaps as labels, int16. A label may be in several pieces."""
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
    """Thick dendrites, cells 1 and up. The seeds of each lie on a curve between opposite faces.

    extent: the size of the volume, (3,).
    """
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
    """Irregular compartments, cells `first_cell` and up.

    The seeds lie on a jittered grid. Each cell is a chain of neighbours in it, which keeps its
    direction for a while. extent: the size of the volume, (3,).
    """
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


def partitioned(random: Random, shape: tuple[int, int, int], *seeds: Seeds) -> Scene:
    """A scene with the cells of all seeds, but without processes."""
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
    return Scene(cells, margin, rough, np.zeros(shape, np.int16), random.words(_WORDS))


def _grow(
    random: Random,
    scene: Scene,
    label: int,
    start: np.ndarray,
    heading: np.ndarray,
    radii: np.ndarray,
) -> np.ndarray:
    """Grow a process in the scene (see `growth.grow`). Its turns start at a random word."""
    cursor = int(random.integers(0, len(scene.words)))
    path: np.ndarray = grow(
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
    return path


def grow_spines(random: Random, scene: Scene, dendrites: Seeds) -> None:
    """Grow spines. A spine has the label of its dendrite, a thin neck and a thicker head."""
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
    """The radius of an axon at each of its steps, int64 of shape (steps,).

    It is `radius`, and about twice that at the varicosities.
    """
    period, half = int(random.integers(70, 140)), int(random.integers(12, 24))
    away = np.abs((np.arange(steps) + random.integers(0, period)) % period - half)
    bump = np.maximum(half**2 - away**2, 0)  # a parabola, squared below for smooth shoulders
    radii: np.ndarray = radius + radius * random.integers(50, 120) * bump**2 // (100 * half**4)
    return radii


def grow_axons(random: Random, scene: Scene, first_label: int) -> None:
    """Grow axons from the faces inward, each with up to two thinner branches.

    The labels are `first_label` and up, in random order of the places where the axons enter.
    """
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
    """The position and the heading of every axon that enters through the two faces across `axis`.

    Both have shape (3,). The positions are near borders between cells.
    """
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
    """Give new labels to pieces, so that every label is one 6-connected piece.

    The largest piece of a label gets a new label, and so does every other piece of at least
    LARGE_FRAGMENT voxels. Smaller pieces become background.
    Returns the piece of each voxel, int32 of the shape of `labels`, and the new label of each
    piece, int64 of shape (pieces,): 1 and up, or 0 for background.
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
    """0 for the background, then `n` ids as users have them: uint64 of shape (n + 1,).

    They are far apart. One in eight is above 2^32, and one in eight above 2^53, where float64
    cannot hold every integer.
    """
    words = random.words(n)
    ids = words % np.uint64(2**32)
    ids[0::8] = np.uint64(2**32) + words[0::8] % np.uint64(2**34)
    ids[4::8] = np.uint64(864691135000000000) + words[4::8] % np.uint64(10**9)
    return np.concatenate([np.zeros(1, np.uint64), ids])
