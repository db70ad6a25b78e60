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

from snakemesh.kernels.compiled import njit
from snakemesh.mesh.cell_cases import N_EDGES, NO_ITEM, VOXEL_STEPS, make_cases
from snakemesh.mesh.cells import cell_labels, has_neck, middle_of, mixed_cells
from snakemesh.mesh.compact_labels import CompactLabels
from snakemesh.mesh.longer import longer
from snakemesh.mesh.vertex_clusters import clusters_of

# An argument of the compiled functions, as their cache does not notice when a constant changes.
_CASES = make_cases()
# Quads of a voxel that `_place_nets` remembers: for three edges down the axes, of two labels each.
# One more is for NO_ITEM, and eight are fast to count.
_SLOTS = 8
# The case of a label that has only the last voxel of a cell.
_CORNER = 1 << 7


@dataclass(frozen=True)
class Nets:
    """The nets of L labels, one after another.

    labels: (L,) uint64, ascending. vertices: (N, 3) int32, x y z, in 1/4096 voxel from the lower
    corner of the array. quads: (M, 4) int32, rows of `vertices`, counterclockwise from outside.
    vertex_starts, quad_starts: (L + 1,) int64. clusters: (N,) int32, leaders: (C,) int32,
    cluster_starts: (L + 1,) int64: which vertices may become one (`clusters_of`). necks: (K, 4)
    int32, the rows of the four quads around each neck (`cell_cases`): the first two share one net
    edge and the last two another with the same ends. Ascending by the first row. corners: (F,)
    int64, voxels in the flat array of `CompactLabels`, ascending: those that share no face or edge
    with a voxel of their label in the cell before them.
    """

    labels: np.ndarray
    vertices: np.ndarray
    quads: np.ndarray
    vertex_starts: np.ndarray
    quad_starts: np.ndarray
    clusters: np.ndarray
    leaders: np.ndarray
    cluster_starts: np.ndarray
    necks: np.ndarray
    corners: np.ndarray


def label_nets(labels: CompactLabels, parity: tuple[int, int, int] = (0, 0, 0)) -> Nets:
    """The surface net of every label. Each is closed, and but for its necks a manifold of quads.

    labels: of an array; what lies beyond it is background. parity: x y z, 1 where the array begins
    at a voxel of the volume with an odd number. ValueError if a layer has more than some 2^28
    voxels, or there are more than 2^31 vertices or quads.
    """
    numbers, names = labels
    if 2 * _SLOTS * numbers[0].size > np.iinfo(np.uint32).max:
        raise ValueError(f"a layer of {numbers[0, 1:-1, 1:-1].size} voxels is too large")
    counts = np.zeros((2, len(names)), dtype=np.int64)
    n_necks, corners = _count_nets(_CASES, numbers, counts[0], counts[1])
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
    necks = np.empty((n_necks, 4), dtype=np.int32)
    _place_nets(_CASES, numbers, next_rows[0], next_rows[1], vertices, quads, necks)
    necks = necks[np.argsort(necks[:, 0], kind="stable")]
    clusters, leaders, cluster_starts = clusters_of(numbers, order, vertices, starts[0], parity)
    merging = clusters, leaders, cluster_starts
    return Nets(names[order], vertices, quads, starts[0], starts[1], *merging, necks, corners)


