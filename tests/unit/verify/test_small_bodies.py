"""Measures and contacts of small bodies against scipy and a search face by face."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from snakemesh.verify.small_bodies import REACH, contacts, number_of_components, thickness
from surfaces import noise, voronoi
from touching import moment, patches

LABELS = voronoi((18, 20, 22), 20, 3).astype(np.uint64)
LABELS[:, :6] = noise((18, 6, 22), 6, 1)
LABELS[LABELS == 1] = 2**64 - 1
BODIES = np.unique(LABELS)[1:].tolist()
SIDES = [(8.0, 8.0, 8.0), (40.0, 4.0, 4.0), (7.0, 11.0, 9.0)]


@pytest.mark.parametrize("label", BODIES)
def test_components_are_those_of_scipy(label):
    own = label == LABELS
    assert number_of_components(own) == ndimage.label(own, np.ones((3, 3, 3)))[1]


def thickness_of_scipy(own, sides):
    """The distance transform of the whole array, and the growth to each neighbour."""
    units = np.array(sides) / min(sides)
    reach = ndimage.distance_transform_edt(own, sampling=units)
    distance = np.full(own.shape, float(REACH)) if own.all() else np.minimum(reach, REACH)
    is_ridge = own.copy()
    for z, y, x in np.argwhere(own):
        for step in np.argwhere(np.ones((3, 3, 3))) - 1:
            place = tuple(np.add((z, y, x), step))
            if min(place) >= 0 and all(map(int.__lt__, map(int, place), own.shape)) and own[place]:
                growth = distance[place] - distance[z, y, x]
                is_ridge[z, y, x] &= growth <= 0.1 * np.linalg.norm(step * units)
    found = np.sort(np.minimum(np.floor(4 * distance[is_ridge] + 0.5), 4 * REACH)) / 2
    most = next(t for t in found if np.count_nonzero(found <= t) >= 0.95 * len(found) - 1e-9)
    return found.mean() * min(sides), most * min(sides)


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("label", BODIES[::3])
def test_thickness_is_that_of_scipy(label, sides):
    own = label == LABELS
    (found,) = thickness(own, np.array(sides))
    assert found == pytest.approx(thickness_of_scipy(own, sides), rel=1e-9)


def test_a_body_that_fills_the_volume_saturates():
    assert thickness(np.ones((3, 4, 5), bool), np.array([8.0, 8, 4])) == [(256, 256)]


@given(
    labels=st.integers(0, 999).map(lambda seed: noise((4, 3, 5), 3, seed)),
    grain=st.sampled_from([1, 2]),
)
@settings(deadline=None, max_examples=40)
def test_contacts_are_those_of_a_search(labels, grain):
    for axis in range(3):
        labels = labels.repeat(grain, axis)
    expected = patches(labels, True)
    for label in np.unique(labels[labels > 0]).tolist():
        found = contacts(labels, label)
        pairs = {
            (label, 0) if not o else (min(o, label), max(o, label)): c for o, c in found.items()
        }
        assert pairs.keys() == {pair for pair in expected if label in pair}
        for pair, contact in pairs.items():
            ours = expected[pair]
            assert (contact.faces, contact.patches) == (sum(map(len, ours)), len(ours))
            centres = sorted([m / len(p) / 2 for m in moment(p)][::-1] for p in ours)
            np.testing.assert_allclose(sorted(contact.centres.tolist()), centres)
