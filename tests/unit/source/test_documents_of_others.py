"""zarr and precomputed as others store them: their documents, names of levels, files and types."""

import bz2
import gzip
import json
import zlib

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
    write_zarr2(path / str(name), LABELS)
    json_file(path / ".zgroup", {"zarr_format": 2})
    entry = {"path": name, "coordinateTransformations": PLACE}
    axes = [{"name": axis, "type": "space", "unit": "nanometer"} for axis in "zyx"]
    json_file(path / ".zattrs", {"multiscales": [{"axes": axes, "datasets": [entry]}]})
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


ONE = LABELS[:8, :8, :8]
# What writes a volume of one chunk, and where that lies.
WRITERS = {
    "zarr2": (lambda p: write_zarr2(p, ONE), "0.0.0"),
    "zarr3": (lambda p: write_zarr3(p, ONE), "c/0/0/0"),
    "n5": (lambda p: write_n5(p, ONE, resolution=[8] * 3), "0/0/0"),
    "precomputed": (lambda p: write_precomputed(p, ONE), "8_8_8/0-8_0-8_0-8"),
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
    path = write(tmp_path / "v")
    assert read_source(path, (8, 8, 8))
    moved(tmp_path / "v", chunk, name)
    with pytest.raises(UserError, match="^config key input_path: [^\n]*background[^\n]*$"):
        read_source(path, (8, 8, 8))


@pytest.mark.parametrize("writer", WRITERS)
def test_a_volume_without_any_file_is_empty(writer, tmp_path):
    write, chunk = WRITERS[writer]
    path = write(tmp_path / "v")
    moved(tmp_path / "v", chunk, "../gone")
    assert not voxels(path, tmp_path / "out", voxel_size_nm=[8, 8, 8]).any()


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


@pytest.mark.parametrize("dtype", ["<c8", "<M8[s]", "|S4"])
def test_what_is_no_label(dtype, tmp_path):
    array = np.zeros((8, 8, 8), dtype)
    path = zarr2(tmp_path / "v", array=array, fill_value=None)
    with pytest.raises(UserError, match=REFUSED):
        read_source(path)
