"""N5 as Fiji, n5-viewer, Paintera, COSEM and Java programs write it."""

import bz2
import gzip
import json
import lzma
import zlib

import numpy as np
import pytest
from numcodecs import Blosc, Zstd

from by_hand import ABSENT, json_file, write_n5, write_zarr2, write_zarr3
from snakemesh.errors import UserError
from source_reading import placements, read_source, voxels

LABELS = np.arange(1, 10 * 12 * 14 + 1, dtype=np.uint32).reshape(10, 12, 14)
S1 = LABELS[:, ::2, ::2].copy()
# x y z, as N5 lists axes: a corner at 1000 2000 3000 nm, z y x
RESOLUTION, OFFSET = [8, 8, 20], [3000, 2000, 1000]
FINE = ((20, 8, 8), (1010, 2004, 3004))
COARSE = ((20, 16, 16), (1010, 2008, 3008))
FINE_AT_0, COARSE_AT_0 = ((20, 8, 8), (10, 4, 4)), ((20, 16, 16), (10, 8, 8))


def write(path, group, fine=None, coarse=None):
    """A group of two levels. group, fine, coarse: attributes of each."""
    json_file(path / "attributes.json", group)
    write_n5(path / "s0", LABELS, **(fine or {}))
    write_n5(path / "s1", S1, **(coarse or {}))
    return str(path)


HALVED = {"downsamplingFactors": [2, 2, 1]}
FACTORS = [[1, 1, 1], [2, 2, 1]]
NM = {"unit": "nm", "dimensions": RESOLUTION}
UM = {"unit": "um", "dimensions": [0.008, 0.008, 0.02]}
# Attributes of the group, of s0 and of s1, and whether they give a position.
INHERITED = {
    "Paintera": (
        {"multiScale": True, "resolution": RESOLUTION, "offset": OFFSET},
        {},
        HALVED,
        True,
    ),
    "Paintera, no offset": ({"resolution": RESOLUTION}, {}, HALVED, False),
    "factors at 1, too": (
        {"resolution": RESOLUTION},
        {"downsamplingFactors": [1] * 3},
        HALVED,
        False,
    ),
    "n5-viewer": ({"scales": FACTORS, "pixelResolution": NM}, {}, {}, False),
    "n5-viewer, in um": ({"scales": FACTORS, "pixelResolution": UM}, {}, {}, False),
    "BigDataViewer": ({"downsamplingFactors": FACTORS, "resolution": RESOLUTION}, {}, {}, False),
    "of the array alone": ({}, {"resolution": RESOLUTION}, {"resolution": [16, 16, 20]}, False),
    "of the array first": (
        {"resolution": [1, 1, 1], "offset": OFFSET},
        {"resolution": RESOLUTION},
        {"resolution": RESOLUTION, **HALVED},
        True,
    ),
    "units of each axis": ({"resolution": RESOLUTION, "units": ["nm"] * 3}, {}, HALVED, False),
    "one unit": ({"resolution": [0.008, 0.008, 0.02], "units": "um"}, {}, HALVED, False),
    "pixelResolution as a list": ({"pixelResolution": RESOLUTION}, {}, HALVED, False),
}


@pytest.mark.parametrize("name", INHERITED)
def test_arrays_inherit_what_their_group_says(name, tmp_path):
    group, fine, coarse, has_offset = INHERITED[name]
    path = write(tmp_path / "v", group, fine, coarse)
    right = [FINE, COARSE] if has_offset else [FINE_AT_0, COARSE_AT_0]
    found = placements(path)
    for (size, centre), (right_size, right_centre) in zip(found, right, strict=True):
        assert size == pytest.approx(right_size, rel=1e-12)
        assert centre == pytest.approx(right_centre, rel=1e-12)
    assert placements(f"{path}/s0") + placements(f"{path}/s1") == found


@pytest.mark.parametrize("listed", [["x", "y", "z"], ["X", "Y", "Z"], None])
def test_axes_from_the_fastest(listed, tmp_path):
    """N5 lists the axis first along which voxels follow one another on disk."""
    attributes = {"resolution": RESOLUTION, "offset": OFFSET} | ({"axes": listed} if listed else {})
    path = write(tmp_path / "v", attributes, {}, HALVED)
    assert placements(path) == [FINE, COARSE]
    np.testing.assert_array_equal(voxels(path, tmp_path / "out"), LABELS)


