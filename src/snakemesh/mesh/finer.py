"""The fragments that a block of a coarser LOD is made of: those of the LOD below it.

A cell of an LOD has eight octants, and each is a cell of the LOD below. So the fragments of the LOD
below are cut where those of the coarser LOD have to be cut.

Everything is x y z.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import DracoPy
import numpy as np
from xxhash import xxh3_128

from snakemesh.fragments.container import (
    COUNT,
    COUNTS,
    FRAGMENT,
    Section,
    opened,
    rows_of,
    section_of,
)
from snakemesh.fragments.octree import CELL_STEPS
from snakemesh.fragments.payload import payload_of
from snakemesh.kernels.compiled import njit
from snakemesh.mesh.folded import without_folded
from snakemesh.mesh.places import places


@dataclass(frozen=True)
class FinerFragments:
    """The fragments of some containers, and the voxels of their labels.

    records: (n,) FRAGMENT. blobs: the Draco bytes of each. counts: (m,) COUNT, a row for each label
    and cell. digest: 16 bytes that stand for all of it.
    """

    records: np.ndarray
    blobs: list[bytes]
    counts: np.ndarray
    digest: bytes


@dataclass(frozen=True)
class Surfaces:
    """The surfaces of the labels in an octant.

    labels: (L,) uint64, ascending. vertices: (N, 3) int32, steps of the lattice of the coarser
    cell, from the lower corner of the octant; no two labels share one. faces: (M, 3) int32, by
    label. owners: (M,) int32, row of the label of each face.
    """

    labels: np.ndarray
    vertices: np.ndarray
    faces: np.ndarray
    owners: np.ndarray


def read_finer(
    containers: Sequence[str], first_cell: tuple[int, int, int], n_cells: tuple[int, int, int]
) -> FinerFragments:
    """Read what containers hold of the octants of some cells.

    first_cell, n_cells: the box of cells, of the LOD above that of the containers. Raises
    DamagedError for a container that is gone or damaged.
    """
    records, counts = [np.zeros(0, FRAGMENT)], [np.zeros(0, COUNT)]
    blobs: list[bytes] = []
    for path in containers:
        for section, counted, fd in _sections(path):
            counts.append(counted[_is_in(counted["cell"], first_cell, n_cells)])
            wanted = _is_in(section.records["cell"], first_cell, n_cells)
            records.append(section.records[wanted])
            if len(section.records):
                blobs += _blobs(fd, section, wanted)
    every, counted = np.concatenate(records), np.concatenate(counts)
    every["offset"] = 0
    digest = xxh3_128(every.tobytes() + counted.tobytes())
    for blob in blobs:
        digest.update(blob)
    return FinerFragments(every, blobs, counted, digest.digest())


def _sections(path: str) -> Iterator[tuple[Section, np.ndarray, int]]:
    """The sections of a container, their counts, and the open file."""
    with opened(path) as container:
        for shard in container.table.entries["shard"].tolist():
            section = section_of(container, shard)
            yield section, rows_of(container, shard, COUNTS), container.fd


def _blobs(fd: int, section: Section, wanted: np.ndarray) -> Iterator[bytes]:
    """The Draco bytes of the records of a section that are wanted, (n,) bool."""
    for first, last, data in payload_of(fd, section):
        ends = np.cumsum(section.records["size"][first:last]).tolist()
        for row, begin, end in zip(range(first, last), [0, *ends], ends, strict=False):
            if wanted[row]:
                yield bytes(data[begin:end])


def in_octants(finer: FinerFragments) -> Iterator[tuple[tuple[int, int, int], np.ndarray]]:
    """Each cell of the LOD below that has a fragment, and the rows of its fragments, by label.

    The octants of a cell follow each other, by x + 2 y + 4 z. Cells come by z, y, x.
    """
    cells = finer.records["cell"].astype(np.int64)
    order = np.lexsort((finer.records["label"], *(cells & 1).T, *(cells >> 1).T))
    cells = cells[order]
    first = np.flatnonzero((np.diff(cells, axis=0, prepend=-1) != 0).any(axis=1))
    for begin, end in zip(first, np.append(first[1:], len(order)), strict=False):
        x, y, z = cells[begin].tolist()
        yield (x, y, z), order[begin:end]


def halved_surfaces(
    finer: FinerFragments, rows: np.ndarray, widths: np.ndarray, ends: np.ndarray
) -> Surfaces:
    """The surfaces of the labels in one octant, of its fragments' `rows`, by label.

    widths: (3,) int64, of the octant, in steps of the lattice of the coarser cell. ends: (3, 2)
    int64, where the volume ends in the octant: on the lattice of the LOD below, and on the coarser
    one; CELL_STEPS and the width where it goes on.

    A vertex in a face of the octant or in an end stays there, and no other comes to lie there.
    """
    meshes = [DracoPy.decode(finer.blobs[row]) for row in rows.tolist()]
    points = np.rint(np.concatenate([mesh.points for mesh in meshes])).astype(np.int32)
    faces = np.concatenate([np.asarray(mesh.faces, np.int32).reshape(-1, 3) for mesh in meshes])
    owners = np.repeat(np.arange(len(meshes), dtype=np.int32), [len(mesh.faces) for mesh in meshes])
    starts = np.cumsum([0, *(len(mesh.points) for mesh in meshes)])
    faces = first_in_place(points, starts)[faces + starts[owners, None]]
    is_left = without_folded(faces)
    labels = finer.records["label"][rows]
    return Surfaces(labels, halved(points, widths, ends), faces[is_left], owners[is_left])


@njit(cache=True, nogil=True)
def first_in_place(points, starts):
    """For each vertex the first one of its fragment in its place, (N,) int32.

    points: (N, 3) int32. starts: (F + 1,), where those of each fragment begin. What lies on both
    sides of a plane must find the same vertices in it. And where an edge has four faces, Draco
    gives some of them vertices of their own: the surface would open between them.
    """
    found = np.empty(len(points), dtype=np.int32)
    for i in range(len(starts) - 1):
        begin, end = starts[i], starts[i + 1]
        number = places(points[begin:end])
        first = np.full(end - begin + 1, -1, dtype=np.int32)
        for v in range(begin, end):
            place = number[v - begin]
            if first[place] < 0:
                first[place] = v
            found[v] = first[place]
    return found


def one_in_each_place(
    points: np.ndarray,
    faces: np.ndarray,
    owners: np.ndarray,
    planes: Sequence[Sequence[int]],
) -> np.ndarray:
    """For each vertex in a plane the first one of its owner in its place: (N,) int32.

    What lies on both sides of a plane must find the same vertices in it. All others stay
    themselves. points: (N, 3) int32. faces: (M, 3). owners: (M,), of each face. planes: for each
    axis.
    """
    of_vertex = np.zeros(len(points), np.int32)
    of_vertex[faces] = owners[:, None]
    found = np.arange(len(points), dtype=np.int32)
    held = np.zeros(len(points), bool)
    for axis, positions in enumerate(planes):
        for position in positions:
            held |= points[:, axis] == position
    rows = np.flatnonzero(held)
    keys = np.column_stack([of_vertex[rows], points[rows]])
    order = np.lexsort(keys.T)
    is_first = (np.diff(keys[order], axis=0, prepend=-1) != 0).any(axis=1)
    first = order[np.maximum.accumulate(np.where(is_first, np.arange(len(order)), 0))]
    found[rows[order]] = rows[first]
    return found


def _is_in(
    cells: np.ndarray, first_cell: tuple[int, int, int], n_cells: tuple[int, int, int]
) -> np.ndarray:
    """Whether each cell (n, 3) is an octant of a cell in a box: (n,) bool."""
    parents = cells.astype(np.int64) >> 1
    inside = np.logical_and(parents >= first_cell, parents < np.add(first_cell, n_cells))
    return np.asarray(inside.all(axis=1))


@njit(cache=True, nogil=True)
def halved(points, widths, ends):
    """What `halved_surfaces` says of positions (N, 3) int32. Both sides of a plane round alike."""
    halved = np.empty_like(points)
    for v in range(len(points)):
        for i in range(3):
            at = np.int64(points[v, i])
            if at == 0:
                halved[v, i] = 0
            elif at >= ends[i, 0]:
                halved[v, i] = ends[i, 1]
            else:
                near = (at * widths[i] + CELL_STEPS // 2) // CELL_STEPS
                halved[v, i] = min(max(near, 1), ends[i, 1] - 1)
    return halved
