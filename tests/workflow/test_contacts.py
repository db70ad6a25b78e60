"""The table of contacts of whole runs is that of the voxels, with background on request."""

import json
import shutil
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest

from running import digests, fails, finish, planned
from snakemesh.tables.contacts import COLUMNS
from touching import moment, patches


def check_table(served, volume, with_background):
    """Compare the table with a search through the voxels."""
    expected = patches(volume.labels, with_background)
    rows = pq.read_table(served / "contacts.parquet").to_pylist()
    assert [(row["label_1"], row["label_2"]) for row in rows] == sorted(expected)
    voxel = np.array(volume.voxel_nm[::-1])
    for row in rows:
        ours = expected[row["label_1"], row["label_2"]]
        assert (row["patches"], row["faces"]) == (len(ours), sum(map(len, ours)))
        # a smoothed wall has a smaller area than its voxel faces, if it is not flat
        faces = sum(np.prod(voxel) / voxel[2 - face[3]] for patch in ours for face in patch)
        assert (0.4 * faces if row["faces"] > 100 else 0) < row["area"] < 1.2 * faces
        centres = [np.array(moment(p)) / len(p) / 2 * voxel for p in ours]
        places = [(centre + volume.corner_nm[::-1]).tolist() for centre in centres]
        assert any([row[axis] for axis in "xyz"] == pytest.approx(place) for place in places)
    neighbours = Counter(label for pair in expected if pair[1] for label in pair)
    table = pq.read_table(served / "segments.parquet", columns=["label", "neighbours"])
    assert table["neighbours"].to_pylist() == [neighbours[n] for n in table["label"].to_pylist()]
    inline = json.loads((served / "segment_properties" / "info").read_text())["inline"]
    (listed,) = (p["values"] for p in inline["properties"] if p["id"] == "neighbours")
    assert listed == [neighbours[int(label)] for label in inline["ids"]]


def test_the_table_of_contacts(multires, volume):
    check_table(multires, volume, False)
    schema = pq.read_schema(multires / "contacts.parquet")
    described = {f.name: f.metadata[b"description"].decode() for f in schema}
    assert described == COLUMNS


def test_contacts_on_request(repository, config, multires, volume, tmp_path):
    shutil.copytree(multires.parent, tmp_path / "out")
    without = config(tmp_path / "out", contacts=False)
    assert planned(repository, without)["mesh_block"] == 6
    served = finish(repository, without)
    assert not (served / "contacts.parquet").exists()
    assert "neighbours" not in pq.read_schema(served / "segments.parquet").names
    assert digests(served)["0.shard"] == digests(multires)["0.shard"]
    check_table(finish(repository, without | {"contacts": "background"}), volume, True)


def test_a_table_that_is_cut_short(repository, config, multires, tmp_path):
    shutil.copytree(multires.parent, tmp_path / "out")
    ours, path = config(tmp_path / "out"), tmp_path / "out" / "multires" / "contacts.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    assert planned(repository, ours) == {"multires_index": 1, "cleanup": 1}
    # what the index is made from is damaged too: the job that reads it notices
    (pairs,) = (tmp_path / "out" / "work" / "shards").glob("*.contacts")
    pairs.write_bytes(pairs.read_bytes()[::-1])
    assert f"multires_index: {pairs} is " in fails(repository, ours)
    assert digests(finish(repository, ours)) == digests(multires)
