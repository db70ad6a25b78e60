"""Segments have the colours that Neuroglancer gives them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from neuroglancer.segment_colors import hex_string_from_segment_id

from snakemesh.segment_colours import _combined, segment_colours

SEEDS = st.integers(0, 2**32 - 1)
LABELS = st.lists(st.integers(0, 2**64 - 1), max_size=50)


def as_hex(labels, seed=0):
    colours = segment_colours(np.array(labels, np.uint64), seed)
    return [f"#{colour.tobytes().hex()}" for colour in colours]


@pytest.mark.parametrize(
    ("seed", "label", "colour"),
    [
        (0, 39, "#992cff"),
        (1965848648, 40, "#ff981e"),
        (2183424408, 143, "#0410ff"),
        (2092967958, 58, "#ff4ace"),
    ],
)
def test_the_colours_of_neuroglancers_own_tests(seed, label, colour):
    """The values stand in python/tests/segment_colors_test.py of Neuroglancer."""
    assert as_hex([label], seed) == [colour]


@pytest.mark.parametrize(
    ("seed", "value", "combined"),
    [(0, 39, 761471253), (0, 92, 2920775201), (1125505311, 47, 251450508)],
)
def test_the_hashes_of_neuroglancers_own_tests(seed, value, combined):
    assert _combined(np.array([seed], np.uint32), np.array([value], np.uint32)) == combined


@given(LABELS, SEEDS)
@settings(max_examples=200, deadline=None)
def test_all_labels_have_the_colours_of_neuroglancers_python(labels, seed):
    assert as_hex(labels, seed) == [hex_string_from_segment_id(seed, label) for label in labels]


def test_every_hue_and_saturation():
    """A colour depends on 16 bits of the hash; these labels have most of them."""
    labels = list(range(1, 200_000, 3))
    assert as_hex(labels) == [hex_string_from_segment_id(0, label) for label in labels]


def test_no_labels():
    assert segment_colours(np.empty(0, np.uint64)).shape == (0, 3)
