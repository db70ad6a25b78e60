"""Where the vertices of a net may be merged without a change of its topology.

An octet is a block of 2 x 2 x 2 cells of the net, everywhere the same ones. The vertices that a
label has in an octet may become one where the label looks as simple in the 27 voxels of the octet
as in the 8 of a cell: no edge, no face and no centre differs from all of its ends, and nowhere, in
the octet or in one of its cells, are two voxels across a face or across the cell alike while those
next to them differ (Ju et al. 2002, "Dual contouring of Hermite data"). Then the surface in the
octet is a disk, and it meets each face of the octet in one curve or not at all.
"""

import numpy as np

from snakemesh.kernels.compiled import njit
from snakemesh.mesh.cell_cases import VOXEL_BITS


def _mask(nx: int, ny: int, nz: int, step: int) -> int:
    """The bits (x + 3 y + 9 z) of the voxels from 0 up to nx, ny, nz, in steps."""
    return sum(
        1 << (x + 3 * y + 9 * z)
        for z in range(0, nz + 1, step)
        for y in range(0, ny + 1, step)
        for x in range(0, nx + 1, step)
    )


# The first voxels of the cells, of their faces across z, y and x, and of the octet's own faces and
# edges.
_CELLS = _mask(1, 1, 1, 1)
_FACES = (_mask(1, 1, 2, 1), _mask(1, 2, 1, 1), _mask(2, 1, 1, 1))
_OUTER_FACES = (_mask(0, 0, 2, 2), _mask(0, 2, 0, 2), _mask(2, 0, 0, 2))
_OUTER_EDGES = (_mask(0, 2, 2, 2), _mask(2, 0, 2, 2), _mask(2, 2, 0, 2))


@njit(cache=True, nogil=True)
def groups_of(voxels, numbers, vertices, starts, parity):
    """The groups of vertices that may become one: those of a label in an octet, two or more.

    voxels: z y x, uint32, numbers of labels, with a border of background. numbers: (L,) of the
    labels of the nets. vertices: (N, 3) int32, x y z, as nets have them, not smoothed; those of a
    label in the order z, y, x of their cells. starts: (L + 1,) int64, where the vertices of each
    label begin. parity: x y z, 1 where the first cell of the bordered array is the second of an
    octet.

    Returns the group of each vertex, (N,) int32, -1 if it has none; the first vertex of each group,
    (G,) int32; and where the groups of each label begin, (L + 1,) int64.
    """
    depth, height, width = voxels.shape
    flat = voxels.ravel()
    n_row = (width + 2) // 2
    # of each column of octets, the first vertex in the last one that was met, and its octet's z
    # times 2, plus 1 if its vertices may become one
    last = np.full((height + 2) // 2 * n_row, -1, dtype=np.int32)
    layer = np.zeros(len(last), dtype=np.int32)
    groups = np.full(len(vertices), -1, dtype=np.int32)
    first = np.empty(len(vertices) // 2, dtype=np.int32)
    group_starts = np.zeros(len(starts), dtype=np.int64)
    n_groups = 0
    half = 1 << (VOXEL_BITS - 1)
    for label in range(len(numbers)):
        for v in range(starts[label], starts[label + 1]):
            x = ((vertices[v, 0] + half >> VOXEL_BITS) + parity[0]) >> 1
            y = ((vertices[v, 1] + half >> VOXEL_BITS) + parity[1]) >> 1
            z = ((vertices[v, 2] + half >> VOXEL_BITS) + parity[2]) >> 1
            column = np.uint64(y * n_row + x)
            if last[column] < starts[label] or layer[column] >> 1 != z:
                x, y, z = 2 * x - parity[0], 2 * y - parity[1], 2 * z - parity[2]
                is_merged = min(x, y, z) >= 0
                is_merged &= x + 2 < width and y + 2 < height and z + 2 < depth
                if is_merged:
                    lowest = (z * height + y) * width + x
                    bits = _octet_of(flat, lowest, width, height * width, numbers[label])
                    is_merged = is_simple(bits)
                last[column] = v
                layer[column] = z + parity[2] + is_merged
            elif layer[column] & 1:
                leader = last[column]
                if groups[leader] < 0:
                    groups[leader] = n_groups
                    first[n_groups] = leader
                    n_groups += 1
                groups[v] = groups[leader]
        group_starts[label + 1] = n_groups
    return groups, first[:n_groups], group_starts


@njit(cache=True, nogil=True, allocates=False)
def _octet_of(flat, first, row, slab, number):
    """The 27 voxels of a label around an octet, as bits. first: the lowest of them."""
    bits = 0
    for z in range(3):
        for y in range(3):
            at = np.uint64(first + z * slab + y * row)
            for x in range(3):
                bits |= (flat[at + np.uint64(x)] == number) << (x + 3 * y + 9 * z)
    return bits


@njit(cache=True, nogil=True, allocates=False)
def is_simple(bits):
    """Whether the surface in an octet may become one vertex.

    bits: the voxels of the label among the 27, at x + 3 y + 9 z.
    """
    bad = _across_cell(bits, 1) & _CELLS | _across_cell(bits, 2) & 1
    # a face: the ways along its two sides, and where faces like it begin
    for p, q, faces, outer in (
        (1, 3, _FACES[0], _OUTER_FACES[0]),
        (1, 9, _FACES[1], _OUTER_FACES[1]),
        (3, 9, _FACES[2], _OUTER_FACES[2]),
    ):
        bad |= _across_face(bits, p, q) & faces
        bad |= _across_face(bits, 2 * p, 2 * q) & outer
        middle = bits >> (p + q)
        differs = (middle ^ bits) & (middle ^ bits >> 2 * p)
        differs &= (middle ^ bits >> 2 * q) & (middle ^ bits >> 2 * (p + q))
        bad |= differs & outer
    for p, edges in ((1, _OUTER_EDGES[0]), (3, _OUTER_EDGES[1]), (9, _OUTER_EDGES[2])):
        middle = bits >> p
        bad |= (middle ^ bits) & (middle ^ bits >> 2 * p) & edges
    centre = bits >> 13
    differs = (centre ^ bits) & (centre ^ bits >> 2) & (centre ^ bits >> 6) & (centre ^ bits >> 8)
    differs &= (centre ^ bits >> 18) & (centre ^ bits >> 20)
    differs &= (centre ^ bits >> 24) & (centre ^ bits >> 26)
    return (bad | differs & 1) == 0


@njit(cache=True, nogil=True, inline="always", allocates=False)
def _across_face(bits, p, q):
    """The first voxels of faces of which those across are alike, and the other two differ."""
    return (bits ^ bits >> p) & (bits ^ bits >> q) & ~(bits ^ bits >> (p + q))


@njit(cache=True, nogil=True, inline="always", allocates=False)
def _across_cell(bits, step):
    """The first voxels of cells in which a voxel is like that across, and unlike all next to it.

    step: 1 for the cells of an octet, 2 for the octet itself.
    """
    p, q, r = bits >> step, bits >> 3 * step, bits >> 9 * step
    pq, pr, qr = bits >> 4 * step, bits >> 10 * step, bits >> 12 * step
    found = (bits ^ p) & (bits ^ q) & (bits ^ r) & ~(bits ^ bits >> 13 * step)
    found |= (p ^ bits) & (p ^ pq) & (p ^ pr) & ~(p ^ qr)
    found |= (q ^ bits) & (q ^ pq) & (q ^ qr) & ~(q ^ pr)
    found |= (r ^ bits) & (r ^ pr) & (r ^ qr) & ~(r ^ pq)
    return found
