"""A table of bodies: supervoxels and their table give what the bodies themselves give.

Each result is compared, byte for byte, with that of the volume of bodies, or with that of a run
that knew nothing of the ones before.
"""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from conftest import write_volume
from pyarrow import parquet

from running import digests, fails, finish, meshes, planned, succeeds

KEPT = {"delete_intermediate_scales": False, "keep_fragments": True}
EDIT = {"label_map": 1, "pyramid_super_chunk": 1, "mesh_block": 3}
AFTER = {"mesh_blocks_done": 1, "shard": 1, "multires_index": 1, "cleanup": 1}


def cut(labels, method):
    """Supervoxels of a volume, and their table in any order, without the background."""
    rng = np.random.default_rng(2)
    z, y, x = (axis.astype(np.uint64) // np.uint64(8) for axis in np.indices(labels.shape))
    part = (z * 100 + y) * 100 + x if method == "blocks" else rng.integers(0, 40, labels.shape)
    names, numbers = np.unique(labels, return_inverse=True)
    pairs, which = np.unique(
        np.stack([numbers.ravel(), part.ravel().astype(np.int64)]), axis=1, return_inverse=True
    )
    ids = rng.permutation(np.arange(1, 3 * pairs.shape[1], dtype=np.uint64))[: pairs.shape[1]]
    # many labels above 32 bits, and some voxels of the background that have a label
    ids *= np.uint64(2**35 + 1)
    bodies = names[pairs[0]]
    ids[(bodies == 0) & (rng.random(len(ids)) < 0.5)] = 0
    table = np.stack([ids, bodies], axis=1)[ids != 0]
    rng.shuffle(table)
    return ids[which].reshape(labels.shape), table


def write_csv(path, table):
    np.savetxt(path, table, "%d", ",", header="supervoxel,body", comments="")


def levels(output):
    """The arrays of the levels that are built. Their group says what a volume of bodies adds."""
    group = Path(output) / "_intermediate_scales.zarr"
    return {level: digests(group / level) for level in ("s1", "s2")}


@pytest.fixture(scope="module")
def bodies(repository, config, tmp_path_factory):
    """The output of the volume of bodies."""
    output = tmp_path_factory.mktemp("bodies") / "out"
    finish(repository, config(output, **KEPT))
    return output


@pytest.fixture(scope="module")
def cut_volumes(volume, tmp_path_factory):
    """Writes the volume that is cut by a method, once. Returns its path, its labels, its table."""
    folder = tmp_path_factory.mktemp("cut")

    @cache
    def written(method):
        supervoxels, table = cut(volume.labels, method)
        centre = [c + n / 2 for c, n in zip(volume.corner_nm, volume.voxel_nm, strict=True)]
        write_volume(folder / method, supervoxels, volume.voxel_nm, centre, (32, 24, 16))
        return folder / method, supervoxels, table

    return written


@pytest.fixture
def cut_config(cut_volumes, config, tmp_path):
    """Makes the configuration of a volume that is cut, and the path and the rows of its table.

    The table has the same path and the same rows at the beginning of every test.
    """

    def make(method, suffix=".csv"):
        path, supervoxels, table = cut_volumes(method)
        table_path = path.with_name(f"{method}{suffix}")
        if suffix == ".csv":
            write_csv(table_path, table)
        else:
            parquet.write_table(pa.table({"a": table[:, 0], "b": table[:, 1]}), table_path)

        def configuration(output="out", **changes):
            source = {"input_path": path, "label_map": table_path, **KEPT}
            return config(tmp_path / output) | source | changes

        return configuration, supervoxels, table_path, table

    return make


def test_parts_by_hash_give_what_their_bodies_give(repository, cut_config, bodies):
    configuration, *_ = cut_config("hash", ".parquet")
    output = finish(repository, configuration()).parent
    assert meshes(output / "multires") == meshes(bodies / "multires")
    assert levels(output) == levels(bodies)
    # s0 holds labels: it is not among the levels of bodies
    listed = json.loads((output / "_intermediate_scales.zarr" / ".zattrs").read_text())
    assert [entry["path"] for entry in listed["multiscales"][0]["datasets"]] == ["s1", "s2"]
    assert not (output / "_intermediate_scales.zarr" / "s0").exists()


def test_a_changed_table_redoes_what_it_touches(repository, made, cut_config, bodies):
    """Blocks of supervoxels: one lies in one super-chunk, one block of LOD 0 and those above."""
    configuration, supervoxels, path, table = cut_config("blocks")
    output = made(configuration()).parent
    assert meshes(output / "multires") == meshes(bodies / "multires")
    assert levels(output) == levels(bodies)
    assert planned(repository, configuration()) == {}
    # in another order, with labels that are nowhere, and twice the same row
    more = np.array([[10**15, 3], [10**15 + 1, 0]], np.uint64)
    write_csv(path, np.concatenate([table[::-1], more, table[:9]]))
    assert planned(repository, configuration()) == {}

    label = supervoxels[:8, :8, :8].max()
    assert label and not (supervoxels[8:] == label).any()
    changed = table.copy()
    changed[changed[:, 0] == label, 1] = 2**63 + 5
    write_csv(path, changed)
    assert planned(repository, configuration()) == EDIT | AFTER
    finish(repository, configuration())
    fresh = finish(repository, configuration("fresh")).parent
    assert digests(output / "multires") == digests(fresh / "multires")
    assert meshes(output / "multires") != meshes(bodies / "multires")
    assert levels(output) == levels(fresh)
    assert planned(repository, configuration()) == {}

    # a row that is gone: its label stays what it is. A clone that knows nothing sees the same
    write_csv(path, table[table[:, 0] != label])
    assert planned(repository, configuration()) == EDIT | AFTER
    # the first table again
    write_csv(path, table)
    assert planned(repository, configuration()) == EDIT | AFTER
    finish(repository, configuration())
    assert meshes(output / "multires") == meshes(bodies / "multires")
    assert levels(output) == levels(bodies)
    assert planned(repository, configuration()) == {}


def test_what_is_not_in_the_table(repository, volume, config, tmp_path):
    """Labels that are not in it stay or become background, in a type that all bodies fit."""
    labels = volume.labels[:60, :60]  # one block for each LOD
    first, second, third = np.unique(labels)[1:4]
    small = np.searchsorted([0, first, second, third], labels).astype(np.uint8)
    small[labels > third] = 0
    centre = [c + n / 2 for c, n in zip(volume.corner_nm, volume.voxel_nm, strict=True)]
    write_volume(tmp_path / "small.zarr", small, volume.voxel_nm, centre, (32, 24, 16))
    (tmp_path / "table.csv").write_text("1,70000\n2,0\n")
    ours = {"input_path": tmp_path / "small.zarr", "label_map": tmp_path / "table.csv"}
    for rest, kept in (("keep", 3), ("background", 0)):
        expected = np.array([0, 70000, 0, kept], np.uint32)[small]
        path = tmp_path / f"{rest}.zarr"
        write_volume(path, expected, volume.voxel_nm, centre, (32, 24, 16))
        plain = config(tmp_path / f"plain {rest}") | {"input_path": path, **KEPT}
        mapped = config(tmp_path / f"mapped {rest}") | ours | {"label_map_rest": rest, **KEPT}
        served = [finish(repository, configuration) for configuration in (plain, mapped)]
        assert meshes(served[0]) == meshes(served[1])
        assert levels(served[0].parent) == levels(served[1].parent)
    # a list may name what fits the type of the bodies, whatever that of the volume is
    listed = mapped | {"target_ids": [70000]}
    assert planned(repository, listed)["mesh_block"]
    said = fails(repository, mapped | {"target_ids": [2**32]})
    assert f"target_ids: found {2**32}, the labels are uint32, at most" in said
    before = meshes(served[1])
    assert meshes(finish(repository, listed)) == before


def known(labels, volume, wanted, least):
    """By brute force, what is meshed: label, voxels and centroid in nm (z y x), ascending."""
    found = []
    for label in sorted(wanted):
        voxels = np.argwhere(labels == label)
        if len(voxels) >= least:
            centroid = volume.corner_nm + (voxels.mean(axis=0) + 0.5) * volume.voxel_nm
            found.append((label, len(voxels), pytest.approx(centroid.tolist())))
    return found


def rows_of(served):
    """The same, of the table of all segments, which the viewer's list agrees with."""
    rows = parquet.read_table(served / "segments.parquet").to_pylist()
    inline = json.loads((served / "segment_properties" / "info").read_text())["inline"]
    assert inline["ids"] == [str(row["label"]) for row in rows]
    return [
        (row["label"], row["voxels"], [row[f"{axis}_centroid"] for axis in "zyx"]) for row in rows
    ]


def test_lists_counts_and_the_table_of_segments_are_those_of_bodies(
    repository, volume, config, cut_config, tmp_path
):
    """No part has `min_voxels`."""
    configuration, _, path, table = cut_config("blocks")
    ids, voxels = np.unique(volume.labels[volume.labels > 0], return_counts=True)
    targets, sizes = ids[::2].tolist(), voxels[::2]
    excluded, least = targets[sizes.argmax()], int(np.median(sizes))
    part = int(table[0, 0])
    assert least > 8**3 and part not in ids
    names = tmp_path / "targets.csv"
    names.write_text("\n".join(["id", *map(str, [part, *targets])]))
    keys = {"target_ids": names, "exclude_ids": [excluded], "min_voxels": least, "num_lods": 1}
    said = succeeds(repository, configuration(**keys))
    assert f"target_ids: the meshed volume has no voxel of label {part}\n" in said
    why = f"{len(ids) - len(targets)} not in target_ids, 1 in exclude_ids, {(sizes < least).sum()}"
    assert f"labels left out: {why} with fewer voxels than min_voxels\n" in said
    served = tmp_path / "out" / "multires"
    wanted = {*targets} - {excluded}
    expected = known(volume.labels, volume, wanted, least)
    assert 5 < len(expected) < len(wanted)
    assert rows_of(served) == expected
    plain = finish(repository, config(tmp_path / "plain") | keys)
    assert meshes(served) == meshes(plain)
    assert planned(repository, configuration(**keys)) == {}

    # a body that was too small joins another
    small, large = targets[sizes.argmin()], expected[-1][0]
    joined = table.copy()
    joined[joined[:, 1] == small, 1] = large
    write_csv(path, joined)
    finish(repository, configuration(**keys))
    bodies = np.where(volume.labels == small, np.uint64(large), volume.labels)
    assert rows_of(served) == known(bodies, volume, wanted - {small}, least) != expected
    # other lists: what labels became stays
    others = planned(repository, configuration(**keys | {"exclude_ids": [excluded, small]}))
    assert others["mesh_block"] and "label_map" not in others


def test_a_garbled_table_of_an_earlier_run(repository, made, cut_config):
    configuration, *_ = cut_config("blocks")
    output = made(configuration()).parent
    (table,) = (p for p in output.glob("work/label_map/*.npy") if ".index" not in p.name)
    table.write_bytes(table.read_bytes()[:200] + b"\1" * (table.stat().st_size - 200))
    changed = configuration(target_reduction=0.8)
    said = fails(repository, changed)
    assert f"{table} is damaged; give the same command again" in said
    assert planned(repository, changed)["label_map"] == 1
    fresh = finish(repository, configuration("fresh", target_reduction=0.8))
    assert digests(finish(repository, changed)) == digests(fresh)


def test_a_label_with_two_bodies(repository, cut_config):
    configuration, _, path, table = cut_config("blocks")
    label, body = table[5].tolist()
    write_csv(path, np.concatenate([table, [[label, body + 1]]]).astype(np.uint64))
    said = fails(repository, configuration())
    bodies = " and ".join(map(str, sorted([body, body + 1])))
    assert f"config key label_map: {path} gives label {label} to two bodies, {bodies}" in said
    write_csv(path, table)
    finish(repository, configuration())
