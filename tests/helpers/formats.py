"""Writes a volume of labels in every format that snakemesh reads.

Arrays and placements are z y x; placements are in nm.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorstore as ts

from by_hand import ome_group, scale, space, translation

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Placed:
    """Labels with their voxel size, the corner of voxel 0 and the chunk shape to write."""

    labels: np.ndarray
    voxel_nm: Triple
    corner_nm: Triple
    chunks: tuple[int, int, int]

    @property
    def centre_nm(self) -> list[float]:
        """Centre of voxel 0: the translation in OME-NGFF."""
        return [c + v / 2 for c, v in zip(self.corner_nm, self.voxel_nm, strict=True)]


def write_zarr(
    path: Path,
    levels: Sequence[Placed],
    version: int = 2,
    leading: str = "",
    unit: tuple[str, float] = ("nanometer", 1),
    sharded: bool = False,
) -> str:
    """Write an OME-NGFF group with the levels s0, s1, ...: 0.4 in zarr v2, or 0.5 in zarr v3.

    leading: names of axes of length 1 before z y x. unit: name of the length unit, and how many nm
    it is. sharded: write shards of 2 chunks along each axis. Returns the path.
    """
    datasets, n = {}, len(leading)
    for k, level in enumerate(levels):
        write_array(path / f"s{k}", level, version, n, sharded)
        sizes, centre = (
            [value / unit[1] for value in values] for values in (level.voxel_nm, level.centre_nm)
        )
        datasets[f"s{k}"] = [scale(*[1.0] * n, *sizes), translation(*[0.0] * n, *centre)]
    axes = space(f"{leading}zyx", unit[0])
    return ome_group(path, datasets, axes, "0.4" if version == 2 else "0.5", name="labels")


def write_array(
    path: Path, level: Placed, version: int = 2, n_leading: int = 0, sharded: bool = False
) -> str:
    """Write a zarr array without any placement. Returns the path."""
    labels = level.labels.reshape((1,) * n_leading + level.labels.shape)
    chunks = [1] * n_leading + list(level.chunks)
    if version == 2:
        driver, metadata = "zarr", {"chunks": chunks, "dtype": labels.dtype.str}
    else:
        codecs = [{"name": "bytes", "configuration": {"endian": "little"}}]
        grid = chunks
        if sharded:
            inner = {"chunk_shape": chunks, "codecs": codecs}
            codecs = [{"name": "sharding_indexed", "configuration": inner}]
            grid = [2 * c for c in chunks]
        metadata = {
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": grid}},
            "codecs": codecs,
            "data_type": labels.dtype.name,
        }
        driver = "zarr3"
    _write(driver, path, labels, {"shape": list(labels.shape), **metadata})
    return str(path)


def write_n5(path: Path, levels: Sequence[Placed]) -> str:
    """Write an N5 group with levels s0, s1, ... placed by their attributes. Returns the path."""
    for k, level in enumerate(levels):
        metadata = {
            "dimensions": level.labels.shape[::-1],
            "blockSize": level.chunks[::-1],
            "dataType": level.labels.dtype.name,
            "compression": {"type": "gzip"},
        }
        _write("n5", path / f"s{k}", level.labels.T, metadata)
        document = path / f"s{k}" / "attributes.json"
        placed = {"resolution": level.voxel_nm[::-1], "offset": level.corner_nm[::-1]}
        known = json.loads(document.read_text())
        units = {"units": ["nm"] * 3, "axes": ["x", "y", "z"]}
        document.write_text(json.dumps(known | placed | units))
    return str(path)


def write_precomputed(
    path: Path, levels: Sequence[Placed], encoding: str = "raw", sharded: bool = False
) -> str:
    """Write a Neuroglancer precomputed volume. Returns the path.

    The corner of each level must be a whole number of voxels from 0.
    """
    for level in levels:
        labels = level.labels
        offset = np.array(level.corner_nm) / level.voxel_nm
        assert (offset == offset.round()).all()
        scale = {
            "size": labels.shape[::-1],
            "resolution": level.voxel_nm[::-1],
            "encoding": encoding,
            "chunk_size": level.chunks[::-1],
            "voxel_offset": offset[::-1].astype(int).tolist(),
        }
        if encoding == "compressed_segmentation":
            scale["compressed_segmentation_block_size"] = [8, 8, 8]
        if sharded:
            scale["sharding"] = {
                "@type": "neuroglancer_uint64_sharded_v1",
                "preshift_bits": 1,
                "hash": "murmurhash3_x86_128",
                "minishard_bits": 1,
                "shard_bits": 1,
                "data_encoding": "gzip",
                "minishard_index_encoding": "gzip",
            }
        spec = {
            "driver": "neuroglancer_precomputed",
            "kvstore": {"driver": "file", "path": str(path)},
            "multiscale_metadata": {
                "type": "segmentation",
                "data_type": labels.dtype.name,
                "num_channels": 1,
            },
            "scale_metadata": scale,
        }
        ts.open(spec, create=True, open=True).result()[..., 0].write(labels.T).result()
    return str(path)


def coarser(level: Placed, factor: tuple[int, int, int], nearest: bool = False) -> Placed:
    """A level whose voxels are `factor` times larger, computed in another way than the library.

    A voxel is the most frequent label of its cube, and the smallest of equally frequent ones. With
    `nearest` it is the first label of the cube. Where the end of the array cuts a cube, only the
    voxels that exist count.
    """
    return Placed(
        labels=level.labels[tuple(slice(None, None, f) for f in factor)]
        if nearest
        else voted(level.labels, factor),
        voxel_nm=tuple(v * f for v, f in zip(level.voxel_nm, factor, strict=True)),
        corner_nm=level.corner_nm,
        chunks=level.chunks,
    )


def voted(labels: np.ndarray, factor: tuple[int, int, int]) -> np.ndarray:
    """The most frequent label of every cube of `factor` voxels, by counting each label in turn."""
    ids = np.unique(labels)
    shape = [-(-n // f) for n, f in zip(labels.shape, factor, strict=True)]
    ends = [(0, n * f - m) for n, f, m in zip(shape, factor, labels.shape, strict=True)]
    split = [size for pair in zip(shape, factor, strict=True) for size in pair]
    most = np.zeros(shape, np.int64)
    found = np.zeros(shape, labels.dtype)
    for label in ids:
        votes = np.pad(labels == label, ends).reshape(split).sum(axis=(1, 3, 5))
        found[votes > most] = label
        most = np.maximum(most, votes)
    return found


def _write(driver: str, path: Path, labels: np.ndarray, metadata: dict) -> None:
    spec = {"driver": driver, "kvstore": {"driver": "file", "path": str(path)}}
    ts.open({**spec, "metadata": metadata}, create=True).result().write(labels).result()
