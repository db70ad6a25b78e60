"""zarr and precomputed as others store them: their documents, names of levels, files and types."""

import bz2
import gzip
import json
import zlib
from functools import partial

import brotli
import numpy as np
import pytest
from numcodecs import LZ4, Blosc, Zstd

from by_hand import (
    ABSENT,
    json_file,
    ome_group,
    precomputed_info,
    scale,
    translation,
    write_n5,
    write_precomputed,
    write_zarr2,
    write_zarr3,
)
from snakemesh.chunk_files import stamps
from snakemesh.errors import UserError
from source_reading import placements, read_source, voxels

LABELS = np.arange(1, 10 * 12 * 14 + 1, dtype=np.uint32).reshape(10, 12, 14)
PLACE = [scale(20, 8, 8), translation(110, 104, 204)]
WHOLE = ((20, 8, 8), (110, 104, 204))
REFUSED = "^config key input_path: [^\n]*$"


def zarr2(path, name="s0", array=LABELS, **options):
    """A group of 0.4 with one level."""
    write_zarr2(path / str(name), array, **options)
    return ome_group(path, {name: PLACE})


# -- names of levels --------------------------------------------------------------------------


@pytest.mark.parametrize("name", [0, 7, "0", "s0", "./s0", "s0/", "a/b/s0", "./a/s0", "scale 0"])
def test_names_of_levels(name, tmp_path):
    path = tmp_path / "v"
    zarr2(path, name)
    for given in (path, path / str(name)):
        assert placements(str(given)) == [WHOLE]
        np.testing.assert_array_equal(voxels(str(given), tmp_path / "out"), LABELS)


def test_consolidated_metadata_alone_of_zarr_2(tmp_path):
    path = tmp_path / "v"
    zarr2(path)
    files = [file for file in path.rglob(".z*") if file.is_file()]
    documents = {str(file.relative_to(path)): json.loads(file.read_text()) for file in files}
    for file in files:
        file.unlink()
    json_file(path / ".zmetadata", {"zarr_consolidated_format": 1, "metadata": documents})
    check_both(path, tmp_path)


def test_consolidated_metadata_alone_of_zarr_3(tmp_path):
    path = tmp_path / "v"
    write_zarr3(path / "s0", LABELS)
    ome_group(path, {"s0": PLACE}, version="0.5")
    array, group = (json.loads((path / name).read_text()) for name in ("s0/zarr.json", "zarr.json"))
    (path / "s0/zarr.json").unlink()
    inline = {"kind": "inline", "must_understand": False, "metadata": {"s0": array}}
    json_file(path / "zarr.json", group | {"consolidated_metadata": inline})
    check_both(path, tmp_path)


def check_both(path, tmp_path):
    """The group and its level are read right."""
    for given in (path, path / "s0"):
        assert placements(str(given)) == [WHOLE]
        np.testing.assert_array_equal(voxels(str(given), tmp_path / "out"), LABELS)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_the_root_of_bioformats2raw_names_its_images(version, tmp_path):
    write = write_zarr2 if version == "0.4" else write_zarr3
    for image in ("0", "1"):
        write(tmp_path / "v" / image / "0", LABELS)
        ome_group(tmp_path / "v" / image, {"0": PLACE}, version=version)
    layout = {"bioformats2raw.layout": 3}
    if version == "0.4":
        json_file(tmp_path / "v/.zgroup", {"zarr_format": 2})
        json_file(tmp_path / "v/.zattrs", layout)
    else:
        group = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": layout}}
        json_file(tmp_path / "v/zarr.json", group)
    with pytest.raises(UserError, match="^config key input_path: [^\n]*/v [^\n]* 0, 1; give one"):
        read_source(str(tmp_path / "v"))
    assert placements(str(tmp_path / "v/0")) == [WHOLE]


# -- documents of arrays ----------------------------------------------------------------------

