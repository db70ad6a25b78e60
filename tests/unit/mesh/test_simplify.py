from collections import Counter

import numpy as np
import pytest

from manifold import border, components, directed
from snakemesh.mesh.pieces import planes_of_tile
from snakemesh.mesh.quadrics import MAX_MOVE
from snakemesh.mesh.seam_curves import thin_curves
from snakemesh.mesh.simplify import MIN_FACES, simplify
from snakemesh.mesh.vertex_states import DROPPED, FREE, HELD, KEPT
from snakemesh.verify.checks import volume_and_centroid
from surfaces import (
    ball,
    dense,
    face_pieces,
    noise,
    open_edges,
    pieces_of,
    planes_at,
    unbalanced,
    voronoi,
)

# Steps in a voxel, and the length of a step in voxels.
VOXEL = 256
UNIT = np.full(3, 1 / VOXEL)
FAR = 99.0
NO_PLANES = ((), (), ())
# Some in voxel corners, some not; two voxels apart, and far apart.
MANY_PLANES = (
    (11 * VOXEL,),
    (5 * VOXEL + 77, 10 * VOXEL + 77),
    (13 * VOXEL, 15 * VOXEL + 128),
)


def thinned(vertices, faces, owners, planes, step=UNIT):
    """The pieces of surfaces, and the states and planes of their vertices."""
    pieces = pieces_of(vertices, faces, owners, planes)
    return pieces, *thin_curves(pieces, step, 0.3, 4.0)


def closed(labels, n_iter=5, step=UNIT):
    """The same of the whole surfaces of a volume, which no plane cuts."""
    return thinned(*dense(labels, n_iter, VOXEL), planes_at(NO_PLANES), step)


def simplified(surfaces, keep, max_error, step=UNIT):
    """Simplify what `thinned` returns: its pieces, faces, and the piece of each."""
    pieces, states, curves = surfaces
    return pieces, *simplify(pieces, states, curves, step, keep, max_error)[:2]


def grouped(faces, groups):
    """Each group with its faces, as lists."""
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    parts = np.split(faces, starts[1:])
    return {int(groups[s]): part.tolist() for s, part in zip(starts, parts, strict=True)}


def fans(faces):
    """In how many fans the faces around each vertex are."""
    corner = {(v, f): i for i, (v, f) in enumerate((v, f) for f, t in enumerate(faces) for v in t)}
    face_of = {(t[i - 1], t[i]): f for f, t in enumerate(faces) for i in range(3)}
    pairs = [
        (corner[v, f], corner[v, face_of[b, a]])
        for (a, b), f in face_of.items()
        if (b, a) in face_of
        for v in (a, b)
    ]
    found = {(v, fan) for (v, _), fan in zip(corner, components(len(corner), pairs), strict=True)}
    return Counter(v for v, _ in found)


def topology(faces):
    """The number of connected pieces of faces, and their Euler characteristic."""
    vertices = {v for face in faces for v in face}
    number = {v: i for i, v in enumerate(vertices)}
    edges = {frozenset(edge) for edge in directed(faces)}
    joined = [(number[a], number[b]) for a, b in map(tuple, edges)]
    n = components(len(vertices), joined).max() + 1
    return n, len(vertices) - len(edges) + len(faces)


# -- what is kept -------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [0.5, 0.1, 0.02])
def test_the_wanted_part_of_the_faces_is_kept(keep):
    surfaces = closed(ball((30, 30, 30), (15, 15, 15), 12))
    n_dense = len(surfaces[0].faces)
    _, kept, owners = simplified(surfaces, keep, FAR)
    assert keep * n_dense - 3 < len(kept) <= keep * n_dense
    assert len(unbalanced(kept)) == 0
    assert kept.dtype == owners.dtype == np.int32
    assert len(owners) == len(kept) and not owners.any()


