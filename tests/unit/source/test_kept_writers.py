"""Volumes that programs of others write: where these say that voxels are is where we mesh them.

What a program says is asked of its own reader, not of the metadata that it wrote.
"""

from pathlib import Path

import ngff_zarr
import numpy as np
import ome_zarr.writer
import pytest
import tensorstore as ts
import zarr
from cloudvolume import CloudVolume
from ome_zarr.format import FormatV04, FormatV05
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader

from snakemesh.errors import UserError
from source_reading import placements, read_source, voxels

LABELS = np.random.default_rng(1).integers(0, 9, (16, 24, 32)).astype(np.uint32)
SIZES = {"z": 20.0, "y": 8.0, "x": 8.0}
CENTRES = {"z": 110.0, "y": 104.0, "x": 204.0}
NM = dict.fromkeys("zyx", "nanometer")


def nearly(found, right):
    """Whether placements are the same but for rounding."""
    return np.allclose(found, right, rtol=1e-12, atol=1e-9)


# -- ome-zarr-py ------------------------------------------------------------------------------


def said_by_ome_zarr(path):
    """Voxel sizes and centres of all levels as ome-zarr-py reads them."""
    (node,) = (n for n in Reader(parse_url(path))() if "coordinateTransformations" in n.metadata)
    levels = node.metadata["coordinateTransformations"]
    return [(level[0]["scale"], level[1]["translation"]) for level in levels]


@pytest.mark.parametrize("fmt", [FormatV04(), FormatV05()])
def test_labels_of_ome_zarr(fmt, tmp_path):
    """Of the levels that it writes by default, the last have odd factors."""
    group = zarr.open_group(tmp_path / "v", mode="w", zarr_format=fmt.zarr_format)
    place = {"axes": "zyx", "scale": SIZES, "axes_units": NM, "fmt": fmt}
    ome_zarr.writer.write_image(LABELS.astype("u1"), group, **place)
    ome_zarr.writer.write_labels(LABELS, group, name="cells", **place)
    with pytest.raises(UserError, match="labels are in labels/cells; give"):
        read_source(str(tmp_path / "v"))
    path = str(tmp_path / "v/labels/cells")
    right = said_by_ome_zarr(path)
    assert len(right) == 5
    assert nearly(placements(path), right)
    np.testing.assert_array_equal(voxels(path, tmp_path / "out"), LABELS)


@pytest.mark.parametrize("fmt", [FormatV04(), FormatV05()])
def test_ome_zarr_says_no_unit_and_no_size_unless_it_is_asked(fmt, tmp_path):
    """Sizes of 1 without a unit: taken for nanometres, which the plan says."""
    group = zarr.open_group(tmp_path / "v", mode="w", zarr_format=fmt.zarr_format)
    ome_zarr.writer.write_labels(LABELS, group, name="a", axes="zyx", fmt=fmt)
    levels = read_source(str(tmp_path / "v/labels/a"))
    assert levels[0].voxel_size == (1, 1, 1) and not levels[0].has_unit
    assert placements(str(tmp_path / "v/labels/a"), voxel_size_nm=(20, 8, 8)) == [
        ((20, 8, 8), (10, 4, 4))
    ]


@pytest.mark.parametrize("axes", ["tczyx", "czyx"])
def test_ome_zarr_with_more_axes(axes, tmp_path):
    group = zarr.open_group(tmp_path / "v", mode="w", zarr_format=2)
    whole = np.stack([LABELS + 1, LABELS])[None][(0,) * (5 - len(axes))]
    sizes = {"t": 1.0, "c": 1.0} | SIZES
    ome_zarr.writer.write_labels(
        whole,
        group,
        name="a",
        axes=axes,
        scale={axis: sizes[axis] for axis in axes},
        axes_units=NM,
        fmt=FormatV04(),
    )
    path = str(tmp_path / "v/labels/a")
    right = [(s[-3:], t[-3:]) for s, t in said_by_ome_zarr(path)]
    assert nearly(placements(path, index={"c": 1}), right)
    np.testing.assert_array_equal(voxels(path, tmp_path / "out", index={"c": 1}), LABELS)


# -- ngff-zarr --------------------------------------------------------------------------------


def by_axes(found, names="zyx"):
    return [found[axis] for axis in names]


@pytest.mark.parametrize("version", ["0.4", "0.5", "0.6"])
@pytest.mark.parametrize("dims", ["zyx", "xyz", "tzyx", "zyxc"])
def test_ngff_zarr(version, dims, tmp_path):
    """Levels lie in folders of their own, scale0/image."""
    turned = LABELS.transpose(["zyx".index(axis) for axis in dims if axis in "zyx"])
    shape = [LABELS.shape["zyx".index(axis)] if axis in "zyx" else 1 for axis in dims]
    spare = dict.fromkeys(set(dims) - set("zyx"), 1.0)
    image = ngff_zarr.to_ngff_image(
        np.ascontiguousarray(turned).reshape(shape),
        dims=list(dims),
        scale=SIZES | spare,
        translation=CENTRES | dict.fromkeys(spare, 0.0),
        axes_units=NM,
    )
    method = ngff_zarr.Methods.DASK_BIN_SHRINK
    pyramid = ngff_zarr.to_multiscales(image, scale_factors=[2], method=method, chunks=8)
    path = str(tmp_path / "v")
    ngff_zarr.to_ngff_zarr(path, pyramid, version=version)
    images = ngff_zarr.from_ngff_zarr(path).images
    right = [(by_axes(found.scale), by_axes(found.translation)) for found in images]
    assert len(right) == 2 and right[0] == (by_axes(SIZES), by_axes(CENTRES))
    assert nearly(placements(path), right)
    np.testing.assert_array_equal(voxels(path, tmp_path / "out"), LABELS)