@pytest.mark.parametrize("where", ["group", "array"])
@pytest.mark.parametrize("order", ["zyx", "yxz", "zxy"])
def test_axes_in_another_order_are_transposed(order, where, tmp_path):
    """All lists of N5 are in the order of `axes`, and so are the voxels."""
    sizes, begins = dict(zip("zyx", FINE[0], strict=True)), dict(zip("xyz", OFFSET, strict=True))
    attributes = {
        "axes": list(order),
        "resolution": [sizes[axis] for axis in order],
        "offset": [begins[axis] for axis in order],
    }
    turned = LABELS.transpose(["zyx".index(axis) for axis in order[::-1]])
    group, own = (attributes, {}) if where == "group" else ({}, attributes)
    json_file(tmp_path / "v/attributes.json", group)
    write_n5(tmp_path / "v/s0", np.ascontiguousarray(turned), **own)
    assert placements(str(tmp_path / "v")) == [FINE]
    np.testing.assert_array_equal(voxels(str(tmp_path / "v"), tmp_path / "out"), LABELS)


def cosem(size, centre):
    """A transform as COSEM writes it: slowest axis first, centre of voxel 0."""
    return {"axes": ["z", "y", "x"], "scale": size, "translate": centre, "units": ["nm"] * 3}


@pytest.mark.parametrize("where", ["array", "group", "both"])
def test_cosem(where, tmp_path):
    levels = {"s0": cosem(*FINE), "s1": cosem(*COARSE)}
    datasets = [{"path": name, "transform": found} for name, found in levels.items()]
    group = {} if where == "array" else {"multiscales": [{"name": "", "datasets": datasets}]}
    own = [{} if where == "group" else {"transform": found} for found in levels.values()]
    own = [attributes | {"pixelResolution": NM} for attributes in own]
    path = write(tmp_path / "v", group, *own)
    assert placements(path) == [FINE, COARSE]
    np.testing.assert_array_equal(voxels(path, tmp_path / "out"), LABELS)


@pytest.mark.parametrize("key", ["order", "ordering"])
@pytest.mark.parametrize("writer", [write_n5, write_zarr2, write_zarr3])
def test_cosem_with_the_fastest_axis_first(writer, key, tmp_path):
    """Older programs call the order of the axes `ordering`, cellmap-schemas calls it `order`."""
    size, centre = FINE
    found = cosem(size[::-1], centre[::-1]) | {"axes": ["x", "y", "z"], key: "F"}
    given = {"transform": found}
    path = writer(tmp_path / "v", LABELS, **(given if writer is write_n5 else {}))
    if writer is write_zarr2:
        json_file(tmp_path / "v/.zattrs", given)
    if writer is write_zarr3:
        writer(tmp_path / "v", LABELS, attributes=given)
    assert placements(path) == [FINE]
    np.testing.assert_array_equal(voxels(path, tmp_path / "out"), LABELS)


def test_nothing_about_the_size_asks_for_it(tmp_path):
    path = write(tmp_path / "v", {"multiScale": True}, {}, HALVED)
    with pytest.raises(UserError, match="^config key voxel_size_nm: [^\n]*$"):
        read_source(path)
    assert placements(path, voxel_size_nm=(20, 8, 8)) == [FINE_AT_0]


@pytest.mark.parametrize(
    "attributes",
    [
        {"resolution": [8, 8]},
        {"pixelResolution": {"unit": "nm", "dimensions": [8, 8]}},
        {"resolution": RESOLUTION, "offset": [3000, 2000]},
        {"resolution": RESOLUTION, "downsamplingFactors": [2, 2]},
        {"transform": {"axes": ["z", "y", "x"], "scale": [8, 8], "translate": [4, 4]}},
    ],
)
def test_numbers_of_some_axes(attributes, tmp_path):
    """Nothing takes the place of a number that is missing."""
    path = write_n5(tmp_path / "v", LABELS, **attributes)
    with pytest.raises(UserError, match="^config key voxel_size_nm: [^\n]*axes z y x[^\n]*$"):
        read_source(path)
    assert placements(path, voxel_size_nm=(20, 8, 8)) == [FINE_AT_0]


def test_numbers_of_other_axes(tmp_path):
    """Three numbers are those of the last three axes, which are z y x only in this order."""
    path = write_n5(tmp_path / "v", LABELS[None], axes=["x", "y", "z", "c"], resolution=RESOLUTION)
    assert placements(path) == [FINE_AT_0]
    path = write_n5(
        tmp_path / "w", LABELS[..., None], axes=["c", "x", "y", "z"], resolution=RESOLUTION
    )
    with pytest.raises(UserError, match="^config key voxel_size_nm: [^\n]*axes z y x c[^\n]*$"):
        read_source(path)
    found = voxels(path, tmp_path / "out", voxel_size_nm=[20, 8, 8])
    np.testing.assert_array_equal(found, LABELS)