@pytest.mark.parametrize("keep", [0.5, 0.2])
def test_a_cut_face_counts_once_in_what_is_wanted(keep):
    vertices, faces, owners = dense(ball((30, 30, 30), (15, 15, 15), 12), 5, VOXEL)
    planes = planes_at(((15 * VOXEL + 40,), (), ()))
    surfaces = thinned(vertices, faces, owners, planes)
    assert len(surfaces[0].faces) > len(faces)
    _, kept, _ = simplified(surfaces, keep, FAR)
    assert keep * len(faces) - 5 < len(kept) <= keep * len(faces)


def test_max_error_stops_before_the_target_in_voxels():
    vertices, faces, owners = dense(ball((30, 30, 30), (15, 15, 15), 12), 5, VOXEL)

    def kept(max_error, step=UNIT, scale=1):
        surfaces = thinned(vertices * scale, faces, owners, planes_at(NO_PLANES), step)
        return simplified(surfaces, 0.01, max_error, step)[1]

    counts = [len(kept(max_error)) for max_error in (FAR, 0.2, 0.05, 0.01)]
    assert counts == sorted(counts) and counts[0] < counts[1] < counts[2] < counts[3]
    # of a finer lattice the faces are the same
    np.testing.assert_array_equal(kept(0.05, UNIT / 8, 8), kept(0.05))
    # on a ball that is flattened along z, the same error allows fewer faces
    assert len(kept(0.05, UNIT * [1, 1, 0.1])) < counts[2]


def test_what_is_flat_costs_no_error():
    labels = np.zeros((30, 30, 30), np.uint8)
    labels[3:27, 3:27, 3:27] = 1
    surfaces = closed(labels, 0)
    before, dense_faces = surfaces[0].vertices.copy(), surfaces[0].faces.copy()
    pieces, kept, _ = simplified(surfaces, 0.0, 1e-3)
    assert len(kept) < 0.2 * len(dense_faces)
    volume, _ = volume_and_centroid(before / VOXEL, dense_faces)
    after, _ = volume_and_centroid(pieces.vertices / VOXEL, kept)
    assert after == pytest.approx(volume, abs=1e-3 * 6 * 24**2)


def test_what_is_small_is_left_as_it_is():
    labels = np.zeros((5, 5, 5), np.uint8)
    labels[2, 2, 2] = 1
    surfaces = closed(labels, 0)
    faces = surfaces[0].faces.copy()
    assert 0 < len(faces) <= MIN_FACES
    _, kept, _ = simplified(surfaces, 0.01, FAR)
    assert rolled(kept) == rolled(faces)


def rolled(faces):
    """Faces, counted, each turned until its smallest vertex comes first."""
    return Counter(tuple(np.roll(face, -int(np.argmin(face))).tolist()) for face in faces)


def test_nothing_to_simplify():
    nothing = np.zeros((0, 3), np.int32), np.zeros((0, 3), np.int32), np.zeros(0, np.int32)
    _, kept, owners = simplified(thinned(*nothing, planes_at(MANY_PLANES)), 0.1, 1.0)
    assert kept.shape == (0, 3) and owners.shape == (0,)


# -- labels -------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels_of", [noise, voronoi])
@pytest.mark.parametrize(("keep", "max_error"), [(0.3, FAR), (0.05, 0.5), (0.0, FAR)])
def test_every_label_stays_closed_and_to_itself(labels_of, keep, max_error):
    vertices, faces, owners = dense(labels_of((24, 22, 26), 9, 2), 2, VOXEL)
    owner_of = np.full(len(vertices), -1)
    owner_of[faces] = owners[:, None]
    surfaces = thinned(vertices, faces, owners, planes_at(NO_PLANES))
    pieces, kept, kept_pieces = simplified(surfaces, keep, max_error)
    kept_owners = pieces.owners[kept_pieces]
    assert (owner_of[kept] == kept_owners[:, None]).all()
    assert (np.diff(kept_pieces) >= 0).all()
    assert len(unbalanced(kept)) == 0
    if labels_of is voronoi and max_error == FAR:
        wanted = np.maximum(np.bincount(owners) * keep, MIN_FACES)
        assert (np.bincount(kept_owners) <= wanted).all()


