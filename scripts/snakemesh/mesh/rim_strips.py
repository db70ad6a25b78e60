"""Strips along the rims of flat cuts: where the volume ends, bodies are shaded flat.

The viewer draws normals between those of vertices. At the rim of a flat cut these are half those of
the side, and the triangles of the cut run right across it, so without a ring of vertices near the
rim streaks run across too.

Everything is x y z, in steps of the lattice from the lower corner of the tile.
"""

from collections.abc import Sequence

import numpy as np

from snakemesh.mesh.pieces import Planes
from snakemesh.mesh.seam_strips import slabs
from snakemesh.mesh.strips import Companions, add_strips, borders_of, unit
from snakemesh.mesh.volume_ends import VolumeEnds, at_ends
from snakemesh.multires.octree import CELL_STEPS

# Width of a strip, in voxels of the level: what is seen of the rim on the flat cut.
WIDTH = 0.35


def strips_along_rims(
    vertices: np.ndarray,
    faces: np.ndarray,
    owners: np.ndarray,
    boxes: np.ndarray,
    planes: Planes,
    ends: VolumeEnds,
    n_cells: Sequence[int],
    cell_voxels: Sequence[int],
    grain: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Put strips into the faces that lie in ends of the volume, along their rims.

    Arguments and what is returned: as for `strips_along_seams`.
    """
    width = WIDTH * CELL_STEPS / max(cell_voxels)
    for axis, end, rows in at_ends(vertices, ends):
        in_end = np.zeros(len(vertices), dtype=bool)
        in_end[rows] = True
        is_flat = in_end[faces].all(axis=1)
        is_wanted = np.zeros(len(vertices), dtype=bool)
        is_wanted[faces[~is_flat]] = True
        is_wanted &= in_end
        for other, cuts in enumerate(planes.positions):
            if other != axis:
                is_wanted[rows] &= ~np.isin(vertices[rows, other], cuts)
        flat = np.flatnonzero(is_flat & is_wanted[faces].any(axis=1))
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
        at, before, after = (
            vertices[found].astype(np.float64)
            for found in (borders.vertices, borders.before, borders.after)
        )
        along = unit(unit(after - at) + unit(at - before))
        normal = np.zeros(3)
        normal[axis] = 1 if end == ends.upper[axis] else -1
        moves = width * np.cross(normal, along)
        is_needed = np.ones(len(at), dtype=bool)
        companions = Companions(moves, is_needed, lower, upper, grain)
        vertices, beside, strips, of = add_strips(
            vertices, faces[flat], groups, borders, companions
        )
        faces = np.concatenate([faces, strips])
        faces[flat] = beside
        owners = np.concatenate([owners, owners[flat[of]]])
        boxes = np.concatenate([boxes, boxes[flat[of]]])
        order = np.lexsort((boxes, owners))
        faces, owners, boxes = faces[order], owners[order], boxes[order]
    return vertices, faces, owners, boxes
