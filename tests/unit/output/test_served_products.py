"""What belongs to a shard and to the documents, and how damage to it shows."""

from pathlib import Path

import pytest

from damaging import flip
from snakemesh.output.folder import OutputFolder
from snakemesh.output.served import differs, what_is_wrong
from snakemesh.output.served_products import Documents, Shard

LABELS = [3, 10]


def write_all(paths: list[str]) -> None:
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(path.encode() * 20_000)


@pytest.fixture(params=[True, False], ids=["sharded", "unsharded"])
def shard(request, tmp_path):
    made = Shard(OutputFolder(str(tmp_path)), "0" * 16, "0a", request.param)
    write_all([*made.files(LABELS), made.summary, made.lod_summary, made.pairs])
    made.finish(LABELS, {"left_out": {"small": 1}})
    return made


@pytest.fixture
def documents(tmp_path):
    folder = OutputFolder(str(tmp_path))
    made = Documents(folder, "0" * 16)
    write_all(files_beside(folder))
    made.finish({"labels": 2})
    return made


def files_beside(folder: OutputFolder) -> list[str]:
    """What a run writes beside the shards."""
    return [
        folder.info,
        folder.segment_properties,
        folder.segments,
        folder.lods,
        folder.served_document,
        f"{folder.multires}/overview/mesh.vtk.gz",
        f"{folder.multires}/centroids/info",
        f"{folder.multires}/centroids/spatial1/0.shard",
    ]


def test_the_files_of_a_shard(shard):
    multires = Path(shard.folder.multires)
    names = {"3", "3.index", "10", "10.index"} if not shard.is_sharded else {"0a.shard"}
    assert {path.name for path in multires.iterdir()} == names
    assert sorted(shard.files(LABELS)) == sorted(str(multires / name) for name in names)
    assert shard.facts()["left_out"] == {"small": 1}
    assert shard.record("summary")["size"] == Path(shard.summary).stat().st_size
    assert shard.record("lod_summary")["size"] == Path(shard.lod_summary).stat().st_size


def test_a_sound_shard(shard):
    assert shard.differs(LABELS) is None
    assert not shard.is_sharded or shard.what_is_wrong() is None


def test_every_file_of_a_shard_is_read(shard):
    for path in shard.files(LABELS):
        before = Path(path).read_bytes()
        flip(path)
        assert "not what" in shard.differs(LABELS)
        Path(path).unlink()
        assert shard.differs(LABELS)
        Path(path).write_bytes(before)
    assert shard.differs(LABELS) is None
    if not shard.is_sharded:
        assert shard.differs(LABELS[:1])  # a label that is found no more


def test_at_a_glance_a_cut_shard_shows_and_its_middle_does_not(tmp_path):
    shard = Shard(OutputFolder(str(tmp_path)), "0" * 16, "0a", True)
    write_all([*shard.files(()), shard.summary, shard.lod_summary, shard.pairs])
    shard.finish((), {})
    (path,) = shard.files(())
    flip(path)
    assert shard.what_is_wrong() is None and shard.differs(()) is not None
    Path(path).write_bytes(b"1")
    assert "has 1 bytes" in shard.what_is_wrong()


@pytest.mark.parametrize("content", [b"", b"\0" * 9, b"{}", b"[1]", b'{"served": 1, "files": 1}'])
def test_a_marker_that_says_nothing_vouches_for_nothing(shard, documents, content):
    for product in (shard, documents):
        Path(product.marker).write_bytes(content)
        assert product.record("served") == product.record("files") == {}
    assert shard.differs(LABELS) is not None
    assert shard.what_is_wrong() is not None
    assert len(documents.wrong(what_is_wrong)) == len(documents.wrong(differs)) == 1


def test_each_document_has_a_record(documents):
    files = files_beside(documents.folder)
    assert documents.wrong(what_is_wrong) == documents.wrong(differs) == []
    for count, path in enumerate(files, 1):
        flip(path)
        assert len(documents.wrong(differs)) == count
    assert documents.facts()["labels"] == 2


def test_segments_that_verification_has_written(documents):
    """Only the record of the table is another one: damage to other files still shows."""
    folder = documents.folder
    for path in (folder.segments, folder.info):
        Path(path).write_text("another one")
    documents.finish_segments()
    (wrong,) = documents.wrong(what_is_wrong)
    assert wrong.startswith(folder.info)
    assert documents.facts()["labels"] == 2


def test_discarding_spares_other_products(shard, documents):
    folder, kind = shard.folder, shard.is_sharded
    older = Shard(folder, "1" * 16, shard.name, kind)
    other = Shard(folder, shard.fingerprint, f"{shard.name}0", kind)
    for each in (older, other):
        Path(each.marker).write_text("{}")
    shard.discard()
    assert [Path(each.marker).exists() for each in (shard, older)] == [False, False]
    assert Path(other.marker).exists() and Path(documents.marker).exists()
    documents.discard()
    assert not Path(documents.marker).exists() and Path(other.marker).exists()
