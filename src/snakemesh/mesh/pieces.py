"""Cutting the dense surfaces of a tile into pieces, each of one label in one box.

The faces between the cells of the octree divide a tile into boxes. Above LOD 0 the planes in the
middle of the cells do so too, because no triangle of the finished mesh may cross these. A piece is
the part of a label's surface in one box. What lies beyond a seam of the tile is left out.

Everything is x y z, in steps of the lattice from the lower corner of the tile.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snakemesh.boxes import triple
from snakemesh.fragments.octree import CELL_STEPS, OCTANT_PLANE
from snakemesh.kernels.compiled import njit
from snakemesh.mesh.cutting import facing, first_not_below, split
from snakemesh.mesh.piece_order import sorted_by_piece
from snakemesh.mesh.seam_normals import normals_in_planes
from snakemesh.mesh.submeshes import local_meshes

# What `_boxes_of` finds besides boxes: a face beyond a seam, a face that has to be cut.
_OUTSIDE, _CROSSING = -1, -2
# Added up over three axes, this stays below any box.
_BEYOND = -(1 << 28)
# The bits of a number of planes in the code of a vertex.
_BITS = 10
_MASK = (1 << _BITS) - 1
_HALF_MASK = _MASK >> 1
# The bits of a code, one for each axis, of which one is set where the vertex lies in a plane.
_IN_PLANE = np.int32(1 | 1 << _BITS | 1 << 2 * _BITS)


@dataclass(frozen=True)
class Planes:
    """The planes that cut a tile, and the boxes between them.

    positions: for each axis (n,) int64, ascending. boxes: for each axis (n + 1,) int64, what each
    slab between two planes adds to the number of a box; less than 0 beyond a seam. The number of a
    box is 8 times that of its cell in the tile (x fastest), plus that of its octant: x + 2 y + 4 z.
    n_boxes: all numbers are below it.
    """

    positions: tuple[np.ndarray, np.ndarray, np.ndarray]
    boxes: tuple[np.ndarray, np.ndarray, np.ndarray]
    n_boxes: int


@dataclass(frozen=True)
class Pieces:
    """The pieces of the surfaces of a tile, ordered by owner, then box.

    vertices: (N, 3) int32. codes: (N,) int32, where each vertex lies among the planes (`on_planes`
    reads it). faces: (M, 3) int32, rows of vertices, piece by piece. starts: (P + 1,) int64, where
    the faces of each piece begin. owners: (P,) int32. boxes: (P,) int64. dense: (P,) float64, the
    number of dense faces that a piece stands for; a face that was cut counts in parts. normals:
    (N, 3) int32, of the surface at each vertex in a plane, of any length (`normals_in_planes`).
    """

    vertices: np.ndarray
    codes: np.ndarray
    faces: np.ndarray
    starts: np.ndarray
    owners: np.ndarray
    boxes: np.ndarray
    dense: np.ndarray
    normals: np.ndarray


def planes_of_tile(
    n_cells: tuple[int, int, int],
    seams: Sequence[tuple[int | None, int | None]],
    has_octants: bool,
    upper_end: Sequence[int],
) -> Planes:
    """The planes of a tile of n_cells cells.

    seams: for each axis the lower and the upper seam, in steps; None where there is none.
    has_octants: cells are cut in their middle (`octree.OCTANT_PLANE`). upper_end: for each axis
    where the tile ends, or the volume if it ends before: no plane there or beyond cuts, except a
    seam.
    """
    positions, boxes, stride = [], [], 8
    for axis, (n, (lower, upper), end) in enumerate(zip(n_cells, seams, upper_end, strict=True)):
        inner = {cell * CELL_STEPS for cell in range(1, n)}
        if has_octants:
            inner |= {cell * CELL_STEPS + OCTANT_PLANE for cell in range(n)}
        planes = sorted(
            {p for p in inner if p < end} | {s for s in (lower, upper) if s is not None}
        )
        # each slab by twice its middle
        middles = np.array([0, *planes]) + np.array([*planes, end])
        cell = np.minimum(middles // (2 * CELL_STEPS), n - 1)
        half = has_octants & (middles - 2 * cell * CELL_STEPS > 2 * OCTANT_PLANE)
        box = cell * stride + half * (1 << axis)
        if lower is not None:
            box[0] = _BEYOND
        if upper is not None:
            box[-1] = _BEYOND
        positions.append(np.array(planes, dtype=np.int64))
        boxes.append(box.astype(np.int64))
        stride *= n
    return Planes(triple(positions), triple(boxes), stride)


def planes_of_box(upper: np.ndarray, is_seam: np.ndarray) -> Planes:
    """The planes of a single box, number 0, which is cut at its seams alone.

    upper: (3,) its upper end, in steps from its lower corner. is_seam: (3, 2) bool, whether its
    lower and its upper face on each axis is a seam.
    """
    positions, boxes = [], []
    for end, (at_lower, at_upper) in zip(upper.tolist(), is_seam.tolist(), strict=True):
        positions.append(np.array([0] * at_lower + [end] * at_upper, dtype=np.int64))
        beyond = [_BEYOND]
        boxes.append(np.array(beyond * at_lower + [0] + beyond * at_upper, dtype=np.int64))
    return Planes(triple(positions), triple(boxes), 8)


def cut_into_pieces(
    vertices: np.ndarray,
    faces: np.ndarray,
    face_starts: np.ndarray,
    dense: np.ndarray,
    planes: Planes,
) -> Pieces:
    """Cut closed surfaces at all planes.

    vertices: (N, 3) int32. faces: (M, 3) int32. face_starts: (L + 1,) int64, where the faces of
    each of L owners begin. dense: (M,) float32, the number of dense faces each stands for.

    A face in a plane counts to the side that its object is on: below if it faces up, above if it
    faces down. So exactly one of two tiles that both see it takes it.
    """
    codes = _codes(vertices, *planes.positions)
    found = _boxes_of(vertices, codes, faces, *planes.boxes)
    crossing = np.flatnonzero(found == _CROSSING)
    new_vertices, new_faces, parents = _cut(vertices, faces[crossing], planes)
    vertices = np.concatenate([vertices, new_vertices])
    codes = np.concatenate([codes, _codes(new_vertices, *planes.positions)])
    new_found = _boxes_of(vertices, codes, new_faces, *planes.boxes)
    normals = normals_in_planes(vertices, on_planes(codes), faces[crossing], new_faces, parents)
    shares = 1 / np.maximum(np.bincount(parents, minlength=len(crossing)), 1)
    new_starts = np.searchsorted(crossing[parents], face_starts)
    new_dense = (dense[crossing] * shares)[parents]
    sorted_faces, starts, owners, boxes, sums = sorted_by_piece(
        faces,
        found,
        dense,
        face_starts,
        new_faces,
        new_found,
        new_dense,
        new_starts,
        planes.n_boxes,
    )
    return Pieces(vertices, codes, sorted_faces, starts, owners, boxes, sums, normals)


def uncut_pieces(
    vertices: np.ndarray, faces: np.ndarray, owners: np.ndarray, boxes: np.ndarray, planes: Planes
) -> Pieces:
    """The pieces of surfaces that no plane crosses, as `cut_into_pieces` returns them.

    vertices: (N, 3) int32. faces: (M, 3) int32, by owner, then box. owners: (M,) int32. boxes: (M,)
    int64. Each face counts as one dense face.
    """
    changed = (np.diff(owners, prepend=-1) != 0) | (np.diff(boxes, prepend=-1) != 0)
    first = np.flatnonzero(changed)
    starts = np.append(first, len(faces))
    codes = codes_of(vertices, planes)
    dense = np.diff(starts).astype(np.float64)
    each = np.arange(len(faces), dtype=np.int32)
    normals = normals_in_planes(vertices, on_planes(codes), faces, faces, each)
    return Pieces(vertices, codes, faces, starts, owners[first], boxes[first], dense, normals)


def codes_of(vertices: np.ndarray, planes: Planes) -> np.ndarray:
    """Where vertices (N, 3) int32 lie among planes, (N,) int32, as in `Pieces`."""
    codes: np.ndarray = _codes(vertices, *planes.positions)
    return codes


def on_planes(codes: np.ndarray) -> np.ndarray:
    """Which planes hold a vertex, as bits: (N,) uint8; 0 for a vertex in no plane.

    codes: (N,) int32, as in `Pieces`. An axis has two bits: those of planes with even and with odd
    numbers. The two planes on the sides of a box have different bits.
    """
    bits = np.zeros(len(codes), dtype=np.uint8)
    rows = np.flatnonzero(codes & _IN_PLANE)  # few vertices lie in planes
    for axis in range(3):
        code = codes[rows] >> (_BITS * axis) & _MASK
        bits[rows] |= np.where(code & 1, 1 << (2 * axis + (code >> 1 & 1)), 0).astype(np.uint8)
    return bits


def codes_between(codes: np.ndarray) -> np.ndarray:
    """The codes of vertices inside boxes: (N,) int32. codes: (4, N), of vertices of each box."""
    between = np.zeros(codes.shape[1], dtype=np.int32)
    for axis in range(3):
        low = (codes >> (_BITS * axis) & _MASK).min(axis=0)
        # a vertex on the plane below the box has an odd number, one less than those in the box
        between |= ((low + (low & 1)) << (_BITS * axis)).astype(np.int32)
    return between


def push_back(vertices: np.ndarray, codes: np.ndarray, planes: Planes) -> None:
    """Move vertices that have left their slab, or now lie in a plane, back into the slab, in place.

    codes: as in `Pieces`, of the positions before the vertices moved. A vertex that lay in a plane
    does not move across this plane.
    """
    _push_back(vertices, codes, *planes.positions)


@njit(cache=True, nogil=True, allocates=False)
def _push_back(vertices, codes, xs, ys, zs):
    for axis, positions in enumerate((xs, ys, zs)):
        for v in range(len(vertices)):
            code = codes[v] >> (_BITS * axis) & _MASK
            if code & 1 == 0:
                slab = code >> 1
                if slab > 0 and vertices[v, axis] <= positions[slab - 1]:
                    vertices[v, axis] = positions[slab - 1] + 1
                if slab < len(positions) and vertices[v, axis] >= positions[slab]:
                    vertices[v, axis] = positions[slab] - 1


def _cut(
    vertices: np.ndarray, faces: np.ndarray, planes: Planes
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut faces at all planes: new vertices, the faces made of these, and the row of each one's
    parent in `faces`, ascending. New vertices are numbered from the end of `vertices`.
    """
    local, rows, _ = local_meshes(len(vertices), faces, np.array([0, len(faces)]))
    points, pieces = vertices[rows], local.view(np.int32)
    parents = np.arange(len(faces), dtype=np.int32)
    for axis, positions in enumerate(planes.positions):
        for position in positions.tolist():
            points, pieces, parents = split(points, pieces, parents, axis, position)
    new_rows = np.arange(len(points) - len(rows), dtype=np.int32) + len(vertices)
    order = np.argsort(parents, kind="stable")
    return points[len(rows) :], np.concatenate([rows, new_rows])[pieces[order]], parents[order]


