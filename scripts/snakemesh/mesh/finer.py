"""The fragments that a block of a coarser LOD is made of: those of the LOD below it.

A cell of an LOD has eight octants, and each is a cell of the LOD below. So the fragments of the LOD
below are cut where those of the coarser LOD have to be cut. They are decoded cell by cell, and the
fragments of a label in the octants of a cell are welded to one surface.

Everything is x y z.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import DracoPy
import numpy as np
from xxhash import xxh3_128

from snakemesh.compiled import njit
from snakemesh.mesh.folded import without_folded
from snakemesh.multires.container import COUNT, FRAGMENT, read_counts, read_section
from snakemesh.multires.octree import CELL_STEPS, OCTANT_PLANE
from snakemesh.multires.payload import payload_blocks


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
class WeldedSurfaces:
    """The surfaces of the labels of a cell.

    labels: (L,) uint64, ascending. vertices: (N, 3) int32, steps of the lattice of the cell; no two
    labels share one. faces: (M, 3) int32, by label, then octant. owners: (M,) int32, row of the
    label of each face. octants: (M,) int64, x + 2 y + 4 z, where each face was: a face that lies in
    a plane between two octants stays in the one that had it.
    """

    labels: np.ndarray
    vertices: np.ndarray
    faces: np.ndarray
    owners: np.ndarray
    octants: np.ndarray


def read_finer(
    containers: Sequence[str],
    num_shards: int,
    first_cell: tuple[int, int, int],
    n_cells: tuple[int, int, int],
) -> FinerFragments:
    """Read what containers hold of the octants of some cells.

    first_cell, n_cells: the box of cells, of the LOD above that of the containers. Raises
    DamagedError for a container that is gone or damaged.
    """
    digest = xxh3_128()
    records, counts = [np.zeros(0, FRAGMENT)], [np.zeros(0, COUNT)]
    blobs: list[bytes] = []
    for path in containers:
        for shard in range(num_shards):
            found = read_counts(path, shard)
            counts.append(found[_is_in(found["cell"], first_cell, n_cells)])
            section = read_section(path, shard)
            wanted = _is_in(section.records["cell"], first_cell, n_cells)
            records.append(section.records[wanted])
            for first, last, data in payload_blocks(section):
                begin = 0
                for row in range(first, last):
                    end = begin + int(section.records["size"][row])
                    if wanted[row]:
                        blobs.append(bytes(data[begin:end]))
                    begin = end
    every = np.concatenate(records)
    every["offset"] = 0
    counted = np.concatenate(counts)
    digest.update(every.tobytes())
    digest.update(counted.tobytes())
    for blob in blobs:
        digest.update(blob)
    return FinerFragments(every, blobs, counted, digest.digest())


def cells_of(finer: FinerFragments) -> Iterator[tuple[tuple[int, int, int], np.ndarray]]:
    """Each cell, of the LOD above, that has a fragment in it, and the rows of its fragments.

    Cells come by z, y, x. Rows come by label, then octant (z, y, x).
    """
    cells = finer.records["cell"]
    parents = cells >> 1
    order = np.lexsort((*cells.T, finer.records["label"], *parents.T))
    parents = parents[order]
    first = np.flatnonzero((np.diff(parents, axis=0, prepend=~parents[:1]) != 0).any(axis=1))
    for begin, end in zip(first, [*first[1:], len(order)], strict=True):
        x, y, z = parents[begin].tolist()
        yield (x, y, z), order[begin:end]


def welded_surfaces(
    finer: FinerFragments,
    rows: np.ndarray,
    open_ends: Sequence[tuple[int, int] | None] = (None, None, None),
) -> WeldedSurfaces:
    """The surfaces of the labels in one cell, of its fragments' `rows` as `cells_of` gives them.

    open_ends: per axis where surfaces are left open inside the cell, in steps of its octants'
    lattice and in those of its own. Positions are halved. One that lies in a plane between octants,
    in a face of the cell, or in an open end stays there, and no other one comes to lie there.
    """
    points, faces, owners, octants = [], [], [], []
    n_points = 0
    labels, numbers = np.unique(finer.records["label"][rows], return_inverse=True)
    for row, number in zip(rows, numbers, strict=True):
        mesh = DracoPy.decode(finer.blobs[row])
        place = np.rint(mesh.points).astype(np.int32)
        corners = np.asarray(mesh.faces, np.int32).reshape(-1, 3)
        octant = (finer.records["cell"][row] & 1).astype(np.int32)
        points.append(place + octant * np.int32(CELL_STEPS))
        octants.append(np.full(len(corners), octant @ (1, 2, 4), np.int64))
        faces.append(corners + np.int32(n_points))
        owners.append(np.full(len(corners), number, np.int32))
        n_points += len(place)
    every = np.concatenate(points)
    triangles, owner = np.concatenate(faces), np.concatenate(owners)
    places = _welded(every, triangles, owner)
    triangles = places[triangles]
    is_left = without_folded(triangles)
    halved = _halved(every)
    for axis, end in enumerate(open_ends):
        if end is not None:
            place, coarse = every[:, axis], end[1]
            np.minimum(halved[:, axis], coarse - (place < end[0]), out=halved[:, axis])
            halved[place == end[0], axis] = coarse
    octant = np.concatenate(octants)
    return WeldedSurfaces(labels, halved, triangles[is_left], owner[is_left], octant[is_left])


def _is_in(
    cells: np.ndarray, first_cell: tuple[int, int, int], n_cells: tuple[int, int, int]
) -> np.ndarray:
    """Whether each cell (n, 3) is an octant of a cell in a box: (n,) bool."""
    parents = cells.astype(np.int64) >> 1
    inside: np.ndarray = (parents >= first_cell) & (parents < np.add(first_cell, n_cells))
    return inside.all(axis=1)


def _welded(points: np.ndarray, faces: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """The first vertex in the place of each in a plane that cuts: (N,) int32.

    The cells on both sides of a plane must find the same vertices in it, so those in one place
    become one, whichever fragment has them. All others stay apart. points: (N, 3) int32, from 0 to
    twice CELL_STEPS. faces: (M, 3). owners: (M,), of each face: the vertices of two owners are not
    welded.
    """
    of_vertex = np.zeros(len(points), np.int32)
    of_vertex[faces] = owners[:, None]
    places = np.arange(len(points), dtype=np.int32)
    held = np.flatnonzero((points % CELL_STEPS == 0).any(axis=1))
    keys = np.column_stack([of_vertex[held], points[held]])
    order = np.lexsort(keys.T)
    is_first = (np.diff(keys[order], axis=0, prepend=-1) != 0).any(axis=1)
    first = order[np.maximum.accumulate(np.where(is_first, np.arange(len(order)), 0))]
    places[held[order]] = held[first]
    return places


@njit(cache=True, nogil=True)
def _halved(points):
    """Positions on the lattice of a cell, (N, 3) int32, of positions in its octants.

    points: (N, 3) int32, steps of the octants' lattice from the lower corner of the cell. Integers
    and rounding are the same on both sides of a plane.
    """
    halved = np.empty_like(points)
    half = np.int64(CELL_STEPS // 2)
    for v in range(len(points)):
        for i in range(3):
            at = np.int64(points[v, i])
            if at == 0 or at == CELL_STEPS or at == 2 * CELL_STEPS:
                halved[v, i] = (0, OCTANT_PLANE, CELL_STEPS)[at // CELL_STEPS]
            elif at < CELL_STEPS:
                near = (at * OCTANT_PLANE + half) // CELL_STEPS
                halved[v, i] = min(max(near, 1), OCTANT_PLANE - 1)
            else:
                above = (at - CELL_STEPS) * (CELL_STEPS - OCTANT_PLANE) + half
                near = OCTANT_PLANE + above // CELL_STEPS
                halved[v, i] = min(max(near, OCTANT_PLANE + 1), CELL_STEPS - 1)
    return halved
