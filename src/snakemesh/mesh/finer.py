"""The fragments that a block of a coarser LOD is made of: those of the LOD below it.

A cell of an LOD has eight octants, and each is a cell of the LOD below. So the fragments of the LOD
below are cut where those of the coarser LOD have to be cut.

Everything is x y z.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import DracoPy
import numpy as np
from xxhash import xxh3_128

from snakemesh.errors import DamagedError
from snakemesh.fragments.container import (
    COUNT,
    FRAGMENT,
    Section,
    counts_of,
    section_of,
    whole_table,
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
    for path in map(Path, containers):
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


def _sections(path: Path) -> Iterator[tuple[Section, np.ndarray, int]]:
    """The sections of a container, their counts, and the open file."""
    try:
        file = open(path, "rb", buffering=0)  # noqa: SIM115
    except FileNotFoundError:
        raise DamagedError(path, "is gone") from None
    with file:
        table = whole_table(file.fileno(), path)
        for shard in table.entries["shard"].tolist():
            section = section_of(file.fileno(), path, table, shard)
            yield section, counts_of(file.fileno(), path, table, shard), file.fileno()


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
    points, faces, owners = [], [], []
    n_points = 0
    labels = finer.records["label"][rows]
    for number, row in enumerate(rows.tolist()):
        mesh = DracoPy.decode(finer.blobs[row])
        found = np.rint(mesh.points).astype(np.int32)
        corners = _first_in_place(found)[np.asarray(mesh.faces, np.int32).reshape(-1, 3)]
        points.append(found)
        faces.append(corners + np.int32(n_points))
        owners.append(np.full(len(corners), number, np.int32))
        n_points += len(points[-1])
    every, triangles, owner = map(np.concatenate, (points, faces, owners))
    is_left = without_folded(triangles)
    return Surfaces(labels, halved(every, widths, ends), triangles[is_left], owner[is_left])


def _first_in_place(points: np.ndarray) -> np.ndarray:
    """For each vertex of a fragment the first one in its place, (N,) int32. points: (N, 3) int32.

    What lies on both sides of a plane must find the same vertices in it. And where an edge has four
    faces, Draco gives some of them vertices of their own: the surface would open between them.
    """
    number = places(points)
    first = np.zeros(len(points) + 1, np.int32)
    first[number[::-1]] = np.arange(len(points) - 1, -1, -1, dtype=np.int32)
    return np.asarray(first[number])


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
