"""Components of a label that consist of few voxels. Each becomes a surface of its own.

A label can consist of many specks, such as all vesicles of a volume. As one surface, the specks
would share the faces that simplification leaves, a few each, and the push that restores volume,
although the smallest ones need the longest. So components with few voxels are simplified and
restored as if each were a label, until the fragments of their label are encoded.

Components are those of nets: voxels that share a face or an edge are joined (`cell_cases`).
"""

from dataclasses import dataclass

import numpy as np

from snakemesh.kernels.compiled import njit
from snakemesh.mesh.cell_cases import VOXEL_BITS, VOXEL_STEPS
from snakemesh.mesh.cells import case_of
from snakemesh.mesh.compact_labels import CompactLabels
from snakemesh.mesh.longer import longer
from snakemesh.mesh.net import Nets

# A component has at most this many voxels, in the tile and its halo. A larger one keeps enough of
# its label's faces and of its volume; if this were larger, dense tissue would take longer.
MOST_VOXELS = 100
# Set in the numbers of voxels while they are in a component.
_SEEN = np.uint32(1 << 31)


@dataclass(frozen=True)
class SmallComponents:
    """The small components of L labels, ordered by label.

    moments: (C, 4) float64, volume and first moments (x y z) of the part in the tile, in voxels
    from its lower corner. starts: (L + 1,) int64, where the components of each label begin.
    vertices: (K,) int32, rows of the vertices of their nets; some occur several times. of: (K,)
    int32, the component of each of these, ascending.
    """

    moments: np.ndarray
    starts: np.ndarray
    vertices: np.ndarray
    of: np.ndarray

    def of_labels(self, first: int, last: int, first_vertex: int) -> "SmallComponents":
        """Those of the labels from `first` up to `last`, whose nets begin at `first_vertex`."""
        begin, end = self.starts[[first, last]]
        mine = slice(*np.searchsorted(self.of, [begin, end]))
        return SmallComponents(
            self.moments[begin:end],
            self.starts[first : last + 1] - begin,
            self.vertices[mine] - np.int32(first_vertex),
            self.of[mine] - np.int32(begin),
        )

    def of_owners(self) -> tuple[np.ndarray, np.ndarray]:
        """The label of each owner, (O,) int64, and its moments, (O, 4), 0 for the rest of a label.

        Owners are each label, and after it its components.
        """
        counts = 1 + np.diff(self.starts)
        moments = np.zeros((counts.sum(), 4))
        is_rest = np.zeros(len(moments), dtype=bool)
        is_rest[np.cumsum(counts) - counts] = True
        moments[~is_rest] = self.moments
        return np.repeat(np.arange(len(counts)), counts), moments


def small_components(
    labels: CompactLabels, nets: Nets, origin: tuple[int, int, int], end: tuple[float, float, float]
) -> SmallComponents:
    """The small components of the labels of an array.

    labels: of a tile with its halo. nets: of these labels, not smoothed. origin: z y x, the voxel
    of the array where the tile begins. end: z y x, where the tile ends, in voxels from there; it
    can lie inside a voxel.
    """
    numbers, names = labels
    places, starts = _components(numbers, nets.corners, MOST_VOXELS)
    rows = np.searchsorted(nets.labels, names[numbers.ravel()[places[starts[:-1]]]])
    order = np.argsort(rows, kind="stable")
    vertices, of = _vertices_of(
        numbers, places, starts, order, rows, nets.vertices, nets.vertex_starts
    )
    component = np.repeat(np.arange(len(rows)), np.diff(starts))
    # the border of `numbers` is a voxel wide
    lower = np.stack(np.unravel_index(places, numbers.shape)) - 1 - np.array(origin)[:, None]
    upper = np.minimum(lower + 1, np.array(end)[:, None])
    lower = np.maximum(lower, 0)
    volume = np.maximum(upper - lower, 0).prod(axis=0)
    middle = (lower + upper) / 2
    columns = [volume, *(volume * middle[::-1])]
    moments = np.stack([np.bincount(component, c, len(rows)) for c in columns], axis=1)
    label_starts = np.searchsorted(rows[order], np.arange(len(nets.labels) + 1))
    return SmallComponents(moments[order], label_starts, vertices, of)


@njit(cache=True, nogil=True)
def _components(numbers, corners, most):
    """The components of at most `most` voxels: the voxels of each, (V,) int64, and where they begin
    and the last ones end, (C + 1,) int64.

    numbers: of `CompactLabels`; as before afterwards. corners: of `Nets`. The first voxel of a
    component is such a corner: it has no neighbour before it. Where a search from a corner finds an
    earlier voxel, the component has been found already, or it is large.
    """
    flat = numbers.ravel()
    row, slab = numbers.shape[2], numbers.shape[1] * numbers.shape[2]
    ways = np.empty(18, dtype=np.int64)
    n = 0
    for z in range(-1, 2):
        for y in range(-1, 2):
            for x in range(-1, 2):
                if 0 < abs(z) + abs(y) + abs(x) < 3:
                    ways[n] = z * slab + y * row + x
                    n += 1
    places = np.empty(most, dtype=np.int64)
    starts = np.zeros(len(corners) + 1, dtype=np.int64)
    n_found = 0
    for first in corners:
        number = flat[first]
        if number & _SEEN or _goes_on(flat, first, row, slab, most):
            continue
        begin = end = starts[n_found]
        if begin + most > len(places):
            places = longer(places, begin + most)
        places[begin], end = first, begin + 1
        flat[first] = number | _SEEN
        is_small, i = True, begin
        while is_small and i < end:
            for way in ways:
                place = places[i] + way
                if flat[place] == number:
                    if place < first or end - begin == most:
                        is_small = False
                        break
                    flat[place] = number | _SEEN
                    places[end] = place
                    end += 1
            i += 1
        if is_small:
            n_found += 1
            starts[n_found] = end
        else:
            _forget(flat, places, begin, end)
    _forget(flat, places, 0, starts[n_found])
    return places[: starts[n_found]].copy(), starts[: n_found + 1].copy()


