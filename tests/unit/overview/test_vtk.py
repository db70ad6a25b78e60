import numpy as np
import pytest

from snakemesh.overview.mesh import digits, fitting, rounded
from snakemesh.overview.vtk import vtk_gz
from vtk_text import read_vtk


@pytest.mark.parametrize("voxel_nm", [8.0, 40.0, 1000.0, 0.3])
def test_a_file_comes_back_as_it_was_written(tmp_path, voxel_nm):
    rng = np.random.default_rng(0)
    vertices = rounded(rng.normal(size=(30, 3)) * 1e6, voxel_nm)
    faces = rng.integers(0, 30, (50, 3))
    attributes = {"label": np.arange(30, dtype=np.uint64), "red": np.full(30, 7, np.uint8)}
    path = tmp_path / "mesh.vtk.gz"
    path.write_bytes(vtk_gz("30 of 31 segments", vertices, faces, attributes))
    title, *found, numbers = read_vtk(path)
    assert title == "30 of 31 segments"
    assert np.array_equal(found[0], vertices) and np.array_equal(found[1], faces)
    assert {name: values.tolist() for name, values in numbers.items()} == {
        name: values.tolist() for name, values in attributes.items()
    }


def test_the_same_mesh_has_the_same_bytes_at_any_time():
    arguments = ("x", np.zeros((3, 3), int), np.array([[0, 1, 2]]), {"red": np.zeros(3, int)})
    assert vtk_gz(*arguments) == vtk_gz(*arguments)
    assert vtk_gz(*arguments)[4:8] == bytes(4), "no date"


@pytest.mark.parametrize(
    ("voxel_nm", "expected"),
    [(8, [123, -46]), (40, [120, -50]), (4, [123, -46]), (3.9, [123.5, -45.7]), (400, [100, 0])],
)
def test_positions_are_off_by_at_most_an_eighth_of_a_voxel(voxel_nm, expected):
    positions = np.array([[123.456, -45.678, 0.0]])
    found = rounded(positions, voxel_nm)
    assert found[0].tolist() == [*expected, 0]
    assert np.abs(found - positions).max() <= voxel_nm / 8
    assert (found.dtype.kind == "i") == (voxel_nm >= 4)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([1, 999_999], {"label": [1, 999_999]}),
        ([1, 1_000_002], {"label_1": [0, 1], "label_2": [1, 2]}),
        (
            [2**64 - 1],
            {"label_1": [18], "label_2": [446744], "label_3": [73709], "label_4": [551615]},
        ),
    ],
    ids=["short", "longer", "longest"],
)
def test_labels_are_shown_six_digits_at_a_time(labels, expected):
    found = digits(np.array(labels, np.uint64))
    assert {name: values.tolist() for name, values in found.items()} == expected
    assert all((values.astype(np.float32) == values).all() for values in found.values())


@pytest.mark.parametrize(
    ("sizes", "limit", "shown"),
    [
        ([5, 4, 3], 12, [0, 1, 2]),
        ([5, 4, 3], 11, [0, 1]),
        ([50, 4, 3], 11, [1, 2]),
        ([50, 40], 11, []),
        ([], 11, []),
    ],
)
def test_the_last_segments_are_left_out_and_those_that_are_too_large(sizes, limit, shown):
    assert fitting(np.array(sizes, np.int64), limit).tolist() == shown
