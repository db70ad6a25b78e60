"""Principal axes and sphericity of bodies whose shape is known, through counts of cells."""

from itertools import product

import numpy as np
import pytest

from snakemesh.job_records import OctreeGrid
from snakemesh.mesh.compact_labels import compact_labels
from snakemesh.mesh.wanted import Lists, count_voxels
from snakemesh.multires.counts import TOTAL, merged
from snakemesh.multires.shape import principal_axes, sphericity

CELL = (16, 32, 32)  # z y x
VOXEL = np.array([16.0, 8.0, 8.0])  # z y x, nm


def axes_of(is_inside, shape, cells_per_tile):
    """The principal axes of a body, counted tile by tile. is_inside: of places z y x in nm."""
    places = np.indices(shape).reshape(3, -1).T + 0.5
    labels = is_inside(places * VOXEL).reshape(shape).astype(np.uint64)
    tiles = [range(0, -(-n // c), cells_per_tile) for n, c in zip(shape, CELL, strict=True)]
    counts = []
    for first in product(*tiles):
        begin = np.multiply(first, CELL)
        end = np.minimum(begin + np.multiply(cells_per_tile, CELL), shape)
        low = np.maximum(begin - 7, 0)
        seen = np.ascontiguousarray(labels[tuple(map(slice, low, end + 7))])
        tile = tuple((begin - low).tolist()), tuple((end - begin).tolist())
        every = Lists(None, None), tuple(first), CELL
        counts.append(count_voxels(compact_labels(seen), *tile, *every))
    cell_nm = tuple((VOXEL * CELL)[::-1].tolist())
    total = merged(np.concatenate(counts))
    return principal_axes(total, OctreeGrid((5.0, 0.0, -7.0), cell_nm, (1,)))


BOX = (48, 100, 90)
CENTRE = VOXEL * BOX / 2


def ball(places):
    return np.linalg.norm(places - CENTRE, axis=1) < 300


def rod(places):
    """A cylinder of radius 60 nm and length 900 nm, along (2, 2, 1) / 3 in x, y, z."""
    along = (places - CENTRE) @ np.array([1, 2, 2]) / 3
    return (np.abs(along) < 450) & (np.linalg.norm(places - CENTRE, axis=1) ** 2 - along**2 < 60**2)


def torus(places):
    """Radii 250 nm and 60 nm, around z."""
    z, y, x = (places - CENTRE).T
    return (np.hypot(x, y) - 250) ** 2 + z**2 < 60**2


def shell(places):
    return np.abs(np.linalg.norm(places - CENTRE, axis=1) - 250) < 50


def root_of_20(*variances):
    return [np.sqrt(20 * v) for v in variances]


# The variances of solid bodies: https://en.wikipedia.org/wiki/List_of_moments_of_inertia
BODIES = {
    "ball": (ball, [600] * 3),
    "rod": (rod, root_of_20(900**2 / 12, 60**2 / 4, 60**2 / 4)),
    "torus": (torus, root_of_20(*[250**2 / 2 + 3 * 60**2 / 8] * 2, 60**2 / 4)),
    "shell": (shell, root_of_20(*[(300**5 - 200**5) / (300**3 - 200**3) / 5] * 3)),
}


@pytest.mark.parametrize("name", BODIES)
def test_axes_of_known_bodies(name):
    is_inside, lengths = BODIES[name]
    found = axes_of(is_inside, BOX, 1)
    np.testing.assert_allclose(found.lengths[0], lengths, rtol=0.05)
    assert np.linalg.norm(found.direction[0]) == pytest.approx(1)
    if name == "rod":
        np.testing.assert_allclose(found.direction[0], np.array([2, 2, 1]) / 3, atol=0.01)


@pytest.mark.parametrize("name", BODIES)
def test_tiles_do_not_matter(name):
    whole, parts = (axes_of(BODIES[name][0], BOX, n) for n in (4, 1))
    assert whole.lengths.tobytes() == parts.lengths.tobytes()
    assert whole.direction.tobytes() == parts.direction.tobytes()


@pytest.mark.parametrize("begin", [(0, 0, 0), (9, 27, 31), (40, 90, 64)])
def test_a_box_has_its_own_axes_exactly(begin):
    """Of a box of sides a, the variances are a^2 / 12; voxels are boxes themselves."""
    size = np.array([7, 3, 10])
    lower, upper = VOXEL * begin, VOXEL * (size + begin)
    found = axes_of(lambda p: ((p > lower) & (p < upper)).all(axis=1), BOX, 2)
    sides = np.sort(VOXEL * size)[::-1]
    np.testing.assert_allclose(found.lengths[0], sides * np.sqrt(20 / 12), rtol=1e-11)
    # 7 voxels of 16 nm are the longest side
    np.testing.assert_allclose(found.direction[0], [0, 0, 1], atol=1e-9)


def test_a_label_without_voxels_has_no_axes():
    found = principal_axes(np.zeros(1, TOTAL), OctreeGrid((0, 0, 0), (1, 1, 1), (1,)))
    assert np.isnan(found.lengths).all() and np.isnan(found.direction).all()


def test_sphericity_of_known_bodies():
    volume = np.array([4 / 3 * np.pi * 5**3, 8.0, 0.0, -1.0])
    area = np.array([4 * np.pi * 25, 24.0, 0.0, 1.0])
    found = sphericity(volume, area)
    np.testing.assert_allclose(found[:2], [1, (np.pi / 6) ** (1 / 3)])
    assert np.isnan(found[2:]).all()
