"""Meshing one tile of a level: labels in, finished fragments out.

A tile is a box of whole cells that is meshed at once. The planes where it meets other tiles, or
where objects are left open, are its seams. The order of the work makes seams exact:

1. The labels of the tile and its halo become dense surfaces. The halo is what must be seen around
   the tile so that these surfaces are those of the whole volume (`job_records.halo_voxels`).
2. The dense surfaces are cut at the seams. Both tiles of a seam see the same integers there, so
   both make the same cuts.
3. The surfaces are simplified with these cuts locked, and get their volume back.
4. They are cut to the cells of the tile and encoded.

From the second step on, positions are steps of the lattice (see `lattice`), x y z from the lower
corner of the tile. A cell is 65535 steps wide on each axis.
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

# Position of a seam, in voxels from the lower corner of the tile; None where there is no seam.
Seam = int | None


@dataclass(frozen=True)
class Tile:
    """Where a tile lies and how large its cells are. Everything is x y z.

    first_cell, n_cells: in cells of this LOD. cell_voxels: voxels of this level in a cell.
    cell_nm: size of a cell of this LOD in nm. seams: per axis the lower and the upper seam, where
    the surface is cut and left open. None at a face of the octree: there the surface is closed,
    and clamped to the octree.
    """

    lod: int
    first_cell: tuple[int, int, int]
    n_cells: tuple[int, int, int]
    cell_voxels: tuple[int, int, int]
    cell_nm: tuple[float, float, float]
    seams: tuple[tuple[Seam, Seam], tuple[Seam, Seam], tuple[Seam, Seam]]


def mesh_tile(
    labels: np.ndarray,
    origin: tuple[int, int, int],
    tile: Tile,
    n_smoothing_iter: int,
    keep: float,
    max_error: float,
) -> tuple[np.ndarray, list[bytes], int]:
    """The fragments of every label in a tile.

    labels: z y x, unsigned, the tile with its halo; what lies beyond the array is background.
    origin: z y x, the voxel of `labels` where the tile begins. keep: fraction of the dense faces to
    keep, 0 to 1. max_error: how far simplification may move a surface, in voxels of this level (the
    geometric mean of their axes).

    Returns the records of the fragments (dtype FRAGMENT), their Draco bytes in the same order, and
    the number of dense faces.
    """
    cell_nm = np.array(tile.cell_nm)
    voxel_nm = np.prod(cell_nm / np.array(tile.cell_voxels)) ** (1 / 3)
    # length of a step of the lattice on each axis, in voxels
    step = cell_nm / CELL_STEPS / voxel_nm
    records, blobs, n_dense = [], [], 0
    for surfaces in extract_surfaces(labels, origin, n_smoothing_iter):
        n_dense += len(surfaces.faces)
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
    return np.concatenate(records) if records else np.zeros(0, FRAGMENT), blobs, n_dense


def _inside(surfaces: Surfaces, tile: Tile) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Put dense surfaces on the lattice, cut them at the seams and keep what lies in the tile.

    Returns vertices (N, 3) int32, faces (M, 3) int32 in ascending order of their owners, and
    owners (M,) int32. The owner of a face is the row of its label in `surfaces.labels`.
    """
    vertices = to_lattice(surfaces.vertices, np.array(tile.cell_voxels) * VOXEL_STEPS)
    faces = surfaces.faces
    owners = np.repeat(
        np.arange(len(surfaces.labels), dtype=np.int32), np.diff(surfaces.face_starts)
    )
    _clamp_to_octree(vertices, tile)
    for axis, plane, is_upper in _seam_planes(tile):
        vertices, faces, owners = split(vertices, faces, owners, axis, plane)
        inside = sides(vertices, faces, axis, plane) != is_upper
        faces, owners = faces[inside], owners[inside]
    order = np.argsort(owners, kind="stable")
    return vertices, faces[order], owners[order]


def _seam_planes(tile: Tile) -> list[tuple[int, int, bool]]:
    """(axis, position on the lattice, whether it is the upper one) of each seam."""
    return [
        (axis, int(nearest_step(seam, cell_voxels)), is_upper)
        for axis, (seams, cell_voxels) in enumerate(zip(tile.seams, tile.cell_voxels, strict=True))
        for seam, is_upper in zip(seams, (False, True), strict=True)
        if seam is not None
    ]


def _clamp_to_octree(vertices: np.ndarray, tile: Tile) -> None:
    """Move vertices that lie outside the octree onto its faces, in place.

    Smoothed caps stick out of the volume by a tenth of a voxel. They belong to the outermost cell;
    cutting them off would open the surface.
    """
    for axis, (lower, upper) in enumerate(tile.seams):
        if lower is None:
            np.maximum(vertices[:, axis], 0, out=vertices[:, axis])
        if upper is None:
            np.minimum(vertices[:, axis], tile.n_cells[axis] * CELL_STEPS, out=vertices[:, axis])


def _clamp_to_seams(vertices: np.ndarray, tile: Tile) -> None:
    """Move vertices that `restore_volume` pushed across a seam back onto it, in place."""
    for axis, plane, is_upper in _seam_planes(tile):
        limit = np.minimum if is_upper else np.maximum
        limit(vertices[:, axis], plane, out=vertices[:, axis])


def _on_tile_faces(vertices: np.ndarray, tile: Tile) -> np.ndarray:
    """(N,) bool: the vertices that lie on a face of the tile.

    These must stay in place: on a seam, the neighbouring tile has the same vertices.
    """
    found = np.zeros(len(vertices), dtype=bool)
    for axis, plane, _ in _seam_planes(tile):
        found |= vertices[:, axis] == plane
    for axis, (lower, upper) in enumerate(tile.seams):
        if lower is None:
            found |= vertices[:, axis] == 0
        if upper is None:
            found |= vertices[:, axis] == tile.n_cells[axis] * CELL_STEPS
    return found
