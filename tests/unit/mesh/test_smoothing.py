import numpy as np
import pytest

from snakemesh.mesh.compact_labels import compact_labels
from snakemesh.mesh.net import label_nets
from snakemesh.mesh.smoothing import WEIGHT_BITS, smooth
from snakemesh.smoothing_passes import EXPAND, PASS_BAND, SHRINK, pass_steps
from surfaces import noise, voronoi


def smoothed_twin(vertices, quads, n_iter):
    """Taubin's filter from its definition, in plain Python."""
    around = [[] for _ in vertices]
    for quad in quads.tolist():
        for corner in quad:
            around[corner] += [other for other in quad if other != corner]
    at = vertices.tolist()
    for step in pass_steps(n_iter):
        moved = []
        for own, near in zip(at, around, strict=True):
            weight = round(step * 2**WEIGHT_BITS / len(near))
            total = [sum(at[n][i] - own[i] for n in near) for i in range(3)]
            half = 2 ** (WEIGHT_BITS - 1)
            moved.append(
                [p + (t * weight + half) // 2**WEIGHT_BITS for p, t in zip(own, total, strict=True)]
            )
        at = moved
    return np.array(at)


def left_of_waves(steps):
    """What passes leave of waves whose mean difference to their neighbours is 0 to 1.5."""
    waves = np.linspace(0, 1.5, 301)
    return np.prod([1 - step * waves for step in steps], axis=0)


@pytest.mark.parametrize(("n_sweeps", "n_passes"), [(2, 3), (5, 4)])
def test_fewer_passes_leave_the_same_of_every_wave(n_sweeps, n_passes):
    assert pytest.approx(PASS_BAND) == 1 / SHRINK + 1 / EXPAND
    steps = pass_steps(n_sweeps)
    assert len(steps) == n_passes
    expected = left_of_waves((SHRINK, EXPAND) * n_sweeps)
    np.testing.assert_allclose(left_of_waves(steps), expected, atol=0.02)
    for n in range(1, n_passes):  # nothing grows much in between
        assert np.abs(left_of_waves(steps[:n])).max() < 1.7


def quads_of(labels):
    """The vertices and quads of all nets of a volume, as they are before smoothing."""
    nets = label_nets(compact_labels(labels))
    return nets.vertices, nets.quads


@pytest.mark.parametrize("n_iter", [1, 2, 3, 5])
@pytest.mark.parametrize("labels", [noise((7, 8, 9), 2, seed=1), voronoi((12, 12, 12), 5, seed=1)])
def test_smoothing_against_its_definition(labels, n_iter):
    vertices, quads = quads_of(labels)
    expected = smoothed_twin(vertices, quads, n_iter)
    assert (expected != vertices).any()
    smooth(vertices, quads, n_iter)
    np.testing.assert_array_equal(vertices, expected)


def test_a_plane_stays_where_it_is():
    labels = np.zeros((12, 12, 12), np.uint8)
    labels[:6] = 1
    vertices, quads = quads_of(labels)
    before = vertices.copy()
    smooth(vertices, quads, 2)
    # five cells from where the plane ends
    inner = (np.abs(before[:, :2] / 4096 - 6) < 2).all(axis=1)
    assert inner.sum() == 2 * 9
    np.testing.assert_array_equal(vertices[inner], before[inner])


def test_no_sweep_moves_nothing():
    vertices, quads = quads_of(noise((6, 6, 6), 2, seed=0))
    before = vertices.copy()
    smooth(vertices, quads, 0)
    np.testing.assert_array_equal(vertices, before)


def test_no_vertices():
    smooth(np.zeros((0, 3), np.int32), np.zeros((0, 4), np.int32), 3)


def test_smoothing_does_not_depend_on_place_or_numbering():
    rng = np.random.default_rng(5)
    vertices, quads = quads_of(noise((9, 9, 9), 3, seed=4))
    number = rng.permutation(len(vertices))
    other_quads = number[rng.permutation(np.roll(quads, 1, axis=1))].astype(np.int32)
    # where packed coordinates run into each other
    shift = np.array([1 << 21, -70_001, 2_000_000_000], np.int32)
    others = np.empty_like(vertices)
    others[number] = vertices + shift
    smooth(others, other_quads, 4)
    smooth(vertices, quads, 4)
    np.testing.assert_array_equal(others[number] - shift, vertices)
