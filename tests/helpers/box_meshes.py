"""Boxes as fragments: exact meshes whose volume, area and bounds are known.

Coordinates are x y z, integers in steps of the LOD-0 lattice (a cell has 65535 steps).
"""

from itertools import product

import DracoPy
import numpy as np

from snakemesh.fragments.container import FRAGMENT
from snakemesh.job_records import OctreeGrid

STEPS = 65535


def box_triangles(lower, upper, lod, pieces=1):
    """Triangles (n, 3, 3) of a box, cut at the cells and octants of an LOD.

    On each axis the box is also cut into `pieces` equal pieces.
    """
    cuts = []
    for lo, hi in zip(lower, upper, strict=True):
        cell = STEPS << lod
        planes = {lo, hi, *range(lo // cell * cell, hi, cell)}
        if lod:
            planes |= set(range(lo // cell * cell + (32768 << lod), hi, cell))
        planes |= set((np.linspace(lo, hi, pieces + 1).astype(int) >> lod << lod).tolist())
        cuts.append(sorted(p for p in planes if lo <= p <= hi))
    triangles = []
    for axis, side in product(range(3), (0, 1)):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        for (u0, u1), (v0, v1) in product(
            zip(cuts[u], cuts[u][1:], strict=False), zip(cuts[v], cuts[v][1:], strict=False)
        ):
            corners = np.zeros((4, 3), np.int64)
            corners[:, axis] = (lower, upper)[side][axis]
            corners[:, u] = [u0, u1, u1, u0]
            corners[:, v] = [v0, v0, v1, v1]
            turn = [[0, 1, 2], [0, 2, 3]] if side else [[0, 2, 1], [0, 3, 2]]
            triangles.extend(corners[turn])
    return np.array(triangles)


def box_fragments(label, lower, upper, lod, grid: OctreeGrid, pieces=1):
    """Records and Draco bytes of a box at one LOD. The box's bounds are multiples of `2**lod`."""
    triangles = box_triangles(lower, upper, lod, pieces)
    step_nm = np.array(grid.cell_nm) / STEPS
    local = triangles >> lod
    middle = triangles.sum(axis=1) / 3 / (STEPS << lod)
    cells = np.floor(middle).astype(int)
    octants = ((middle - cells) * STEPS > 32768).astype(int) @ [1, 2, 4]
    records, blobs = [], []
    for cell in np.unique(cells, axis=0):
        mine = (cells == cell).all(axis=1)
        points, faces = np.unique(
            (local[mine] - cell * STEPS).reshape(-1, 3), axis=0, return_inverse=True
        )
        corners = triangles[mine] * step_nm + grid.origin_nm
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        record = np.zeros((), FRAGMENT)
        record["label"], record["cell"], record["faces"] = label, cell, mine.sum()
        record["octants"] = np.bitwise_or.reduce(1 << octants[mine])
        record["volume"] = (corners[:, 0] * normals).sum() / 6
        record["area"] = np.linalg.norm(normals, axis=1).sum() / 2
        record["square"] = (0.3 * 2**lod) ** 2 * (1 + cell.sum() / 7)
        record["lower"], record["upper"] = points.min(axis=0), points.max(axis=0)
        records.append(record)
        faces = faces.reshape(-1, 3).astype(np.uint32)
        # Signed 32-bit integers are the only integers that the viewer's decoder takes.
        blobs.append(DracoPy.encode(points.astype(np.int32), faces))
    return np.array(records, FRAGMENT), blobs