@njit(cache=True, nogil=True, allocates=False)
def _goes_on(flat, first, row, slab, most):
    """Whether the voxels along x from a corner on are too many, or have an earlier neighbour.

    This is quick, and leaves a sixth of the corners of dense tissue.
    """
    i = first
    while flat[i] == flat[first] and i - first <= most:
        for way in (row - slab, 1 - slab, 1 - row):
            if flat[i + way] == flat[first]:
                return True
        i += 1
    return i - first > most


@njit(cache=True, nogil=True, allocates=False)
def _forget(flat, places, begin, end):
    """Give the voxels at places[begin:end] their numbers back."""
    for i in range(begin, end):
        flat[places[i]] &= ~_SEEN


@njit(cache=True, nogil=True)
def _vertices_of(numbers, places, starts, order, rows, vertices, vertex_starts):
    """The vertices of components, and the number of the component in `order`: `SmallComponents`.

    places, starts: of `_components`. rows: (C,) int64, the rows of their labels. vertices,
    vertex_starts: of `Nets`: vertices of a label are in the order of their cells.
    """
    flat = numbers.ravel()
    height, row = numbers.shape[1], numbers.shape[2]
    slab = height * row
    found = np.empty(16 * len(places), dtype=np.int32)
    of = np.empty(len(found), dtype=np.int32)
    n = 0
    for i in range(len(order)):
        c = order[i]
        for j in range(starts[c], starts[c + 1]):
            for voxel in range(8):
                x, y, z = voxel & 1, voxel >> 1 & 1, voxel >> 2
                cell = places[j] - z * slab - y * row - x
                # The opposite voxel may be of the same label, and no third one. The two are not
                # joined, and each has a vertex on its own side of the middle of the cell.
                case = case_of(flat, cell, row, slab, flat[places[j]])
                is_alone = case == 1 << voxel | 1 << (7 - voxel)
                end = vertex_starts[rows[c] + 1]
                v = _first_of_cell(vertices, vertex_starts[rows[c]], end, cell, height, row)
                while v < end and _cell_of(vertices[v], height, row) == cell:
                    half = VOXEL_STEPS >> 1
                    is_upper = (vertices[v, 0] + half & VOXEL_STEPS - 1) > half
                    if not is_alone or is_upper == x:
                        found[n], of[n] = v, i
                        n += 1
                    v += 1
    return found[:n].copy(), of[:n].copy()


@njit(cache=True, nogil=True, allocates=False)
def _first_of_cell(vertices, begin, end, cell, height, row):
    """The first vertex from `begin` up to `end` that is in a cell, or in a later one."""
    while begin < end:
        middle = (begin + end) >> 1
        if _cell_of(vertices[middle], height, row) < cell:
            begin = middle + 1
        else:
            end = middle
    return begin


@njit(cache=True, nogil=True, allocates=False)
def _cell_of(vertex, height, row):
    """The first voxel of the cell of a vertex, (3,) int32, which is near the middle of its cell."""
    half = VOXEL_STEPS >> 1
    x, y = vertex[0] + half >> VOXEL_BITS, vertex[1] + half >> VOXEL_BITS
    return (np.int64(vertex[2] + half >> VOXEL_BITS) * height + y) * row + x


@njit(cache=True, nogil=True)
def sort_by_component(faces, face_starts, components, starts):
    """Sort the faces of each label, in place: first those of no small component, then the others.

    faces: (M, 3) int32. face_starts: (L + 1,) int64, where those of each label begin. components:
    (N,) int32, the number of each vertex's component plus 1, or 0 if it is in none. starts:
    (L + 1,) int64, where the components of each label begin.

    Returns where the faces of each owner begin and the last ones end, (L + C + 1,) int64. The rest
    of a label is one owner, and each of its components another.
    """
    n_labels = len(face_starts) - 1
    owner_starts = np.empty(n_labels + starts[-1] + 1, dtype=np.int64)
    for label in range(n_labels):
        begin, end = face_starts[label], face_starts[label + 1]
        first = starts[label]
        n = 1 + starts[label + 1] - first
        mine = owner_starts[label + first : label + first + n]
        mine[0] = begin
        if n == 1:
            continue
        next_row = np.zeros(n + 1, dtype=np.int64)
        for f in range(begin, end):
            next_row[max(components[faces[f, 0]] - first, 0) + 1] += 1
        next_row[0] = begin
        for i in range(n):
            next_row[i + 1] += next_row[i]
            mine[i] = next_row[i]
        before = faces[begin:end].copy()
        for f in range(len(before)):
            owner = max(components[before[f, 0]] - first, 0)
            for i in range(3):
                faces[next_row[owner], i] = before[f, i]
            next_row[owner] += 1
    owner_starts[-1] = face_starts[-1]
    return owner_starts
