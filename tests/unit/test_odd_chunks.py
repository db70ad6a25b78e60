"""Chunks that are compressed as a whole, and servers that deny what is not there."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from cloudvolume import CloudVolume

from formats import Placed, write_precomputed, write_zarr
from snakemesh.chunk_files import COMPRESSED_SUFFIXES, stamps
from snakemesh.errors import UserError
from snakemesh.source.open_array import open_stored
from snakemesh.source.read import read_source
from web_server import Denying, Moved, served

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 5, (20, 37, 41)).astype(np.uint32)
LABELS[:16, :16, :16] = 0


def read(level):
    return open_stored(level.stored).read().result()


@pytest.mark.parametrize("encoding", ["raw", "compressed_segmentation"])
@pytest.mark.parametrize("compress", ["gzip", "br", "zstd", "xz", "bzip2"])
def test_what_cloud_volume_compresses(tmp_path, compress, encoding):
    info = CloudVolume.create_new_info(
        *(1, "segmentation", "uint32", encoding, (8, 8, 40), (3, -4, 5), LABELS.shape[::-1]),
        chunk_size=(16, 16, 16),
    )
    volume = CloudVolume(f"file://{tmp_path}/seg", info=info, compress=compress, progress=False)
    volume.commit_info()
    volume[:, :, :] = LABELS.T[..., None]
    names = [path.name for path in Path(tmp_path, "seg", "8_8_40").iterdir()]
    assert {Path(name).suffix for name in names} <= set(COMPRESSED_SUFFIXES)
    (level,) = read_source(str(tmp_path / "seg"))
    np.testing.assert_array_equal(read(level), LABELS)
    np.testing.assert_array_equal(
        open_stored(level.stored)[3:7, 15:33, 2:9].read().result(), LABELS[3:7, 15:33, 2:9]
    )
    assert stamps(level.files, ((0, 0, 0), level.files.grid)).astype(bool).sum() == len(names)


@pytest.fixture
def mixed(tmp_path):
    """A precomputed volume, of which one chunk is compressed, and the path of that."""
    volume = Placed(LABELS, (40, 8, 8), (0, 0, 0), (16, 16, 16))
    path = write_precomputed(tmp_path / "seg", [volume])
    chunk = Path(path, "8_8_40", "16-32_0-16_16-20")
    chunk.with_name(f"{chunk.name}.gz").write_bytes(gzip.compress(chunk.read_bytes()))
    chunk.unlink()
    return path, chunk.with_name(f"{chunk.name}.gz")


def test_some_chunks_are_compressed(mixed):
    (level,) = read_source(mixed[0])
    np.testing.assert_array_equal(read(level), LABELS)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_chunks_in_folders(tmp_path, suffix):
    """As neuroglancer-scripts writes them, unless it is told otherwise."""
    volume = Placed(LABELS, (40, 8, 8), (-400, 80, 160), (16, 16, 16))
    path = write_precomputed(tmp_path / "seg", [volume])
    chunks = [chunk for chunk in Path(path, "8_8_40").iterdir()]
    for chunk in chunks:
        nested = Path(path, "8_8_40", chunk.name.replace("_", "/") + suffix)
        nested.parent.mkdir(parents=True, exist_ok=True)
        content = chunk.read_bytes()
        nested.write_bytes(gzip.compress(content) if suffix else content)
        chunk.unlink()
    (level,) = read_source(path)
    np.testing.assert_array_equal(read(level), LABELS)
    assert stamps(level.files, ((0, 0, 0), level.files.grid)).astype(bool).sum() == len(chunks)


@pytest.mark.parametrize(
    "content",
    [b"", b"not gzip", gzip.compress(b"too short", mtime=0)],
    ids=["empty", "no gzip", "too short"],
)
def test_a_broken_chunk_is_an_error(mixed, content):
    (level,) = read_source(mixed[0])
    mixed[1].write_bytes(content)
    with pytest.raises(ValueError, match="16-32_0-16_16-20"):
        read(level)


class Closing(Denying):
    """Once it is closed, it denies all."""

    is_closed = False

    def do_GET(self):
        if self.is_closed:
            self.send_error(403)
        else:
            super().do_GET()


@pytest.mark.parametrize("version", [2, 3])
def test_what_is_denied_is_missing_only_while_something_can_be_read(tmp_path, version, monkeypatch):
    volume = Placed(LABELS, (40, 8, 8), (0, 0, 0), (16, 16, 16))
    write_zarr(tmp_path / "seg.zarr", [volume], version)
    with served(tmp_path, Closing) as url:
        (level,) = read_source(f"{url}/seg.zarr")
        np.testing.assert_array_equal(read(level), LABELS)
        monkeypatch.setattr(Closing, "is_closed", True)
        # of one chunk: others would still ask a server that is gone
        with pytest.raises(ValueError, match="PERMISSION_DENIED"):
            open_stored(level.stored)[16:18, :8, :8].read().result()


def test_a_server_that_sends_elsewhere(tmp_path):
    write_zarr(tmp_path / "new.zarr", [Placed(LABELS, (40, 8, 8), (0, 0, 0), (16, 16, 16))])
    with served(tmp_path, Moved) as url:
        (level,) = read_source(f"{url}/old.zarr")
        assert level.path == f"{url}/new.zarr/s0"
        np.testing.assert_array_equal(read(level), LABELS)
        with pytest.raises(UserError, match="to an address where no volume was found"):
            read_source(f"{url}/old")
