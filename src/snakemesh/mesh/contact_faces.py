"""The voxel faces at which two labels touch, and which of them hang together.

Faces of the same two labels that share an edge hang together: they are of one patch. At an edge,
four voxels and four faces meet:

      v | b          face 1 between v and a, face 2 between v and b,
      --+--          face 3 between b and c, face 4 between a and c
      a | c

Faces 1 and 2 are of the same two labels if a is b, for example. A face is known by its axis, 0 to 2
for z y x, and by its upper voxel: the one further along the axis.
"""

from dataclasses import dataclass

import numpy as np

from snakemesh.kernels.compiled import njit
from snakemesh.mesh.cells import mixed_cells
from snakemesh.mesh.compact_labels import CompactLabels
from snakemesh.mesh.longer import longer
from snakemesh.mesh.roots import root_of


@dataclass(frozen=True)
class ContactFaces:
    """The F contact faces in a box of voxels.

    keys: (F,) int32, ascending: 4 v + axis for upper voxel v, counted along x, y, then z.
    patches: (F,) int32, numbers of their P patches, counted in the order of their first faces.
    firsts: (P,) int64, the first face of each patch. segments: (nz, ny, ns, 2) uint64, of every 16
    upper voxels along x their first face, and a bit for each face there may be: 3 (x % 16) + axis.
    shape: of the box, z y x.
    """

    keys: np.ndarray
    patches: np.ndarray
    firsts: np.ndarray
    segments: np.ndarray
    shape: tuple[int, int, int]

    def places(self, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The upper voxels of some faces, (n, 3) int64 z y x, and their axes, (n,) int64."""
        voxels, axes = np.divmod(self.keys[faces].astype(np.int64), 4)
        return np.stack(np.unravel_index(voxels, self.shape), axis=1), axes

    def patches_at(self, upper: np.ndarray, axes: np.ndarray) -> np.ndarray:
        """The patches of the faces at some places, which `places` gives, and where faces are."""
        voxels = np.ravel_multi_index(tuple(upper.T), self.shape)
        found: np.ndarray = self.patches[np.searchsorted(self.keys, 4 * voxels + axes)]
        return found


def contact_faces(
    labels: CompactLabels,
    begin: tuple[int, int, int],
    shape: tuple[int, int, int],
    with_background: bool,
) -> ContactFaces:
    """The contact faces between the voxels of a box of `labels`.

    begin, shape: z y x, the box in the array. with_background: whether background is a label here.
    """
    nz, ny, nx = shape
    segments = np.zeros((nz, ny, (nx + 15) // 16, 2), np.uint64)
    keys, roots = _find(labels.numbers, *begin, nx, segments, with_background)
    firsts = np.flatnonzero(roots == np.arange(len(roots)))
    numbers = np.empty(len(roots), np.int32)
    numbers[firsts] = np.arange(len(firsts))
    return ContactFaces(keys, numbers[roots], firsts, segments, shape)


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def patch_at(patches, segments, z, y, x, axis):
    """The patch of the face of this axis below the voxel z y x; -1 if there is no contact face.

    patches, segments: of `ContactFaces`.
    """
    first, bits = segments[z, y, x >> 4, 0], segments[z, y, x >> 4, 1]
    bit = np.uint64(1) << np.uint64(3 * (x & 15) + axis)
    if not bits & bit:
        return np.int32(-1)
    return patches[first + _ones(bits & (bit - np.uint64(1)))]


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _ones(bits):
    """How many of 64 bits are set: LLVM knows these steps, and makes one instruction of them."""
    one, two, four = np.uint64(1), np.uint64(2), np.uint64(4)
    bits = bits - (bits >> one & np.uint64(0x5555555555555555))
    bits = (bits & np.uint64(0x3333333333333333)) + (bits >> two & np.uint64(0x3333333333333333))
    bits = bits + (bits >> four) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return bits * np.uint64(0x0101010101010101) >> np.uint64(56)


@njit(cache=True, nogil=True)
def _find(voxels, z0, y0, x0, nx, segments, with_background):
    """Find the faces in the box from z0 y0 x0 on. voxels: with their border, as in `CompactLabels`.

    nx: voxels of the box along x. segments: as in `ContactFaces`, zero, for the answer. Returns
    `keys`, and for each face the first one of its patch.
    """
    nz, ny = segments.shape[0], segments.shape[1]
    flat = voxels.ravel()
    row, slab = voxels.shape[2], voxels.shape[1] * voxels.shape[2]
    buffer, found = np.zeros(nx + 8, np.uint8), np.empty(nx + 8, np.int32)
    keys, roots = np.empty(1 << 12, np.int32), np.empty(1 << 12, np.int32)
    # the faces of the voxels of two layers, by voxel and axis
    layer = 3 * ny * nx
    at = np.empty(2 * layer, np.int32)
    n = 0
    for z in range(nz):
        for y in range(ny):
            start = (z0 + z + 1) * slab + (y0 + y + 1) * row + x0 + 1
            if n + 3 * nx > len(keys):
                keys, roots = longer(keys, n + 3 * nx), longer(roots, n + 3 * nx)
            for i in range(mixed_cells(flat, start - slab - row - 1, row, slab, nx, buffer, found)):
                x = found[i]
                p, place = start + x, 3 * (y * nx + x)
                here, below = place + (z & 1) * layer, place + (1 - (z & 1)) * layer
                v, vz, vy, vx = flat[p], flat[p - slab], flat[p - row], flat[p - 1]
                first, axes, key = n, 0, 4 * ((z * ny + y) * nx + x)
                if z > 0 and _touch(v, vz, with_background):
                    at[here] = roots[n] = n
                    keys[n] = key
                    n, axes = n + 1, 1
                if y > 0 and _touch(v, vy, with_background):
                    at[here + 1] = roots[n] = n
                    keys[n] = key + 1
                    n, axes = n + 1, axes | 2
                if x > 0 and _touch(v, vx, with_background):
                    at[here + 2] = roots[n] = n
                    keys[n] = key + 2
                    n, axes = n + 1, axes | 4
                if axes:
                    segment = segments[z, y, x >> 4]
                    if not segment[1]:
                        segment[0] = first
                    segment[1] |= np.uint64(axes) << np.uint64(3 * (x & 15))
                # of each square, the faces 1 to 4 of the picture above
                if z > 0 and y > 0:
                    square = (here, here + 1, here - 3 * nx, below + 1)
                    across = flat[p - slab - row]
                    _join(roots, at, v, vz, vy, across, square, with_background)
                if z > 0 and x > 0:
                    square = (here, here + 2, here - 3, below + 2)
                    across = flat[p - slab - 1]
                    _join(roots, at, v, vz, vx, across, square, with_background)
                if y > 0 and x > 0:
                    square = (here + 1, here + 2, here - 2, here - 3 * nx + 2)
                    across = flat[p - row - 1]
                    _join(roots, at, v, vy, vx, across, square, with_background)
    for face in range(n):
        roots[face] = roots[roots[face]]
    return keys[:n].copy(), roots[:n].copy()


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _touch(a, b, with_background):
    """Whether the face between two voxels is a contact face."""
    return (a != b) & (with_background | ((a != 0) & (b != 0)))


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _join(roots, at, v, a, b, c, square, with_background):
    """Join the faces around an edge that are of the same two labels.

    v, a, b, c: the voxels, as in the picture above. square: where in `at` the faces 1 to 4 are.
    """
    if (v == a) & (v == b) & (v == c):
        return
    first, second, third, fourth = square
    if (v == b) & (a == c) & _touch(v, a, with_background):
        _join_two(roots, at[first], at[third])
    if (v == a) & (b == c) & _touch(v, b, with_background):
        _join_two(roots, at[second], at[fourth])
    if a == b:
        if _touch(v, a, with_background):
            _join_two(roots, at[first], at[second])
        if _touch(c, a, with_background):
            _join_two(roots, at[third], at[fourth])
    if v == c:
        if _touch(v, a, with_background):
            _join_two(roots, at[first], at[fourth])
        if _touch(v, b, with_background):
            _join_two(roots, at[second], at[third])


@njit(cache=True, nogil=True, allocates=False)
def _join_two(roots, a, b):
    """Let the patches of two faces have the same root, which is the first face of both."""
    if roots[a] == roots[b]:
        return
    a, b = root_of(roots, a), root_of(roots, b)
    roots[max(a, b)] = min(a, b)