@njit(cache=True, nogil=True)
def _codes(vertices, xs, ys, zs):
    """Where each vertex lies on each axis: 2 i in slab i, and 2 i + 1 on the plane above it."""
    codes = np.zeros(len(vertices), dtype=np.int32)
    for axis, positions in enumerate((xs, ys, zs)):
        for v in range(len(vertices)):
            at = vertices[v, axis]
            low = first_not_below(positions, at)
            code = 2 * low
            if low < len(positions) and positions[low] == at:
                code += 1
            codes[v] |= code << (_BITS * axis)
    return codes


@njit(cache=True, nogil=True)
def _boxes_of(vertices, codes, faces, xs, ys, zs):
    """The box of each face, or _OUTSIDE, or _CROSSING: (M,) int32. xs, ys, zs: `Planes.boxes`."""
    found = np.empty(len(faces), dtype=np.int32)
    for f in range(len(faces)):
        a, b, c = codes[faces[f, 0]], codes[faces[f, 1]], codes[faces[f, 2]]
        if a == b and b == c and a & _IN_PLANE == 0:  # most faces: inside a box
            box = xs[a >> 1 & _HALF_MASK]
            box += ys[a >> (_BITS + 1) & _HALF_MASK] + zs[a >> (2 * _BITS + 1) & _HALF_MASK]
            found[f] = box if box >= 0 else _OUTSIDE
            continue
        box = 0
        is_crossing = is_away = False
        for axis, boxes in enumerate((xs, ys, zs)):
            i = a >> (_BITS * axis) & _MASK
            j = b >> (_BITS * axis) & _MASK
            k = c >> (_BITS * axis) & _MASK
            low, high = min(i, j, k), max(i, j, k)
            # whether the first plane above the lowest corner lies below the highest
            if low + 1 + (low & 1) < high:
                is_crossing = True
                continue
            slab = (low + 1) >> 1
            if low == high and low & 1 and facing(vertices, faces[f], axis) >= 0:
                slab -= 1
            box += boxes[slab]
            # what touches a seam may lie in it after a cut, which rounds
            is_away |= boxes[slab] < 0 and (low | high) & 1 == 0
        if is_crossing and not is_away:
            found[f] = _CROSSING
        else:
            found[f] = box if box >= 0 else _OUTSIDE
    return found
