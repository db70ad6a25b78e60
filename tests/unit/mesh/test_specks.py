"""Closed surfaces of less than a voxel go, others stay. Everything is x y z."""

import numpy as np
import pytest

from snakemesh.mesh.specks import without_specks

WIDTHS = np.array([100, 100, 100])
CUBE = np.array([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)], np.int32)
QUADS = np.array(
    [[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3], [0, 4, 6, 2], [1, 3, 7, 5]], np.int32
)
FACES = QUADS[:, [0, 1, 2, 0, 2, 3]].reshape(12, 3)


def boxes(*corners_and_sizes):
    """Closed boxes: vertices and faces. A box of negative size is turned inside out."""
    vertices, faces = [], []
    for corner, size in corners_and_sizes:
        faces.append((FACES if size > 0 else FACES[:, ::-1]) + 8 * len(vertices))
        vertices.append(corner + CUBE * abs(size))
    return np.concatenate(vertices).astype(np.int32), np.concatenate(faces).astype(np.int32)


@pytest.mark.parametrize(
    ("corner", "size", "stays"),
    [
        ((10, 20, 30), 9, False),  # 0.729 voxels of 10 steps
        ((10, 20, 30), 11, True),
        ((10, 20, 30), -9, False),  # a cavity
        ((10, 20, 30), -11, True),
        ((0, 20, 30), 9, True),  # it may go on beyond the face of the octant
        ((10, 20, 91), 9, True),
    ],
)
def test_what_holds_less_than_a_voxel_goes_unless_it_touches_a_face(corner, size, stays):
    vertices, faces = boxes((corner, size), ((40, 40, 40), 30))
    owners = np.repeat(np.arange(2, dtype=np.int32), 12)
    step = np.full(3, 0.1)
    kept, gone = without_specks(vertices, faces, owners, step, WIDTHS, 2)
    assert kept.tolist() == [stays] * 12 + [True] * 12
    volume = 0 if stays else np.sign(size) * abs(size / 10) ** 3
    centre = np.array(corner) / 10 + abs(size) / 20
    np.testing.assert_allclose(gone, [[volume, *(volume * centre)], [0] * 4], atol=1e-9)


def test_steps_are_those_of_each_axis():
    vertices, faces = boxes(((10, 20, 30), 11))
    kept, _ = without_specks(
        vertices, faces, np.zeros(12, np.int32), np.array([0.1, 0.1, 0.05]), WIDTHS, 1
    )
    assert not kept.any()
