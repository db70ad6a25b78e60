"""Meshing one tile of a level: labels in, finished fragments out.

A tile is a box of whole cells that is meshed at once. The planes where it meets other tiles, or
where objects are left open, are its seams. The order of the work makes seams exact:

1. The labels of the tile and its halo become dense surfaces. The halo is what must be seen around
   the tile so that these surfaces are those of the whole volume (`job_records.halo_voxels`).
2. The dense surfaces are cut into pieces: at the seams, and at the planes between the cells. Both
   tiles of a seam see the same integers there, so both make the same cuts.
3. The curves of the cuts are thinned and rounded. What is kept of a curve, and where, follows from
   the curve alone.
4. The pieces are simplified, and get the volume of their voxels back. Vertices on seams stay.
5. All other positions are rounded. Strips along the seams between cells give both sides the same
   normals.
6. The pieces of each label in a cell become a fragment, and are encoded.

From the second step on, positions are steps of the lattice (see `lattice`), x y z from the lower
corner of the tile. A cell is 65535 steps wide on each axis.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np

from snakemesh.boxes import triple
from snakemesh.mesh.cell_cases import VOXEL_STEPS
from snakemesh.mesh.collapsed import replace_collapsed
from snakemesh.mesh.fragments import encode_fragments
from snakemesh.mesh.lattice import nearest_step, to_lattice
from snakemesh.mesh.pieces import cut_into_pieces, planes_of_tile, push_back
from snakemesh.mesh.restore_volume import restore_volume
from snakemesh.mesh.rim_strips import strips_along_rims
from snakemesh.mesh.seam_curves import thin_curves
from snakemesh.mesh.seam_strips import strips_along_seams
from snakemesh.mesh.simplify import simplify
from snakemesh.mesh.snapping import grain_of, snap, snap_curves
from snakemesh.mesh.surface import extract_surfaces
from snakemesh.mesh.surface_error import of_faces, squares_of_level
from snakemesh.mesh.volume_ends import (
    VolumeEnds,
    at_ends,
    clamp_to_volume,
    squeeze_last_voxels,
    volume_ends,
)
from snakemesh.mesh.voxel_moments import moments_of, moments_up_to
from snakemesh.multires.container import FRAGMENT
from snakemesh.multires.octree import CELL_STEPS

# How far thinning may move the curves in which planes cut a surface, and how far apart the vertices
# of a curve may be, in voxels of the level, where all faces are kept. With fewer faces both grow,
# as the faces do. On a ball of radius 102 voxels that is cut every 64, 16 % of the vertices then
# lie in the planes, and the normals there are 1.35 times as far off as elsewhere (docs/quality.md).
CURVE_ERROR = 0.08
MAX_CURVE_ERROR = 0.3
CURVE_SPACING = 1.8
# Position of a seam, in voxels from the lower corner of the tile; None where there is no seam.
Seam = int | None
# Position of an end of the volume, in voxels from the lower corner of the tile; None where there is
# none at which surfaces are closed.
End = float | None


@dataclass(frozen=True)
class Tile:
    """Where a tile lies and how large its cells are. Everything is x y z.

    first_cell, n_cells: in cells of this LOD. cell_voxels: voxels of this level in a cell.
    cell_nm: size of a cell of this LOD in nm. seams: per axis the lower and the upper seam, where
    the surface is cut and left open. None at an end of the volume at which surfaces are closed.
    ends: per axis the lower and the upper end of the volume, in voxels from the lower corner of the
    tile; the ends of some tiles lie in other tiles. The upper one need not be whole: where the
    volume ends inside a voxel of a coarse level. None on a side where objects are left open.
    """

    lod: int
    first_cell: tuple[int, int, int]
    n_cells: tuple[int, int, int]
    cell_voxels: tuple[int, int, int]
    cell_nm: tuple[float, float, float]
    seams: tuple[tuple[Seam, Seam], tuple[Seam, Seam], tuple[Seam, Seam]]
    ends: tuple[tuple[End, End], tuple[End, End], tuple[End, End]]


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
    ends = volume_ends(tile.ends, tile.cell_voxels)
    upper, is_seam = _upper_end(tile, ends)
    voxel = cell_nm / tile.cell_voxels / voxel_nm
    ids, sums = moments_up_to(labels, origin, _existing_voxels(tile))
    sums *= np.append(1.0, voxel)
    curve_error = min(CURVE_ERROR / keep**0.5, MAX_CURVE_ERROR)
    planes = planes_of_tile(tile.n_cells, _seams(tile), tile.lod > 0, upper.tolist())
    grain = grain_of(tile.cell_voxels)
    records, blobs, n_dense = [], [], 0
    first_voxel = np.array(tile.first_cell[::-1]) * tile.cell_voxels[::-1] - origin
    for surfaces in extract_surfaces(
        labels, origin, n_smoothing_iter, triple(first_voxel.tolist()), _whole_ends(tile)
    ):
        n_dense += int(np.rint(surfaces.dense.sum(dtype=np.float64)))
        vertices = to_lattice(surfaces.vertices, np.array(tile.cell_voxels) * VOXEL_STEPS)
        squeeze_last_voxels(vertices, ends)
        clamp_to_volume(vertices, ends)
        pieces = cut_into_pieces(
            vertices, surfaces.faces, surfaces.face_starts, surfaces.dense, planes
        )
        fates, curves = thin_curves(pieces, step, curve_error, CURVE_SPACING / keep**0.5)
        snap_curves(pieces, fates, planes, ends, grain)
        in_ends = at_ends(pieces.vertices, ends)
        faces, of, moved = simplify(pieces, fates, curves, step, keep, max_error)
        vertices, owners, boxes = pieces.vertices, pieces.owners[of], pieces.boxes[of]
        clamp_to_volume(vertices, ends)
        for axis, end, rows in in_ends:
            vertices[rows, axis] = end
        wanted = moments_of(surfaces.labels, ids, sums)
        restore_volume(vertices, faces, owners, wanted, step, upper, is_seam, fates)
        push_back(vertices, pieces.codes, planes)
        vertices, faces, owners, boxes = replace_collapsed(
            vertices, faces, owners, boxes, wanted, step, upper, is_seam, planes
        )
        snap(vertices, faces, owners, boxes, tile.n_cells, planes, ends, grain)
        vertices, faces, owners, boxes = strips_along_seams(
            vertices,
            faces,
            owners,
            boxes,
            pieces,
            fates,
            planes,
            ends,
            tile.n_cells,
            tile.cell_voxels,
            grain,
        )
        vertices, faces, owners, boxes = strips_along_rims(
            vertices, faces, owners, boxes, planes, ends, tile.n_cells, tile.cell_voxels, grain
        )
        squares = squares_of_level(moved, tile.lod)
        squares = of_faces(owners, boxes, pieces.owners, pieces.boxes, squares)
        batch_records, batch_blobs = encode_fragments(
            vertices,
            faces,
            owners,
            boxes,
            squares * voxel_nm**2,
            surfaces.labels,
            np.array(tile.first_cell),
            np.array(tile.n_cells),
            cell_nm / CELL_STEPS,
        )
        records.append(batch_records)
        blobs += batch_blobs
    return np.concatenate(records) if records else np.zeros(0, FRAGMENT), blobs, n_dense


def _whole_ends(tile: Tile) -> list[tuple[int | None, int | None]]:
    """The ends of the volume as `Tile.ends`, but at the upper faces of the last voxels."""
    return [
        (None if lower is None else int(lower), None if upper is None else ceil(upper))
        for lower, upper in tile.ends
    ]


def tile_shape(tile: Tile) -> tuple[int, int, int]:
    """The voxels of a tile, z y x: at the end of the volume those of whole cells."""
    x, y, z = (
        n * voxels if upper is None else upper
        for n, voxels, (_, upper) in zip(tile.n_cells, tile.cell_voxels, tile.seams, strict=True)
    )
    return z, y, x


def _seams(tile: Tile) -> list[tuple[Seam, Seam]]:
    """The seams of a tile in steps of the lattice."""

    def in_steps(seam: Seam, voxels: int) -> Seam:
        return None if seam is None else int(nearest_step(seam, voxels))

    return [
        (in_steps(lower, voxels), in_steps(upper, voxels))
        for (lower, upper), voxels in zip(tile.seams, tile.cell_voxels, strict=True)
    ]


def _upper_end(tile: Tile, ends: VolumeEnds) -> tuple[np.ndarray, np.ndarray]:
    """Where a tile ends, or the volume if it ends before, (3,) int32, and which of the faces of the
    tile are seams, (3, 2) bool.
    """
    upper = [
        min(n * CELL_STEPS, end) if seam is None else seam
        for n, (_, seam), end in zip(tile.n_cells, _seams(tile), ends.upper.tolist(), strict=True)
    ]
    is_seam = np.array([[seam is not None for seam in pair] for pair in tile.seams])
    return np.array(upper, dtype=np.int32), is_seam


def _existing_voxels(tile: Tile) -> tuple[float, float, float]:
    """The voxels of a tile, z y x, up to the end of the volume, which can lie inside a voxel."""
    x, y, z = (
        min(shape, shape if upper is None else upper)
        for shape, (_, upper) in zip(tile_shape(tile)[::-1], tile.ends, strict=True)
    )
    return z, y, x
