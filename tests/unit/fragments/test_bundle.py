"""A bundle holds what its containers hold, and shards made from it have the same bytes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_container import ORIGIN, SHARDING, random_records, read_back

from snakemesh.errors import DamagedError
from snakemesh.fragments.bundle import write_bundle
from snakemesh.fragments.contact import CONTACT
from snakemesh.fragments.container import (
    CONTACTS,
    COUNT,
    COUNTS,
    FRAGMENT,
    opened,
    read_origin,
    read_section,
    rows_of,
    write_container,
)
from snakemesh.fragments.container_table import read_table, table_bytes
from snakemesh.job_records import OctreeGrid, Sharding
from snakemesh.multires.counts import counts_and_contacts
from snakemesh.multires.shard import write_shard

GRID = OctreeGrid((0.0, 0.0, 0.0), (64.0, 64.0, 64.0), (1.0, 2.0))


def random_counts(labels, seed):
    rng = np.random.default_rng(seed)
    counts = np.zeros(len(labels), COUNT)
    counts["label"], counts["voxels"] = labels, rng.integers(1, 1000, len(labels))
    counts["moment"] = rng.integers(0, 1 << 20, (len(labels), 3)) / 2
    return counts


def random_contacts(labels, seed):
    rng = np.random.default_rng(seed)
    contacts = np.zeros(2 * len(labels), CONTACT)
    contacts["label"] = np.repeat(labels, 2)
    for field in ("other", "face", "link", "area"):
        contacts[field] = rng.integers(0, 1 << 40, len(contacts))
    return contacts


def write_parts(folder, sizes, sharding=SHARDING, lod=0):
    """Containers of so many fragments each, none of the same cell, and rows of their labels."""
    paths = []
    for number, size in enumerate(sizes):
        records, blobs = random_records(size, seed=number)
        records["cell"][:, 0] += 7 * number
        labels = np.unique(records["label"])
        counts, contacts = random_counts(labels, number), random_contacts(labels, number)
        paths.append(str(folder / f"part{number}"))
        write_container(paths[-1], lod, records, blobs, sharding, ORIGIN, counts, contacts)
    return paths


def rows_in(path, shard, kind):
    with opened(path) as container:
        return rows_of(container, shard, kind).tobytes()


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(0, 60), min_size=1, max_size=5), block=st.sampled_from([1, 999]))
def test_a_bundle_holds_what_its_parts_hold(tmp_path_factory, sizes, block):
    folder = tmp_path_factory.mktemp("bundle")
    parts = write_parts(folder, sizes, lod=3)
    write_bundle(folder / "bundle", parts)
    for shard in range(SHARDING.num_shards):
        lod, records, blobs = read_back(folder / "bundle", shard, block)
        of_parts = [read_back(part, shard, block) for part in parts]
        assert lod == 3
        assert blobs == [blob for part in of_parts for blob in part[2]]
        expected = np.concatenate([part[1] for part in of_parts])
        for field in set(FRAGMENT.names) - {"offset"}:
            assert np.array_equal(records[field], expected[field])
        for kind in (COUNTS, CONTACTS):
            rows = b"".join(rows_in(part, shard, kind) for part in parts)
            assert rows_in(folder / "bundle", shard, kind) == rows
    assert len(list(folder.iterdir())) == len(parts) + 1


@pytest.mark.parametrize("cuts", [(1, 2, 3), (2,), ()], ids=str)
def test_shards_are_the_same_from_any_bundles(tmp_path, cuts):
    for folder in ("fine", "coarse"):
        (tmp_path / folder).mkdir()
    fine = write_parts(tmp_path / "fine", [40, 60, 0, 20])
    coarse = write_parts(tmp_path / "coarse", [25, 30], lod=1)
    ends = [*cuts, len(fine)]
    bundles = []
    for parts in [*(fine[b:e] for b, e in zip([0, *cuts], ends, strict=True)), coarse]:
        bundles.append(str(tmp_path / f"bundle{len(bundles)}"))
        write_bundle(bundles[-1], parts)
    for shard in range(SHARDING.num_shards):
        found = []
        for paths in ([*fine, *coarse], bundles):
            counts = counts_and_contacts(paths, shard)[0]
            written = write_shard(tmp_path / "shard", shard, paths, GRID, SHARDING, counts)
            found.append(((tmp_path / "shard").read_bytes(), written.summary.tobytes()))
        assert found[0] == found[1]


def test_the_table_is_not_larger_than_what_there_is(tmp_path):
    """With 1,024 shards, a block of one label has a table of one entry and not of 1,024."""
    sharding = Sharding(10, 3)
    records, blobs = random_records(20, labels=1)
    write_container(tmp_path / "a", 0, records, blobs, sharding, ORIGIN)
    with open(tmp_path / "a", "rb") as file:
        table = read_table(file.fileno(), tmp_path / "a")
    assert len(table.entries) == 1
    assert (tmp_path / "a").stat().st_size == table_bytes(1) + records.nbytes + sum(map(len, blobs))
    found = [len(read_section(tmp_path / "a", shard).records) for shard in range(1024)]
    assert sorted(found)[-2:] == [0, 20]


@settings(max_examples=60, deadline=None)
@given(data=st.data(), shift=st.integers(1, 255))
def test_a_damaged_byte_of_a_part_is_found(tmp_path_factory, data, shift):
    """And that of the bundle, as of any container."""
    folder = tmp_path_factory.mktemp("bundle")
    parts = write_parts(folder, [5, 8])
    damaged = folder / data.draw(st.sampled_from(["part0", "part1"]))
    content = bytearray(damaged.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = (content[place] + shift) % 256
    damaged.write_bytes(content)
    with pytest.raises(DamagedError) as caught:
        write_bundle(folder / "bundle", parts)
    assert caught.value.path in map(folder.joinpath, ("part0", "part1"))
    assert sorted(path.name for path in folder.iterdir()) == ["part0", "part1"]


def test_parts_that_are_gone_or_of_another_plan(tmp_path):
    parts = write_parts(tmp_path, [5, 5])
    (tmp_path / "more").mkdir()
    for sharding, lod in ((Sharding(3, 3), 0), (SHARDING, 1)):
        (other,) = write_parts(tmp_path / "more", [5], sharding, lod)
        with pytest.raises(DamagedError, match="another LOD or number of shards") as caught:
            write_bundle(tmp_path / "bundle", [*parts, other])
        assert str(caught.value.path) == other
    with pytest.raises(DamagedError, match="part9 is gone"):
        write_bundle(tmp_path / "bundle", [*parts, str(tmp_path / "part9")])
    assert not (tmp_path / "bundle").exists()


def test_equal_parts_give_equal_bytes(tmp_path):
    parts = write_parts(tmp_path, [30, 40])
    write_bundle(tmp_path / "a", parts)
    write_bundle(tmp_path / "b", parts)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert read_origin(tmp_path / "a") not in (None, ORIGIN)
