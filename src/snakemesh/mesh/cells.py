"""What a cell holds: its labels, how each of them fills it, and where their surfaces meet.

A cell is the cube between the centres of 2 x 2 x 2 voxels. It has the number of its lowest voxel in
the flat array of all voxels, in which `row` and `slab` voxels lie between one voxel and the next
along y and z.
"""

import numpy as np

from snakemesh.kernels.compiled import njit
from snakemesh.mesh.cell_cases import VOXEL_STEPS


@njit(cache=True, nogil=True, allocates=False)
def mixed_cells(flat, first, row, slab, n, buffer, found):
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


@njit(cache=True, nogil=True, allocates=False)
def has_neck(flat, first, row, slab, number, face, neck_faces):
    """Whether the face of a cell that can be a neck is one, and is a lower face of the cell.

    So the upper one of the two cells of a neck answers for it. first: the first voxel of the cell.
    number: the label. face: of the cell, from the table `neck_faces`.
    """
    if face & 1:
        return False
    first -= (slab, row, 1)[face // 2]
    return neck_faces[case_of(flat, first, row, slab, number)] == face + 1


@njit(cache=True, nogil=True, allocates=False)
def case_of(flat, first, row, slab, number):
    """The case of a label in a cell (`cell_cases`). first: the first voxel of the cell."""
    case = 0
    for voxel in range(8):
        at = first + (voxel >> 2) * slab + (voxel >> 1 & 1) * row + (voxel & 1)
        case |= (flat[at] == number) << voxel
    return case


@njit(cache=True, nogil=True, allocates=False)
def cell_labels(flat, first, row, slab, numbers, cases):
    """The labels of a cell and their cases (`cell_cases`), without the background.

    numbers, cases: (8,) int64, for the answer. Returns the number of labels without the background,
    and the number with it if the cell has background.

    Each step takes the first voxel that is left, finds all voxels like it, and takes these away.
    The case of label 5 sets the bits of its voxels, so in a cell with these voxels

        voxel   0 1 2 3  4 5 6 7            voxels left   label   case
        number  5 5 0 5  0 0 7 7            11111111      5       00001011
                                            11110100      0       00110100
        (bits with voxel 0 on the right)    11000000      7       11000000

    the answer is numbers 5 7, cases 11 192, and 2 labels, 3 with the background. The background is
    written too, but the next label takes its row.
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


@njit(cache=True, nogil=True, allocates=False)
def middle_of(flat, first, row, slab):
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


@njit(cache=True, nogil=True, allocates=False)
def _nearest(halves, n):
    """`halves` halves of a voxel, divided by n, in 1/4096 voxel, rounded."""
    return (halves * VOXEL_STEPS + n) // (2 * n)
