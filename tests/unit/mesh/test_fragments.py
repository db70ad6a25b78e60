from collections import Counter
from fractions import Fraction
from math import floor

import DracoPy
import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemesh.fragments.container import FRAGMENT
from snakemesh.fragments.octree import CELL_STEPS, OCTANT_PLANE
from snakemesh.mesh.cell_cases import VOXEL_STEPS
from snakemesh.mesh.fragments import encode_fragments
from snakemesh.mesh.lattice import to_lattice
from snakemesh.mesh.pieces import planes_of_tile
from surfaces import (
    canonical,
    decoded,
    dense,
    face_pieces,
    noise,
    open_edges,
    pieces_of,
    solid,
    voronoi,
)

DT_INT32 = 5  # draco/core/draco_types.h
# All x y z: voxels in a cell, cells of the tile, its first cell in the octree.
CELL = np.array([10, 9, 12])
N_CELLS = np.array([2, 3, 2])
FIRST = np.array([5, 0, 100])
STEP_NM = np.array([0.5, 3.0, 0.01])
LABELS = np.array([3, 7, 8, 2**64 - 1, 2**40], np.uint64)


def in_cells(labels_of, octants):
    """The surfaces of a volume of N_CELLS cells, on the lattice and cut to cells."""
    vertices, faces, owners = dense(labels_of((CELL * N_CELLS)[::-1], 5, 3), 1, VOXEL_STEPS)
    lattice = to_lattice(vertices, CELL * VOXEL_STEPS)
    lattice = np.clip(lattice, 0, N_CELLS * CELL_STEPS).astype(np.int32)
    planes = planes_of_tile(
        tuple(N_CELLS.tolist()), [(None, None)] * 3, octants, N_CELLS * CELL_STEPS
    )
    pieces = pieces_of(lattice, faces, owners, planes)
    of = face_pieces(pieces)
    return pieces.vertices, pieces.faces, pieces.owners[of], pieces.boxes[of]


# -- the lattice --------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    st.lists(st.tuples(*[st.integers(-(2**22), 2**22)] * 3), max_size=20),
    st.tuples(*[st.integers(1 << 11, 1 << 23)] * 3),
)
def test_positions_are_rounded_to_the_nearest_step(points, units):
    expected = [
        [
            floor(Fraction(CELL_STEPS * a, unit) + Fraction(1, 2))
            for a, unit in zip(p, units, strict=True)
        ]
        for p in points
    ]
    found = to_lattice(np.array(points, np.int32).reshape(-1, 3), np.array(units))
    assert found.dtype == np.int32
    assert found.tolist() == expected


@settings(deadline=None)
@given(st.integers(0, 99), st.tuples(*[st.integers(-20, 20)] * 3))
def test_a_tile_that_begins_cells_later_gets_the_same_lattice(seed, cells):
    points = np.random.default_rng(seed).integers(-90_000, 90_000, (50, 3)).astype(np.int32)
    units = CELL * VOXEL_STEPS
    moved = points + np.array(cells, np.int32) * units.astype(np.int32)
    np.testing.assert_array_equal(
        to_lattice(moved, units), to_lattice(points, units) + np.array(cells) * CELL_STEPS
    )
    np.testing.assert_array_equal(
        to_lattice((np.array([cells]) * units).astype(np.int32), units),
        [np.array(cells) * CELL_STEPS],
    )


# -- encode_fragments ---------------------------------------------------------------------------


def encode(vertices, faces, owners, boxes=None):
    boxes = np.zeros(len(faces), np.int64) if boxes is None else boxes
    squares = np.arange(len(faces), dtype=float)
    return encode_fragments(
        vertices, faces, owners, boxes, squares, LABELS, FIRST, N_CELLS, STEP_NM
    )


def octant_of(corners):
    """The first octant that may hold every corner: Neuroglancer's rule (neuroglancer_draco.cc)."""
    mask = 0xFF
    for corner in corners.tolist():
        for position, below in zip(corner, (0b01010101, 0b00110011, 0b00001111), strict=True):
            if position < OCTANT_PLANE:
                mask &= below
            elif position > OCTANT_PLANE:
                mask &= ~below
    assert mask
    return (mask & -mask).bit_length() - 1


