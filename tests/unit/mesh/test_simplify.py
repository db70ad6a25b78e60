from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemesh.mesh.cutting import sides, split
from snakemesh.mesh.restore_volume import moments
from snakemesh.mesh.simplify import MIN_PIECE_FACES, simplify, without_opposites
from surfaces import ball, dense, noise, unbalanced, voronoi

# Steps in a voxel, and the length of a step in voxels.
VOXEL = 256
UNIT = np.full(3, 1 / VOXEL)
FAR = 99.0


def halves(labels, axis, plane):
    """Vertices, and the faces and owners of the dense surfaces below and above a plane."""
    vertices, faces, owners = split(*dense(labels, 2, VOXEL), axis, plane)
    order = np.argsort(owners, kind="stable")
    faces, owners = faces[order], owners[order]
    above = sides(vertices, faces, axis, plane)
    return vertices, [(faces[side], owners[side]) for side in (~above, above)]


# -- simplify -----------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [0.5, 0.1, 0.02])
def test_the_wanted_part_of_the_faces_is_kept(keep):
    vertices, faces, owners = dense(ball((30, 30, 30), (15, 15, 15), 12), 5, VOXEL)
    kept, kept_owners = simplify(vertices, faces, owners, UNIT, keep, FAR)
    assert 0.97 * keep * len(faces) < len(kept) <= keep * len(faces)
    assert len(unbalanced(kept)) == 0
    assert kept.dtype == kept_owners.dtype == np.int32
    assert len(kept_owners) == len(kept) and not kept_owners.any()


@pytest.mark.parametrize("labels_of", [noise, voronoi])
@pytest.mark.parametrize(("keep", "max_error"), [(0.3, FAR), (0.05, 0.5), (0.0, FAR)])
def test_every_label_stays_closed_and_to_itself(labels_of, keep, max_error):
    vertices, faces, owners = dense(labels_of((24, 22, 26), 9, 2), 2, VOXEL)
    owner_of = np.full(len(vertices), -1)
    owner_of[faces] = owners[:, None]
    kept, kept_owners = simplify(vertices, faces, owners, UNIT, keep, max_error)
    assert (owner_of[kept] == kept_owners[:, None]).all()
    assert (np.diff(kept_owners) >= 0).all()
    assert len(unbalanced(kept)) == 0
    if labels_of is voronoi:
        wanted = np.maximum(np.bincount(owners) * keep, MIN_PIECE_FACES)
        assert max_error < FAR or (np.bincount(kept_owners) <= wanted).all()


@pytest.mark.parametrize("labels_of", [noise, voronoi])
@pytest.mark.parametrize(
    ("axis", "plane"), [(0, 11 * VOXEL), (1, 10 * VOXEL + 77), (2, 13 * VOXEL)]
)
def test_borders_stay_so_that_halves_fit(labels_of, axis, plane):
    vertices, parts = halves(labels_of((24, 22, 26), 9, 4), axis, plane)
    before = vertices.copy()
    joined = []
    for faces, owners in parts:
        kept, _ = simplify(vertices, faces, owners, UNIT, 0.05, FAR)
        assert len(kept) < 0.6 * len(faces)
        border = unbalanced(faces)
        assert len(border) > 50 and (vertices[border][..., axis] == plane).all()
        np.testing.assert_array_equal(unbalanced(kept), border)
        joined.append(kept)
    assert len(unbalanced(np.concatenate(joined))) == 0
    np.testing.assert_array_equal(vertices, before)


def test_no_two_faces_back_to_back_are_left():
    vertices, faces, owners = dense(noise((24, 22, 26), 4, 0), 2, VOXEL)
    kept, _ = simplify(vertices, faces, owners, UNIT, 0.1, FAR)
    turned = [tuple(np.roll(face, -face.argmin()).tolist()) for face in kept]
    assert all(a < b and a < c and b != c for a, b, c in turned)
    assert not set(turned) & {(a, c, b) for a, b, c in turned}