BLOSC = {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0}
# Entries of `.zarray`, and what it does with the bytes of a chunk.
DOCUMENTS = {
    "fill_value in quotes": ({"fill_value": "0"}, bytes),
    "fill_value null": ({"fill_value": None}, bytes),
    "zlib of Java": ({"compressor": {"id": "zlib", "level": -1}}, zlib.compress),
    "gzip of Java": ({"compressor": {"id": "gzip", "level": -1}}, gzip.compress),
    "bz2": ({"compressor": {"id": "bz2", "level": 9}}, bz2.compress),
    "no filters": ({"filters": []}, bytes),
    "entries are left out": ({"filters": ABSENT, "order": "C"}, bytes),
    "an entry of a program": ({"_nczarr_array": {"storage": "chunked"}}, bytes),
    "blosc with a type size": ({"compressor": BLOSC | {"typesize": 4}}, Blosc("lz4").encode),
    "blosc of Java": ({"compressor": BLOSC | {"nthreads": 1}}, Blosc("lz4").encode),
    "zstd with a checksum": (
        {"compressor": {"id": "zstd", "level": 3, "checksum": True}},
        Zstd(3, True).encode,
    ),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_of_zarr(name, tmp_path):
    changes, encode = DOCUMENTS[name]
    path = zarr2(tmp_path / "v", encode=lambda raw: bytes(encode(raw)), **changes)
    assert placements(path) == [WHOLE]
    np.testing.assert_array_equal(voxels(path, tmp_path / "out"), LABELS)


SHORT = {
    "names alone": {"chunk_key_encoding": "default", "codecs": ["bytes"]},
    "objects": {"data_type": {"name": "uint8"}, "codecs": [{"name": "bytes"}]},
    "an extension that may be ignored": {"tool": {"name": "x", "must_understand": False}},
    "an entry of a program": {"tool": "x"},
    "no storage transformers": {"storage_transformers": []},
    "null": dict.fromkeys(("dimension_names", "attributes", "storage_transformers", "fill_value")),
}


@pytest.mark.parametrize("name", SHORT)
def test_documents_of_zarr_3(name, tmp_path):
    """Names may stand for objects. Links in the group of built levels would mislead others."""
    labels = LABELS.astype(np.uint8)
    path = write_zarr3(tmp_path / "v", labels, **SHORT[name])
    np.testing.assert_array_equal(voxels(path, tmp_path / "out", voxel_size_nm=[20, 8, 8]), labels)
    (level,) = read_source(path, (20, 8, 8))
    assert level.stored.is_plain is (name not in ("names alone", "objects"))


def test_a_broken_document_is_named(tmp_path):
    path = zarr2(tmp_path / "v")
    (tmp_path / "v/s0/.zattrs").write_text("{")
    with pytest.raises(UserError, match=REFUSED) as error:
        read_source(path)
    assert f"{path}/s0/.zattrs is not JSON: " in str(error.value)


def test_bytes_and_chunks_in_another_order(tmp_path):
    turned = np.ascontiguousarray(LABELS.astype(">u4"))
    path = zarr2(tmp_path / "v", array=turned)
    np.testing.assert_array_equal(voxels(path, tmp_path / "out"), LABELS)
    # a chunk of 4 x 4 x 4 voxels, with the first axis fastest
    small = LABELS[:4, :4, :4]
    write_zarr2(tmp_path / "f/s0", np.ascontiguousarray(small.T), order="F")
    path = ome_group(tmp_path / "f", {"s0": PLACE})
    np.testing.assert_array_equal(voxels(path, tmp_path / "out2"), small)


# -- files that lie elsewhere -----------------------------------------------------------------


@pytest.mark.parametrize(("stored", "said"), [("/", ABSENT), ("/", "."), (".", "/"), ("/", None)])
def test_chunks_are_found_where_they_lie(stored, said, tmp_path):
    path = zarr2(tmp_path / "v", separator=stored, dimension_separator=said)
    np.testing.assert_array_equal(voxels(path, tmp_path / "out"), LABELS)


def test_chunks_of_zarr_2_of_both_kinds(tmp_path):
    """Two programs wrote one array: half of it would be background."""
    path = zarr2(tmp_path / "v")
    moved(tmp_path / "v/s0", "1.1.1", "1/1/1")
    with pytest.raises(UserError, match="^config key input_path: [^\n]*1/1/1[^\n]*one kind"):
        read_source(path)


@pytest.mark.parametrize("changes", [{"chunk_sizes": [[6] * 3]}, {"voxel_offset": [1, 2, 3]}])
def test_chunks_of_another_grid_are_refused(changes, tmp_path):
    """The names of precomputed chunks say which voxels they hold."""
    path = write_precomputed(tmp_path / "v", LABELS[:8, :8, :8])
    assert read_source(path)
    info = json.loads((tmp_path / "v/info").read_text())
    info["scales"][0] |= changes
    json_file(tmp_path / "v/info", info)
    with pytest.raises(UserError, match="^config key input_path: [^\n]*background[^\n]*$"):
        read_source(path)


@pytest.mark.parametrize("size", [[14, 12, 9], [13, 12, 10], [15, 12, 10]])
def test_one_chunk_of_another_size_of_the_volume_is_refused(size, tmp_path):
    """The last chunks end where the volume ended when they were written: they would be lost."""
    path = write_precomputed(tmp_path / "v", LABELS)
    info = json.loads((tmp_path / "v/info").read_text())
    info["scales"][0]["size"] = size
    json_file(tmp_path / "v/info", info)
    match = "^config key input_path: [^\n]* holds the chunk [0-9_-]*, which [^\n]* remove the file$"
    with pytest.raises(UserError, match=match):
        read_source(path)


def test_chunks_of_several_sizes(tmp_path):
    """The first size counts; Neuroglancer chooses among all."""
    path = write_precomputed(tmp_path / "v", LABELS)
    write_precomputed(tmp_path / "w", LABELS, chunk=4)
    for file in (tmp_path / "w/8_8_8").iterdir():
        file.rename(tmp_path / "v/8_8_8" / file.name)
    info = json.loads((tmp_path / "v/info").read_text())
    info["scales"][0]["chunk_sizes"] = [[8] * 3, [4] * 3]
    json_file(tmp_path / "v/info", info)
    np.testing.assert_array_equal(voxels(path, tmp_path / "out"), LABELS)


ONE = LABELS[:8, :8, :8]
# What writes a volume, and where its first chunk lies.
WRITERS = {
    "zarr2": (write_zarr2, "0.0.0"),
    "zarr3": (write_zarr3, "c/0/0/0"),
    "n5": (partial(write_n5, resolution=[8] * 3), "0/0/0"),
    "precomputed": (write_precomputed, "8_8_8/0-8_0-8_0-8"),
}
ELSEWHERE = [
    *[("zarr2", name) for name in ("chunk_0_0_0.bin", "0.0", "0/0", "c/0/0/0")],
    *[("zarr3", name) for name in ("0.0.0", "0/0/0", "c.0.0.0", "c/0_0_0")],
    *[("n5", name) for name in ("0.0.0", "0-8_0-8_0-8")],
    *[("precomputed", f"8_8_8/{name}") for name in ("0_0_0", "0/0/0", "0.shard")],
]


def moved(path, chunk, name):
    (path / name).parent.mkdir(parents=True, exist_ok=True)
    (path / chunk).rename(path / name)


@pytest.mark.parametrize(("writer", "name"), ELSEWHERE)
def test_files_that_nothing_explains_are_refused(writer, name, tmp_path):
    write, chunk = WRITERS[writer]
    path = write(tmp_path / "v", ONE)
    assert read_source(path, (8, 8, 8))
    moved(tmp_path / "v", chunk, name)
    with pytest.raises(UserError, match="^config key input_path: [^\n]*background[^\n]*$"):
        read_source(path, (8, 8, 8))


@pytest.mark.parametrize("writer", WRITERS)
def test_a_volume_without_any_file_is_empty(writer, tmp_path):
    write, chunk = WRITERS[writer]
    path = write(tmp_path / "v", ONE)
    moved(tmp_path / "v", chunk, "../gone")
    assert not voxels(path, tmp_path / "out", voxel_size_nm=[8, 8, 8]).any()


@pytest.mark.parametrize("array", [ONE, LABELS], ids=["all chunks", "one chunk"])
@pytest.mark.parametrize(
    ("writer", "link"), [*((w, chunk) for w, (_, chunk) in WRITERS.items()), ("n5", "0")]
)
def test_links_to_missing_files(writer, link, array, tmp_path):
    """git-annex keeps files that are not fetched as such links: they are not background."""
    path = WRITERS[writer][0](tmp_path / "v", array)
    moved(tmp_path / "v", link, "../fetched")
    (tmp_path / "v" / link).symlink_to(tmp_path / "fetched")
    found = voxels(path, tmp_path / "out", voxel_size_nm=[8, 8, 8])
    np.testing.assert_array_equal(found, array)
    (tmp_path / "fetched").rename(tmp_path / "gone")
    match = f"^config key input_path: {path}/{link} is a link to a missing file[^\n]*$"
    with pytest.raises(UserError, match=match):
        (level,) = read_source(path, (8, 8, 8))
        stamps(level.files, ((0, 0, 0), level.files.grid))


SUFFIXES = {".gz": gzip.compress, ".br": brotli.compress}


@pytest.mark.parametrize("kept", [0, 3])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_compressed_files_of_precomputed_are_read(suffix, kept, tmp_path):
    """kept: number of chunks that are not compressed, as another program has rewritten them."""
    path = write_precomputed(tmp_path / "v", LABELS, suffix=suffix, voxel_offset=[3, -2, 8])
    for number, file in enumerate(sorted((tmp_path / "v/8_8_8").iterdir())):
        if number < kept:
            file.rename(file.with_suffix(""))
        else:
            file.write_bytes(SUFFIXES[suffix](file.read_bytes()))
    assert placements(path) == [((8, 8, 8), (68, -12, 28))]
    np.testing.assert_array_equal(voxels(path, tmp_path / "out"), LABELS)


# -- what cannot be read ----------------------------------------------------------------------


def refused(path, *words):
    """The volume is refused in one line of our own that has these words and a way out."""
    with pytest.raises(UserError, match=REFUSED) as error:
        read_source(path)
    message = str(error.value)
    assert len(message) < 350 + len(path)
    assert [word for word in (*words, "convert") if word not in message] == []


@pytest.mark.parametrize("encoding", ["crackle", "compresso", "fpzip", "kempressed", "zfpc"])
def test_encodings_of_precomputed(encoding, tmp_path):
    json_file(tmp_path / "v/info", precomputed_info((64, 64, 64), 64, "uint32", encoding=encoding))
    (tmp_path / "v/8_8_8").mkdir()
    refused(str(tmp_path / "v"), encoding)
    refused(f"{tmp_path}/v/8_8_8", encoding)


@pytest.mark.parametrize("grid", ["rectilinear", "variable"])
def test_grids_of_chunks_of_different_sizes(grid, tmp_path):
    shapes = {"kind": "inline", "chunk_shapes": [[4, 4], [6, 6], [7, 7]]}
    changes = {"chunk_grid": {"name": grid, "configuration": shapes}}
    write_zarr3(tmp_path / "v/s0", LABELS, **changes)
    refused(ome_group(tmp_path / "v", {"s0": PLACE}, version="0.5"), grid)


@pytest.mark.parametrize("codec", ["lz4", "lzma", "imagecodecs_jpegxl"])
def test_compressors_of_zarr_2(codec, tmp_path):
    changes = {"compressor": {"id": codec}}
    refused(zarr2(tmp_path / "v", encode=lambda raw: bytes(LZ4().encode(raw)), **changes), codec)


@pytest.mark.parametrize("codec", ["numcodecs.lz4", "numcodecs.pcodec", "imagecodecs_lzw"])
def test_codecs_of_zarr_3(codec, tmp_path):
    codecs = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": codec}]
    write_zarr3(tmp_path / "v/s0", LABELS, codecs=codecs)
    refused(ome_group(tmp_path / "v", {"s0": PLACE}, version="0.5"), codec)


@pytest.mark.parametrize("codec", ["delta", "shuffle", "vlen-utf8"])
def test_filters_of_zarr_2(codec, tmp_path):
    path = zarr2(tmp_path / "v", filters=[{"id": codec, "dtype": "<u4"}])
    refused(path, f"'{codec}'")


@pytest.mark.parametrize(
    "changes",
    [{"tool": {"name": "x"}}, {"storage_transformers": [{"name": "tool"}]}],
    ids=["an entry", "a storage transformer"],
)
def test_extensions_of_zarr_3(changes, tmp_path):
    path = write_zarr3(tmp_path / "v/s0", LABELS, **changes)
    ome_group(tmp_path / "v", {"s0": PLACE}, version="0.5")
    refused(path, "'tool'")


@pytest.mark.parametrize("key", ["./8_8_8", "8_8_8/", "/8_8_8"])
def test_keys_of_scales_that_are_not_read(key, tmp_path):
    json_file(tmp_path / "v/info", precomputed_info((8, 8, 8), 8, "uint64", key=key))
    with pytest.raises(UserError, match=f"{REFUSED[:-1]}'{key}'[^\n]*`info`$"):
        read_source(str(tmp_path / "v"))


def test_a_graph_of_supervoxels(tmp_path):
    """It has the `info` of its supervoxels, whose chunks are elsewhere."""
    info = precomputed_info((8, 8, 8), 8, "uint64")
    graph = {"data_dir": "gs://bucket/supervoxels", "graph": {"chunk_size": [256] * 3}}
    json_file(tmp_path / "v/info", info | graph)
    with pytest.raises(UserError, match=f"{REFUSED[:-1]}; give gs://bucket/supervoxels "):
        read_source(str(tmp_path / "v"))


@pytest.mark.parametrize("dtype", ["<c8", "<M8[s]", "|S4"])
def test_what_is_no_label(dtype, tmp_path):
    array = np.zeros((8, 8, 8), dtype)
    path = zarr2(tmp_path / "v", array=array, fill_value=None)
    with pytest.raises(UserError, match=REFUSED):
        read_source(path)
