"""Volumes laid out as large tools write them, from their documents and sources, by hand."""

import numpy as np
import pytest
import zarr
from numcodecs import Blosc

from by_hand import json_file, ome_group, scale, space, translation, write_zarr2
from snakemesh.errors import UserError
from source_reading import placements, read_source, voxels

LABELS = np.random.default_rng(1).integers(0, 9, (10, 12, 14)).astype(np.uint32)
SIZE = (20, 8, 8)


# -- WEBKNOSSOS: axes c x y z, the fastest axis first, levels named by their factors ------------


def webknossos_group(path, version):
    datasets = {"1": [scale(1, 8, 8, 20)], "2-2-1": [scale(1, 16, 16, 20)]}
    return ome_group(path, datasets, space("cxyz"), version)


def test_webknossos_zarr_2(tmp_path):
    for name, step in (("1", 1), ("2-2-1", 2)):
        turned = LABELS[:, ::step, ::step].T[None]
        chunks = dict(zarr_format=2, order="F", chunks=(1, 4, 4, 4), compressors=None)
        zarr.create_array(tmp_path / "v" / name, data=np.ascontiguousarray(turned), **chunks)
    check_webknossos(webknossos_group(tmp_path / "v", "0.4"), tmp_path)


def test_webknossos_zarr_3(tmp_path):
    """Shards, in which chunks are turned so that x is the fastest axis on disk."""
    for name, step in (("1", 1), ("2-2-1", 2)):
        turned = np.ascontiguousarray(LABELS[:, ::step, ::step].T[None])
        zarr.create_array(
            tmp_path / "v" / name,
            data=turned,
            chunks=(1, 4, 4, 4),
            shards=(1, 8, 8, 8),
            filters=zarr.codecs.TransposeCodec(order=(3, 2, 1, 0)),
        )
    check_webknossos(webknossos_group(tmp_path / "v", "0.5"), tmp_path)


def check_webknossos(path, tmp_path):
    assert placements(path) == [(SIZE, (0, 0, 0)), ((20, 16, 16), (0, 0, 0))]
    levels = read_source(path)
    assert [level.shape for level in levels] == [(10, 12, 14), (10, 6, 7)]
    assert {level.chunks for level in levels} == {(4, 4, 4)}
    np.testing.assert_array_equal(voxels(path, tmp_path / "out"), LABELS)
    assert placements(f"{path}/1") == placements(path)[:1]


# -- bioformats2raw: t c z y x, blosc, big-endian, chunks in folders, sizes in micrometres ------


