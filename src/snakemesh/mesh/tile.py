"""Meshing one tile of a level: labels in, finished fragments out.

A tile is a box of whole cells that is meshed at once. The planes where it meets other tiles are
its seams. The order of the work makes seams exact:

1. The labels of the tile and its halo become dense surfaces. The halo is what must be seen around
   the tile so that these surfaces are those of the whole volume (`halo.halo_voxels`).
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
from snakemesh.fragments.container import FRAGMENT
from snakemesh.fragments.octree import CELL_STEPS
from snakemesh.mesh.cell_cases import VOXEL_STEPS
from snakemesh.mesh.compact_labels import CompactLabels
from snakemesh.mesh.contacts import Contacts
from snakemesh.mesh.fragments import encode_fragments
from snakemesh.mesh.lattice import nearest_step, to_lattice
from snakemesh.mesh.pieces import cut_into_pieces, planes_of_tile
from snakemesh.mesh.rim_strips import strips_along_rims
from snakemesh.mesh.seam_strips import strips_along_seams
from snakemesh.mesh.simplified import Curves, Geometry, simplified
from snakemesh.mesh.snapping import grain_of
from snakemesh.mesh.surface import extract_surfaces
from snakemesh.mesh.surface_error import of_faces, square_of_level, with_simplification
from snakemesh.mesh.volume_ends import (
    VolumeEnds,
    clamp_to_volume,
    squeeze_last_voxels,
    volume_ends,
)
from snakemesh.mesh.voxel_moments import moments_of, moments_up_to

# Position of a seam, in voxels from the lower corner of the tile; None where there is no seam.
Seam = int | None


@dataclass(frozen=True)
class Tile:
    """Where a tile lies and how large its cells are. Everything is x y z.

    first_cell, n_cells: in cells of this LOD. cell_voxels: voxels of this level in a cell.
    cell_nm: size of a cell of this LOD in nm. seams: per axis the lower and the upper seam, where
    the surface is cut and left open. None at an end of the volume, where surfaces are closed.
    ends: per axis the lower and the upper end of the volume, in voxels from the lower corner of the
    tile; the ends of some tiles lie in other tiles. The upper one need not be whole: where the
    volume ends inside a voxel of a coarse level.
    """

    lod: int
    first_cell: tuple[int, int, int]
    n_cells: tuple[int, int, int]
    cell_voxels: tuple[int, int, int]
    cell_nm: tuple[float, float, float]
    seams: tuple[tuple[Seam, Seam], tuple[Seam, Seam], tuple[Seam, Seam]]
    ends: tuple[tuple[float, float], tuple[float, float], tuple[float, float]]


def mesh_tile(
    labels: CompactLabels,
    origin: tuple[int, int, int],
    tile: Tile,
    n_smoothing_iter: int,
    keep: float,
    max_error: float,
    contacts: Contacts | None = None,
) -> tuple[np.ndarray, list[bytes], int]:
    """The fragments of every label in a tile.

    labels: of the tile with its halo; what lies beyond is background. origin: z y x, the voxel of
    the array where the tile begins. keep: fraction of the dense faces to keep, 0 to 1. max_error:
    how far simplification may move a surface, in voxels of this level (the geometric mean of their
    axes). contacts: of the tile, to which the areas of walls are added.

    Returns the records of the fragments (dtype FRAGMENT), their Draco bytes in the same order, and
    the number of dense faces.
    """
    geometry, curves = geometry_of(tile), Curves.of_voxels(keep)
    end = _existing_voxels(tile)
    ids, sums = moments_up_to(labels, origin, end)
    records, blobs, n_dense = [np.zeros(0, FRAGMENT)], [], 0
    first_voxel = np.array(tile.first_cell[::-1]) * tile.cell_voxels[::-1] - origin
    for surfaces in extract_surfaces(
        labels,
        origin,
        n_smoothing_iter,
        triple(first_voxel.tolist()),
        _whole_ends(tile),
        contacts,
        end,
    ):
        n_dense += int(np.rint(surfaces.dense.sum(dtype=np.float64)))
        vertices = to_lattice(surfaces.vertices, np.array(tile.cell_voxels) * VOXEL_STEPS)
        squeeze_last_voxels(vertices, geometry.ends)
        clamp_to_volume(vertices, geometry.ends)
        pieces = cut_into_pieces(
            vertices, surfaces.faces, surfaces.face_starts, surfaces.dense, geometry.planes
        )
        wanted = surfaces.of_owners(moments_of(surfaces.labels, ids, sums))
        wanted *= np.append(1.0, geometry.voxel)
        mesh, codes, normals = simplified(
            pieces, wanted, geometry, tile.n_cells, keep, max_error, curves
        )
        mesh = strips_along_seams(mesh, codes, normals, geometry, tile.n_cells, tile.cell_voxels)
        mesh = strips_along_rims(mesh, geometry, tile.n_cells, tile.cell_voxels)
        squares = with_simplification(square_of_level(tile.lod), mesh.moved)
        squares = of_faces(mesh.owners, mesh.boxes, pieces.owners, pieces.boxes, squares)
        place = (np.array(tile.first_cell), np.array(tile.n_cells))
        owners = surfaces.rows[mesh.owners]
        order = np.argsort(owners * geometry.planes.n_boxes + mesh.boxes, kind="stable")
        found, more = encode_fragments(
            *(mesh.vertices, mesh.faces.take(order, axis=0), owners[order], mesh.boxes[order]),
            *(squares[order] * geometry.voxel_nm**2, surfaces.labels),
            *(*place, np.array(tile.cell_nm) / CELL_STEPS),
        )
        records.append(found)
        blobs += more
    return np.concatenate(records), blobs, n_dense


def geometry_of(tile: Tile) -> Geometry:
    """What a tile is on the lattice."""
    cell_nm = np.array(tile.cell_nm)
    voxel_nm = np.prod(cell_nm / np.array(tile.cell_voxels)) ** (1 / 3)
    ends = volume_ends(tile.ends, tile.cell_voxels)
    upper, is_seam = _upper_end(tile, ends)
    return Geometry(
        step=cell_nm / CELL_STEPS / voxel_nm,
        voxel=cell_nm / tile.cell_voxels / voxel_nm,
        ends=ends,
        upper=upper,
        is_seam=is_seam,
        planes=planes_of_tile(tile.n_cells, seams_in_steps(tile), tile.lod > 0, upper.tolist()),
        grain=grain_of(tile.cell_voxels),
        voxel_nm=float(voxel_nm),
    )


def _whole_ends(tile: Tile) -> list[tuple[int, int]]:
    """The ends of the volume as `Tile.ends`, but at the upper faces of the last voxels."""
    return [(int(lower), ceil(upper)) for lower, upper in tile.ends]


def tile_shape(tile: Tile) -> tuple[int, int, int]:
    """The voxels of a tile, z y x: at the end of the volume those of whole cells."""
    x, y, z = (
        n * voxels if upper is None else upper
        for n, voxels, (_, upper) in zip(tile.n_cells, tile.cell_voxels, tile.seams, strict=True)
    )
    return z, y, x


def seams_in_steps(tile: Tile) -> list[tuple[Seam, Seam]]:
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
        for n, (_, seam), end in zip(
            tile.n_cells, seams_in_steps(tile), ends.upper.tolist(), strict=True
        )
    ]
    is_seam = np.array([[seam is not None for seam in pair] for pair in tile.seams])
    return np.array(upper, dtype=np.int32), is_seam


def _existing_voxels(tile: Tile) -> tuple[float, float, float]:
    """The voxels of a tile, z y x, up to the end of the volume, which can lie inside a voxel."""
    x, y, z = (
        min(shape, upper)
        for shape, (_, upper) in zip(tile_shape(tile)[::-1], tile.ends, strict=True)
    )
    return z, y, x
