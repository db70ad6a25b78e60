"""`fill_super_chunk`, from array to array on disk, against `downsample` of the whole volume."""

import itertools

import numpy as np
import pytest
import tensorstore as ts
import worldarray as wa
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemesh import reading
from snakemesh.pyramid import fill
from snakemesh.pyramid.downsample import downsample
from snakemesh.pyramid.fill import fill_super_chunk

ISOTROPIC = ((2, 2, 2),) * 3
ANISOTROPIC = ((1, 2, 2), (2, 2, 2), (2, 1, 2))


def make_array(path, shape, chunk, dtype="uint32", driver="zarr", shard=None):
    """An empty, writable array of labels whose background is 0."""
    version = 2 if driver == "zarr" else 3
    keys = {"name": "v2", "separator": "/"} if version == 2 else None
    layout = {"chunks": chunk, "shards": shard, "chunk_key_encoding": keys}
    zarr.create_array(path, shape=shape, dtype=dtype, fill_value=0, zarr_format=version, **layout)
    return wa.open(str(path), mode="r+").ts


def make_levels(folder, shape, steps, chunk, **kwargs):
    factors = np.cumprod(steps, axis=0)
    return [
        make_array(folder / f"s{k}", (-(-np.array(shape) // f)).tolist(), chunk, **kwargs)
        for k, f in enumerate(factors, 1)
    ]


def stored(array):
    return array.read().result()


def chunk_files(folder):
    return {
        p.relative_to(folder).as_posix()
        for p in folder.rglob("*")
        if p.name[0].isdigit() and p.is_file()
    }


def labels_of(shape, seed=0, dtype=np.uint32):
    """Lumps of labels. A third of them are background, and so is one whole corner."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 6, np.array(shape) // 5 + 1)
    labels[labels < 2] = 0
    for axis in range(3):
        labels = np.repeat(labels, 5, axis=axis)
    labels = labels[tuple(slice(n) for n in shape)].astype(dtype)
    labels[: shape[0] // 2, : shape[1] // 2, : shape[2] // 2] = 0
    return labels


def super_chunks(shape, size):
    """Begin and end of the super-chunks of `size` voxels in a volume of `shape`."""
    for index in itertools.product(*(range(-(-n // s)) for n, s in zip(shape, size, strict=True))):
        begin = tuple(i * s for i, s in zip(index, size, strict=True))
        yield begin, tuple(min(b + s, n) for b, s, n in zip(begin, size, shape, strict=True))


@pytest.mark.parametrize("method", ["mode", "mode_suppress_zero", "binary", "nearest"])
@pytest.mark.parametrize("steps", [ISOTROPIC, ANISOTROPIC], ids=str)
@pytest.mark.parametrize("driver", ["zarr", "zarr3"])
def test_streaming_equals_the_whole(tmp_path, method, steps, driver):
    labels = labels_of((61, 75, 90))
    source = make_array(tmp_path / "s0", labels.shape, (16, 16, 16), driver=driver)
    source.write(labels).result()
    targets = make_levels(tmp_path, labels.shape, steps, (8, 8, 8), driver=driver)
    chunks = fill_super_chunk(source, targets, (0, 0, 0), labels.shape, steps, method)
    for k, expected in enumerate(downsample(labels, steps, method), 1):
        found = zarr.open_array(tmp_path / f"s{k}", mode="r")  # a reader that is not the writer
        np.testing.assert_array_equal(found[...], expected)
    assert chunks == sum(np.prod(-(-np.array(t.shape) // 8)) for t in targets)


@settings(deadline=None, max_examples=25)
@given(
    shape=st.tuples(*[st.integers(1, 70)] * 3),
    chunk=st.sampled_from([4, 8]),
    grown=st.tuples(*[st.sampled_from([1, 2, 3])] * 3),
    steps=st.sampled_from([ISOTROPIC, ANISOTROPIC, ((2, 2, 2),), ((1, 1, 2), (2, 2, 2))]),
    origin=st.tuples(*[st.sampled_from([0, 8, 24])] * 3),
    source_chunk=st.tuples(*[st.sampled_from([4, 7, 16, 64])] * 3),
    piece=st.sampled_from([8, 16, 128]),
    buffered=st.sampled_from([0, 1 << 14, 1 << 20]),
    decoded=st.sampled_from([0, 1 << 14, 1 << 20]),
    seed=st.integers(0, 99),
)
def test_any_partition_into_super_chunks_gives_the_same(
    tmp_path_factory,
    shape,
    chunk,
    grown,
    steps,
    origin,
    source_chunk,
    piece,
    buffered,
    decoded,
    seed,
):
    folder = tmp_path_factory.mktemp("partition")
    volume = labels_of(tuple(o + n for o, n in zip(origin, shape, strict=True)), seed)
    whole = make_array(folder / "s0", volume.shape, source_chunk)
    whole.write(volume).result()
    source = whole[tuple(slice(o, None) for o in origin)][ts.d[:].translate_to[0]]
    targets = make_levels(folder, shape, steps, (chunk,) * 3)
    size = np.prod(steps, axis=0) * chunk * grown
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "PIECE_VOXELS", piece)
        patch.setattr(reading, "BYTES_READING", buffered)
        patch.setattr(reading, "BYTES_DECODING", decoded)
        patch.setattr(fill, "BYTES_WRITING", buffered)
        for begin, end in super_chunks(shape, size.tolist()):
            fill_super_chunk(source, targets, begin, end, steps, "mode")
    labels = volume[tuple(slice(o, None) for o in origin)]
    for target, expected in zip(targets, downsample(labels, steps, "mode"), strict=True):
        np.testing.assert_array_equal(stored(target), expected)


@pytest.mark.parametrize("missing", [m for m in itertools.product([0, 1], repeat=3) if any(m)])
def test_only_levels_with_a_target_are_written(tmp_path, missing):
    labels = labels_of((40, 40, 40))
    source = make_array(tmp_path / "s0", labels.shape, (16, 16, 16))
    source.write(labels).result()
    targets = make_levels(tmp_path, labels.shape, ISOTROPIC, (8, 8, 8))
    chosen = [t if m else None for t, m in zip(targets, missing, strict=True)]
    fill_super_chunk(source, chosen, (0, 0, 0), labels.shape, ISOTROPIC, "mode")
    whole = downsample(labels, ISOTROPIC, "mode")
    for target, wanted, expected in zip(targets, missing, whole, strict=True):
        np.testing.assert_array_equal(stored(target), expected if wanted else 0)


def test_sharded_arrays(tmp_path):
    labels = labels_of((96, 96, 80))
    source = make_array(
        tmp_path / "s0", labels.shape, (16, 16, 16), driver="zarr3", shard=(64, 64, 64)
    )
    source.write(labels).result()
    targets = make_levels(
        tmp_path, labels.shape, ISOTROPIC, (4, 4, 4), driver="zarr3", shard=(8, 8, 8)
    )
    fill_super_chunk(source, targets, (0, 0, 0), labels.shape, ISOTROPIC, "mode")
    for target, expected in zip(targets, downsample(labels, ISOTROPIC, "mode"), strict=True):
        np.testing.assert_array_equal(stored(target), expected)


def test_binary_into_bytes(tmp_path):
    labels = labels_of((32, 32, 32), dtype=np.uint64) << np.uint64(40)
    targets = make_levels(tmp_path, labels.shape, ISOTROPIC, (8, 8, 8), dtype="uint8")
    fill_super_chunk(ts.array(labels), targets, (0, 0, 0), labels.shape, ISOTROPIC, "binary")
    for target, expected in zip(targets, downsample(labels, ISOTROPIC, "binary"), strict=True):
        np.testing.assert_array_equal(stored(target), expected)


def test_uniform_pieces_are_seen_and_not_stored_where_they_are_background(tmp_path, monkeypatch):
    voted_on = []

    def noting(block, *how):
        voted_on.append(block.shape)
        return downsample(block, *how)

    monkeypatch.setattr(fill, "downsample", noting)
    labels = np.zeros((64, 64, 64), np.uint32)
    labels[32:, 32:, 32:] = 7
    source = make_array(tmp_path / "s0", labels.shape, (32, 32, 32))
    source.write(labels).result()
    targets = make_levels(tmp_path, labels.shape, ISOTROPIC, (16, 16, 16))
    fill_super_chunk(source, targets, (0, 0, 0), labels.shape, ISOTROPIC, "mode")
    assert set(voted_on) == {(1, 1, 1)}
    assert chunk_files(tmp_path / "s1") == {"1/1/1"}
    assert chunk_files(tmp_path / "s2") == {"0/0/0"}
    for target, expected in zip(targets, downsample(labels, ISOTROPIC, "mode"), strict=True):
        np.testing.assert_array_equal(stored(target), expected)


@pytest.mark.parametrize("driver", ["zarr", "zarr3"])
def test_chunks_of_an_older_pyramid_go_where_there_is_only_background_now(tmp_path, driver):
    labels = np.zeros((32, 32, 32), np.uint32)
    labels[::2, ::2, ::2] = 5  # wins only if background may not
    targets = make_levels(tmp_path, labels.shape, ISOTROPIC, (4, 4, 4), driver=driver)
    run = (ts.array(labels), targets, (0, 0, 0), labels.shape, ISOTROPIC)
    fill_super_chunk(*run, "mode_suppress_zero")
    assert all((stored(t) == 5).all() for t in targets)
    fill_super_chunk(*run, "mode")
    assert not any(stored(t).any() for t in targets)
    assert not any(chunk_files(tmp_path / f"s{k}") for k in (1, 2, 3))
    labels[...] = 0  # now the pieces are uniform
    fill_super_chunk(*run[:1], targets, *run[2:], "mode")
    assert not any(chunk_files(tmp_path / f"s{k}") for k in (1, 2, 3))


def test_other_super_chunks_are_left_alone(tmp_path):
    labels = labels_of((64, 64, 64)) + 1
    targets = make_levels(tmp_path, labels.shape, ISOTROPIC, (4, 4, 4))
    for target in targets:
        target.write(99).result()
    begin, end = (32, 0, 32), (64, 32, 64)
    fill_super_chunk(ts.array(labels), targets, begin, end, ISOTROPIC, "mode")
    for k, (target, level) in enumerate(
        zip(targets, downsample(labels, ISOTROPIC, "mode"), strict=True), 1
    ):
        expected = np.full(level.shape, 99)
        box = tuple(slice(b >> k, e >> k) for b, e in zip(begin, end, strict=True))
        expected[box] = level[box]
        np.testing.assert_array_equal(stored(target), expected)


def recording(labels, chunk, reads):
    """An array that appends the origin of each chunk that is decoded to `reads`."""

    def read(domain, array, params):
        reads.append(tuple(domain.origin))
        array[...] = labels[domain.index_exp]

    layout = ts.ChunkLayout(read_chunk_shape=chunk, grid_origin=(0, 0, 0))
    return ts.virtual_chunked(read, dtype=labels.dtype, shape=labels.shape, chunk_layout=layout)


@pytest.mark.parametrize("piece", [16, 40, 128])
@pytest.mark.parametrize("chunk", [(16, 16, 16), (8, 32, 64), (64, 64, 64), (4, 16, 32)])
def test_every_source_chunk_is_read_once(tmp_path, monkeypatch, chunk, piece):
    monkeypatch.setattr(reading, "PIECE_VOXELS", piece)
    labels = labels_of((128, 130, 140))
    reads = []
    source = recording(labels, chunk, reads)
    targets = make_levels(tmp_path, labels.shape, ISOTROPIC, (32, 32, 32))
    fill_super_chunk(source, targets, (0, 0, 0), labels.shape, ISOTROPIC, "mode")
    for target, expected in zip(targets, downsample(labels, ISOTROPIC, "mode"), strict=True):
        np.testing.assert_array_equal(stored(target), expected)
    assert len(reads) == len(set(reads)) == np.prod(-(-np.array(labels.shape) // chunk))


@pytest.mark.parametrize("steps", [ISOTROPIC, ANISOTROPIC], ids=str)
def test_one_chunk_of_each_level_is_under_way(tmp_path, monkeypatch, steps):
    most = {}
    add_part = fill._add_part

    def counting(chunks, level, piece, part):
        done = add_part(chunks, level, piece, part)
        most[level.index] = max(
            most.get(level.index, 0), sum(k == level.index for k, _ in chunks) + (done is not None)
        )
        return done

    monkeypatch.setattr(fill, "_add_part", counting)
    labels = labels_of((128, 100, 128))
    source = make_array(tmp_path / "s0", labels.shape, (16, 16, 16))
    source.write(labels).result()
    shifted = source[8:, 8:, 24:][ts.d[:].translate_to[0]]
    targets = make_levels(tmp_path, shifted.shape, steps, (8, 8, 8))
    fill_super_chunk(shifted, targets, (0, 0, 0), shifted.shape, steps, "mode")
    assert most == {0: 1, 1: 1, 2: 1}


@pytest.mark.parametrize(
    "begin, end, chunk, message",
    [
        ((4, 0, 0), (64, 64, 60), 4, "not made of chunks"),
        ((0, 0, 0), (64, 40, 60), 4, "not made of chunks"),
        ((0, 0, 0), (64, 64, 61), 4, "not in a source"),
        ((32, 0, 0), (32, 64, 60), 4, "not in a source"),
        ((0, 0, 0), (64, 64, 60), 3, "do not nest"),
    ],
)
def test_boxes_that_hold_parts_of_chunks_are_refused(tmp_path, begin, end, chunk, message):
    source = ts.array(labels_of((64, 64, 60)))
    targets = make_levels(tmp_path, source.shape, ISOTROPIC, (chunk,) * 3)
    with pytest.raises(ValueError, match=message):
        fill_super_chunk(source, targets, begin, end, ISOTROPIC, "mode")
    assert not any(chunk_files(tmp_path / f"s{k}") for k in (1, 2, 3))


def test_wrong_targets_are_refused(tmp_path):
    source = ts.array(labels_of((64, 64, 60)))
    with pytest.raises(ValueError, match="no level to write"):
        fill_super_chunk(source, [None] * 3, (0, 0, 0), (64, 64, 60), ISOTROPIC, "mode")
    targets = make_levels(tmp_path, (64, 64, 64), ISOTROPIC, (4, 4, 4))
    with pytest.raises(ValueError, match=r"expected \[32 32 30\]"):
        fill_super_chunk(source, targets, (0, 0, 0), (64, 64, 60), ISOTROPIC, "mode")


def test_a_write_that_fails_is_an_error(tmp_path):
    labels = labels_of((16, 16, 16)) + 1
    make_levels(tmp_path, labels.shape, ((2, 2, 2),), (4, 4, 4))
    read_only = wa.open_tensorstore(str(tmp_path / "s1"))
    with pytest.raises(ValueError, match="writing"):
        fill_super_chunk(
            ts.array(labels), [read_only], (0, 0, 0), labels.shape, ((2, 2, 2),), "mode"
        )
