import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemesh.errors import DamagedError
from snakemesh.fragments.container import (
    FRAGMENT,
    read_origin,
    read_section,
    write_container,
)
from snakemesh.fragments.container_table import Origin
from snakemesh.fragments.octree import morton
from snakemesh.fragments.payload import payload_blocks
from snakemesh.fragments.sharding import shard_of
from snakemesh.job_records import Sharding

SHARDING = Sharding(shard_bits=2, minishard_bits=3)
ORIGIN = Origin(how=bytes(range(16)), voxels=bytes(range(16, 32)))
FIELDS = [name for name in FRAGMENT.names if name not in ("offset", "size")]


def random_records(count, seed=0, labels=50):
    """Records in random order, no two of the same label and cell, and bytes of many sizes."""
    rng = np.random.default_rng(seed)
    records = np.zeros(count, FRAGMENT)
    records["label"] = rng.integers(1, labels + 1, count) * np.uint64(0x1234567890AB)
    place = rng.permutation(max(count, 1) * 3)[:count]
    records["cell"] = np.stack([place % 7, place // 7 % 7, place // 49], axis=1)
    records["faces"] = rng.integers(1, 1000, count)
    records["octants"] = rng.integers(1, 256, count)
    records["volume"], records["area"] = rng.normal(size=count), rng.random(count)
    records["lower"], records["upper"] = rng.integers(0, 65536, (2, count, 3))
    return records, [rng.bytes(int(n)) for n in rng.integers(1, 200, count)]


def by_place(records, blobs):
    return {
        (int(r["label"]), *map(int, r["cell"])): ([r[field].tolist() for field in FIELDS], blob)
        for r, blob in zip(records, blobs, strict=True)
    }


def read_back(path, shard, block_bytes):
    section = read_section(path, shard)
    records = section.records
    blobs, at = [], 0
    for first, last, data in payload_blocks(section, block_bytes):
        assert first == len(blobs) and len(data) == records["size"][first:last].sum()
        at = 0
        for size in records["size"][first:last].tolist():
            blobs.append(bytes(data[at : at + size]))
            at += size
    return section.lod, records, blobs


@settings(max_examples=25)
@given(count=st.integers(0, 200), seed=st.integers(0, 9), block=st.sampled_from([1, 300, 1 << 20]))
def test_every_fragment_is_in_its_shard(tmp_path_factory, count, seed, block):
    path = tmp_path_factory.mktemp("container") / "a"
    records, blobs = random_records(count, seed)
    write_container(path, 3, records, blobs, SHARDING, ORIGIN)
    found = {}
    for shard in range(SHARDING.num_shards):
        lod, section, section_blobs = read_back(path, shard, block)
        assert lod == 3
        assert (shard_of(section["label"], SHARDING) == shard).all()
        place = list(zip(section["label"].tolist(), morton(section["cell"]).tolist(), strict=True))
        assert place == sorted(place)
        found |= by_place(section, section_blobs)
    assert found == by_place(records, blobs)
    assert [p.name for p in path.parent.iterdir()] == ["a"]


def test_equal_fragments_in_another_order_give_equal_bytes(tmp_path):
    records, blobs = random_records(100)
    write_container(tmp_path / "a", 0, records, blobs, SHARDING, ORIGIN)
    write_container(tmp_path / "b", 0, records[::-1], blobs[::-1], SHARDING, ORIGIN)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_cannot_be_a_fragment(tmp_path):
    records, blobs = random_records(10)
    with pytest.raises(ValueError, match="without bytes"):
        write_container(tmp_path / "a", 0, records, [*blobs[:9], b""], SHARDING, ORIGIN)
    with pytest.raises(ValueError, match="of one cell"):
        write_container(tmp_path / "a", 0, records[[0, 1, 0]], blobs[:3], SHARDING, ORIGIN)
    with pytest.raises(ValueError, match="10 records"):
        write_container(tmp_path / "a", 0, records, blobs[:9], SHARDING, ORIGIN)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file(tmp_path):
    records, blobs = random_records(10)
    write_container(tmp_path / "a", 0, records, blobs, SHARDING, ORIGIN)
    before = (tmp_path / "a").read_bytes()
    with pytest.raises(TypeError):
        write_container(tmp_path / "a", 0, records, ["text"] * 10, SHARDING, ORIGIN)
    assert (tmp_path / "a").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda data: b"", "not a fragment container"),
        (lambda data: data[:20], "not a fragment container"),
        (lambda data: b"\x89PNG" + data[4:], "not a fragment container"),
        (lambda data: data[:-1], "its header says"),
        (lambda data: data + b"!", "its header says"),
        (lambda data: data[:8] + b"\x63" + data[9:], "version 99"),
        (lambda data: data[:30] + b"\xff" + data[31:], "does not fit its table"),
        (lambda data: data[:100] + b"\xff" + data[101:], "damaged table"),
        (lambda data: data[:-5000] + data[-4900:] + data[-100:], "damaged records"),
    ],
)
def test_a_damaged_container_is_named(tmp_path, damage, says):
    path = tmp_path / "lod0_7.fragments"
    records, blobs = random_records(200)
    # One byte of payload per fragment, so that most of the end of the file is records.
    write_container(path, 0, records, [blob[:1] for blob in blobs], SHARDING, ORIGIN)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DamagedError, match=says) as caught:
        for shard in range(SHARDING.num_shards):
            read_section(path, shard)
    assert str(path) in str(caught.value)


def test_a_container_of_fewer_shards_is_named(tmp_path):
    write_container(tmp_path / "a", 0, *random_records(10), SHARDING, ORIGIN)
    with pytest.raises(DamagedError, match="no shard 4"):
        read_section(tmp_path / "a", 4)


@settings(max_examples=60)
@given(data=st.data(), shift=st.integers(1, 255))
def test_whichever_byte_is_damaged_is_found(tmp_path_factory, data, shift):
    path = tmp_path_factory.mktemp("container") / "a"
    write_container(path, 0, *random_records(20), SHARDING, ORIGIN)
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = (content[place] + shift) % 256
    path.write_bytes(content)
    with pytest.raises(DamagedError):
        for shard in range(SHARDING.num_shards):
            read_back(path, shard, 300)


def test_a_container_that_is_gone_is_named(tmp_path):
    with pytest.raises(DamagedError, match="is gone") as caught:
        read_section(tmp_path / "a", 0)
    assert caught.value.path == tmp_path / "a"


def test_what_it_was_made_from(tmp_path):
    write_container(tmp_path / "a", 0, *random_records(10), SHARDING, ORIGIN)
    assert read_origin(tmp_path / "a") == ORIGIN
    (tmp_path / "b").write_bytes((tmp_path / "a").read_bytes()[:-1])
    assert read_origin(tmp_path / "b") is None
    assert read_origin(tmp_path / "c") is None


def test_a_payload_cut_while_it_is_read(tmp_path):
    path = tmp_path / "a"
    records, blobs = random_records(50)
    write_container(path, 0, records, blobs, Sharding(0, 0), ORIGIN)
    section = read_section(path, 0)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DamagedError, match="in the middle"):
        list(payload_blocks(section))