@pytest.mark.parametrize("unit", ["pixel", "second", "a.u."])
def test_a_unit_that_is_no_length_asks_for_the_size(unit, tmp_path):
    path = write(tmp_path / "v", {"pixelResolution": NM | {"unit": unit}}, {}, HALVED)
    with pytest.raises(UserError, match=f"^config key voxel_size_nm: [^\n]*{unit}[^\n]*$"):
        read_source(path)


# -- documents as Java writes them ------------------------------------------------------------

# How Java describes what it compresses with, and the same in Python.
JAVA = {
    "raw, once": ({"compressionType": "raw"}, bytes),
    "gzip, once": ({"compressionType": "gzip"}, gzip.compress),
    "gzip": ({"compression": {"type": "gzip", "level": -1, "useZlib": False}}, gzip.compress),
    "zlib": ({"compression": {"type": "gzip", "level": -1, "useZlib": True}}, zlib.compress),
    "bzip2": ({"compression": {"type": "bzip2", "blockSize": 9}}, bz2.compress),
    "xz": ({"compression": {"type": "xz", "preset": 6}}, lzma.compress),
    "zstd": ({"compression": {"type": "zstd", "level": 3, "nbWorkers": 0}}, Zstd(3).encode),
    "blosc": (
        {
            "compression": {
                **{"type": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1},
                **{"blocksize": 0, "typesize": 4, "nthreads": 1},
            }
        },
        Blosc("lz4", 5, 1).encode,
    ),
}


@pytest.mark.parametrize("name", JAVA)
def test_blocks_of_java(name, tmp_path):
    """A level of -1 means zlib's own; programs add entries and attributes of their own."""
    described, encode = JAVA[name]
    others = {"compression": ABSENT, "maxId": 44, "painteraData": {"type": "label"}, "n5": "2.5.1"}
    path = write(
        tmp_path / "v", {"resolution": RESOLUTION, "n5": "4.0.0"}, others | described, HALVED
    )
    for file in (p for p in (tmp_path / "v/s0").rglob("*") if p.name.isdigit() and p.is_file()):
        header, body = file.read_bytes()[:16], file.read_bytes()[16:]
        file.write_bytes(header + bytes(encode(body)))
    assert placements(path) == [FINE_AT_0, COARSE_AT_0]
    np.testing.assert_array_equal(voxels(path, tmp_path / "out"), LABELS)


@pytest.mark.parametrize("is_padded", [False, True])
def test_blocks_of_another_size(is_padded, tmp_path):
    """The header of a block says how large it is; zarr-python writes whole ones at the end."""
    array = np.pad(LABELS, ((0, 6), (0, 4), (0, 2))) if is_padded else LABELS
    path = write_n5(tmp_path / "v", array, resolution=RESOLUTION, dimensions=[14, 12, 10])
    np.testing.assert_array_equal(voxels(path, tmp_path / "out"), LABELS)
    document = tmp_path / "v/attributes.json"
    json_file(document, json.loads(document.read_text()) | {"blockSize": [16, 16, 16]})
    with pytest.raises(UserError, match="^config key input_path: [^\n]*background[^\n]*$"):
        read_source(path)
    for file in (tmp_path / "v").rglob("[0-9]"):
        if file.is_file():
            file.write_bytes(b"\0\0")
    assert read_source(path)  # who reads it says that it is broken


# -- what cannot be read ----------------------------------------------------------------------

UNREAD = {
    "lz4": {"compression": {"type": "lz4", "blockSize": 65536}},
    "label multisets": {"isLabelMultiset": True, "dataType": "uint8"},
    "jpeg": {"compression": {"type": "jpeg"}},
}


@pytest.mark.parametrize("where", ["", "/s0"])
@pytest.mark.parametrize("name", UNREAD)
def test_what_is_not_read_is_refused_with_a_way_out(name, where, tmp_path):
    path = write(tmp_path / "v", {"resolution": RESOLUTION}, UNREAD[name], HALVED) + where
    with pytest.raises(UserError, match=f"^config key input_path: [^\n]*{name}[^\n]*$") as error:
        read_source(path)
    assert len(str(error.value)) < 300 + len(path)
    assert "convert" in str(error.value) or "export" in str(error.value)


def test_a_group_says_that_its_arrays_hold_multisets(tmp_path):
    group = {"resolution": RESOLUTION, "isLabelMultiset": True}
    path = write(tmp_path / "v", group, {"dataType": "uint8"}, HALVED)
    with pytest.raises(UserError, match="^config key input_path: [^\n]*label multisets[^\n]*$"):
        read_source(path)