# -- cloud-volume -----------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["raw", "compressed_segmentation"])
@pytest.mark.parametrize("compress", [None, "gzip", "br", False])
def test_cloud_volume(compress, encoding, tmp_path):
    """None is what cloud-volume and igneous do unless they are told otherwise: .gz."""
    info = CloudVolume.create_new_info(
        *(1, "segmentation", "uint32", encoding, (8, 8, 20), (25, 12, 5), LABELS.shape[::-1]),
        chunk_size=(8, 8, 8),
    )
    url = f"file://{tmp_path}/v"
    CloudVolume(url, info=info).commit_info()
    for mip in (0, 1):
        volume = CloudVolume(url, mip=mip, compress=compress, progress=False)
        step = 2**mip
        volume[:, :, :] = LABELS.T[::step, ::step, :, None]
        if mip == 0:
            volume.add_scale((2, 2, 1))
            volume.commit_info()
    names = {Path(file).suffix for file in (tmp_path / "v/8_8_20").iterdir()}
    assert names == {{None: ".gz", "gzip": ".gz", "br": ".br", False: ""}[compress]}
    right = []
    for mip in (0, 1):
        volume = CloudVolume(url, mip=mip)
        size = np.array(volume.resolution, float)[::-1]
        right.append((size, (np.array(volume.bounds.minpt)[::-1] + 0.5) * size))
    assert nearly(placements(str(tmp_path / "v")), right)
    np.testing.assert_array_equal(voxels(str(tmp_path / "v"), tmp_path / "out"), LABELS)


# -- tensorstore ------------------------------------------------------------------------------


@pytest.mark.parametrize("driver", ["n5", "zarr3", "neuroglancer_precomputed"])
def test_tensorstore(driver, tmp_path):
    """It writes the size of a voxel as `dimension_units` into all formats but zarr v2."""
    units = [[20, "nm"], [8, "nm"], [8, "nm"]]
    labels, begin = LABELS, (0, 0, 0)
    if driver == "neuroglancer_precomputed":
        units, labels, begin = [*units[::-1], None], LABELS.T[..., None], (25, 12, 5, 0)
    if driver == "n5":
        units, labels = units[::-1], LABELS.T
    store = ts.open(
        {"driver": driver, "kvstore": {"driver": "file", "path": f"{tmp_path}/v"}},
        create=True,
        dtype=ts.uint32,
        domain=ts.IndexDomain(inclusive_min=begin, shape=labels.shape),
        dimension_units=units,
        chunk_layout=ts.ChunkLayout(chunk_shape=[8] * 3 + [1] * (labels.ndim - 3)),
    ).result()
    store.write(labels).result()
    names = list(range(store.ndim))[:3] if driver == "zarr3" else [2, 1, 0]
    size = [store.dimension_units[d].multiplier for d in names]
    corner = [store.domain[d].inclusive_min * s for d, s in zip(names, size, strict=True)]
    right = [(size, [c + s / 2 for c, s in zip(corner, size, strict=True)])]
    assert size == [20, 8, 8]
    path = str(tmp_path / "v")
    assert nearly(placements(path), right)
    np.testing.assert_array_equal(voxels(path, tmp_path / "out"), LABELS)


# -- zarr-python ------------------------------------------------------------------------------

BLOSC = zarr.codecs.BloscCodec(cname="zstd")
ZARR = {
    "v2": {"zarr_format": 2},
    "v2, order F": {"zarr_format": 2, "order": "F"},
    "v2, in folders": {"zarr_format": 2, "chunk_key_encoding": {"name": "v2", "separator": "/"}},
    "v2, not compressed": {"zarr_format": 2, "compressors": None},
    "v3": {"zarr_format": 3},
    "v3, names of v2": {"chunk_key_encoding": {"name": "v2", "separator": "."}},
    "v3, not in folders": {"chunk_key_encoding": {"name": "default", "separator": "."}},
    "v3, blosc": {"compressors": BLOSC},
    "v3, gzip": {"compressors": zarr.codecs.GzipCodec()},
    "v3, shards": {"shards": (16, 24, 16), "compressors": zarr.codecs.ZstdCodec(checksum=True)},
    "v3, turned": {"filters": zarr.codecs.TransposeCodec(order=(2, 0, 1))},
    "v3, big-endian": {"serializer": zarr.codecs.BytesCodec(endian="big")},
    "v3, names of axes": {"dimension_names": ["z", "y", "x"]},
    "v3, axes x y z": {"dimension_names": ["x", "y", "z"]},
}


@pytest.mark.parametrize("name", ZARR)
def test_zarr(name, tmp_path):
    """An array says where its voxels are only to those who know; the configuration does here."""
    labels = LABELS.T if name.endswith("x y z") else LABELS
    path = str(tmp_path / "v")
    zarr.create_array(path, data=np.ascontiguousarray(labels), chunks=(8, 8, 8), **ZARR[name])
    with pytest.raises(UserError, match="^config key voxel_size_nm: [^\n]*$"):
        read_source(path)
    (level,) = read_source(path, (20, 8, 8))
    assert (level.voxel_size, level.translation) == ((20, 8, 8), (10, 4, 4))
    found = voxels(path, tmp_path / "out", voxel_size_nm=[20, 8, 8])
    np.testing.assert_array_equal(found, LABELS)
