"""Strips along the seams between cells: both sides have the same normals there.

Each side of a seam draws normals from its own faces, some way off the seam: on a curved surface
they differ by twice that, a crease across every body that the seam cuts. Both sides know the
normals of the dense faces that the plane cuts (`seam_normals`). So the strips of both sides leave
the seam in the same plane, and their normals agree, however wide they are.

Everything is x y z, in steps of the lattice from the lower corner of the tile.
"""

from collections.abc import Sequence

import numpy as np

from snakemesh.fragments.octree import CELL_STEPS
from snakemesh.mesh.pieces import Planes, on_planes
from snakemesh.mesh.simplified import Geometry, Mesh, with_strips
from snakemesh.mesh.strips import (
    Borders,
    Companions,
    add_strips,
    borders_of,
    drawn_normals,
    unit,
)
from snakemesh.mesh.vertex_states import KEPT
from snakemesh.mesh.volume_ends import VolumeEnds

# Width of a strip, in voxels of the level. Wider ones leave less room to the faces beside them.
# Positions are too coarse for narrower ones: they are rounded to a quarter of the grain of others,
# 1/64 voxel. At half of the grain, one vertex in ten on a seam of pinky40 has normals that are 8.3
# degrees apart, for 2 % fewer bytes. Without rounding it is 6.9 degrees, for 3 % more.
WIDTH = 0.3
# A vertex gets no strip where its drawn normal is off by less than this, in degrees. With strips at
# all vertices of pinky40 with cells of 64, both sides of a seam are within 0.3 degrees instead of
# 1.3 (median), for a third more new faces.
NEAR = 3.0


def strips_along_seams(
    mesh: Mesh,
    codes: np.ndarray,
    sums: np.ndarray,
    geometry: Geometry,
    n_cells: Sequence[int],
    cell_voxels: Sequence[int],
) -> Mesh:
    """Put strips along the faces of cells, where fragments end.

    codes: (C,) int32, as in `Pieces`, of the first vertices of the mesh. sums: (C, 3) int32, as in
    `Pieces.normals`. n_cells: cells of the tile. cell_voxels: voxels of the level in a cell.

    Returns a mesh in the same order, whose new vertices follow the others. Changes `mesh.faces`.
    """
    vertices, faces, owners, boxes = mesh.vertices, mesh.faces, mesh.owners, mesh.boxes
    planes, ends = geometry.planes, geometry.ends
    is_wanted = _in_one_cell_face(vertices, codes, mesh.states)
    rows = np.flatnonzero(is_wanted[faces].any(axis=1))
    cells = boxes // 8
    is_first = (np.diff(owners, prepend=-1) != 0) | (np.diff(cells, prepend=-1) != 0)
    groups = np.cumsum(is_first)[rows]
    borders = borders_of(faces[rows], groups, is_wanted)
    if len(borders.vertices) == 0:
        return mesh
    cell_of_group = np.zeros(groups[-1] + 1, dtype=np.int64)
    cell_of_group[groups] = cells[rows]
    cell = np.unravel_index(cell_of_group[borders.groups], n_cells, order="F")
    lower, upper = slabs(vertices[borders.vertices], np.stack(cell, axis=1), planes, ends)
    width = WIDTH * CELL_STEPS / max(cell_voxels)
    moves, normals = _directions(vertices, borders, sums)
    drawn = drawn_normals(vertices, faces[rows], groups, borders)
    is_needed = (drawn * normals).sum(axis=1) < np.cos(np.radians(NEAR))
    companions = Companions(width * moves, is_needed, lower, upper, (geometry.grain + 3) // 4)
    vertices, beside, strips, of = add_strips(vertices, faces[rows], groups, borders, companions)
    faces[rows] = beside
    return with_strips(mesh, vertices, [strips], [rows[of]])


def _in_one_cell_face(vertices: np.ndarray, codes: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Which vertices lie in curves on a face of a cell, and in no other plane that cuts."""
    found = np.zeros(len(vertices), dtype=bool)
    kept = np.flatnonzero(states[: len(codes)] == KEPT)
    bits = on_planes(codes[kept])
    in_plane = np.stack([bits >> (2 * axis) & 3 != 0 for axis in range(3)], axis=1)
    in_cell_face = in_plane & (vertices[kept] % CELL_STEPS == 0)
    found[kept] = (in_plane.sum(axis=1) == 1) & in_cell_face.any(axis=1)
    return found


def _directions(
    vertices: np.ndarray, borders: Borders, sums: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The direction across the border at each of its vertices, and the normal, (S, 3) float64 each.

    sums: (N, 3), as in `Pieces.normals`. The direction of a border is that between the directions
    of its two edges, so that it is the same seen from both sides but for its sign.
    """
    at, before, after = (
        vertices[rows].astype(np.float64)
        for rows in (borders.vertices, borders.before, borders.after)
    )
    along = unit(unit(after - at) + unit(at - before))
    normal = 2 * unit(sums[borders.vertices].astype(np.float64))
    normal += unit(sums[borders.before].astype(np.float64))
    normal += unit(sums[borders.after].astype(np.float64))
    normal = unit(normal - (normal * along).sum(axis=1, keepdims=True) * along)
    return np.cross(normal, along), normal


def slabs(
    points: np.ndarray, cells: np.ndarray, planes: Planes, ends: VolumeEnds
) -> tuple[np.ndarray, np.ndarray]:
    """What companions must lie strictly between, on each axis: lower and upper (S, 3) int64.

    points: (S, 3), vertices of borders. cells: (S, 3), the cells of their faces in the tile. Planes
    that cut bound the slab, and just beyond them the ends of the volume.
    """
    lower, upper = np.empty((2, *points.shape), dtype=np.int64)
    for axis, cuts in enumerate(planes.positions):
        at = points[:, axis]
        bounds = np.array([ends.lower[axis] - 1, *cuts, ends.upper[axis] + 1])
        below, above = np.searchsorted(bounds, at), np.searchsorted(bounds, at, side="right")
        in_plane = above > below
        is_lower_face = at == cells[:, axis] * CELL_STEPS
        lower[:, axis] = bounds[np.where(in_plane & is_lower_face, below, below - 1)]
        upper[:, axis] = bounds[np.where(in_plane & ~is_lower_face, below, above)]
    return lower, upper