def unfolded(triangles):
    """Triangles (M, 3, 3) without those that fold up, one by one: a twin of `without_folded`."""
    left = Counter()
    for a, b, c in (map(tuple, triangle) for triangle in triangles.tolist()):
        if len({a, b, c}) == 3:
            mine = min((a, b, c), (b, c, a), (c, a, b))
            back = min((a, c, b), (c, b, a), (b, a, c))
            if left[back]:
                left[back] -= 1
            else:
                left[mine] += 1
    return np.array(list(left.elements()), np.int64).reshape(-1, 3, 3)


@pytest.mark.parametrize("labels_of", [noise, voronoi])
@pytest.mark.parametrize("octants", [False, True])
def test_fragments_say_what_they_hold(labels_of, octants):
    records, blobs = encode(*in_cells(labels_of, octants))
    assert records.dtype == FRAGMENT
    assert len(records) == len(blobs) > 20
    row = {label: i for i, label in enumerate(LABELS.tolist())}
    place = [(row[r["label"]], *(r["cell"] - FIRST)[::-1].tolist()) for r in records]
    assert place == sorted(set(place))
    for record, blob in zip(records, blobs, strict=True):
        mesh = DracoPy.decode(blob)
        points = mesh.points.astype(np.int64)
        assert points.min() >= 0 and points.max() <= CELL_STEPS
        assert len(mesh.faces) == record["faces"] and len(blob) == record["size"]
        np.testing.assert_array_equal(record["lower"], points.min(axis=0))
        np.testing.assert_array_equal(record["upper"], points.max(axis=0))
        if octants:
            held = {octant_of(points[face]) for face in mesh.faces}
            assert record["octants"] == sum(1 << octant for octant in held)


