"""Meshing a block of an LOD from the fragments of the LOD below it, octant by octant.

The mesh of an octant of a cell depends on nothing but the fragments in the octant. So it is the
same in every block, a process holds the surfaces of one octant at a time, and the meshes of two
octants that touch fit at their common face. Labels of an octant do not depend on each other either,
so processes share them.

Everything is x y z, except in a job.
"""

import itertools
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from snakemesh.boxes import triple
from snakemesh.forks import side_by_side
from snakemesh.fragments.container import FRAGMENT, NO_COUNTS, write_container
from snakemesh.fragments.container_table import Origin
from snakemesh.fragments.octree import CELL_STEPS, OCTANT_PLANE
from snakemesh.job_records import FinerBlocks, MeshBlockJob
from snakemesh.mesh.earlier import containers_alike, how_made, take
from snakemesh.mesh.finer import (
    FinerFragments,
    halved_surfaces,
    in_octants,
    one_in_each_place,
    read_finer,
)
from snakemesh.mesh.fragments import encode_fragments
from snakemesh.mesh.octants import octant_geometry
from snakemesh.mesh.pieces import codes_of, uncut_pieces
from snakemesh.mesh.rim_strips import strips_along_rims
from snakemesh.mesh.seam_strips import strips_along_seams
from snakemesh.mesh.simplified import Curves, Mesh, simplified
from snakemesh.mesh.specks import without_specks
from snakemesh.mesh.stats import BlockStats
from snakemesh.mesh.surface_error import of_faces, with_simplification
from snakemesh.mesh.tile import geometry_of
from snakemesh.mesh.tiles import tile_of
from snakemesh.mesh.vertex_states import KEPT
from snakemesh.mesh.voxel_moments import moments_of

Cell = tuple[int, int, int]
# Processes that share a cell have about this many parts each, so that all are busy to the end.
_PARTS_PER_PROCESS = 2


@dataclass(frozen=True)
class Part:
    """The mesh of an octant, or of some labels in it.

    octant: a cell of the LOD below. labels: (L,) uint64. mesh: its owners are rows of `labels`, its
    vertices are counted from the lower corner of the coarser cell. normals: (C, 3) int32, as in
    `Pieces`, of its first vertices. owners: (P,), of its pieces. squares: (P,) float64, their mean
    square errors in nm^2.
    """

    octant: Cell
    labels: np.ndarray
    mesh: Mesh
    normals: np.ndarray
    owners: np.ndarray
    squares: np.ndarray

    @property
    def number(self) -> int:
        """The number of the octant in its cell: x + 2 y + 4 z."""
        return sum((i & 1) << axis for axis, i in enumerate(self.octant))


def mesh_coarser_block(
    job: MeshBlockJob, finer: FinerBlocks, container: Path, processes: int = 1
) -> BlockStats | None:
    """Make a block of the fragments of the LOD below, and write its container, whole or not at all.

    processes: at most this many work on cells, or on the octants and fragments of a cell.

    Returns None where a container is there that was made in the same way of the same fragments: it
    is taken. Raises DamagedError for a container that is gone or damaged.
    """
    container.parent.mkdir(parents=True, exist_ok=True)
    box = triple(job.first_cell[::-1]), triple(job.n_cells[::-1])
    found = read_finer(finer.containers, *box)
    if (earlier := containers_alike(job, container).get(found.digest)) is not None:
        take(earlier, container)
        return None
    octants = in_octants(found)
    cells = [
        (cell, list(mine))
        for cell, mine in itertools.groupby(octants, lambda item: triple(i >> 1 for i in item[0]))
    ]
    # forks for each cell cost more than they save where cells are many and small
    of_cells, in_cell = (processes, 1) if len(cells) >= processes else (1, processes)
    mesh_cell = partial(_mesh_cell, job, finer, found, in_cell)
    made = side_by_side(lambda item: mesh_cell(*item), cells, of_cells)
    records = np.concatenate([np.zeros(0, FRAGMENT), *(mine for mine, _ in made)])
    blobs = [blob for _, mine in made for blob in mine]
    stats = BlockStats(
        dense_faces=int(found.records["faces"].sum()),
        faces=int(records["faces"].sum()),
        fragments=len(records),
        payload_bytes=sum(map(len, blobs)),
    )
    counts = _counts_of_cells(found.counts) if job.voxels_of_s0 else NO_COUNTS
    origin = Origin(how_made(job), found.digest)
    write_container(container, job.lod, records, blobs, job.sharding, origin, counts)
    return stats


