"""Files in an array that its metadata do not describe would be read as background."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from formats import Placed, write_n5, write_precomputed, write_zarr
from snakemesh.chunk_files import stamps
from snakemesh.errors import UserError
from snakemesh.source.open_array import open_stored
from snakemesh.source.read import is_local, read_source

LABELS = np.random.default_rng(0).integers(1, 9, (20, 37, 41)).astype(np.uint32)
VOLUME = Placed(LABELS, (40, 8, 8), (0, 0, 0), (16, 16, 16))


def read(level):
    return open_stored(level.stored).read().result()


@pytest.mark.parametrize("leading", ["", "c"])
def test_chunks_in_folders_that_the_metadata_do_not_mention(tmp_path, leading):
    """As zarr-python's NestedDirectoryStore wrote them."""
    path = write_zarr(tmp_path / "seg.zarr", [VOLUME], leading=leading)
    for chunk in [p for p in Path(path, "s0").iterdir() if p.name[0].isdigit()]:
        nested = chunk.parent / "nested" / chunk.name.replace(".", "/")
        nested.parent.mkdir(parents=True, exist_ok=True)
        chunk.rename(nested)
    for folder in Path(path, "s0", "nested").iterdir():
        folder.rename(Path(path, "s0", folder.name))
    Path(path, "s0", "nested").rmdir()
    (level,) = read_source(path)
    np.testing.assert_array_equal(read(level), LABELS)
    assert stamps(level.files, ((0, 0, 0), level.files.grid)).all()
    assert not level.stored.is_plain


def test_flat_chunks_where_the_metadata_say_folders(tmp_path):
    path = write_zarr(tmp_path / "seg.zarr", [VOLUME])
    document = Path(path, "s0", ".zarray")
    document.write_text(json.dumps(json.loads(document.read_text()) | {"dimension_separator": "/"}))
    np.testing.assert_array_equal(read(read_source(path)[0]), LABELS)


WRITERS = {
    "zarr2": lambda p: (write_zarr(p, [VOLUME]), "s0"),
    "zarr3": lambda p: (write_zarr(p, [VOLUME], version=3), "s0"),
    "n5": lambda p: (write_n5(p, [VOLUME]), "s0"),
    "precomputed": lambda p: (write_precomputed(p, [VOLUME]), "8_8_40"),
    "precomputed shards": lambda p: (write_precomputed(p, [VOLUME], sharded=True), "8_8_40"),
}
DOCUMENTS = {".zarray", ".zattrs", "zarr.json", "attributes.json"}


@pytest.mark.parametrize("writer", WRITERS)
def test_files_that_nothing_explains_are_refused(tmp_path, writer):
    path, name = WRITERS[writer](tmp_path / "seg")
    folder = Path(path, name)
    for entry in list(folder.iterdir()):
        if entry.name not in DOCUMENTS:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    assert read_source(path)  # no chunk is stored: all is background
    (folder / "part-0001.bin").write_bytes(b"voxels")
    with pytest.raises(UserError, match=r"holds files such as part-0001.bin, none of which"):
        read_source(path)


@pytest.mark.parametrize(("bits", "wrong"), [(0, "1"), (1, "00"), (3, "9"), (5, "1"), (9, "1f")])
def test_shards_of_other_metadata_are_refused(tmp_path, bits, wrong):
    """Their names have as many digits as the highest number needs."""
    path, name = WRITERS["precomputed shards"](tmp_path / "seg")
    info = json.loads(Path(path, "info").read_text())
    info["scales"][0]["sharding"]["shard_bits"] = bits
    Path(path, "info").write_text(json.dumps(info))
    shard, *others = Path(path, name).glob("*.shard")
    for other in others:
        other.unlink()
    shard.rename(shard.with_name(f"{wrong}.shard"))
    match = rf"holds the shard {wrong}\.shard, but shard_bits {bits} [^\n]* correct shard_bits"
    with pytest.raises(UserError, match=match):
        read_source(path)


@pytest.mark.parametrize("top", ["", "seg.zarr/"])
@pytest.mark.parametrize("suffix", ["zip", "ozx"])
def test_a_volume_in_a_zip_file(tmp_path, suffix, top):
    path = Path(write_zarr(tmp_path / "seg.zarr", [VOLUME]))
    with zipfile.ZipFile(tmp_path / f"seg.{suffix}", "w", zipfile.ZIP_DEFLATED) as file:
        for entry in path.rglob("*"):
            file.write(entry, f"{top}{entry.relative_to(path)}")
    shutil.rmtree(path)
    (level,) = read_source(str(tmp_path / f"seg.{suffix}"))
    assert (level.voxel_size, level.translation) == ((40, 8, 8), (20, 4, 4))
    np.testing.assert_array_equal(read(level), LABELS)
    assert read_source(f"{tmp_path}/seg.{suffix}/{top}s0") == (level,)
    assert not is_local(level)
    before = stamps(level.files, ((0, 0, 0), level.files.grid))
    with open(tmp_path / f"seg.{suffix}", "ab") as file:
        file.write(b"\0")
    assert (stamps(level.files, ((0, 0, 0), level.files.grid)) != before).all()


def test_a_file_that_is_no_volume(tmp_path):
    (tmp_path / "seg.tif").write_bytes(b"II")
    with pytest.raises(UserError, match="seg.tif is a file, expected a folder"):
        read_source(str(tmp_path / "seg.tif"))
