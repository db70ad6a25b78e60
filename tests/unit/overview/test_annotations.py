"""Points as the reader of the package neuroglancer finds them."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemesh.compressed_morton import cell_numbers
from snakemesh.overview import annotations, points
from snakemesh.overview.annotations import levels, write_annotations
from snakemesh.overview.points import read_points
from snakemesh.segment_colours import segment_colours
from snakemesh.tables.measures import SUMMARY, measures_of
from snakemesh.tables.properties import NO_PROPERTIES, read_properties
from snakemesh.tables.segments import write_segments
from snakemesh.tables.summaries import largest

reading = pytest.importorskip(
    "neuroglancer.read_precomputed_annotations", reason="NOT TESTED: neuroglancer is missing"
)
BASE_NM = (1_000_000, 0, -50)
# More than one group of rows of the table.
GROUPS = 3
MOST = 1000


def made_up(labels, side=(3000.0, 2000.0, 500.0)):
    """Segments whose centroids lie at random places in a box of nm."""
    rng = np.random.default_rng(len(labels))
    rows = np.zeros(len(labels), SUMMARY)
    rows["label"] = labels
    rows["volume"] = rng.integers(1, 50, len(labels)) * 1e9
    rows["area"], rows["faces"] = rng.random(len(labels)) * 1e6, rng.integers(4, 999, len(labels))
    rows["centroid"] = rng.uniform(0, 1, (len(labels), 3)) * side + BASE_NM
    rows["lower"], rows["upper"] = rows["centroid"] - 7.5, rows["centroid"] + 7.5
    return rows


def points_of(folder, rows, table=NO_PROPERTIES):
    write_segments(folder / "segments.parquet", np.array_split(rows, min(GROUPS, len(rows))), table)
    return read_points(folder / "segments.parquet", table, BASE_NM, segment_colours, MOST)


@pytest.fixture
def small_cells(monkeypatch):
    """Few points in a cell and in a shard, so that there are several."""
    monkeypatch.setattr(annotations, "LIMIT", 8)
    monkeypatch.setattr(annotations, "_PER_SHARD", 100)
    monkeypatch.setattr(annotations, "_PER_MINISHARD", 10)


@pytest.mark.parametrize("highest", [5000, 2**64 - 1], ids=["32-bit", "64-bit"])
def test_every_segment_is_found_by_label_by_segment_and_by_place(tmp_path, small_cells, highest):
    labels = np.unique(np.random.default_rng(0).integers(1, 5000, 300, np.uint64))
    labels[-1] = highest
    rows = made_up(labels)
    write_annotations(tmp_path / "centroids", points_of(tmp_path, rows))
    reader = reading.AnnotationReader(f"file://{tmp_path}/centroids")
    assert len(reader.metadata["spatial"]) > 2
    assert len(list((tmp_path / "centroids" / "by_id").iterdir())) == 4
    names = [described["id"] for described in reader.metadata["properties"]]
    first = ["label"] if highest < 2**32 else []
    listed = measures_of(SUMMARY)
    measured = [m.viewer_name for m in listed if m.viewer_type and m.axis is None]
    assert names == [*first, *measured, "segment_color", "marker_size"]
    by_place = {int(found.id): found for found in reader.get_within_spatial_bounds()}
    assert sorted(by_place) == labels.tolist()
    for row in rows:
        label = int(row["label"])
        found = reader.by_id[label]
        (of_segment,) = reader.relationships["segment"][label]
        assert [[int(each) for each in own] for own in found.segments] == [[label]]
        np.testing.assert_allclose(found.point, row["centroid"] - BASE_NM, rtol=1e-6, atol=1e-3)
        values = dict(zip(names, found.props, strict=True))
        assert int(values.get("label", label)) == label
        assert values["volume_um3"] == pytest.approx(row["volume"] / 1e9, rel=1e-6)
        assert int(values["faces"]) == row["faces"]
        assert list(values["segment_color"]) == segment_colours(row["label"][None])[0].tolist()
        share = row["volume"] / rows["volume"].max()
        assert int(values["marker_size"]) == round(255 * share ** (1 / 3))
        for other in (of_segment, by_place[label]):
            assert np.array_equal(other.point, found.point)
            assert str(other.props) == str(found.props)


def test_positions_lie_in_the_bounds_and_cells_divide_these(tmp_path, small_cells):
    rows = made_up(np.arange(1, 400))
    write_annotations(tmp_path / "centroids", points_of(tmp_path, rows))
    info = json.loads((tmp_path / "centroids" / "info").read_text())
    lower, upper = np.array(info["lower_bound"]), np.array(info["upper_bound"])
    assert np.array_equal(lower, np.floor(rows["lower"].min(axis=0) - BASE_NM))
    assert np.array_equal(upper, np.ceil(rows["upper"].max(axis=0) - BASE_NM))
    for level in info["spatial"]:
        size = np.multiply(level["grid_shape"], level["chunk_size"])
        np.testing.assert_allclose(size, upper - lower)
    # a flat box is cut along its long sides first
    assert [level["grid_shape"] for level in info["spatial"][:3]] == [
        [1, 1, 1],
        [2, 2, 1],
        [4, 4, 1],
    ]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=60), st.integers(1, 60))
@settings(max_examples=30, deadline=None)
def test_the_largest_segments_have_points_of_equal_ones_the_first(tmp_path_factory, volumes, most):
    rows = made_up(np.arange(1, len(volumes) + 1))
    rows["volume"] = volumes
    path = tmp_path_factory.mktemp("most") / "segments.parquet"
    write_segments(path, np.array_split(rows, min(7, len(rows))), NO_PROPERTIES)
    found = read_points(path, NO_PROPERTIES, BASE_NM, segment_colours, most)
    assert np.array_equal(found.labels, largest(rows, most)["label"])
    by_volume = [volumes[i - 1] for i in found.labels[found.largest_first].tolist()]
    assert by_volume == sorted(by_volume, reverse=True)
    expected = rows["centroid"][found.labels.astype(int) - 1] - BASE_NM
    np.testing.assert_allclose(found.rows["position"], expected, rtol=1e-6, atol=1e-3)


@given(st.integers(1, 200), st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_levels_against_a_plain_twin(tmp_path_factory, count, limit):
    """Each cell takes its largest segments that no coarser level has taken."""
    found = points_of(tmp_path_factory.mktemp("twin"), made_up(np.arange(1, count + 1)))
    left = set(range(count))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(annotations, "LIMIT", limit)
        for level in levels(found):
            cells: dict[tuple, list] = {}
            for i in found.largest_first.tolist():
                if i in left:
                    place = (found.rows["position"][i] - found.lower) / level.size
                    cells.setdefault(tuple(place.astype(int)), []).append(i)
            expected = [tuple(own[:limit]) for own in cells.values()]
            starts = np.flatnonzero(np.diff(level.cells, prepend=~level.cells[:1]))
            assert sorted(map(tuple, np.split(level.points, starts[1:]))) == sorted(expected)
            left -= set(level.points.tolist())
    assert not left


def test_points_in_one_place_end_in_the_last_level(tmp_path, small_cells):
    rows = made_up(np.arange(1, 101))
    rows["centroid"] = rows["centroid"][0]
    found = list(levels(points_of(tmp_path, rows)))
    assert all(len(level.points) == 8 for level in found[:-1])
    assert found[-2].shape.max() < found[-1].shape.max() <= 2**20
    assert sorted(np.concatenate([level.points for level in found])) == list(range(100))


@given(st.lists(st.integers(0, 9), min_size=3, max_size=3), st.data())
def test_numbers_of_cells_against_neuroglancer(bits, data):
    shape = [data.draw(st.integers(1, 1 << n)) for n in bits]
    cell = [data.draw(st.integers(0, n - 1)) for n in shape]
    (number,) = cell_numbers(np.array([cell], np.int32), np.array(shape)).tolist()
    assert number == reading._zorder_compressed(cell, shape)


def test_columns_of_a_users_table(tmp_path):
    """Numbers that 32 bits hold and texts of which there are few come along."""
    path = tmp_path / "table.csv"
    path.write_text(
        "id,name,Type,synapses,parent,Comment\n"
        "1,first,axon,12,720575940626877799,a\n"
        "3,third,,0.5,1,b\n"
        "4,fourth,dendrite,,2,c\n"
        "99,nowhere,glia,7,3,d\n"
    )
    rows = made_up(np.arange(1, 5))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(points, "_MOST_TEXTS", 4)
        write_annotations(tmp_path / "centroids", points_of(tmp_path, rows, read_properties(path)))
    reader = reading.AnnotationReader(f"file://{tmp_path}/centroids")
    described = {found["id"]: found for found in reader.metadata["properties"]}
    assert list(described)[-4:] == ["synapses", "type", "segment_color", "marker_size"]
    assert described["type"]["description"] == "Type"
    names = described["type"]["enum_labels"]
    at = list(described).index
    found = [reader.by_id[label].props for label in range(1, 5)]
    assert [names[int(props[at("type")])] for props in found] == ["axon", "", "", "dendrite"]
    synapses = [float(props[at("synapses")]) for props in found]
    np.testing.assert_equal(synapses, [12, np.nan, 0.5, np.nan])


def test_the_bytes_do_not_depend_on_how_the_table_is_grouped(tmp_path):
    rows = made_up(np.arange(1, 50))
    made = []
    for groups in (1, 7):
        folder = tmp_path / str(groups)
        write_segments(folder / "segments.parquet", np.array_split(rows, groups), NO_PROPERTIES)
        found = read_points(
            folder / "segments.parquet", NO_PROPERTIES, BASE_NM, segment_colours, MOST
        )
        write_annotations(folder / "out", found)
        made.append({p.name: p.read_bytes() for p in (folder / "out").rglob("*") if p.is_file()})
    assert made[0] == made[1]


def test_all_columns_of_a_wide_table_do_not_fit():
    """A shader reads at most 255 bytes of a point."""
    wide = [points.Column(f"c{i}", f"c{i}", pa.array([1.5], pa.float64())) for i in range(300)]
    table = points.Properties(np.array([1], np.uint64), pa.array(["x"], pa.large_string()), wide)
    given_columns = points._given(table, np.array([1, 2], np.uint64))
    measures = [({"id": f"m{i}"}, np.zeros(2, np.float32)) for i in range(8)]
    positions = [np.zeros(2, np.float32)] * 3
    assert points._packed(positions, [*given_columns, *measures]).dtype.itemsize <= 252
