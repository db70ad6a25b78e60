"""From an array of labels to smoothed surfaces in integers.

Positions are int32, x y z, from the lower corner of the tile, in 1/4096 of a voxel (`VOXEL_STEPS`).

Two arrays that overlap give the same integers, wherever both see enough of the surroundings
(`halo.halo_voxels`): a vertex of a net lies at a fixed place in its cell, smoothing works on
differences of integers, `merging` and `necks` too, and how a quad becomes triangles depends on its
corners alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from snakemesh.kernels.compiled import njit
from snakemesh.mesh.cell_cases import VOXEL_STEPS
from snakemesh.mesh.compact_labels import CompactLabels
from snakemesh.mesh.contacts import Contacts
from snakemesh.mesh.merging import merge_vertices
from snakemesh.mesh.necks import neck_vertices
from snakemesh.mesh.net import Nets, label_nets
from snakemesh.mesh.small_components import (
    SmallComponents,
    small_components,
    sort_by_component,
)
from snakemesh.mesh.smoothing import corners, smooth
from snakemesh.mesh.volume_ends import rows_at_ends

# A batch of surfaces has at least this many faces. A larger number takes more memory.
BATCH_FACES = 3_000_000


@dataclass(frozen=True)
class Surfaces:
    """Surfaces of L labels, one after another.

    An owner is a label without its small components, or one of these, which follow their label.

    vertices: (N, 3) int32, x y z, in 1/4096 voxel. faces: (M, 3) int32, rows of `vertices`.
    labels: (L,) uint64, ascending. rows: (O,) int64, ascending, the label of each owner.
    face_starts: (O + 1,) int64; owner i has the faces from its own start up to the next one.
    moments: (O, 4) float64, as `SmallComponents` has them, 0 for the rest of a label. dense: (M,)
    float32, how many faces of the dense surface each face stands for: two for each quad of the net
    in all, and four for each neck.
    """

    vertices: np.ndarray
    faces: np.ndarray
    labels: np.ndarray
    rows: np.ndarray
    face_starts: np.ndarray
    moments: np.ndarray
    dense: np.ndarray

    def of_owners(self, moments: np.ndarray) -> np.ndarray:
        """The moments of each owner, (O, 4), of those of whole labels, (L, 4)."""
        found = self.moments.copy()
        first = np.searchsorted(self.rows, np.arange(len(self.labels)))
        found[first] = moments - np.add.reduceat(self.moments, first)
        return found


def extract_surfaces(
    labels: CompactLabels,
    origin: tuple[int, int, int],
    n_smoothing_iter: int,
    first_voxel: tuple[int, int, int] = (0, 0, 0),
    ends: Sequence[tuple[int, int]] = (),
    contacts: Contacts | None = None,
    end: tuple[float, float, float] | None = None,
) -> Iterator[Surfaces]:
    """Closed, smoothed surfaces of every label of an array, in batches of some million faces.

    Where they are flat, vertices have been merged (`merging`).

    Every edge has two faces, and the faces around a vertex form one fan. Voxels of a label that
    share a face or an edge are joined, those that share a corner alone are not (`cell_cases`).

    labels: of an array; what lies beyond it is background.
    origin: z y x, a voxel of the array; positions are measured from its lower corner.
    n_smoothing_iter: sweeps of `smooth`. first_voxel: z y x, where the array begins in the volume;
    its parity decides where vertex clusters lie. ends: for each axis, x y z, the faces of voxels at
    which the volume ends, from `origin`; surfaces are made flat there after smoothing. Empty if the
    volume does not end in the array. contacts: of the tile that begins at `origin`; the areas of
    the smoothed nets are added to them. end: z y x, where the tile ends, in voxels from `origin`;
    None leaves small components with the rest of their label.
    """
    x, y, z = (n % 2 for n in reversed(first_voxel))
    nets = label_nets(labels, (x, y, z))
    small = None if end is None else small_components(labels, nets, origin, end)
    shift = np.array(origin[::-1], dtype=np.int32) * VOXEL_STEPS
    first = 0
    while first < len(nets.labels):
        enough = nets.quad_starts[first] + (BATCH_FACES + 1) // 2
        last = min(int(np.searchsorted(nets.quad_starts, enough)), len(nets.labels))
        yield batch(nets, first, last, shift, n_smoothing_iter, ends, contacts, small)
        first = last


def batch(
    nets: Nets,
    first: int,
    last: int,
    shift: np.ndarray,
    n_smoothing_iter: int,
    ends: Sequence[tuple[int, int]],
    contacts: Contacts | None = None,
    small: SmallComponents | None = None,
) -> Surfaces:
    """The surfaces of the labels from `first` up to `last`. Works in place of their nets.

    shift: (3,) int32, what to subtract from the positions. ends, contacts: as for
    `extract_surfaces`. small: the small components of all nets; None leaves them with their labels.
    """
    vertex_starts = nets.vertex_starts[first : last + 1]
    quad_starts = nets.quad_starts[first : last + 1]
    vertices = nets.vertices[vertex_starts[0] : vertex_starts[-1]]
    quads = nets.quads[quad_starts[0] : quad_starts[-1]]
    vertices -= shift
    quads -= np.int32(vertex_starts[0])
    at_ends = rows_at_ends(vertices, ends)
    if contacts is None:
        smooth(vertices, quads, n_smoothing_iter)
    else:
        patches = contacts.patches_of(vertices, quads)
        smooth(vertices, quads, n_smoothing_iter)
        contacts.add(vertices, quads, patches, at_ends)
    first_neck, end_neck = np.searchsorted(nets.necks[:, 0], quad_starts[[0, -1]])
    necks = nets.necks[first_neck:end_neck] - np.int32(quad_starts[0])
    places, at_necks, on_sides = neck_vertices(vertices, quads, necks)
    first_cluster, end_cluster = nets.cluster_starts[[first, last]]
    clusters = nets.clusters[vertex_starts[0] : vertex_starts[-1]] - np.int32(first_cluster)
    leaders = nets.leaders[first_cluster:end_cluster] - np.int32(vertex_starts[0])
    vertices, rows = merge_vertices(vertices, quads, clusters, leaders)
    for axis, end, found in at_ends:
        vertices[rows[found], axis] = end * VOXEL_STEPS
    on_sides[on_sides >= 0] += np.int32(len(vertices))
    if len(places):
        vertices = np.concatenate([vertices, places])
    faces = np.empty((2 * len(quads) + 4 * len(necks), 3), dtype=np.int32)
    quad_starts = quad_starts - quad_starts[0]
    n_faces, gone = np.zeros((2, len(vertices)), dtype=np.uint16)
    necks_of = at_necks, on_sides
    face_starts = _split(vertices, quads, rows, quad_starts, *necks_of, faces, n_faces, gone)
    faces = faces[: face_starts[-1]]
    of_owner, moments = np.arange(last - first), np.zeros((last - first, 4))
    if small is not None:
        mine = small.of_labels(first, last, vertex_starts[0])
        components = np.zeros(len(vertices), dtype=np.int32)
        components[rows[mine.vertices]] = mine.of + np.int32(1)
        is_neck = on_sides >= 0
        components[on_sides[is_neck]] = np.repeat(
            components[rows[quads[at_necks, 0]]], is_neck.sum(axis=1)
        )
        face_starts = sort_by_component(faces, face_starts, components, mine.starts)
        of_owner, moments = mine.of_owners()
    dense = _dense_faces(faces, n_faces, gone)
    names = nets.labels[first:last]
    return Surfaces(vertices, faces, names, of_owner, face_starts, moments, dense)


@njit(cache=True, nogil=True)
def _split(vertices, quads, rows, quad_starts, at_necks, on_sides, faces, n_faces, gone):
    """Split every quad into triangles: along its shorter diagonal, or the first of two equal ones.

    vertices: (N, 3) int32. quads: (M, 4) int32, vertices of the net. rows: the vertex that each of
    those became. quad_starts: (L + 1,) int64. at_necks, on_sides: the quads that are split by
    `_fan`, and the vertices of necks on their sides (`necks.neck_vertices`). For the answer: faces
    (2 M + 4 K, 3) int32, for K necks; n_faces, gone (N,) uint16, zero: how many faces a vertex has,
    and how many are gone because two corners of a quad have become this vertex. Returns where the
    faces of each label begin and the last ones end, (L + 1,) int64.
    """
    face_starts = np.zeros(len(quad_starts), dtype=np.int64)
    n = neck = 0
    for label in range(len(quad_starts) - 1):
        for q in range(quad_starts[label], quad_starts[label + 1]):
            a, b, c, d = corners(quads, q)
            a, b, c, d = rows[a], rows[b], rows[c], rows[d]
            if neck < len(at_necks) and q == at_necks[neck]:
                n = _fan((a, b, c, d), on_sides[neck], faces, n, n_faces, gone)
                neck += 1
            elif a == b:
                n = _put_rest(a, c, d, a, faces, n, n_faces, gone)
            elif b == c:
                n = _put_rest(a, b, d, b, faces, n, n_faces, gone)
            elif c == d:
                n = _put_rest(a, b, c, c, faces, n, n_faces, gone)
            elif d == a:
                n = _put_rest(a, b, c, a, faces, n, n_faces, gone)
            elif _is_longer(vertices, a, c, b, d):
                n = _put(b, c, d, faces, n, n_faces)
                n = _put(b, d, a, faces, n, n_faces)
            else:
                n = _put(a, b, c, faces, n, n_faces)
                n = _put(a, c, d, faces, n, n_faces)
        face_starts[label + 1] = n
    return face_starts


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _is_longer(vertices, a, c, b, d):
    """Whether the diagonal from a to c is longer than the one from b to d."""
    excess = np.int64(0)
    for i in range(3):
        ac = np.int64(vertices[a, i]) - vertices[c, i]
        bd = np.int64(vertices[b, i]) - vertices[d, i]
        excess += ac * ac - bd * bd
    return excess > 0


@njit(cache=True, nogil=True, allocates=False)
def _put_rest(a, b, c, same, faces, n, n_faces, gone):
    """Write what is left of a quad of which two neighbouring corners have become the vertex `same`.

    a, b, c: the quad without one of the two. They are a triangle, or nothing if two more corners
    have become one. Returns the number of faces then.
    """
    if a != b and b != c and c != a:
        gone[same] += 1
        return _put(a, b, c, faces, n, n_faces)
    gone[same] += 2
    return n


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _put(a, b, c, faces, n, n_faces):
    """Write face a b c to the row n of `faces`. Returns the number of faces then."""
    faces[n, 0], faces[n, 1], faces[n, 2] = a, b, c
    n_faces[a] += 1
    n_faces[b] += 1
    n_faces[c] += 1
    return n + 1


@njit(cache=True, nogil=True, allocates=False)
def _fan(corners, on_sides, faces, n, n_faces, gone):
    """Split a quad that has vertices of necks on its sides into triangles around the first one.

    corners: of the quad. on_sides: (4,) int32, the vertex on the side from each corner to the next,
    or -1. faces, n_faces, gone: as in `_split`. n: the number of faces so far. Returns the new
    number.
    """
    first = 0
    while on_sides[first] < 0:
        first += 1
    hub, last = on_sides[first], -1
    for i in range(1, 5):
        side = (first + i) % 4
        for vertex in (corners[side], on_sides[side]):
            if vertex < 0 or vertex == hub:
                continue
            if vertex == last:
                gone[vertex] += 1
            elif last >= 0:
                n = _put(hub, last, vertex, faces, n, n_faces)
            last = vertex
    return n


@njit(cache=True, nogil=True)
def _dense_faces(faces, n_faces, gone):
    """How many dense faces each face stands for, (M,) float32: itself, and a part of those that are
    gone at its corners. n_faces, gone: (N,) uint16, from `_split`.
    """
    shares = np.zeros(len(gone), dtype=np.float32)
    for v in range(len(gone)):
        if gone[v] and n_faces[v]:
            shares[v] = np.float32(gone[v]) / np.float32(n_faces[v])
    dense = np.empty(len(faces), dtype=np.float32)
    for f in range(len(faces)):
        a, b, c = np.uint32(faces[f, 0]), np.uint32(faces[f, 1]), np.uint32(faces[f, 2])
        dense[f] = np.float32(1) + shares[a] + shares[b] + shares[c]
    return dense
