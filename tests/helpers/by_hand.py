"""Volumes written byte by byte, as others write them: every document can be as odd as theirs.

Arrays are z y x unless `axes` says something else; chunks are not compressed.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

# In place of a value: the document has no such entry.
ABSENT = object()


def json_file(path: Path, document: object) -> None:
    """Write a document, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))


def zarr2_document(shape: Sequence[int], chunks: Sequence[int], dtype: str, **changes) -> dict:
    """`.zarray`. changes: entries that are added, replaced, or ABSENT."""
    known: dict[str, Any] = {
        **{"zarr_format": 2, "shape": list(shape), "chunks": list(chunks), "dtype": dtype},
        **{"compressor": None, "fill_value": 0, "filters": None, "order": "C"},
    }
    return {key: value for key, value in (known | changes).items() if value is not ABSENT}


def zarr3_document(shape: Sequence[int], chunks: Sequence[int], dtype: str, **changes) -> dict:
    """`zarr.json` of an array."""
    known: dict[str, Any] = {
        **{"zarr_format": 3, "node_type": "array", "shape": list(shape), "data_type": dtype},
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(chunks)}},
        "chunk_key_encoding": {"name": "default"},
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
        "fill_value": 0,
    }
    return {key: value for key, value in (known | changes).items() if value is not ABSENT}


def chunks_of(array: np.ndarray, chunks: Sequence[int]):
    """Index and voxels of every chunk; the last ones may be cut at the end of the array."""
    grid = [-(-n // c) for n, c in zip(array.shape, chunks, strict=True)]
    for index in np.ndindex(*grid):
        inside = zip(index, chunks, strict=True)
        yield index, array[tuple(slice(i * c, i * c + c) for i, c in inside)]


def whole(part: np.ndarray, chunks: Sequence[int]) -> np.ndarray:
    """A chunk of full size, with zeros beyond the end of the array."""
    padded = np.zeros(chunks, part.dtype)
    padded[tuple(map(slice, part.shape))] = part
    return padded


def write_zarr2(
    path: Path,
    array: np.ndarray,
    chunk: int = 8,
    separator: str = ".",
    encode: Callable[[bytes], bytes] = bytes,
    **changes,
) -> str:
    """Write a zarr v2 array. separator: between the numbers of a chunk. encode: of its bytes."""
    chunks = [min(chunk, n) for n in array.shape]
    json_file(path / ".zarray", zarr2_document(array.shape, chunks, array.dtype.str, **changes))
    for index, part in chunks_of(array, chunks):
        file = path / separator.join(map(str, index))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encode(whole(part, chunks).tobytes()))
    return str(path)


def write_zarr3(path: Path, array: np.ndarray, chunk: int = 8, **changes) -> str:
    """Write a zarr v3 array."""
    chunks = [min(chunk, n) for n in array.shape]
    json_file(path / "zarr.json", zarr3_document(array.shape, chunks, array.dtype.name, **changes))
    for index, part in chunks_of(array, chunks):
        file = path / "c" / "/".join(map(str, index))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(whole(part, chunks).tobytes())
    return str(path)


def write_n5(path: Path, array: np.ndarray, block: int = 8, **changes) -> str:
    """Write an N5 array of raw blocks. array: its first axis is the one that N5 lists last."""
    blocks = [min(block, n) for n in array.shape]
    known = {
        **{"dimensions": array.shape[::-1], "blockSize": blocks[::-1]},
        **{"dataType": array.dtype.name, "compression": {"type": "raw"}},
    }
    kept = {key: value for key, value in (known | changes).items() if value is not ABSENT}
    json_file(path / "attributes.json", kept)
    for index, part in chunks_of(array, blocks):
        header = np.array([0, array.ndim], ">u2").tobytes()
        header += np.array(part.shape[::-1], ">u4").tobytes()
        file = path / "/".join(map(str, index[::-1]))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(header + part.astype(part.dtype.newbyteorder(">")).tobytes())
    return str(path)


def write_precomputed(
    path: Path,
    array: np.ndarray,
    chunk: int = 8,
    encode: Callable[[bytes], bytes] = bytes,
    suffix: str = "",
    **changes,
) -> str:
    """Write a precomputed volume of one scale. encode, suffix: of the files of its chunks."""
    info = precomputed_info(array.shape, chunk, array.dtype.name, **changes)
    json_file(path / "info", info)
    scale = info["scales"][0]
    (path / scale["key"]).mkdir(parents=True)
    for index, part in chunks_of(array, [chunk] * 3):
        begins = [i * chunk + o for i, o in zip(index[::-1], scale["voxel_offset"], strict=True)]
        ends = [b + n for b, n in zip(begins, part.shape[::-1], strict=True)]
        name = "_".join(f"{b}-{e}" for b, e in zip(begins, ends, strict=True))
        (path / scale["key"] / f"{name}{suffix}").write_bytes(encode(part.tobytes()))
    return str(path)


def precomputed_info(shape: Sequence[int], chunk: int, dtype: str, **changes) -> dict:
    """`info`. shape: z y x. changes: of its one scale."""
    scale = {
        **{"key": "8_8_8", "size": list(shape[::-1]), "resolution": [8, 8, 8]},
        **{"chunk_sizes": [[chunk] * 3], "encoding": "raw", "voxel_offset": [0, 0, 0]},
    }
    return {
        **{"@type": "neuroglancer_multiscale_volume", "type": "segmentation"},
        **{"data_type": dtype, "num_channels": 1, "scales": [scale | changes]},
    }


def space(names: str = "zyx", unit: str | None = "nanometer") -> list[dict]:
    """Axes of OME-NGFF. t and c are of time and channel."""
    kinds = {"t": "time", "c": "channel"}
    axes = [{"name": n, "type": kinds.get(n.lower(), "space"), "unit": unit} for n in names]
    for axis in axes:
        if unit is None or axis["type"] != "space":
            del axis["unit"]
    return axes


def ome_group(
    path: Path,
    datasets: Mapping[Any, list[dict]],
    axes: list | None = None,
    version: str = "0.4",
    **more,
) -> str:
    """Write the document of an OME-NGFF group. datasets: transformations by path.

    axes: None for z y x in nm. more: entries of the multiscales.
    """
    key = "coordinateTransformations"
    entry = {
        "axes": space() if axes is None else axes,
        "datasets": [{"path": name, key: found} for name, found in datasets.items()],
        **more,
    }
    entry = {key: value for key, value in entry.items() if value is not ABSENT}
    if version < "0.5":
        json_file(path / ".zgroup", {"zarr_format": 2})
        json_file(path / ".zattrs", {"multiscales": [{"version": version, **entry}]})
    else:
        attributes = {"ome": {"version": version, "multiscales": [entry]}}
        group = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
        json_file(path / "zarr.json", group)
    return str(path)


def scale(*sizes: float) -> dict:
    return {"type": "scale", "scale": list(sizes)}


def translation(*positions: float) -> dict:
    return {"type": "translation", "translation": list(positions)}


def sequence(*transformations: dict) -> dict:
    return {"type": "sequence", "transformations": list(transformations)}