def _mesh_cell(
    job: MeshBlockJob,
    finer: FinerBlocks,
    found: FinerFragments,
    processes: int,
    cell: Cell,
    octants: list[tuple[Cell, np.ndarray]],
) -> tuple[np.ndarray, list[bytes]]:
    """The fragments of a cell, records and Draco bytes. octants: its octants, as `in_octants`."""
    n_shares = 1 if processes == 1 else -(-_PARTS_PER_PROCESS * processes // len(octants))
    shares = [
        (octant, share)
        for octant, rows in octants
        for share in _shared(rows, found.records["size"][rows], n_shares)
    ]
    mesh_part = partial(_mesh_part, job, finer, found)
    parts = side_by_side(lambda share: mesh_part(*share), shares, processes)
    return _fragments_of_cell(job, cell, parts, processes)


def _shared(rows: np.ndarray, sizes: np.ndarray, n: int) -> list[np.ndarray]:
    """Rows in at most n shares of about as many bytes. sizes: of each, in bytes."""
    ends = np.cumsum(sizes)
    shares = np.split(rows, np.searchsorted(ends, ends[-1] / n * np.arange(1, n)))
    return [share for share in shares if len(share)]


def _mesh_part(
    job: MeshBlockJob, finer: FinerBlocks, found: FinerFragments, octant: Cell, rows: np.ndarray
) -> Part:
    """What fragments in an octant become: each label by itself. rows: of these in `found`."""
    geometry = octant_geometry(job, finer, octant)
    whole = geometry.tile
    surfaces = halved_surfaces(found, rows, geometry.widths, geometry.ends)
    labels, faces, owners = surfaces.labels, surfaces.faces, surfaces.owners
    is_speck = (surfaces.vertices, faces, owners, whole.step, geometry.widths, len(labels))
    stays, gone = without_specks(*is_speck)
    boxes = np.zeros(int(stays.sum()), np.int64)
    pieces = uncut_pieces(surfaces.vertices, faces[stays], owners[stays], boxes, whole.planes)
    held = _moments(found.counts, job, finer, octant, labels) * np.append(1.0, whole.voxel)
    curves = Curves.of_fragments(job.keep)
    wanted, one_cell = held - gone, (1, 1, 1)
    mesh, _, normals = simplified(pieces, wanted, whole, one_cell, job.keep, job.max_error, curves)
    mesh.vertices[:] += (np.array(octant, np.int32) & 1) * np.int32(OCTANT_PLANE)
    errors = found.records["square"][rows][pieces.owners] / whole.voxel_nm**2
    squares = with_simplification(errors, mesh.moved) * whole.voxel_nm**2
    mesh, normals = _without_dropped(mesh, normals)
    return Part(octant, labels, mesh, normals, pieces.owners, squares)


def _without_dropped(mesh: Mesh, normals: np.ndarray) -> tuple[Mesh, np.ndarray]:
    """A mesh without the vertices that no face has any more, and the normals of the others.

    normals: (C, 3), of the first vertices. Vertices that are kept in a plane stay, with or without
    faces: strips along the plane go by them.
    """
    stays = mesh.states == KEPT
    stays[mesh.faces.ravel()] = True
    rows = np.cumsum(stays, dtype=np.int32) - np.int32(1)
    padded = np.pad(normals, ((0, len(stays) - len(normals)), (0, 0)))
    vertices, states = mesh.vertices[stays], mesh.states[stays]
    return replace(mesh, vertices=vertices, faces=rows[mesh.faces], states=states), padded[stays]


def _fragments_of_cell(
    job: MeshBlockJob, cell: Cell, parts: list[Part], processes: int
) -> tuple[np.ndarray, list[bytes]]:
    """The fragments of a cell, records and Draco bytes, of the meshes of its octants."""
    labels = np.unique(np.concatenate([part.labels for part in parts]))
    rows = [np.searchsorted(labels, part.labels).astype(np.int32) for part in parts]
    mesh, normals = _joined(rows, parts)
    # octants share the vertices between them, so that the viewer shades across
    shared = one_in_each_place(mesh.vertices, mesh.faces, mesh.owners, [(OCTANT_PLANE,)] * 3)
    mesh = replace(mesh, faces=shared[mesh.faces])
    geometry = geometry_of(tile_of(job, triple(cell[::-1]), (1, 1, 1)))
    codes = codes_of(mesh.vertices, geometry.planes)
    mesh = strips_along_seams(mesh, codes, normals, geometry, (1, 1, 1), job.cell_voxels[::-1])
    mesh = strips_along_rims(mesh, geometry, (1, 1, 1), job.cell_voxels[::-1])
    owners = [row[part.owners] for row, part in zip(rows, parts, strict=True)]
    boxes = [np.full(len(part.owners), part.number) for part in parts]
    squares = np.concatenate([part.squares for part in parts])
    pieces = np.concatenate(owners), np.concatenate(boxes), squares
    return encode_fragments(
        *(mesh.vertices, mesh.faces, mesh.owners, mesh.boxes),
        *(of_faces(mesh.owners, mesh.boxes, *pieces), labels),
        *(np.array(cell), np.ones(3, int), np.array(job.cell_nm) / CELL_STEPS),
        processes,
    )


def _joined(rows: list[np.ndarray], parts: list[Part]) -> tuple[Mesh, np.ndarray]:
    """The meshes of octants as one, and its normals. rows: of the labels of each in all labels."""
    vertices, faces, owners, boxes, normals = [], [], [], [], []
    n_vertices = 0
    for row, part in zip(rows, parts, strict=True):
        mesh = part.mesh
        vertices.append(mesh.vertices)
        faces.append(mesh.faces + np.int32(n_vertices))
        owners.append(row[mesh.owners])
        boxes.append(np.full(len(mesh.faces), part.number, np.int64))
        missing = len(mesh.vertices) - len(part.normals)
        normals.append(np.pad(part.normals, ((0, missing), (0, 0))))
        n_vertices += len(mesh.vertices)
    owner, box = np.concatenate(owners), np.concatenate(boxes)
    order = np.lexsort((box, owner))
    joined = Mesh(
        np.concatenate(vertices),
        np.concatenate(faces)[order],
        owner[order],
        box[order],
        np.concatenate([part.mesh.states for part in parts]),
        np.concatenate([part.mesh.moved for part in parts]),
    )
    return joined, np.concatenate(normals)


def _moments(
    counts: np.ndarray, job: MeshBlockJob, finer: FinerBlocks, octant: Cell, labels: np.ndarray
) -> np.ndarray:
    """What labels hold in an octant, (L, 4) float64: volume and first moments about its corner.

    In voxels of the level on each axis.
    """
    mine = counts[(counts["cell"] == np.array(octant, np.uint32)).all(axis=1)]
    sums = np.column_stack([mine["voxels"], mine["moment"]]).astype(np.float64)
    # cells of the LOD below are half as wide
    width = np.array(job.cell_voxels[::-1]) / 2
    sums[:, 1:] = (sums[:, 1:] - sums[:, :1] * octant) * width
    order = np.argsort(mine["label"])
    return moments_of(labels, mine["label"][order], sums[order] / np.prod(finer.factor))


def _counts_of_cells(counts: np.ndarray) -> np.ndarray:
    """The counts of cells, COUNT: those of their octants together."""
    cells = counts["cell"] >> 1
    order = np.lexsort((*cells.T, counts["label"]))
    counts, cells = counts[order], cells[order]
    keys = np.column_stack([counts["label"], cells])
    first = np.flatnonzero((np.diff(keys, axis=0, prepend=~keys[:1]) != 0).any(axis=1))
    found = counts[first].copy()
    found["cell"] = cells[first]
    found["second"] = found["border"] = 0
    if len(first):
        found["voxels"] = np.add.reduceat(counts["voxels"], first)
        found["moment"] = np.add.reduceat(counts["moment"], first) / 2
    return found