@pytest.mark.parametrize("positions", [NO_PLANES, MANY_PLANES])
def test_labels_do_not_depend_on_each_other(positions):
    vertices, faces, owners = dense(voronoi((24, 22, 26), 9, 2), 2, VOXEL)
    planes = planes_at(positions)
    pieces, kept, kept_pieces = simplified(
        thinned(vertices, faces, owners, planes), keep=0.1, max_error=0.5
    )
    triangles, kept_owners = pieces.vertices[kept], pieces.owners[kept_pieces]
    assert len(np.unique(kept_owners)) == len(np.unique(owners)) > 3
    for owner in np.unique(owners):
        mine = faces[owners == owner]
        alone, kept, _ = simplified(
            thinned(vertices, mine, np.zeros(len(mine), np.int32), planes), 0.1, 0.5
        )
        np.testing.assert_array_equal(triangles[kept_owners == owner], alone.vertices[kept])


# -- borders ------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels_of", [noise, voronoi])
@pytest.mark.parametrize(
    ("axis", "plane"), [(0, 11 * VOXEL), (1, 10 * VOXEL + 77), (2, 13 * VOXEL)]
)
def test_halves_of_two_tiles_fit(labels_of, axis, plane):
    vertices, faces, owners = dense(labels_of((24, 22, 26), 9, 4), 2, VOXEL)
    halves = []
    # the tiles do not begin at the same place
    for origin, is_above in ((0, False), (3 * VOXEL + 5, True)):
        seams = [(None, None)] * 3
        seams[axis] = (plane - origin, None) if is_above else (None, plane)
        shift = np.zeros(3, np.int32)
        shift[axis] = origin
        planes = planes_of_tile((1, 1, 1), seams, False, (2**30,) * 3)
        surfaces = thinned(vertices - shift, faces, owners, planes)
        n_before = len(surfaces[0].faces)
        pieces, kept, kept_pieces = simplified(surfaces, 0.05, FAR)
        assert len(kept) < 0.6 * n_before
        ends = (pieces.vertices + shift)[unbalanced(kept)]
        assert len(ends) > 20 and (ends[..., axis] == plane).all()
        halves.append(((pieces.vertices + shift)[kept], pieces.owners[kept_pieces]))
    for owner in np.unique(owners):
        mine = [triangles[labels == owner] for triangles, labels in halves]
        assert len(open_edges(np.concatenate(mine))) == 0


def net_border(faces):
    """The directed edges with one face more than the opposite ones.

    These are those without an opposite one, but where a vertex could only be dropped by force: then
    an edge of the border may have three faces.
    """
    edges = directed(faces)
    return {(a, b) for (a, b), n in edges.items() if n == edges[b, a] + 1}


VOLUMES = pytest.mark.parametrize("labels_of", [noise, voronoi])
LIMITS = pytest.mark.parametrize(
    ("keep", "max_error"), [(0.5, FAR), (0.1, 0.5), (0.0, FAR), (0.0, 0.0)]
)


@VOLUMES
@LIMITS
def test_a_piece_keeps_the_kept_vertices_of_its_border_and_no_other(labels_of, keep, max_error):
    volume = dense(labels_of((24, 22, 26), 9, 4), 2, VOXEL)
    pieces, states, curves = thinned(*volume, planes_at(MANY_PLANES))
    before = grouped(pieces.faces, face_pieces(pieces))
    kept, kept_pieces, *_ = simplify(pieces, states, curves, UNIT, keep, max_error)
    assert (states == DROPPED).sum() > 300 < (states == KEPT).sum()
    assert not (states[kept] == DROPPED).any()
    assert np.isin(np.flatnonzero(states == KEPT), kept).all()
    after = grouped(kept, kept_pieces)
    assert after.keys() == before.keys()
    for piece, faces in before.items():
        edges = border(faces)
        following = {a: b for a, b in edges if states[a] == DROPPED}
        polygons = set()
        for a, b in edges:
            if states[a] != DROPPED:
                end = b
                while states[end] == DROPPED:
                    end = following[end]
                polygons.add((a, end))
        assert net_border(after[piece]) == polygons


