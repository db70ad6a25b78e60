"""Which file holds which voxels: voxels are written, and the stamps of their files change."""

import os
from pathlib import Path

import numpy as np
import pytest
import tensorstore as ts
import worldarray as wa

from formats import Placed, write_n5, write_precomputed, write_zarr
from snakemesh.chunk_files import ChunkFiles, Watch, chunk_files, digest, stamps
from snakemesh.errors import UserError
from snakemesh.stored_array import DOCUMENTS

SHAPE, CHUNKS = (37, 61, 50), (16, 32, 16)
LABELS = np.random.default_rng(0).integers(1, 9, SHAPE).astype(np.uint32)
VOLUME = Placed(LABELS, (20, 8, 8), (1000, 2000, 3000), CHUNKS)
CASES = {
    "zarr v2": lambda p: write_zarr(p, [VOLUME]) + "/s0",
    "zarr v2, t c z y x": lambda p: write_zarr(p, [VOLUME], leading="tc") + "/s0",
    "zarr v3": lambda p: write_zarr(p, [VOLUME], version=3) + "/s0",
    "zarr v3, c z y x": lambda p: write_zarr(p, [VOLUME], version=3, leading="c") + "/s0",
    "zarr v3, shards": lambda p: write_zarr(p, [VOLUME], version=3, sharded=True) + "/s0",
    "n5": lambda p: write_n5(p, [VOLUME]) + "/s0",
    "precomputed": lambda p: write_precomputed(p, [VOLUME]),
}


def found_in(path: str) -> tuple[ChunkFiles, str | None]:
    """The files of the finest level of a volume, and the level's name."""
    node = wa.detect(path)
    name = node.docs["info"]["scales"][0]["key"] if node.format == "precomputed" else None
    (document,) = (v for k, v in node.docs.items() if k in DOCUMENTS.values())
    axes = (1, 2, 3) if node.format == "precomputed" else None
    return chunk_files(node.format, node.path, document, axes=axes), name


def opened(path: str, name: str | None) -> ts.TensorStore:
    """A volume, z y x."""
    store = wa.open_tensorstore(path, level=name)
    return store[(0,) * (store.ndim - 3)]


def whole(files: ChunkFiles):
    return (0, 0, 0), files.grid


@pytest.fixture(params=CASES)
def volume(request, tmp_path):
    path = CASES[request.param](tmp_path / "volume")
    return path, *found_in(path)


def test_every_chunk_is_found_and_no_file_is_left_over(volume):
    _, files, _ = volume
    paths = {files.path(index) for index in np.ndindex(*files.grid)}
    assert len(paths) == np.prod(files.grid)
    documents = {".zarray", ".zattrs", "zarr.json", "attributes.json", "info"}
    there = {str(p) for p in Path(files.root).rglob("*") if p.is_file()}
    assert paths == {p for p in there if Path(p).name not in documents}
    assert stamps(files, whole(files)).all()


def test_the_chunks_of_a_box_are_those_that_change_with_it(volume):
    path, files, name = volume
    rng = np.random.default_rng(1)
    for _ in range(12):
        ends = np.sort([rng.integers(0, n + 1, 2) for n in SHAPE])
        begin, end = ends[:, 0].tolist(), (ends[:, 0] + np.maximum(np.diff(ends)[:, 0], 1)).tolist()
        end = np.minimum(end, SHAPE).tolist()
        begin = np.minimum(begin, np.array(end) - 1).tolist()
        for index in np.ndindex(*files.grid):  # what is written gets another date
            os.utime(files.path(index), ns=(1, 1))
        before = stamps(files, whole(files))
        box = tuple(map(slice, begin, end))
        store = ts.open(opened(path, name).spec(), read=True, write=True).result()
        store[box].write(store[box].read().result() + 1).result()
        changed = stamps(files, whole(files)) != before
        expected = np.zeros(files.grid, bool)
        expected[tuple(map(slice, *files.indices_of((begin, end))))] = True
        np.testing.assert_array_equal(changed, expected)


def test_a_box_reaches_beyond_the_array(volume):
    _, files, _ = volume
    beyond = files.indices_of(((-5, -5, -5), tuple(n + 40 for n in SHAPE)))
    assert beyond == whole(files)


def test_size_date_and_absence_are_seen(tmp_path):
    files, _ = found_in(CASES["zarr v2"](tmp_path / "volume"))
    path = files.path((1, 1, 2))
    kept = os.stat(path)
    before = stamps(files, whole(files))
    with open(path, "ab") as file:
        file.write(b"x")
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    longer = stamps(files, whole(files))
    assert np.argwhere(longer != before).tolist() == [[1, 1, 2]]
    os.truncate(path, kept.st_size)
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    assert digest(stamps(files, whole(files))) == digest(before)
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns + 1))
    assert digest(stamps(files, whole(files))) != digest(before)
    sizes = stamps(files, whole(files), with_dates=False)
    os.utime(path, ns=(0, 0))
    np.testing.assert_array_equal(stamps(files, whole(files), with_dates=False), sizes)
    os.unlink(path)
    assert np.argwhere(stamps(files, whole(files)) == 0).tolist() == [[1, 1, 2]]


def test_a_job_notices_that_its_input_changes(tmp_path):
    files, _ = found_in(CASES["zarr v2"](tmp_path / "volume"))
    chunks = (0, 0, 0), (1, 1, 1)
    watch = Watch(files, chunks, digest(stamps(files, chunks)))
    os.utime(files.path((1, 0, 0)), ns=(1, 1))
    watch.refuse_change()
    os.utime(files.path((0, 0, 0)), ns=(1, 1))
    with pytest.raises(UserError, match="changed while the run was going on; give the same"):
        watch.refuse_change()


def test_shards_of_precomputed_volumes_stand_for_all_chunks(tmp_path):
    files, _ = found_in(write_precomputed(tmp_path / "volume", [VOLUME], sharded=True))
    assert files.grid == (1, 1, 1)
    before = digest(stamps(files, whole(files)))
    shard = next(Path(files.root).iterdir())
    os.utime(shard, ns=(1, 1))
    assert digest(stamps(files, whole(files))) != before


def test_what_cannot_be_watched():
    array = {"shape": [4, 4, 4], "chunks": [2, 2, 2]}
    assert chunk_files("zarr2", "https://host/seg", array) is None
    assert chunk_files("zarr2", "/seg", {"shape": [4, 4], "chunks": [2, 2]}) is None
    assert chunk_files("precomputed", "/seg", {"scales": []}) is None
