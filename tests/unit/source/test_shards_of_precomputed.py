"""Sharded precomputed volumes whose `sharding` does not fit their shards: chunks would be lost.

Formats: sharded.md and volume.md of Neuroglancer's precomputed format.
"""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tensorstore as ts
from cloudvolume import CloudVolume
from cloudvolume.datasource.precomputed.sharding import image_shard_shape_from_spec
from cloudvolume.lib import Bbox

from by_hand import json_file
from formats import Placed, write_array
from object_store import object_store, upload
from snakemesh.errors import UserError
from snakemesh.source.open_array import open_stored
from snakemesh.source.read import read_source
from web_server import Ranged, served

LABELS = np.arange(1, 40 * 56 * 72 + 1, dtype=np.uint64).reshape(40, 56, 72)
SHARDING = {
    **{"@type": "neuroglancer_uint64_sharded_v1", "preshift_bits": 2, "hash": "identity"},
    **{"minishard_bits": 2, "shard_bits": 3},
    **{"data_encoding": "gzip", "minishard_index_encoding": "gzip"},
}
HASHED = {"hash": "murmurhash3_x86_128"}
RAW = {"data_encoding": "raw", "minishard_index_encoding": "raw"}


def write(path, labels=LABELS, chunk=8, **sharding):
    """Write a volume of one scale, of labels z y x, with tensorstore. Returns its path."""
    scale = {
        **{"size": labels.shape[::-1], "resolution": [8, 8, 8], "voxel_offset": [3, 5, 7]},
        **{"encoding": "raw", "chunk_size": [chunk] * 3, "sharding": SHARDING | sharding},
        **{"key": "8_8_8"},
    }
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": {"driver": "file", "path": str(path)},
        "multiscale_metadata": {
            **{"type": "segmentation", "data_type": labels.dtype.name, "num_channels": 1}
        },
        "scale_metadata": scale,
    }
    ts.open(spec, create=True).result()[..., 0].write(labels.T).result()
    return str(path)


def change(path, **changes):
    """Change members of `sharding`, or others of the scale."""
    info = json.loads(Path(path, "info").read_text())
    scale = info["scales"][0]
    for key, value in changes.items():
        (scale["sharding"] if key in SHARDING else scale)[key] = value
    json_file(Path(path, "info"), info)


def voxels(path, voxel_size_nm=None):
    """Those of the first scale, z y x."""
    return open_stored(read_source(str(path), voxel_size_nm)[0].stored).read().result()


def refused(path, *words):
    with pytest.raises(UserError, match="^config key input_path: [^\n]*$") as error:
        read_source(str(path))
    for word in words:
        assert word in str(error.value), str(error.value)


# -- right ones -------------------------------------------------------------------------------

RIGHT = [
    *(
        {"hash": h, "data_encoding": d, "minishard_index_encoding": m}
        for h in ("identity", "murmurhash3_x86_128")
        for d in ("raw", "gzip")
        for m in ("raw", "gzip")
    ),
    *(
        {"preshift_bits": p, "minishard_bits": m, "shard_bits": s}
        for p, m, s in (
            (0, 0, 0),
            (0, 0, 5),
            (9, 0, 0),
            (3, 6, 0),
            (64, 0, 1),
            (0, 3, 9),
            (0, 13, 2),
        )
    ),
]


@pytest.mark.parametrize("sharding", RIGHT, ids=str)
def test_right_shards_are_read(sharding, tmp_path):
    path = write(tmp_path / "v", **sharding)
    np.testing.assert_array_equal(voxels(path), LABELS)


@pytest.mark.parametrize("label", [0x088B1F, 0x088B1F_00_088B1F])
def test_raw_labels_that_begin_as_gzip_does(label, tmp_path):
    path = write(tmp_path / "v", np.full((16, 16, 16), label, np.uint64), **RAW)
    assert (voxels(path) == label).all()


def test_a_chunk_shorter_than_the_header_of_gzip(tmp_path):
    labels = np.full((1, 1, 1), 0x1F, np.uint8)
    np.testing.assert_array_equal(voxels(write(tmp_path / "v", labels, **RAW)), labels)


