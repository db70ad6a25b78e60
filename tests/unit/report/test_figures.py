"""Figures of little: no segments, one segment, no benchmarks."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from snakemesh.report.charts import costs_figure, detail_figure, errors_figure, sizes_figure
from snakemesh.report.costs import Cost
from snakemesh.report.drawings import each_lod, scene, singles
from snakemesh.report.segments import read_segments
from snakemesh.report.style import nothing_to_show, save


def segments(folder, count):
    """So many segments of 1000 voxels of 1 nm, whose meshes are a tenth too large."""
    names = ("voxels", "faces", "lods")
    columns = {name: np.full(count, 1000 if name == "voxels" else 4) for name in names}
    columns |= {f"{axis}_centroid": np.zeros(count) for axis in "xyz"}
    columns |= {"label": np.arange(count, dtype=np.uint64), "volume": np.full(count, 1100.0)}
    pq.write_table(pa.table(columns), folder / "segments.parquet")
    return read_segments(folder / "segments.parquet", 1.0)


def is_drawn(figure, path):
    """Whether a figure can be written, and is not white."""
    save(figure, path, [(plot, {"name": "a"}) for plot in figure.axes])
    with Image.open(path) as picture:
        assert all(known["name"] == "a" for known in json.loads(picture.text["facts"]))
        return np.asarray(picture.convert("L")).min() < 128


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_segments(tmp_path, count):
    found = segments(tmp_path, count)
    assert is_drawn(sizes_figure(found), tmp_path / "a.png")
    assert is_drawn(errors_figure(found), tmp_path / "b.png")
    assert len(found.sample) == count
    # the dot is where the error is
    assert all(error == pytest.approx(0.1) for _, error in found.sample)


def test_costs_and_lods_that_are_not_known(tmp_path):
    cost = Cost("shard", 1, np.ones(1), np.ones(1), np.full(1, np.nan), 600, 10)
    nothing = dict.fromkeys(("labels", "faces", "bytes"), 0)
    figures = (
        costs_figure([]),
        costs_figure([cost]),
        detail_figure(None),
        detail_figure([nothing]),
    )
    for figure in (*figures, nothing_to_show("why")):
        assert is_drawn(figure, tmp_path / "a.png")


def test_nothing_to_draw():
    for _, shown in (scene(None, [], 0), singles(None, [], []), each_lod(None, None)):
        assert shown == []
