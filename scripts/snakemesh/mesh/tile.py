"""One tile of a level: from its labels to finished fragments.

A tile is a box of whole cells. Its surface is cut at the faces it shares with other tiles while it
is still dense, where both sides see the same integers; then it is simplified with those cuts
locked, and only then cut to its cells.
"""

from dataclasses import dataclass

import numpy as np

from snakemesh.mesh.cutting import sides, split
from snakemesh.mesh.fragments import cut_to_cells, encode_fragments
from snakemesh.mesh.lattice import nearest_step, to_lattice
from snakemesh.mesh.restore_volume import middles, moments, restore_volume
from snakemesh.mesh.simplify import simplify
from snakemesh.mesh.surface import VOXEL_STEPS, Surfaces, extract_surfaces
from snakemesh.multires.container import FRAGMENT
from snakemesh.multires.octree import CELL_STEPS

Side = int | None


@dataclass(frozen=True)
class Tile:
    """Where a tile lies and what its labels become.

    first_cell, n_cells: x y z, in cells of this LOD. cell_voxels: x y z voxels of this level in a
    cell. seams: per axis x y z the lower and the upper position, in voxels from the tile's corner,
    where the surface is cut and left open; None at the octree's own faces, which it is clamped to.
    cell_nm: x y z size of a cell of this LOD.
    """

    lod: int
    first_cell: tuple[int, int, int]
    n_cells: tuple[int, int, int]
    cell_voxels: tuple[int, int, int]
    cell_nm: tuple[float, float, float]
    seams: tuple[tuple[Side, Side], tuple[Side, Side], tuple[Side, Side]]


def mesh_tile(
    labels: np.ndarray,
    origin: tuple[int, int, int],
    tile: Tile,
    n_smoothing_iter: int,
    keep: float,
    max_error: float,
) -> tuple[np.ndarray, list[bytes], int]:
    """The fragments of every label in a tile.

    labels: z y x, unsigned, the tile with its halo; beyond the array is background.
    origin: z y x, the voxel of `labels` where the tile begins. keep: part of the dense faces to
    keep. max_error: how far simplification may move a surface, in voxels of this level (the
    geometric mean of their axes). Returns records, Draco bytes and the number of dense faces.
    """
    cell_nm = np.array(tile.cell_nm)
    voxel_nm = np.prod(cell_nm / np.array(tile.cell_voxels)) ** (1 / 3)
    step = cell_nm / CELL_STEPS / voxel_nm  # of the lattice, in voxels
    records, blobs, dense = [], [], 0
    for surfaces in extract_surfaces(labels, origin, n_smoothing_iter):
        dense += len(surfaces.faces)
        vertices, faces, owners = _inside(surfaces, tile)
        origins = middles(vertices, faces, owners, len(surfaces.labels), step)
        wanted = moments(vertices, faces, owners, origins, step)
        faces, owners = simplify(vertices, faces, owners, step, keep, max_error)
        fixed = _on_tile_faces(vertices, tile)
        restore_volume(vertices, faces, owners, wanted, origins, step, fixed)
        _clamp_to_octree(vertices, tile)
        _clamp_to_seams(vertices, tile)
        vertices, faces, owners = cut_to_cells(
            vertices, faces, owners, np.array(tile.n_cells), octants=tile.lod > 0
        )
        batch_records, batch_blobs = encode_fragments(
            vertices,
            faces,
            owners,
            surfaces.labels,
            np.array(tile.first_cell),
            np.array(tile.n_cells),
            cell_nm / CELL_STEPS,
        )
        records.append(batch_records)
        blobs += batch_blobs
    return np.concatenate(records) if records else np.zeros(0, FRAGMENT), blobs, dense


def _inside(surfaces: Surfaces, tile: Tile) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What of the dense surfaces lies in the tile, on the lattice, cut at its seams."""
    vertices = to_lattice(surfaces.vertices, np.array(tile.cell_voxels) * VOXEL_STEPS)
    faces = surfaces.faces
    owners = np.repeat(
        np.arange(len(surfaces.labels), dtype=np.int32), np.diff(surfaces.face_starts)
    )
    _clamp_to_octree(vertices, tile)
    for axis, plane, upper in _seam_planes(tile):
        vertices, faces, owners = split(vertices, faces, owners, axis, plane)
        inside = sides(vertices, faces, axis, plane) != upper
        faces, owners = faces[inside], owners[inside]
    order = np.argsort(owners, kind="stable")
    return vertices, faces[order], owners[order]


def _seam_planes(tile: Tile) -> list[tuple[int, int, bool]]:
    """(axis, position on the lattice, whether it is the upper face) of each cut."""
    return [
        (axis, int(nearest_step(seam, cell_voxels)), upper)
        for axis, (seams, cell_voxels) in enumerate(zip(tile.seams, tile.cell_voxels, strict=True))
        for seam, upper in zip(seams, (False, True), strict=True)
        if seam is not None
    ]


def _clamp_to_octree(vertices: np.ndarray, tile: Tile) -> None:
    """Smoothed caps stick out of the volume by a tenth of a voxel: they belong to the last cell."""
    for axis, (lower, upper) in enumerate(tile.seams):
        if lower is None:
            np.maximum(vertices[:, axis], 0, out=vertices[:, axis])
        if upper is None:
            np.minimum(vertices[:, axis], tile.n_cells[axis] * CELL_STEPS, out=vertices[:, axis])


def _clamp_to_seams(vertices: np.ndarray, tile: Tile) -> None:
    """What was pushed across a seam goes back to it."""
    for axis, plane, upper in _seam_planes(tile):
        limit = np.minimum if upper else np.maximum
        limit(vertices[:, axis], plane, out=vertices[:, axis])


def _on_tile_faces(vertices: np.ndarray, tile: Tile) -> np.ndarray:
    """(N,) bool: the vertices on a face of the tile, which its neighbours must find in place."""
    found = np.zeros(len(vertices), dtype=bool)
    for axis, plane, _ in _seam_planes(tile):
        found |= vertices[:, axis] == plane
    for axis, (lower, upper) in enumerate(tile.seams):
        if lower is None:
            found |= vertices[:, axis] == 0
        if upper is None:
            found |= vertices[:, axis] == tile.n_cells[axis] * CELL_STEPS
    return found
