"""Checks of a label's mesh that `reading` has read, in plain numpy.

The rules come from Neuroglancer's meshes.md and from what its decoder does with a fragment
(src/mesh/draco/neuroglancer_draco.cc). Everything is x y z; lengths are nanometres.
"""

from dataclasses import dataclass

import numpy as np

from snakemesh.verify.reader import STEPS, Fragment, Mesh

HALF = 1 << 15  # where the viewer divides a cell into octants
# By what `problems` counts, the kind of failure.
KIND_OF = {
    "out_of_range": "cells",
    "out_of_order": "tree",
    "crossing": "octants",
    "missing_ancestors": "tree",
    "missing_children": "tree",
    "bad_lods": "tree",
}


def welded(mesh: Mesh, lod: int) -> tuple[np.ndarray, np.ndarray]:
    """The whole surface of an LOD: vertices (n, 3) on its lattice and faces (m, 3), int64.

    The lattice runs through all cells: a vertex is at cell * 65535 + position. Only vertices that
    are exactly equal are joined.
    """
    fragments = mesh.fragments[lod]
    if not fragments:
        return np.empty((0, 3), np.int64), np.empty((0, 3), np.int64)
    first = np.cumsum([0, *(len(f.positions) for f in fragments)])
    vertices = np.concatenate([f.cell * STEPS + f.positions for f in fragments])
    faces = np.concatenate([f.faces + n for f, n in zip(fragments, first, strict=False)])
    lower = vertices.min(axis=0)
    width = (vertices.max(axis=0) - lower + 1).tolist()
    if width[0] * width[1] * width[2] >= 1 << 63:
        raise ValueError(f"label {mesh.label} is too large for 64-bit keys")
    x, y, z = (vertices - lower).T
    _, rows, joined = np.unique(
        (z * width[1] + y) * width[0] + x, return_index=True, return_inverse=True
    )
    return vertices[rows], joined[faces]


@dataclass(frozen=True)
class Edges:
    """The sides of faces, ordered by the edges that they run along.

    ends: (k, 2), rows of vertices. faces: (k,), the face of each side. starts: (n,), the first side
    of each edge. balance: (n,), how many more sides run along it one way than the other.
    """

    ends: np.ndarray
    faces: np.ndarray
    starts: np.ndarray
    balance: np.ndarray

    @property
    def open(self) -> np.ndarray:
        """The edges (n, 2), rows of vertices, along which not equally many faces run either way."""
        found: np.ndarray = self.ends[self.starts[self.balance != 0]]
        return found

    @property
    def crowded(self) -> int:
        """Number of edges with more than two faces."""
        return int(np.count_nonzero(np.diff(self.starts, append=len(self.ends)) > 2))


def edges_of(faces: np.ndarray) -> Edges:
    """The edges of faces (m, 3), rows of vertices."""
    begin, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    owner = np.flatnonzero(begin != end)
    begin, end = begin[owner], end[owner]
    if not len(begin):
        none = np.empty(0, np.int64)
        return Edges(none.reshape(0, 2), none, none, none)
    key = np.minimum(begin, end) * (int(faces.max()) + 1) + np.maximum(begin, end)
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    balance = np.add.reduceat(np.where(begin < end, 1, -1)[order], starts)
    return Edges(np.stack([begin, end], axis=1)[order], owner[order] // 3, starts, balance)


def to_nm(mesh: Mesh, lod: int, vertices: np.ndarray) -> np.ndarray:
    """Positions (n, 3) in nm of vertices (n, 3) on the lattice of an LOD."""
    manifest = mesh.manifest
    corner = manifest.origin_nm + manifest.vertex_offsets[lod]
    points = corner + manifest.cell_nm * 2**lod * vertices / STEPS
    moved: np.ndarray = points @ mesh.transform[:, :3].T + mesh.transform[:, 3]
    return moved


def volume_and_centroid(points: np.ndarray, faces: np.ndarray) -> tuple[float, np.ndarray]:
    """Volume inside a closed surface and its centroid (3,), by the divergence theorem.

    points: (n, 3). faces: (m, 3) rows of points.
    """
    middle = points.mean(axis=0)
    a, b, c = (points[faces[:, i]] - middle for i in range(3))
    parts = np.einsum("ij,ij->i", a, np.cross(b, c)) / 6
    volume = float(parts.sum())
    if volume == 0:
        return 0.0, middle
    return volume, middle + (parts[:, None] * (a + b + c)).sum(axis=0) / 4 / volume


def area(points: np.ndarray, faces: np.ndarray) -> float:
    """Surface area of faces (m, 3), rows of points (n, 3)."""
    a, b, c = (points[faces[:, i]] for i in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def problems(mesh: Mesh) -> dict[str, int]:
    """How often a label breaks each rule of the format; all numbers are 0 for a sound mesh.

    out_of_range: positions beyond the cell.
    out_of_order: nodes that are not in Z-order.
    crossing: triangles that cross the middle of a cell above LOD 0.
    missing_ancestors: nodes that the viewer cannot reach from the coarsest LOD.
    missing_children: octants with geometry that have no node below, not even an empty one. The
    viewer would go on drawing them beside finer ones.
    bad_lods: LODs without geometry, or whose scale does not grow.
    """
    found = dict.fromkeys(KIND_OF, 0)
    cells = mesh.manifest.cells
    found["bad_lods"] += int(np.count_nonzero(np.diff(mesh.manifest.scales) <= 0))
    for lod, fragments in enumerate(mesh.fragments):
        found["bad_lods"] += not fragments
        found["out_of_order"] += _out_of_order(cells[lod])
        for fragment in fragments:
            positions = fragment.positions
            found["out_of_range"] += int(((positions < 0) | (positions > STEPS)).sum())
        if lod > 0:
            corners = [f.positions[f.faces] for f in fragments]
            found["crossing"] += sum(map(_crossing, corners))
            below = set(map(tuple, cells[lod - 1].tolist()))
            here = set(map(tuple, cells[lod].tolist()))
            needed = set(map(tuple, (cells[lod - 1] >> 1).tolist()))
            found["missing_ancestors"] += len(needed - here)
            found["missing_children"] += len(_children(fragments, corners) - below)
    return found


def _crossing(corners: np.ndarray) -> int:
    low, high = corners.min(axis=1), corners.max(axis=1)
    return int(((low < HALF) & (high > HALF)).any(axis=1).sum())


def _children(fragments: tuple[Fragment, ...], corners: list[np.ndarray]) -> set[tuple[int, ...]]:
    """The cells one LOD below in which an LOD has geometry.

    A triangle that lies in the middle plane belongs to the lower half.
    """
    found: set[tuple[int, ...]] = set()
    for fragment, triangles in zip(fragments, corners, strict=True):
        octants = np.unique((triangles > HALF).any(axis=1), axis=0)
        found.update(map(tuple, (2 * fragment.cell + octants).tolist()))
    return found


def _out_of_order(cells: np.ndarray) -> int:
    keys = [
        sum((c >> bit & 1) << (3 * bit + axis) for axis, c in enumerate(cell) for bit in range(32))
        for cell in cells.tolist()
    ]
    return sum(a >= b for a, b in zip(keys, keys[1:], strict=False))