def test_bioformats2raw(tmp_path):
    axes = space("tczyx", "micrometer")
    for level in range(2):
        labels = LABELS[None, None, :, :: 2**level, :: 2**level].astype(">u2")
        write_zarr2(
            tmp_path / f"v/0/{level}",
            np.ascontiguousarray(labels),
            separator="/",
            encode=lambda raw: bytes(Blosc("lz4", 5).encode(raw)),
            dimension_separator="/",
            compressor={"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0},
        )
    sizes = {str(k): [scale(1, 1, 0.02, 0.008 * 2**k, 0.008 * 2**k)] for k in range(2)}
    path = ome_group(tmp_path / "v/0", sizes, axes, name="0", type="Bio-Formats", metadata={})
    json_file(tmp_path / "v/.zattrs", {"bioformats2raw.layout": 3})
    json_file(tmp_path / "v/.zgroup", {"zarr_format": 2})
    (size, centre), (coarse, _) = placements(path)
    assert size == pytest.approx(SIZE) and coarse == pytest.approx((20, 16, 16))
    assert centre == (0, 0, 0)
    np.testing.assert_array_equal(voxels(path, tmp_path / "out"), LABELS)
    with pytest.raises(UserError, match="^config key input_path: [^\n]*/v [^\n]* 0; give one"):
        read_source(str(tmp_path / "v"))


# -- spatialdata: systems by name, to which the multiscales' transformations lead ---------------

TO = {"input": {"name": "zyx", "axes": space(unit=None)}}
GLOBAL = {"output": {"name": "global", "axes": space(unit="unit")}}
ALIGNED = {"output": {"name": "aligned", "axes": space(unit="unit")}}
MATRIX = {"type": "affine", "affine": [[2, 0, 0, 10], [0, 2, 0, 4], [0, 0, 2, 4], [0, 0, 0, 1]]}


def spatialdata(path, *common, unit="nanometer"):
    write_zarr2(path / "0", LABELS)
    key = "coordinateTransformations"
    return ome_group(path, {"0": [scale(10, 4, 4)]}, space(unit=unit), **{key: list(common)})


SPATIALDATA = {
    "identity": ([{"type": "identity"} | TO | GLOBAL], ((10, 4, 4), (0, 0, 0))),
    "scale": ([scale(2, 2, 2) | TO | GLOBAL], (SIZE, (0, 0, 0))),
    "sequence": (
        [
            {"type": "sequence", "transformations": [scale(2, 2, 2), translation(10, 4, 4)]}
            | TO
            | GLOBAL
        ],
        (SIZE, (10, 4, 4)),
    ),
    "affine": ([MATRIX | TO | GLOBAL], (SIZE, (10, 4, 4))),
    "the same place in two": (
        [{"type": "identity"} | TO | GLOBAL, {"type": "identity"} | TO | ALIGNED],
        ((10, 4, 4), (0, 0, 0)),
    ),
}


@pytest.mark.parametrize("name", SPATIALDATA)
def test_spatialdata(name, tmp_path):
    common, right = SPATIALDATA[name]
    path = spatialdata(tmp_path / "v", *common)
    assert placements(path) == [right] == placements(f"{path}/0")
    np.testing.assert_array_equal(voxels(path, tmp_path / "out"), LABELS)


def test_spatialdata_in_two_places_is_refused(tmp_path):
    path = spatialdata(tmp_path / "v", {"type": "identity"} | TO | GLOBAL, MATRIX | TO | ALIGNED)
    match = "^config key input_path: [^\n]*aligned[^\n]*global[^\n]*$"
    with pytest.raises(UserError, match=match):
        read_source(path)
    assert placements(path, voxel_size_nm=SIZE) == [(SIZE, (10, 4, 4))]


def test_the_units_of_spatialdata_are_none(tmp_path):
    with pytest.raises(UserError, match="^config key voxel_size_nm: [^\n]*'unit'[^\n]*$"):
        read_source(spatialdata(tmp_path / "v", unit="unit"))


# -- OpenOrganelle: sizes of all levels, of the arrays too, and an empty scale in common --------


@pytest.mark.parametrize("has_group", [True, False])
def test_openorganelle(has_group, tmp_path):
    datasets = {}
    right = [(SIZE, (0, 0, 0)), ((40, 16, 16), (10, 4, 4))]
    for level, (size, centre) in enumerate(right):
        path = tmp_path / f"v/s{level}"
        write_zarr2(path, LABELS[:: 2**level, :: 2**level, :: 2**level].copy())
        found = {"axes": ["z", "y", "x"], "units": ["nm"] * 3, "scale": size, "translate": centre}
        json_file(path / ".zattrs", {"transform": found, "pixelResolution": {"unit": "nm"}})
        datasets[f"s{level}"] = [scale(*size), translation(*centre)]
    path = str(tmp_path / "v")
    if has_group:
        ome_group(tmp_path / "v", datasets, coordinateTransformations=[scale(1, 1, 1)])
    else:
        json_file(tmp_path / "v/.zgroup", {"zarr_format": 2})
    assert placements(path) == right
    np.testing.assert_array_equal(voxels(path, tmp_path / "out"), LABELS)


# -- Fiji: n5-zarr, whose attributes of ImageJ no other program reads ---------------------------


def test_fiji_without_sizes_that_are_known(tmp_path):
    path = write_zarr2(tmp_path / "v", LABELS, fill_value="0", dimension_separator=".")
    size = {"pixelWidth": 8, "pixelHeight": 8, "pixelDepth": 20, "pixelUnit": "nm"}
    json_file(tmp_path / "v/.zattrs", {"name": "v", "imageProperties": {}, **size})
    with pytest.raises(UserError, match="^config key voxel_size_nm: [^\n]*$"):
        read_source(path)
    found = voxels(path, tmp_path / "out", voxel_size_nm=list(SIZE))
    np.testing.assert_array_equal(found, LABELS)


# -- funlib (gunpowder, daisy): a corner in nm, of the array or of its group ---------------------


@pytest.mark.parametrize("where", ["", ".."])
@pytest.mark.parametrize("key", ["resolution", "voxel_size"])
def test_funlib(key, where, tmp_path):
    path = write_zarr2(tmp_path / "v/s0", LABELS)
    json_file(tmp_path / "v/.zgroup", {"zarr_format": 2})
    place = {key: [20, 8, 8], "offset": [1000, 2000, 3000], "units": ["nm"] * 3}
    json_file(tmp_path / "v/s0" / where / ".zattrs", place)
    assert placements(path) == [(SIZE, (1010, 2004, 3004))]


# -- a plate, which holds images of many wells ---------------------------------------------------


def test_a_plate_is_no_volume(tmp_path):
    write_zarr2(tmp_path / "v/A/1/0/0", LABELS)
    for group in ("A", "A/1"):
        json_file(tmp_path / "v" / group / ".zgroup", {"zarr_format": 2})
    ome_group(tmp_path / "v/A/1/0", {"0": [scale(*SIZE)]})
    json_file(tmp_path / "v/.zgroup", {"zarr_format": 2})
    json_file(tmp_path / "v/.zattrs", {"plate": {"wells": [{"path": "A/1"}]}})
    for path, inside in (("v", "A"), ("v/A", "1"), ("v/A/1", "0")):
        match = f"^config key input_path: [^\n]*{path} [^\n]* {inside}; give one[^\n]*$"
        with pytest.raises(UserError, match=match):
            read_source(str(tmp_path / path))
    assert placements(str(tmp_path / "v/A/1/0")) == [(SIZE, (0, 0, 0))]