@pytest.mark.parametrize("positions", [NO_PLANES, MANY_PLANES])
@VOLUMES
def test_only_free_vertices_move_and_not_far(labels_of, positions):
    volume = dense(labels_of((24, 22, 26), 9, 4), 2, VOXEL)
    pieces, states, curves = thinned(*volume, planes_at(positions))
    before = pieces.vertices.copy()
    kept, _ = simplify(pieces, states, curves, UNIT, 0.1, FAR)[:2]
    moves = np.linalg.norm(pieces.vertices - before, axis=1)
    gone = np.setdiff1d(np.arange(len(before)), kept)
    assert not moves[states != FREE].any() and not moves[gone].any()
    assert 0 < moves.max() <= MAX_MOVE * VOXEL + 1
    assert (moves[kept] > 0).any()
    if positions is MANY_PLANES:
        assert {FREE, KEPT, DROPPED} <= set(states.tolist()) <= {FREE, KEPT, DROPPED, HELD}


# -- manifolds ----------------------------------------------------------------------------------


@pytest.mark.parametrize("positions", [NO_PLANES, MANY_PLANES])
@VOLUMES
@LIMITS
def test_pieces_stay_manifolds_and_keep_their_topology(labels_of, positions, keep, max_error):
    volume = dense(labels_of((20, 22, 24), 5, 3), 2, VOXEL)
    surfaces = thinned(*volume, planes_at(positions))
    before = grouped(surfaces[0].faces, face_pieces(surfaces[0]))
    n_before = len(surfaces[0].faces)
    _, kept, kept_pieces = simplified(surfaces, keep, max_error)
    assert len(kept) < n_before or positions is NO_PLANES
    after = grouped(kept, kept_pieces)
    for piece, faces in before.items():
        left = after[piece]
        assert set(directed(left).values()) == {1}
        assert len({frozenset(face) for face in left}) == len(left)
        # what a curve drops takes faces with it
        assert min(len(faces), 4 if border(faces) else MIN_FACES) - 1 <= len(left)
        was = fans(faces)
        assert all(n == was[vertex] for vertex, n in fans(left).items())
        assert topology(left) == topology(faces)


@VOLUMES
@LIMITS
def test_labels_stay_closed_and_pieces_hardly_ever_share_more_than_their_curves(
    labels_of, keep, max_error
):
    vertices, faces, owners = dense(labels_of((20, 22, 24), 5, 3), 2, VOXEL)
    surfaces = thinned(vertices, faces, owners, planes_at(MANY_PLANES))
    pieces, kept, kept_pieces = simplified(surfaces, keep, max_error)
    crowded = total = 0
    for mine in grouped(kept, pieces.owners[kept_pieces]).values():
        assert len(unbalanced(np.array(mine))) == 0
        edges = Counter(frozenset(edge) for edge in directed(mine).elements())
        crowded += sum(n > 2 for n in edges.values())
        total += len(edges)
    # what is dropped by force may make an edge that the piece beyond the plane has too
    assert crowded < (0.005 if labels_of is voronoi else 0.05) * total


def test_flat_bodies_that_a_plane_cuts_in_triangles_do_not_become_the_same_face_twice():
    # a triangle in the plane, and a low tip on each side; six such bodies of one label
    corners = VOXEL * np.array([[0, 0, 4], [8, 0, 4], [0, 8, 4], [2, 2, 5], [2, 2, 3]])
    tips = [(0, 1, 3), (1, 2, 3), (2, 0, 3), (1, 0, 4), (2, 1, 4), (0, 2, 4)]
    vertices = np.concatenate([corners + [20 * VOXEL * i, 0, 0] for i in range(6)])
    faces = np.concatenate([np.array(tips) + 5 * i for i in range(6)])
    planes = planes_at(((), (), (4 * VOXEL,)))
    surfaces = thinned(
        vertices.astype(np.int32), faces.astype(np.int32), np.zeros(36, np.int32), planes
    )
    assert len(surfaces[0].owners) == 2
    _, kept, _ = simplified(surfaces, 0.0, FAR)
    assert len({frozenset(face) for face in kept.tolist()}) == len(kept)
