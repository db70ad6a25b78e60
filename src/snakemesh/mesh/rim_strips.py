"""Strips along the rims of flat cuts: where the volume ends, bodies are shaded flat.

The viewer interpolates the normals of vertices. At the rim of a flat cut, a normal is the mean of
the normals of the cut and of the side. Triangles of the cut reach from rim to rim, so without a
ring of vertices near the rim, streaks cross the cut.

Everything is x y z, in steps of the lattice from the lower corner of the tile.
"""

from collections.abc import Sequence

import numpy as np

from snakemesh.fragments.octree import CELL_STEPS
from snakemesh.kernels.compiled import njit
from snakemesh.mesh.seam_strips import slabs
from snakemesh.mesh.simplified import Geometry, Mesh, with_strips
from snakemesh.mesh.strips import Companions, add_strips, borders_of, unit

# Width of a strip, in voxels of the level: what is seen of the rim on the flat cut.
WIDTH = 0.35


def strips_along_rims(
    mesh: Mesh, geometry: Geometry, n_cells: Sequence[int], cell_voxels: Sequence[int]
) -> Mesh:
    """Put strips into the faces that lie in ends of the volume, along their rims.

    Arguments and what is returned: as for `strips_along_seams`.
    """
    vertices, faces, owners, boxes = mesh.vertices, mesh.faces, mesh.owners, mesh.boxes
    planes, ends = geometry.planes, geometry.ends
    width = WIDTH * CELL_STEPS / max(cell_voxels)
    ends_of, others = _ends_of(vertices, faces, ends.lower, ends.upper)
    new_faces, new_of = [], []
    for number in range(6):
        axis, bit = number % 3, 1 << number
        flat = np.flatnonzero(ends_of & bit)
        corners = faces[flat].ravel()
        corners = corners[others[corners] & bit > 0]
        for other, cuts in enumerate(planes.positions):
            if other != axis:
                corners = corners[~np.isin(vertices[corners, other], cuts)]
        is_wanted = np.zeros(len(vertices), dtype=bool)
        is_wanted[corners] = True
        flat = flat[is_wanted[faces[flat]].any(axis=1)]
        if len(flat) == 0:
            continue
        cells = boxes[flat] // 8
        is_first = (np.diff(owners[flat], prepend=-1) != 0) | (np.diff(cells, prepend=-1) != 0)
        groups = np.cumsum(is_first)
        borders = borders_of(faces[flat], groups, is_wanted)
        if len(borders.vertices) == 0:
            continue
        cell_of_group = np.zeros(groups[-1] + 1, dtype=np.int64)
        cell_of_group[groups] = cells
        cell = np.unravel_index(cell_of_group[borders.groups], n_cells, order="F")
        lower, upper = slabs(vertices[borders.vertices], np.stack(cell, axis=1), planes, ends)
        # in no other end: faces there may have the same edge
        others_of = [other for other in range(3) if other != axis]
        lower[:, others_of] = np.maximum(lower, ends.lower)[:, others_of]
        upper[:, others_of] = np.minimum(upper, ends.upper)[:, others_of]
        at, before, after = (
            vertices[found].astype(np.float64)
            for found in (borders.vertices, borders.before, borders.after)
        )
        along = unit(unit(after - at) + unit(at - before))
        normal = np.zeros(3)
        normal[axis] = 1 if number > 2 else -1
        moves = width * np.cross(normal, along)
        is_needed = np.ones(len(at), dtype=bool)
        companions = Companions(moves, is_needed, lower, upper, geometry.grain)
        vertices, beside, strips, of = add_strips(
            vertices, faces[flat], groups, borders, companions
        )
        faces[flat] = beside
        new_faces.append(strips)
        new_of.append(flat[of])
    return with_strips(mesh, vertices, new_faces, new_of)


@njit(cache=True, nogil=True)
def _ends_of(vertices, faces, lower, upper):
    """The ends of the volume that hold each face, (M,) uint8, and for each vertex the ends that
    hold it but not all of its faces, (N,) uint8. Bits 0 to 2 are the lower ends, 3 to 5 the upper.
    """
    ends_of = np.zeros(len(faces), dtype=np.uint8)
    others = np.zeros(len(vertices), dtype=np.uint8)
    bits = np.zeros(3, dtype=np.uint8)
    for f in range(len(faces)):
        for i in range(3):
            bits[i] = 0
            for axis in range(3):
                at = vertices[faces[f, i], axis]
                bits[i] |= (at == lower[axis]) << axis | (at == upper[axis]) << (axis + 3)
        ends_of[f] = bits[0] & bits[1] & bits[2]
        for i in range(3):
            others[faces[f, i]] |= bits[i] & ~ends_of[f]
    return ends_of, others
