"""`snakemake verify` finds what is wrong with an output, and nothing in a sound one."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import ndimage

from damaging import flip
from formats import Placed, write_zarr
from levels import averaged, first
from planting import read_labels, reshaped, write_labels
from running import digests, fails, finish, planned, succeeds
from surfaces import voronoi
from verifying import verdict


@pytest.fixture(params=[True, False], ids=["sharded", "unsharded"])
def served(request, multires, unsharded, config, tmp_path):
    """A function that verifies an output in this process, and its `multires`, to be harmed."""
    source = multires if request.param else unsharded
    shutil.copytree(source, tmp_path / "multires")
    keys = config(tmp_path / "out", sharded=request.param)
    keys |= {key: str(keys[key]) for key in ("input_path", "output_directory")}
    return lambda: verdict(keys, tmp_path / "multires"), tmp_path / "multires"


def largest_mesh(folder):
    """The largest file of meshes."""
    meshes = (path for path in folder.iterdir() if path.name.split(".")[0].isdigit())
    return max(meshes, key=lambda path: path.stat().st_size)


def test_nothing_in_a_sound_output(served, volume):
    verify, _ = served
    found = verify()
    assert found.failures.count == {}
    labels = np.unique(volume.labels)[1:]
    assert found.labels == len(labels) == len(found.rows)
    assert found.rows["label"].tolist() == labels.tolist()
    assert found.rows["checked"].all()
    assert found.lods["labels"].tolist()[0] == len(labels)


def spread(labels):
    """A label with several nodes at LOD 0 and all LODs, and one with a single node at each."""
    many = max(labels, key=lambda label: len(labels[label].lods[0]))
    single = next(
        label for label, mesh in labels.items() if [len(nodes) for nodes in mesh.lods] == [1, 1, 1]
    )
    assert len(labels[many].lods) == 3
    return many, single


def missing_label(labels):
    del labels[spread(labels)[0]]


def flipped_byte(labels):
    node = labels[spread(labels)[0]].lods[0][0]
    data = bytearray(node.draco)
    data[len(data) // 2] ^= 0x10
    node.draco = bytes(data)


def open_edge(labels):
    node = labels[spread(labels)[1]].lods[0][0]
    reshaped(node, lambda positions, faces: (positions, faces[:-1]))


def wrong_cell(labels):
    for nodes in labels[spread(labels)[1]].lods:
        for node in nodes:
            node.cell = (node.cell[0] + 1, *node.cell[1:])


def beyond_its_cell(labels):
    node = labels[spread(labels)[1]].lods[0][0]
    reshaped(node, lambda positions, faces: (positions + 60000, faces))


def across_octants(labels):
    def one_large_face(positions, faces):
        low, high = np.zeros(3, np.int32), np.full(3, 65535, np.int32)
        corners = np.stack([low, high, [65535, 0, 0]])
        n = len(positions)
        both = [[n, n + 1, n + 2], [n, n + 2, n + 1]]
        return np.concatenate([positions, corners]), np.concatenate([faces, both])

    reshaped(labels[spread(labels)[1]].lods[1][0], one_large_face)


def missing_ancestor(labels):
    many = labels[spread(labels)[0]]
    del many.lods[1][0]


def swapped_labels(labels):
    a, b = spread(labels)
    labels[a], labels[b] = labels[b], labels[a]


def wrong_volume(labels):
    def smaller(positions, faces):
        middle = positions.mean(axis=0)
        return np.rint(middle + 0.5 * (positions - middle)), faces

    reshaped(labels[spread(labels)[1]].lods[0][0], smaller)


def missing_level(labels):
    del labels[spread(labels)[0]].lods[-1]


def no_level(labels):
    labels[spread(labels)[0]].lods = []


def missing_middle_level(labels):
    labels[spread(labels)[0]].lods[1] = []


def large_scale(labels):
    labels[spread(labels)[0]].manifest.scales[-1] *= 1000


def scale_that_is_no_number(labels):
    labels[spread(labels)[0]].manifest.scales[-1] = np.nan


FAULTS = {
    large_scale: {"tree"},
    scale_that_is_no_number: {"tree"},
    missing_label: {"labels"},
    flipped_byte: set(),
    open_edge: {"closed"},
    wrong_cell: {"volumes", "properties"},
    beyond_its_cell: {"cells"},
    across_octants: {"octants"},
    missing_ancestor: {"tree"},
    swapped_labels: {"volumes", "properties"},
    wrong_volume: {"volumes", "properties"},
    missing_level: {"properties"},
    missing_middle_level: {"tree"},
    no_level: {"tree"},
}


def test_what_is_taken_apart_and_written_again_is_sound(served):
    verify, folder = served
    write_labels(folder, read_labels(folder))
    assert verify().failures.count == {}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_planted_fault_is_found(served, fault):
    verify, folder = served
    labels = read_labels(folder)
    fault(labels)
    write_labels(folder, labels)
    found = verify().failures
    assert found.count and FAULTS[fault] <= set(found.count), found
    assert not {"files"} & set(found.count)


def test_a_truncated_file(served):
    verify, folder = served
    path = largest_mesh(folder)
    path.write_bytes(path.read_bytes()[:-100])
    assert {"files", "fragments"} & set(verify().failures.count)


def test_a_stale_shard(served, made, config, tmp_path):
    """Meshes of another configuration: sound by themselves, but not what the tables say."""
    verify, folder = served
    old = made(config(tmp_path / "old", target_reduction=0.7))
    write_labels(folder, read_labels(old))
    assert set(verify().failures.count) == {"properties"}


def test_tables_that_say_something_else(served):
    verify, folder = served
    path = folder / "segments.parquet"
    table = pq.read_table(path)
    volumes = table["volume"].to_numpy().copy()
    volumes[0] *= 1.001
    column = table.column_names.index("volume")
    pq.write_table(table.set_column(column, "volume", pa.array(volumes)), path)
    document = folder / "segment_properties" / "info"
    found = json.loads(document.read_text())
    faces = next(p for p in found["inline"]["properties"] if p["id"] == "faces")
    faces["values"][1] += 1
    area = next(p for p in found["inline"]["properties"] if p["id"] == "area_um2")
    area["values"][2] *= 1.001
    document.write_text(json.dumps(found))
    failures = verify().failures
    assert failures.count == {"properties": 3}
    first, second, third = failures.named["properties"]
    assert "volume" in first and "faces" in second and "area" in third


ALL = {"measures": ["components", "thickness", "curvature"], "contacts": "background"}


@pytest.fixture(scope="module")
def all_measured(repository, config, tmp_path_factory):
    """The keys and the `multires` of a run that measures everything."""
    keys = config(tmp_path_factory.mktemp("measured") / "out", **ALL)
    keys |= {key: str(keys[key]) for key in ("input_path", "output_directory")}
    said = succeeds(repository, keys | {"verify": True})
    assert "measures and contacts of 20 small labels were computed again" in said
    return keys, Path(keys["output_directory"]) / "multires"


@pytest.fixture
def planted(all_measured, tmp_path):
    """A function that changes a table, and returns what verification says then."""
    keys, multires = all_measured
    shutil.copytree(multires, tmp_path / "multires")

    def plant(name, change):
        path = tmp_path / "multires" / name
        pq.write_table(change(pq.read_table(path)), path)
        found = verdict(keys | {"output_directory": str(tmp_path / "out")}, tmp_path / "multires")
        assert set(found.failures.count) <= {"properties"}
        return found.failures.count.get("properties", 0), found.failures.named.get("properties")

    return plant


def with_column(table, name, change):
    column = pa.array(change(table[name].to_numpy(zero_copy_only=False)))
    return table.set_column(table.column_names.index(name), name, column)


def test_tables_that_are_written_again_are_sound(planted):
    assert planted("segments.parquet", lambda table: table) == (0, None)
    assert planted("contacts.parquet", lambda table: table) == (0, None)


@pytest.mark.parametrize("name", ["components", "thickness", "thickness_95", "curvature"])
def test_wrong_measures(planted, name):
    def wrong(values):
        return values + 1 if name == "components" else values * 1.00001

    count, named = planted("segments.parquet", lambda table: with_column(table, name, wrong))
    assert 15 <= count <= 20 and all(f"segments.parquet has {name} " in said for said in named)


@pytest.mark.parametrize("name", ["faces", "patches", "x", "y", "z"])
def test_wrong_contacts(planted, name):
    def wrong(values):
        return values - 0.01 if name in "xyz" else values - (values > 1)

    count, named = planted("contacts.parquet", lambda table: with_column(table, name, wrong))
    what = "a patch at" if name in "xyz" else name
    assert count and all(f" {what} " in said for said in named)


def test_contacts_that_are_too_few_or_too_many(planted):
    """Some pairs are gone, some twice, and some are of labels that touch nothing."""
    count, named = planted("contacts.parquet", lambda table: table.slice(5))
    assert count and any("which contacts.parquet does not say" in said for said in named)
    assert any("neighbours in segments.parquet" in said for said in named)
    count, named = planted("contacts.parquet", lambda t: pa.concat_tables([t, t]))
    assert any("labels do not ascend" in said for said in named)


def test_an_impossible_area(planted):
    def wrong(area):
        return np.where(np.arange(len(area)) == 7, -area, area)

    count, named = planted("contacts.parquet", lambda table: with_column(table, "area", wrong))
    assert count == 1 and "contacts.parquet has an impossible row: labels" in named[0]


@pytest.fixture(params=[True, False], ids=["sharded", "unsharded"])
def copied(request, multires, unsharded, config, table, tmp_path):
    """The configuration of a finished output, a copy that a test may harm."""
    source = multires if request.param else unsharded
    shutil.copytree(source.parent, tmp_path / "out")
    more = {} if request.param else {"sharded": False, "segment_properties_csv": table}
    return config(tmp_path / "out", **more)


def test_the_command(repository, copied, volume):
    """It reads what is there as it is, and says what is wrong with exit code 1, each time."""
    output = copied["output_directory"]
    before = digests(output / "multires")
    for _ in range(2):
        said = succeeds(repository, copied, "verify")
        labels = len(np.unique(volume.labels)) - 1
        assert f"verify: {labels} labels in the volume" in said and "FAIL" not in said
    after = digests(output / "multires")
    assert {name for name in after if after[name] != before[name]} == {"segments.parquet"}
    found = pq.read_table(output / "verify.parquet")
    known = pq.read_table(output / "multires" / "segments.parquet")
    assert known.column_names[-2:] == ["watertight", "volume_error"]
    assert known["watertight"].equals(found["watertight"])
    assert known["volume_error"].equals(found["volume_error"])
    assert found["label"].equals(known["label"]) and found["voxels"].equals(known["voxels"])
    assert all(found["watertight"].to_pylist()) and all(found["manifold"].to_pylist())
    assert max(map(abs, found["volume_error"].to_pylist())) < 0.1
    around = ndimage.generate_binary_structure(3, 2)
    pieces = [ndimage.label(volume.labels == n, around)[1] for n in found["label"].to_pylist()]
    assert found["voxel_pieces"].to_pylist() == pieces
    assert not (output / "work" / "verify").exists()
    assert planned(repository, copied) == {}

    # one bit in the middle, which changes neither the size of the file nor its ends
    path = largest_mesh(output / "multires")
    flip(path)
    data = path.read_bytes()
    for _ in range(2):
        said = fails(repository, copied, "verify")
        assert re.search(r"FAIL \d+  files are what was written", said)
        assert f"failed: verify_table: {output}/multires is not sound" in said
    assert path.read_bytes() == data
    # the next run makes it anew. What was found of it is forgotten; what was found of the meshes
    # as they were written, as they are again, still holds
    assert digests(finish(repository, copied)) == after
    assert not (output / "verify.parquet").exists()


def test_as_an_option_of_a_run(repository, config, volume, tmp_path):
    """A run verifies what it has made, once; what is left out is accounted for."""
    keys = config(tmp_path / "out", verify=True, num_lods=1, min_voxels=5)
    keys |= {"exclude_ids": [int(volume.labels.max())]}
    said = succeeds(repository, keys)
    assert "1 left out by exclude_ids, 1 left out by min_voxels" in said
    read = pq.read_table(tmp_path / "out" / "verify.parquet")["watertight"]
    assert read.null_count == 0 < len(read)
    assert planned(repository, keys) == {}


def test_bodies_of_supervoxels(repository, config, volume, tmp_path):
    """Labels become bodies before they are compared."""
    labels = np.unique(volume.labels)[1:]
    np.save(
        tmp_path / "bodies.npy", np.stack([labels, labels // np.uint64(2) + np.uint64(1)], 1)[::2]
    )
    keys = config(tmp_path / "out", label_map=tmp_path / "bodies.npy", num_lods=1, verify=True)
    assert "labels in the volume" in succeeds(repository, keys)
    listed = dict(np.load(tmp_path / "bodies.npy").tolist())
    bodies = {listed.get(label, label) for label in labels.tolist()}
    found = pq.read_table(tmp_path / "out" / "verify.parquet")["label"].to_pylist()
    assert found == sorted(bodies)


def test_levels_of_the_input(repository, tmp_path):
    """One that was averaged is built anew, in all jobs; one that is used is compared with s0."""
    labels = voronoi((64, 64, 64), 12, 1)
    placed = [Placed(labels, (8, 8, 8), (0, 0, 0), (32, 32, 32))]
    for maker, n in ((averaged, 2), (first, 4)):
        level = maker(labels, (n, n, n))
        placed.append(Placed(level, (8.0 * n,) * 3, (0, 0, 0), (16, 16, 16)))
    keys = {"input_path": write_zarr(tmp_path / "seg", placed), "cell_size": 64, "num_lods": 3}
    keys["multires_strategy"] = "downsample"
    said = succeeds(repository, keys | {"output_directory": tmp_path / "out", "verify": True})
    assert "seg/s1 is not used: it has label" in said
    assert re.findall("level s. of the input: .*", said) == [
        "level s2 of the input: 0 of 4,096 voxels have a label that s0 does not have there"
    ]