def test_labels_do_not_depend_on_each_other():
    vertices, faces, owners = dense(voronoi((24, 22, 26), 9, 2), 2, VOXEL)
    kept, kept_owners = simplify(vertices, faces, owners, UNIT, 0.1, 0.5)
    for owner in np.unique(owners):
        mine = owners == owner
        alone, _ = simplify(vertices, faces[mine], owners[mine], UNIT, 0.1, 0.5)
        np.testing.assert_array_equal(kept[kept_owners == owner], alone)


def test_what_is_flat_costs_no_error():
    labels = np.zeros((30, 30, 30), np.uint8)
    labels[3:27, 3:27, 3:27] = 1
    vertices, faces, owners = dense(labels, 0, VOXEL)
    kept, kept_owners = simplify(vertices, faces, owners, UNIT, 0.0, 1e-3)
    assert len(kept) < 0.2 * len(faces)
    before, after = (
        moments(vertices, *m, np.zeros((1, 3)), UNIT)[0, 0]
        for m in ((faces, owners), (kept, kept_owners))
    )
    assert after == pytest.approx(before, abs=1e-3 * 6 * 24**2)


def test_max_error_stops_before_the_target_in_the_unit_of_the_positions():
    vertices, faces, owners = dense(ball((30, 30, 30), (15, 15, 15), 12), 5, VOXEL)

    def n_kept(unit, max_error):
        return len(simplify(vertices, faces, owners, unit, 0.01, max_error)[0])

    counts = [n_kept(UNIT, max_error) for max_error in (FAR, 0.2, 0.05, 0.01)]
    assert counts == sorted(counts) and counts[0] < counts[1] < counts[3]
    assert n_kept(UNIT * 8, 0.05 * 8) == counts[2]
    # on a ball that is flattened along z, the same error allows fewer faces
    assert n_kept(UNIT * [1, 1, 0.1], 0.05) < counts[2]


def test_what_is_small_is_left_as_it_is():
    labels = np.zeros((5, 5, 5), np.uint8)
    labels[2, 2, 2] = 1
    vertices, faces, owners = dense(labels, 0, VOXEL)
    assert len(faces) <= MIN_PIECE_FACES
    kept, _ = simplify(vertices, faces, owners, UNIT, 0.01, FAR)
    assert Counter(map(tuple, kept.tolist())) == Counter(map(tuple, faces.tolist()))


def test_nothing_to_simplify():
    nothing = np.zeros((0, 3), np.int32), np.zeros((0, 3), np.int32), np.zeros(0, np.int32)
    kept, owners = simplify(*nothing, UNIT, 0.1, 1.0)
    assert kept.shape == (0, 3) and owners.shape == (0,)


# -- without_opposites --------------------------------------------------------------------------


def without_opposites_twin(faces):
    """`without_opposites` from its definition, in plain Python.

    A face that is opposite to one that came before goes, and so does that one.
    """
    left = []
    for face in faces:
        a, b, c = face
        if len({a, b, c}) < 3:
            continue
        opposite = next((f for f in left if f in ((a, c, b), (c, b, a), (b, a, c))), None)
        if opposite:
            left.remove(opposite)
        else:
            left.append(face)
    return left


@settings(deadline=None)
@given(
    st.lists(st.tuples(*[st.integers(0, 4)] * 3), max_size=40),
    st.sampled_from([1, 12_345, 2**29 - 1]),
)
def test_opposites_cancel_one_for_one(faces, scale):
    found = without_opposites(np.array(faces, np.int32).reshape(-1, 3) * np.int32(scale)) // scale
    assert sorted(map(tuple, found.tolist())) == sorted(without_opposites_twin(faces))
    start = np.array([f for f in faces if len(set(f)) == 3], np.int32).reshape(-1, 3)
    np.testing.assert_array_equal(unbalanced(found), unbalanced(start))
