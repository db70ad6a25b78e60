"""The surface nets of all labels of an array, in integers.

The net of a label has a vertex in every cell that the label fills in part (see `cell_cases`) and a
quad for every pair of voxels that touch, one of the label and one not. All labels are done in one
pass over the cells. A pass before it counts, so that the second writes every vertex and every quad
where it belongs, sorted by label.

A vertex is at the mean of the middles of the edges that its cycle crosses. But where three labels
or more meet in a cell (background counts), those with one vertex there share the mean over all
edges between two labels: bodies that touch leave no gap along the lines where three of them meet.
Without this, labels of a thousand voxels lost 1.6 % of their volume. Labels with several vertices
in a cell keep them apart, so that no two vertices of a label are in the same place.
"""

from dataclasses import dataclass

import numpy as np

from snakemesh.compiled import njit
from snakemesh.mesh.cell_cases import N_EDGES, NO_ITEM, VOXEL_STEPS, make_cases
from snakemesh.mesh.compact_labels import compact_labels
from snakemesh.mesh.octets import leaders

# An argument of the compiled functions, as their cache does not notice when a constant changes.
_CASES = make_cases()
# Quads of a voxel that `_place_nets` remembers: for three edges down the axes, of two labels each.
# One more is for NO_ITEM, and eight are fast to count.
_SLOTS = 8


@dataclass(frozen=True)
class Nets:
    """The nets of L labels, one after another.

    labels: (L,) uint64, ascending. vertices: (N, 3) int32, x y z, in 1/4096 voxel from the lower
    corner of the array. quads: (M, 4) int32, rows of `vertices`, counterclockwise from outside.
    vertex_starts, quad_starts: (L + 1,) int64. leaders: (N,) int32, which vertices may become one
    (`octets.leaders`).
    """

    labels: np.ndarray
    vertices: np.ndarray
    quads: np.ndarray
    vertex_starts: np.ndarray
    quad_starts: np.ndarray
    leaders: np.ndarray


def label_nets(labels: np.ndarray, parity: tuple[int, int, int] = (0, 0, 0)) -> Nets:
    """The surface net of every label. Each is closed, and a manifold of quads.

    labels: z y x, unsigned, background 0; what lies beyond the array is background. parity: x y z,
    1 where the array begins at a voxel of the volume with an odd number. ValueError if a layer has
    more than some 2^28 voxels, or there are more than 2^31 vertices or quads.
    """
    numbers, names = compact_labels(labels)
    if 2 * _SLOTS * numbers[0].size > np.iinfo(np.uint32).max:
        raise ValueError(f"a layer of {labels[0].size} voxels is too large")
    counts = np.zeros((2, len(names)), dtype=np.int64)
    _count_nets(_CASES, numbers, counts[0], counts[1])
    # number 0 is the background; the others are in the order in which they were met
    order = 1 + np.argsort(names[1:])
    starts = np.zeros((2, len(names)), dtype=np.int64)
    np.cumsum(counts[:, order], axis=1, out=starts[:, 1:])
    if starts.max() > np.iinfo(np.int32).max:
        raise ValueError(f"{starts.max()} vertices or quads are more than int32 can count")
    next_rows = np.zeros((2, len(names)), dtype=np.int64)
    next_rows[:, order] = starts[:, :-1]
    vertices = np.empty((starts[0, -1], 3), dtype=np.int32)
    quads = np.empty((starts[1, -1], 4), dtype=np.int32)
    _place_nets(_CASES, numbers, next_rows[0], next_rows[1], vertices, quads)
    merging = leaders(numbers, order, vertices, starts[0], parity)
    return Nets(names[order], vertices, quads, starts[0], starts[1], merging)