@pytest.mark.parametrize("labels_of", [noise, voronoi])
def test_fragments_hold_every_face_and_add_up_to_their_label(labels_of):
    vertices, faces, owners, boxes = in_cells(labels_of, True)
    records, blobs = encode(vertices, faces, owners, boxes)
    found = decoded(records, blobs)
    present = dict(enumerate(LABELS[: owners.max() + 1].tolist()))
    assert list(found) == list(present.values())
    for owner, label in present.items():
        mine = [faces[(owners == owner) & (boxes // 8 == cell)] for cell in np.unique(boxes // 8)]
        whole = np.concatenate([unfolded(vertices[some]) for some in mine])
        np.testing.assert_array_equal(
            canonical(found[label] - FIRST * CELL_STEPS), canonical(whole)
        )
        mesh = solid(whole, STEP_NM)
        mine = records[records["label"] == label]
        assert mine["volume"].sum() == pytest.approx(mesh.volume, rel=1e-6)
        assert mine["area"].sum() == pytest.approx(mesh.area, rel=1e-9)
        assert mine["faces"].sum() == len(whole)


def test_the_position_is_an_int32_attribute():
    _, blobs = encode(*in_cells(voronoi, False))
    for blob in blobs:
        (attribute,) = DracoPy.decode(blob).attributes
        assert attribute["data_type"] == DT_INT32 and attribute["num_components"] == 3
        # bytes 7 and 8 say what is encoded and how: 1 for a mesh, 1 for edgebreaker
        assert blob[:5] == b"DRACO" and tuple(blob[7:9]) == (1, 1)


def test_a_fragment_lies_in_the_cell_of_its_box():
    box = trimesh.creation.box(bounds=[[0, 0, 0], [CELL_STEPS, CELL_STEPS, CELL_STEPS]])
    for cell in ([0, 0, 0], [1, 0, 1], [1, 2, 1], [0, 1, 1]):
        vertices = (box.vertices + np.array(cell) * CELL_STEPS).astype(np.int32)
        owners = np.zeros(len(box.faces), np.int32)
        flat = cell[0] + N_CELLS[0] * (cell[1] + N_CELLS[1] * cell[2])
        boxes = 8 * flat + np.arange(12) * 8 // 12  # all octants of the cell
        (record,), _ = encode(vertices, box.faces.astype(np.int32), owners, boxes)
        np.testing.assert_array_equal(record["cell"], FIRST + cell)
        np.testing.assert_array_equal(
            [record["lower"], record["upper"]], [[0] * 3, [CELL_STEPS] * 3]
        )
        assert record["faces"] == 12
        assert record["volume"] == pytest.approx(CELL_STEPS**3 * STEP_NM.prod())


def test_faces_in_the_middle_belong_to_the_octant_the_viewer_puts_them_in():
    end = CELL_STEPS - OCTANT_PLANE
    corners = np.array(
        [[OCTANT_PLANE, 0, 0], [OCTANT_PLANE, end, 0], [OCTANT_PLANE, 0, end]], np.int32
    )
    face, owner = np.array([[0, 1, 2]], np.int32), np.zeros(1, np.int32)
    for offset, octant in (([0, 0, 0], 0), ([0, 0, OCTANT_PLANE], 4), ([1, OCTANT_PLANE, 0], 3)):
        moved = corners + np.array(offset, np.int32)
        (record,), _ = encode(moved, face, owner)
        assert record["octants"] == 1 << octant
        assert octant_of(moved) == octant


def test_nothing_to_encode():
    vertices = np.array([[1, 2, 3], [4, 5, 6], [1, 2, 3], [9, 9, 9]], np.int32)
    for faces in (np.zeros((0, 3), np.int32), np.array([[0, 1, 2], [3, 3, 1]], np.int32)):
        records, blobs = encode(vertices, faces, np.zeros(len(faces), np.int32))
        assert records.dtype == FRAGMENT and len(records) == 0 and blobs == []
    # a fragment is left out if all its faces have two corners in one place; others are kept
    faces = np.array([[0, 1, 2], [0, 1, 3]], np.int32)
    records, blobs = encode(vertices, faces, np.array([0, 1], np.int32))
    assert records["label"].tolist() == [LABELS[1]] and len(blobs) == 1


def test_two_faces_back_to_back_cancel_out():
    # where planes meet, a vertex can be there twice: a tetrahedron with a fold at an edge
    body = trimesh.Trimesh(
        [[0, 0, 0], [9, 0, 0], [0, 9, 0], [0, 0, 9]],
        [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]],
        process=False,
    )
    vertices = np.append(body.vertices, [[0, 0, 0], [5, 1, 0]], axis=0).astype(np.int32)
    faces = np.array([[4, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3], [4, 1, 5], [1, 0, 5]], np.int32)
    assert len(open_edges(vertices[faces])) == 0
    records, blobs = encode(vertices, faces, np.zeros(6, np.int32))
    (found,) = decoded(records, blobs).values()
    np.testing.assert_array_equal(
        canonical(found - FIRST * CELL_STEPS), canonical(vertices[faces[:4]])
    )
    assert solid(found).is_watertight and not solid(vertices[faces]).is_watertight
    # faces in one place that look the same way are no fold, and one of three is left
    faces = np.array([[1, 2, 3], [2, 3, 1], [3, 2, 1], [1, 2, 3]], np.int32)
    (record,), _ = encode(vertices, faces, np.zeros(4, np.int32))
    assert record["faces"] == 2


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 3), st.integers(1, 60), st.integers(0, 999))
def test_only_folds_are_left_out(width, n_faces, seed):
    rng = np.random.default_rng(seed)
    vertices = rng.integers(0, width + 1, (12, 3)).astype(np.int32)
    faces = rng.integers(0, 12, (n_faces, 3)).astype(np.int32)
    expected = unfolded(vertices[faces].astype(np.int64))
    records, blobs = encode(vertices, faces, np.zeros(n_faces, np.int32))
    found = [t - FIRST * CELL_STEPS for t in decoded(records, blobs).values()]
    np.testing.assert_array_equal(
        canonical(np.concatenate([np.zeros((0, 3, 3), np.int64), *found])), canonical(expected)
    )