def test_an_empty_volume_and_one_of_a_single_chunk(tmp_path):
    labels = np.zeros_like(LABELS)
    path = write(tmp_path / "v", labels, **HASHED)
    assert not list(Path(path).rglob("*.shard"))
    assert not voxels(path).any()
    labels[20:24, 30:32, 50:52] = 5
    path = write(tmp_path / "w", labels, **HASHED)
    assert len(list(Path(path).rglob("*.shard"))) == 1
    np.testing.assert_array_equal(voxels(path), labels)


@pytest.mark.parametrize("encoding", ["raw", "compressed_segmentation"])
@pytest.mark.parametrize("sharding", [{}, RAW, HASHED], ids=str)
def test_shards_of_cloud_volume(sharding, encoding, tmp_path):
    """As igneous writes them, two scales. cloud-volume needs all chunks of a shard at once."""
    info = CloudVolume.create_new_info(
        *(1, "segmentation", "uint64", encoding, (8, 8, 8), (0, 0, 0), LABELS.shape[::-1]),
        chunk_size=(8, 8, 8),
    )
    url, path = f"file://{tmp_path}/v", tmp_path / "v"
    volume = CloudVolume(url, info=info)
    volume.add_scale((2, 2, 2), chunk_size=(8, 8, 8))
    for scale in volume.info["scales"]:
        bits = {"shard_bits": 6} if sharding != HASHED else {"shard_bits": 0, "minishard_bits": 9}
        scale["sharding"] = SHARDING | sharding | bits
    volume.commit_info()
    for mip in (0, 1):
        volume = CloudVolume(url, mip=mip)
        labels = LABELS[:: 2**mip, :: 2**mip, :: 2**mip]
        shape = image_shard_shape_from_spec(volume.scale["sharding"], volume.volume_size, (8,) * 3)
        (path / volume.key).mkdir()
        for at in np.ndindex(*-(-volume.volume_size // shape).astype(int)):
            box = Bbox.clamp(Bbox(shape * at, shape * at + shape), volume.bounds)
            part = labels.T[..., None][box.to_slices()]
            name, content = volume.image.make_shard(part, box, mip)
            (path / volume.key / name).write_bytes(content)
    assert len(read_source(str(path))) == 2
    np.testing.assert_array_equal(voxels(str(path)), LABELS)


# -- wrong ones -------------------------------------------------------------------------------

WRONG = [
    ("preshift_bits", 1),
    ("preshift_bits", 3),
    ("minishard_bits", 1),
    ("minishard_bits", 3),
    ("shard_bits", 2),
    ("shard_bits", 4),
    ("shard_bits", 5),
    ("shard_bits", 0),
    ("hash", None),
    ("minishard_index_encoding", None),
    ("data_encoding", None),
]
OTHERS = {"identity": "murmurhash3_x86_128", "murmurhash3_x86_128": "identity"}
OTHERS |= {"raw": "gzip", "gzip": "raw"}


@pytest.mark.parametrize("written", [{}, HASHED | RAW], ids=str)
@pytest.mark.parametrize(("key", "value"), WRONG)
def test_a_wrong_member_of_sharding_is_refused(key, value, written, tmp_path):
    """The line names the shard and the member. None: the other value."""
    path = write(tmp_path / "v", **written)
    change(path, **{key: OTHERS[(SHARDING | written)[key]] if value is None else value})
    refused(path, f"{path}/8_8_8", ".shard", "lost; correct", f"{key}")
    with served(tmp_path, Ranged) as url:
        refused(f"{url}/v", f"{url}/v/8_8_8", ".shard", "lost; correct", f"{key}")


@pytest.mark.parametrize("written", [{}, HASHED | RAW], ids=str)
def test_bits_that_are_swapped_are_refused(written, tmp_path):
    path = write(tmp_path / "v", **written)
    change(path, minishard_bits=3, shard_bits=2)
    refused(path, "shard_bits")
    change(path, minishard_bits=1, shard_bits=4)
    refused(path, "minishard_bits")
    change(path, minishard_bits=1, preshift_bits=3, shard_bits=3)
    refused(path, "minishard_bits")


@pytest.mark.parametrize(
    "changes", [{"size": [36, 28, 20]}, {"chunk_sizes": [[16, 16, 16]]}], ids=str
)
def test_chunks_outside_the_grid_are_refused(changes, tmp_path):
    path = write(tmp_path / "v", preshift_bits=0, minishard_bits=0, shard_bits=0)
    change(path, **changes)
    refused(path, "size or chunk_sizes")


@pytest.mark.parametrize("written", [{}, RAW], ids=str)
def test_minishards_beyond_those_of_the_metadata_are_refused(written, tmp_path):
    """The only chunk is in minishard 3, and the first two are empty."""
    labels = np.zeros_like(LABELS)
    labels[:8, 8:16, 8:16] = LABELS[:8, 8:16, 8:16]
    path = write(tmp_path / "v", labels, preshift_bits=0, **written)
    np.testing.assert_array_equal(voxels(path), labels)
    change(path, minishard_bits=1)
    refused(path, "0.shard holds data, but no chunk in 2 minishards", "correct minishard_bits")


def test_a_shard_that_was_cut_off_is_refused(tmp_path):
    path = write(tmp_path / "v", **HASHED)
    shard = sorted(Path(path, "8_8_8").iterdir())[0]
    content = shard.read_bytes()
    for size in (0, 5, 100, len(content) - 1):
        shard.write_bytes(content[:size])
        refused(path, shard.name)


def test_one_shard_of_another_volume_is_refused(tmp_path):
    """The digits of its name say that there were more shards."""
    path = write(tmp_path / "v")
    other = Path(path, "8_8_8", "00.shard")
    other.write_bytes(b"")
    refused(path, "holds the shard 00.shard", "shard_bits 3", "0.shard to 7.shard", "remove")


# -- elsewhere --------------------------------------------------------------------------------


def test_shards_of_a_server_are_read(tmp_path):
    write(tmp_path / "v", chunk=16, **HASHED)
    with served(tmp_path, Ranged) as url:
        np.testing.assert_array_equal(voxels(f"{url}/v"), LABELS)


def test_a_server_without_ranges(tmp_path):
    """It could not give a single chunk."""
    write(tmp_path / "v", **HASHED)
    with served(tmp_path) as url:
        refused(f"{url}/v", "byte range")


def test_a_sparse_volume_of_a_server(tmp_path):
    """A single chunk, which nobody finds by asking for a few."""
    labels = np.zeros_like(LABELS)
    labels[:8, 50:52, :8] = 5
    write(tmp_path / "v", labels, preshift_bits=0, minishard_bits=0, shard_bits=9)
    with served(tmp_path, Ranged) as url:
        np.testing.assert_array_equal(voxels(f"{url}/v"), labels)


def test_shards_of_a_bucket(tmp_path):
    path = Path(write(tmp_path / "v", **HASHED))
    files = {f"v/{file.relative_to(path)}": file for file in path.rglob("*") if file.is_file()}
    with object_store():
        upload("right", files)
        np.testing.assert_array_equal(voxels("s3://right/v"), LABELS)
        change(path, preshift_bits=1)
        upload("wrong", files)
        refused("s3://wrong/v", "s3://wrong/v/8_8_8", "preshift_bits")


def test_shards_in_a_zip_file(tmp_path):
    path = Path(write(tmp_path / "v", **HASHED))

    def zipped(name):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as file:
            for entry in path.rglob("*"):
                file.write(entry, entry.relative_to(path))
        return str(tmp_path / name)

    np.testing.assert_array_equal(voxels(zipped("right.zip")), LABELS)
    change(path, minishard_bits=3)
    refused(zipped("wrong.zip"), "wrong.zip/8_8_8", "minishard_bits")


# -- zarr v3 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"index_location": "start"},
        *({"chunk_shape": shape} for shape in ([4, 8, 8], [16, 8, 8], [16, 16, 16])),
        {"index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}]},
    ],
    ids=str,
)
def test_wrong_shards_of_zarr_lose_nothing(changes, tmp_path):
    """Their index has a checksum, and tensorstore reads the whole of it."""
    path = write_array(tmp_path / "v", Placed(LABELS, (8, 8, 8), (0, 0, 0), (8, 8, 8)), 3, 0, True)
    document = json.loads(Path(path, "zarr.json").read_text())
    np.testing.assert_array_equal(voxels(path, (8, 8, 8)), LABELS)
    document["codecs"][0]["configuration"] |= changes
    json_file(Path(path, "zarr.json"), document)
    with pytest.raises(ValueError, match="Error reading shard entry"):
        voxels(path, (8, 8, 8))