@njit(cache=True, nogil=True)
def _mixed_cells(flat, first, row, slab, n, buffer, found):
    """The cells of a row that have more than one label: their places in it, ascending.

    flat: all voxels. first: the first voxel of the first cell. row, slab: voxels from one to the
    next. n: cells in the row. buffer: (n + 8,) uint8, zero from n on. found: (n,) int32, for the
    answer. Returns how many there are.
    """
    a = flat[first : first + n + 1]
    b = flat[first + row : first + row + n + 1]
    c = flat[first + slab : first + slab + n + 1]
    d = flat[first + slab + row : first + slab + row + n + 1]
    # without a branch, so that this becomes vector instructions
    for x in range(n):
        differ = (a[x] ^ b[x]) | (a[x] ^ c[x]) | (a[x] ^ d[x]) | (a[x] ^ a[x + 1])
        differ |= (a[x] ^ b[x + 1]) | (a[x] ^ c[x + 1]) | (a[x] ^ d[x + 1])
        buffer[x] = differ != 0
    words = buffer[: (n + 7) // 8 * 8].view(np.uint64)
    n_found = 0
    for w in range(len(words)):
        if words[w] != 0:
            for x in range(8 * w, 8 * w + 8):
                found[n_found] = x
                n_found += buffer[x]
    return n_found


@njit(cache=True, nogil=True)
def _cell_of(flat, first, row, slab, number):
    """The case of a label in a cell. first: the first voxel of the cell."""
    case = 0
    for voxel in range(8):
        at = first + (voxel >> 2) * slab + (voxel >> 1 & 1) * row + (voxel & 1)
        case |= (flat[at] == number) << voxel
    return case


@njit(cache=True, nogil=True)
def _is_turned(flat, first, row, slab, number, face, risky):
    """Whether the risky face of a cell is risky in the cell beyond it, too.

    number: the label. risky: the table.
    """
    step = (slab, row, 1)[face // 2]
    beyond = _cell_of(flat, first + (step if face & 1 else -step), row, slab, number)
    return risky[beyond] == face ^ 1


@njit(cache=True, nogil=True)
def _cell_labels(flat, first, row, slab, numbers, cases):
    """The labels of a cell and their cases, without the background.

    numbers, cases: (8,) int64, for the answer. Returns how many labels there are, and how many
    with the background if it is there.
    """
    # unsigned, because numba looks whether an index with a sign is negative
    a, one = np.uint64(first), np.uint64(1)
    b, c = a + np.uint64(row), a + np.uint64(slab)
    d = c + np.uint64(row)
    v0, v1, v2, v3 = flat[a], flat[a + one], flat[b], flat[b + one]
    v4, v5, v6, v7 = flat[c], flat[c + one], flat[d], flat[d + one]
    left = 255
    n = n_with_background = 0
    while left:
        if left & 1:
            v = v0
        elif left & 2:
            v = v1
        elif left & 4:
            v = v2
        elif left & 8:
            v = v3
        elif left & 16:
            v = v4
        elif left & 32:
            v = v5
        elif left & 64:
            v = v6
        else:
            v = v7
        case = (v0 == v) | (v1 == v) << 1 | (v2 == v) << 2 | (v3 == v) << 3
        case |= (v4 == v) << 4 | (v5 == v) << 5 | (v6 == v) << 6 | (v7 == v) << 7
        left &= ~case
        numbers[n] = v
        cases[n] = case
        n += v != 0
        n_with_background += 1
    return n, n_with_background


@njit(cache=True, nogil=True)
def _middle(flat, first, row, slab):
    """The mean of the middles of all edges of a cell between two labels.

    Returns x, y and z from the centre of the cell, in 1/4096 voxel.
    """
    n = x = y = z = 0
    for p in range(2):
        for q in range(2):
            u, v = first + p * slab + q * row, first + p * slab + q
            w = first + p * row + q
            if flat[u] != flat[u + 1]:
                n, y, z = n + 1, y + 2 * q - 1, z + 2 * p - 1
            if flat[v] != flat[v + row]:
                n, x, z = n + 1, x + 2 * q - 1, z + 2 * p - 1
            if flat[w] != flat[w + slab]:
                n, x, y = n + 1, x + 2 * q - 1, y + 2 * p - 1
    return _nearest(x, n), _nearest(y, n), _nearest(z, n)


@njit(cache=True, nogil=True)
def _nearest(halves, n):
    """`halves` halves of a voxel, divided by n, in 1/4096 voxel, rounded."""
    return (halves * VOXEL_STEPS + n) // (2 * n)


@njit(cache=True, nogil=True)
def _count_nets(tables, voxels, n_vertices, n_quads):
    """Count the vertices and the quads of every label.

    voxels: z y x, uint32, numbers of labels, with a border of background. n_vertices, n_quads:
    (L,) int64, zero, for the answer.
    """
    risky, cycle_starts = tables.risky, tables.cycle_starts
    n_new_items = tables.n_new_items
    flat = voxels.ravel()
    row, slab = voxels.shape[2], voxels.shape[1] * voxels.shape[2]
    n = row - 1
    buffer, found = np.zeros(n + 8, np.uint8), np.empty(n + 8, np.int32)
    numbers, cases = np.empty(8, np.int64), np.empty(8, np.int64)
    for z in range(voxels.shape[0] - 1):
        for y in range(voxels.shape[1] - 1):
            start = z * slab + y * row
            for i in range(_mixed_cells(flat, start, row, slab, n, buffer, found)):
                first = start + found[i]
                for k in range(_cell_labels(flat, first, row, slab, numbers, cases)[0]):
                    number, case = numbers[k], cases[k]
                    n_quads[number] += n_new_items[case]
                    face = risky[case]
                    if face >= 0 and _is_turned(flat, first, row, slab, number, face, risky):
                        case = tables.turned[case]
                    n_vertices[number] += cycle_starts[case + 1] - cycle_starts[case]


@njit(cache=True, nogil=True)
def _slots(row, slab, is_odd):
    """Where the quad of each item of a cell is in the memory of two layers, (25,) int64.

    Counted from the slots of the first voxel in its own layer; odd layers are the second. NO_ITEM
    has a slot that nobody reads.
    """
    at = np.empty(NO_ITEM + 1, np.int64)
    at[NO_ITEM] = _SLOTS - 1
    for item in range(2 * N_EDGES):
        edge, side = item // 2, item % 2
        axis, p, q = edge // 4, edge // 2 % 2, edge % 2
        # the upper end of the edge, from the first voxel of the cell
        dz = 1 if axis == 0 else p
        dy = 1 if axis == 1 else (p if axis == 0 else q)
        dx = 1 if axis == 2 else q
        layer = dz * (-slab if is_odd else slab)
        at[item] = _SLOTS * (layer + dy * row + dx) + 2 * axis + side
    return at


@njit(cache=True, nogil=True)
def _place_nets(tables, voxels, next_vertex, next_quad, vertices, quads):
    """Write the vertices and the quads of every label.

    voxels: as in `_count_nets`. next_vertex, next_quad: (L,) int64, the row where those of each
    label begin; changed. vertices: (N, 3) int32, from the lower corner of the array without its
    border. quads: (M, 4) int32.

    The first cell that meets a crossed edge gives its quads their rows. This cell and the three
    after it that have the edge write their vertices into the corners.
    """
    risky, cycle_starts, offsets = tables.risky, tables.cycle_starts, tables.offsets
    items, n_items, corners = tables.items, tables.n_items, tables.corners
    new_items, n_new_items = tables.new_items, tables.n_new_items
    flat = voxels.ravel()
    row, slab = voxels.shape[2], voxels.shape[1] * voxels.shape[2]
    n = row - 1
    buffer, found = np.zeros(n + 8, np.uint8), np.empty(n + 8, np.int32)
    numbers, cases = np.empty(8, np.int64), np.empty(8, np.int64)
    quad_at = np.empty(2 * _SLOTS * slab, np.uint32)
    middle = (0, 0, 0)
    for z in range(voxels.shape[0] - 1):
        at = _slots(row, slab, z & 1)
        for y in range(voxels.shape[1] - 1):
            start = z * slab + y * row
            for i in range(_mixed_cells(flat, start, row, slab, n, buffer, found)):
                x = found[i]
                first = start + x
                slot = _SLOTS * ((z & 1) * slab + y * row + x)
                n_labels, n_values = _cell_labels(flat, first, row, slab, numbers, cases)
                if n_values > 2:
                    middle = _middle(flat, first, row, slab)
                for k in range(n_labels):
                    number, case = np.uint32(numbers[k]), np.uint32(cases[k])
                    first_quad = next_quad[number]
                    next_quad[number] = first_quad + n_new_items[case]
                    for j in range(3):
                        quad_at[np.uint32(slot + at[new_items[case, j]])] = first_quad + j
                    face = risky[case]
                    if face >= 0 and _is_turned(flat, first, row, slab, number, face, risky):
                        case = tables.turned[case]
                    begin, end = cycle_starts[case], cycle_starts[case + 1]
                    for c in range(begin, end):
                        dx, dy, dz = offsets[c, 0], offsets[c, 1], offsets[c, 2]
                        if n_values > 2 and end - begin == 1:
                            dx, dy, dz = middle
                        vertex = np.uint32(next_vertex[number])
                        next_vertex[number] = vertex + 1
                        vertices[vertex, 0] = x * VOXEL_STEPS + dx
                        vertices[vertex, 1] = y * VOXEL_STEPS + dy
                        vertices[vertex, 2] = z * VOXEL_STEPS + dz
                        # most have four or fewer: the same steps for all of these are faster
                        for j in range(4):
                            item = items[c, j]
                            quad = quad_at[np.uint32(slot + at[item])]
                            quads[quad, corners[item]] = vertex
                        for j in range(4, n_items[c]):
                            item = items[c, j]
                            quad = quad_at[np.uint32(slot + at[item])]
                            quads[quad, corners[item]] = vertex