@njit(cache=True, nogil=True)
def _count_nets(tables, voxels, n_vertices, n_quads):
    """Count the vertices and the quads of every label.

    Returns how many necks there are in all, and the corners of `Nets`.

    voxels: z y x, uint32, numbers of labels, with a border of background. n_vertices, n_quads:
    (L,) int64, zero, for the answer.
    """
    neck_faces, cycle_starts = tables.neck_faces, tables.cycle_starts
    n_new_items = tables.n_new_items
    n_necks = n_corners = 0
    flat = voxels.ravel()
    row, slab = voxels.shape[2], voxels.shape[1] * voxels.shape[2]
    n = row - 1
    corners = np.empty(2 * row, dtype=np.int64)
    buffer, found = np.zeros(n + 8, np.uint8), np.empty(n + 8, np.int32)
    numbers, cases = np.empty(8, np.int64), np.empty(8, np.int64)
    for z in range(voxels.shape[0] - 1):
        for y in range(voxels.shape[1] - 1):
            start = z * slab + y * row
            if n_corners + row > len(corners):
                corners = longer(corners, n_corners + row)
            for i in range(mixed_cells(flat, start, row, slab, n, buffer, found)):
                first = start + found[i]
                for k in range(cell_labels(flat, first, row, slab, numbers, cases)[0]):
                    number, case = numbers[k], cases[k]
                    n_quads[number] += n_new_items[case]
                    n_vertices[number] += cycle_starts[case + 1] - cycle_starts[case]
                    face = neck_faces[case]
                    if face >= 0:
                        n_necks += has_neck(flat, first, row, slab, number, face, neck_faces)
                    corners[n_corners] = first + slab + row + 1
                    n_corners += case | 1 == _CORNER | 1
    return n_necks, corners[:n_corners].copy()


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
def _place_nets(tables, voxels, next_vertex, next_quad, vertices, quads, necks):
    """Write the vertices, the quads and the necks of every label.

    voxels: as in `_count_nets`. next_vertex, next_quad: (L,) int64, the row where those of each
    label begin; changed. vertices: (N, 3) int32, from the lower corner of the array without its
    border. quads: (M, 4) int32. necks: (K, 4) int32, as in `Nets`, in the order of their cells.

    Every crossed edge has four cells around it, which are the corners of its quad. The first of
    them gives the quad its row, and each writes its vertex into one corner. Cells go through the
    array in the order z, y, x, so the rows of a layer's quads and of the layer before are enough to
    remember (`quad_rows`).
    """
    flat = voxels.ravel()
    row, slab = voxels.shape[2], voxels.shape[1] * voxels.shape[2]
    n = row - 1
    buffer, found = np.zeros(n + 8, np.uint8), np.empty(n + 8, np.int32)
    numbers, cases = np.empty(8, np.int64), np.empty(8, np.int64)
    quad_rows = np.empty(2 * _SLOTS * slab, np.uint32)
    middle = (0, 0, 0)
    neck = 0
    for z in range(voxels.shape[0] - 1):
        at = _slots(row, slab, z & 1)
        for y in range(voxels.shape[1] - 1):
            start = z * slab + y * row
            for i in range(mixed_cells(flat, start, row, slab, n, buffer, found)):
                x = found[i]
                first = start + x
                slot = _SLOTS * ((z & 1) * slab + y * row + x)
                n_labels, n_values = cell_labels(flat, first, row, slab, numbers, cases)
                if n_values > 2:
                    middle = middle_of(flat, first, row, slab)
                for k in range(n_labels):
                    number, case = np.uint32(numbers[k]), np.uint32(cases[k])
                    next_quad[number] = _begin_quads(
                        tables, case, next_quad[number], quad_rows, slot, at
                    )
                    face = tables.neck_faces[case]
                    if face >= 0 and has_neck(
                        flat, first, row, slab, number, face, tables.neck_faces
                    ):
                        for j in range(4):
                            item = tables.neck_items[case, j]
                            necks[neck, j] = quad_rows[np.uint32(slot + at[item])]
                        neck += 1
                    begin, end = tables.cycle_starts[case], tables.cycle_starts[case + 1]
                    is_shared = n_values > 2 and end - begin == 1
                    for cycle in range(begin, end):
                        vertex = np.uint32(next_vertex[number])
                        next_vertex[number] = vertex + 1
                        offset = middle
                        if not is_shared:
                            of_cycle = tables.offsets[cycle]
                            offset = of_cycle[0], of_cycle[1], of_cycle[2]
                        _write_vertex(vertices, vertex, (x, y, z), offset)
                        _write_corners(tables, cycle, vertex, quads, quad_rows, slot, at)


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _begin_quads(tables, case, first_quad, quad_rows, slot, at):
    """Remember the rows of the quads of which a cell is the first corner, from `first_quad` on.

    quad_rows: the rows of the quads of two layers of voxels. slot: the place of the first voxel of
    the cell in them. at: (25,), from `_slots`. Returns the row after the last.
    """
    for j in range(3):
        quad_rows[np.uint32(slot + at[tables.new_items[case, j]])] = first_quad + j
    return first_quad + tables.n_new_items[case]


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _write_vertex(vertices, vertex, cell, offset):
    """Write the position of a vertex. cell, offset: x y z, in voxels and in 1/4096 voxel."""
    vertices[vertex, 0] = cell[0] * VOXEL_STEPS + offset[0]
    vertices[vertex, 1] = cell[1] * VOXEL_STEPS + offset[1]
    vertices[vertex, 2] = cell[2] * VOXEL_STEPS + offset[2]


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _write_corners(tables, cycle, vertex, quads, quad_rows, slot, at):
    """Make a vertex a corner of the quads of all edges of its cycle. The rest as `_begin_quads`."""
    # Nearly all cycles have at most four edges. Four steps without a condition are fastest; a
    # shorter cycle repeats its last edge.
    for j in range(4):
        item = tables.items[cycle, j]
        quads[quad_rows[np.uint32(slot + at[item])], tables.corners[item]] = vertex
    for j in range(4, tables.n_items[cycle]):
        item = tables.items[cycle, j]
        quads[quad_rows[np.uint32(slot + at[item])], tables.corners[item]] = vertex
