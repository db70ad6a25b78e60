"""Where the vertices of a net may be merged without a change of its topology.

A cube of 2 x 2 x 2 cells of the net has 27 voxels. The voxel in its middle has even numbers in the
volume, so all tiles have the same cubes. The vertices that a label has in a cube are a vertex
cluster. They may become one vertex if the label looks as simple in the 27 voxels as it can in the 8
of a cell:

- The voxel in the middle of an edge, of a face or of the cube is like one of the corners of that
  edge, face or cube.
- No face of the cube or of its cells is ambiguous: two opposite corners alike, and unlike the two
  others.
- Nor is the cube or one of its cells: two opposite corners alike, and unlike the three neighbours
  of one of the two.

Then the surface in the cube is a disk, and it meets each face of the cube in one curve or not at
all (Ju et al. 2002, "Dual contouring of Hermite data").

`is_simple` has the voxels as bits of an integer, at x + 3 y + 9 z. One layer, z = 0, and what its
voxels are in the lower face of the cube:

     0 --- 1 --- 2  -> x        corner --- edge --- corner
     |     |     |                |         |         |
     3 --- 4 --- 5               edge --- face ---  edge
     |     |     |                |         |         |
     6 --- 7 --- 8              corner --- edge --- corner
     |
     v y

Bit i of `bits ^ bits >> s` says whether voxel i and voxel i + s differ. So one comparison covers
all edges, faces or cells that look alike, and a mask picks the first voxels of those that there
are. A way of s voxels along x, y or z is s = 1, 3 or 9 along a cell, and twice that along the cube.
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


# The first voxels of the 8 cells, and of the cube.
_CELLS, _CUBE = _mask(1, 1, 1, 1), _mask(0, 0, 0, 1)
# The first voxels of the cells' faces across z, y and x, of the cube's faces across z, y and x, and
# of the cube's edges along x, y and z.
_CELL_FACES = (_mask(1, 1, 2, 1), _mask(1, 2, 1, 1), _mask(2, 1, 1, 1))
_CUBE_FACES = (_mask(0, 0, 2, 2), _mask(0, 2, 0, 2), _mask(2, 0, 0, 2))
_CUBE_EDGES = (_mask(0, 2, 2, 2), _mask(2, 0, 2, 2), _mask(2, 2, 0, 2))


@njit(cache=True, nogil=True)
def clusters_of(voxels, numbers, vertices, starts, parity):
    """The clusters of two or more vertices that may become one.

    voxels: z y x, uint32, numbers of labels, with a border of background. numbers: (L,) of the
    labels of the nets. vertices: (N, 3) int32, x y z, as nets have them, not smoothed; those of a
    label in the order z, y, x of their cells. starts: (L + 1,) int64, where the vertices of each
    label begin. parity: x y z, 1 where the first cell of the bordered array is the second of a
    cube.

    Returns the cluster of each vertex, (N,) int32, -1 if it has none; the leader of each cluster,
    its first vertex, (C,) int32; and where the clusters of each label begin, (L + 1,) int64.
    """
    depth, height, width = voxels.shape
    flat = voxels.ravel()
    n_row = (width + 2) // 2
    # For each column of cubes along z: the first vertex of the latest cube with vertices, and twice
    # the z of that cube, plus 1 if its vertices may become one.
    latest = np.full((height + 2) // 2 * n_row, -1, dtype=np.int32)
    layer = np.zeros(len(latest), dtype=np.int32)
    clusters = np.full(len(vertices), -1, dtype=np.int32)
    leaders = np.empty(len(vertices) // 2, dtype=np.int32)
    cluster_starts = np.zeros(len(starts), dtype=np.int64)
    n_clusters = 0
    half = 1 << (VOXEL_BITS - 1)
    for label in range(len(numbers)):
        for v in range(starts[label], starts[label + 1]):
            # the cube of the vertex
            x = ((vertices[v, 0] + half >> VOXEL_BITS) + parity[0]) >> 1
            y = ((vertices[v, 1] + half >> VOXEL_BITS) + parity[1]) >> 1
            z = ((vertices[v, 2] + half >> VOXEL_BITS) + parity[2]) >> 1
            column = np.uint64(y * n_row + x)
            if latest[column] < starts[label] or layer[column] >> 1 != z:
                # the first voxel of the cube
                x, y, z = 2 * x - parity[0], 2 * y - parity[1], 2 * z - parity[2]
                is_merged = min(x, y, z) >= 0
                is_merged &= x + 2 < width and y + 2 < height and z + 2 < depth
                if is_merged:
                    first = (z * height + y) * width + x
                    bits = _voxels_of_cube(flat, first, width, height * width, numbers[label])
                    is_merged = is_simple(bits)
                latest[column] = v
                layer[column] = z + parity[2] + is_merged
            elif layer[column] & 1:
                leader = latest[column]
                if clusters[leader] < 0:
                    clusters[leader] = n_clusters
                    leaders[n_clusters] = leader
                    n_clusters += 1
                clusters[v] = clusters[leader]
        cluster_starts[label + 1] = n_clusters
    return clusters, leaders[:n_clusters], cluster_starts


@njit(cache=True, nogil=True, allocates=False)
def _voxels_of_cube(flat, first, row, slab, number):
    """Which of the 27 voxels of a cube are of a label, as bits. first: the first voxel."""
    bits = 0
    for z in range(3):
        for y in range(3):
            at = np.uint64(first + z * slab + y * row)
            for x in range(3):
                bits |= (flat[at + np.uint64(x)] == number) << (x + 3 * y + 9 * z)
    return bits


@njit(cache=True, nogil=True, allocates=False)
def is_simple(bits):
    """Whether the vertices of a label in a cube may become one.

    bits: which of the 27 voxels are of the label, at x + 3 y + 9 z.
    """
    bad = _ambiguous_cells(bits, 1) & _CELLS | _ambiguous_cells(bits, 2) & _CUBE
    # p, q: the ways along the two sides of a face
    for p, q, cell_faces, cube_faces in (
        (1, 3, _CELL_FACES[0], _CUBE_FACES[0]),
        (1, 9, _CELL_FACES[1], _CUBE_FACES[1]),
        (3, 9, _CELL_FACES[2], _CUBE_FACES[2]),
    ):
        bad |= _ambiguous_faces(bits, p, q) & cell_faces
        bad |= _ambiguous_faces(bits, 2 * p, 2 * q) & cube_faces
        bad |= _odd_faces(bits, p, q) & cube_faces
    for p, cube_edges in ((1, _CUBE_EDGES[0]), (3, _CUBE_EDGES[1]), (9, _CUBE_EDGES[2])):
        bad |= _odd_edges(bits, p) & cube_edges
    return (bad | _odd_cubes(bits) & _CUBE) == 0


@njit(cache=True, nogil=True, inline="always", allocates=False)
def _odd_edges(bits, p):
    """The first voxels of edges of 3 voxels whose middle is unlike both ends. p: from one voxel of
    the edge to the next.
    """
    middle = bits >> p
    return (middle ^ bits) & (middle ^ bits >> 2 * p)


@njit(cache=True, nogil=True, inline="always", allocates=False)
def _odd_faces(bits, p, q):
    """The first voxels of faces of 3 x 3 voxels whose middle is unlike all corners."""
    middle = bits >> (p + q)
    found = (middle ^ bits) & (middle ^ bits >> 2 * p)
    return found & (middle ^ bits >> 2 * q) & (middle ^ bits >> 2 * (p + q))


@njit(cache=True, nogil=True, inline="always", allocates=False)
def _odd_cubes(bits):
    """Bit 0: whether the voxel in the middle of the cube is unlike all corners."""
    middle = bits >> 13
    found = (middle ^ bits) & (middle ^ bits >> 2) & (middle ^ bits >> 6) & (middle ^ bits >> 8)
    found &= (middle ^ bits >> 18) & (middle ^ bits >> 20)
    return found & (middle ^ bits >> 24) & (middle ^ bits >> 26)


@njit(cache=True, nogil=True, inline="always", allocates=False)
def _ambiguous_faces(bits, p, q):
    """The first voxels of faces where it and the opposite corner are alike, and the others not."""
    return (bits ^ bits >> p) & (bits ^ bits >> q) & ~(bits ^ bits >> (p + q))


@njit(cache=True, nogil=True, inline="always", allocates=False)
def _ambiguous_cells(bits, step):
    """The first voxels of cells where a corner is like the opposite one and unlike its neighbours.

    step: 1 for the cells of the cube, 2 for the cube itself.
    """
    # the other corners, by the axes along which they lie
    x, y, z = bits >> step, bits >> 3 * step, bits >> 9 * step
    xy, xz, yz = bits >> 4 * step, bits >> 10 * step, bits >> 12 * step
    xyz = bits >> 13 * step
    found = (bits ^ x) & (bits ^ y) & (bits ^ z) & ~(bits ^ xyz)
    found |= (x ^ bits) & (x ^ xy) & (x ^ xz) & ~(x ^ yz)
    found |= (y ^ bits) & (y ^ xy) & (y ^ yz) & ~(y ^ xz)
    found |= (z ^ bits) & (z ^ xz) & (z ^ yz) & ~(z ^ xy)
    return found
