"""Planes through meshes whose outlines are known, and which plane is chosen."""

import numpy as np
import pytest
import trimesh

from snakemesh.job_records import LevelPart
from snakemesh.report.plane import MOST_VOXELS, LevelPlace, chosen_window, cut


def test_the_outline_of_a_ball_is_a_circle():
    mesh = trimesh.creation.icosphere(subdivisions=5, radius=100)
    for z in (-60, 0.0, 33.3):
        segments = cut(np.array(mesh.vertices), np.array(mesh.faces), z)
        radii = np.linalg.norm(segments, axis=-1)
        np.testing.assert_allclose(radii, np.sqrt(100**2 - z**2), rtol=3e-3)
        # closed: each end of a segment is an end of one other, or, at a vertex, of an odd number
        ends = np.round(segments.reshape(-1, 2), 6)
        assert (np.unique(ends, axis=0, return_counts=True)[1] % 2 == 0).all()
        length = np.linalg.norm(segments[:, 0] - segments[:, 1], axis=1).sum()
        assert length == pytest.approx(2 * np.pi * np.sqrt(100**2 - z**2), rel=3e-3)


def test_a_plane_through_vertices_cuts_each_side_once():
    """A box whose lower face lies in the plane, and one whose upper face does."""
    box = trimesh.creation.box(extents=(2, 2, 2))
    vertices, faces = np.array(box.vertices), np.array(box.faces)
    assert len(cut(vertices, faces, -1.0)) == 0
    segments = cut(vertices, faces, 1.0)
    assert np.linalg.norm(segments[:, 0] - segments[:, 1], axis=1).sum() == pytest.approx(8)
    assert len(cut(vertices, faces, 5.0)) == 0


def level(number, shape, voxel):
    part = LevelPart("volume", None, (0, 0, 0), shape)
    return LevelPlace(number, part, voxel, (1000.0, 2000.0, 3000.0), True)


def test_the_finest_level_that_fits_is_chosen_whole():
    levels = [level(0, (90, 2000, 1500), (40.0, 8.0, 8.0)), level(2, (90, 500, 375), (40, 32, 32))]
    window = chosen_window(levels, (1000 + 40 * 7 + 3, 9999, 9999))
    assert window.level.number == 2 and window.is_whole
    assert (window.begin, window.end) == ((7, 0, 0), (8, 500, 375))
    assert window.z_nm == 1000 + 40 * 7.5
    low, high = window.box_nm
    assert low.tolist() == [3000, 2000]
    assert high.tolist() == [3000 + 375 * 32, 2000 + 500 * 32]


@pytest.mark.parametrize(("y", "expected"), [(0, 0), (10_000, 866), (1e9, 5000 - MOST_VOXELS)])
def test_of_a_large_level_a_part_around_the_point(y, expected):
    levels = [level(0, (5, 5000, 600), (40.0, 8.0, 8.0))]
    window = chosen_window(levels, (1e9, 2000 + y, 3000))
    assert not window.is_whole
    assert window.begin == (4, expected, 0)
    assert window.end == (5, expected + MOST_VOXELS, 600)
