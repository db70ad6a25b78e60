"""What the document of an array says of its voxels: shape, type, chunks. Everything is in C order.

Documents that tensorstore would not take, but whose meaning is clear, are corrected. Encodings that
it cannot read are refused, and the message says what to do.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from snakemesh.errors import UserError
from snakemesh.source.documents import Node

# What tensorstore takes of the documents of arrays.
_N5_KEYS = ("dimensions", "blockSize", "dataType", "compression")
_ZARR2_KEYS = ("zarr_format", "shape", "chunks", "dtype", "order", "dimension_separator")
_ZARR3_KEYS = (
    *("zarr_format", "node_type", "shape", "data_type", "chunk_grid", "chunk_key_encoding"),
    *("fill_value", "codecs", "attributes", "dimension_names"),
)
# What says nothing of the voxels if it is there.
_ZARR3_OTHERS = ("consolidated_metadata", "storage_transformers")
# What tensorstore takes of a compressor of zarr v2, by its name.
_COMPRESSORS = {
    "zstd": {"id", "level"},
    "blosc": {"id", "cname", "clevel", "shuffle", "blocksize"},
    "gzip": {"id", "level"},
    "zlib": {"id", "level"},
    "bz2": {"id", "level"},
}
# Those whose level -1, as Java writes it, means the usual one.
_LEVELS = ("gzip", "zlib")
# What tensorstore takes of the compression of N5, by its type.
_N5_COMPRESSIONS = {
    "raw": {"type"},
    "gzip": {"type", "level", "useZlib"},
    "bzip2": {"type", "blockSize"},
    "xz": {"type", "preset"},
    "zstd": {"type", "level"},
    "blosc": {"type", "cname", "clevel", "shuffle", "blocksize"},
}
_ZARR3_CODECS = (*("bytes", "transpose", "sharding_indexed"), *("blosc", "gzip", "zstd", "crc32c"))
_ENCODINGS = ("raw", "compressed_segmentation", "png", "jpeg", "jxl")
_CONVERT = (
    "convert it, for example with `igneous image xfer --encoding compressed_segmentation`, or to "
    "zarr"
)


@dataclass(frozen=True)
class ArrayFacts:
    """An array as its document describes it.

    dtype: as numpy names it. chunks: voxels of the smallest part that is decoded by itself.
    metadata: the document that tensorstore is to use instead; None for the document as it is. fill:
    the value of chunks that are not stored, as it is written. is_shortened: whether the document
    has names in place of objects, which some readers do not understand.
    """

    shape: tuple[int, ...]
    dtype: str
    chunks: tuple[int, ...]
    metadata: dict[str, Any] | None
    fill: Any = 0
    is_shortened: bool = False


def array_facts(node: Node) -> ArrayFacts:
    """What the document of an array, or of a scale of a precomputed volume, says.

    Raises UserError if it describes something that cannot be read, and ValueError, TypeError,
    LookupError or AttributeError if it is not a valid document.
    """
    readers = {"zarr2": _zarr2, "zarr3": _zarr3, "n5": _n5, "precomputed": _precomputed}
    return readers[node.format](node)


def refuse_multisets(path: str, attributes: Mapping[str, Any]) -> None:
    """Raise UserError if voxels hold several labels each. attributes: of an array or its group."""
    if attributes.get("isLabelMultiset"):
        raise UserError(
            f"config key input_path: {path} holds label multisets of Paintera, expected one "
            "label per voxel; export it as uint64, for example with paintera-convert to-scalar"
        )


def _zarr2(node: Node) -> ArrayFacts:
    document = node.document
    compressor = document.get("compressor")
    if isinstance(compressor, Mapping):
        kind = compressor.get("id")
        if kind not in _COMPRESSORS:
            raise _unreadable(node, f"chunks compressed with {kind!r}", _COMPRESSORS)
        compressor = {k: v for k, v in compressor.items() if k in _COMPRESSORS[str(kind)]}
        if kind in _LEVELS and compressor.get("level") == -1:
            compressor["level"] = 1
    fill = document.get("fill_value")
    if isinstance(fill, str) and np.dtype(document["dtype"]).kind in "uib":
        fill = json.loads(fill)
    if filters := document.get("filters"):
        names = ", ".join(repr(found.get("id")) for found in filters)
        raise _unreadable(node, f"chunks with the filter {names}", ["no filter"])
    known = {key: document[key] for key in _ZARR2_KEYS if document.get(key) is not None}
    corrected = {"compressor": compressor, "fill_value": fill, "filters": None}
    return ArrayFacts(
        shape=tuple(document["shape"]),
        dtype=_type_name(document["dtype"]),
        chunks=tuple(document["chunks"]),
        metadata=known | corrected,
        fill=fill,
    )


def _zarr3(node: Node) -> ArrayFacts:
    document = node.document
    _refuse_extensions(node)
    grid = _named(document["chunk_grid"])
    if grid.get("name") != "regular":
        raise _unreadable(node, f"chunks in a grid of kind {grid.get('name')!r}", ["regular"])
    chunks = tuple(grid["configuration"]["chunk_shape"])
    for codec in _codecs(document["codecs"]):
        if codec["name"] not in _ZARR3_CODECS:
            raise _unreadable(node, f"chunks encoded with {codec['name']!r}", _ZARR3_CODECS)
        if codec["name"] == "sharding_indexed":
            chunks = tuple(codec["configuration"]["chunk_shape"])
    data_type = _named(document["data_type"])
    if data_type.get("configuration"):
        raise _unreadable(node, f"values of type {document['data_type']}", ["integers"])
    known = {k: v for k, v in document.items() if k in _ZARR3_KEYS and v is not None}
    named = {
        "data_type": data_type["name"],
        "chunk_key_encoding": _named(document["chunk_key_encoding"]),
        "codecs": list(map(_named, document["codecs"])),
    }
    return ArrayFacts(
        shape=tuple(document["shape"]),
        dtype=_type_name(data_type["name"]),
        chunks=chunks,
        metadata=known | named,
        fill=document.get("fill_value"),
        is_shortened=known | named != known,
    )


def _refuse_extensions(node: Node) -> None:
    """Raise UserError for an extension without which an array must not be read.

    https://zarr-specs.readthedocs.io/en/latest/v3/core/index.html#extension-points
    """
    unknown = [
        key
        for key, value in node.document.items()
        if key not in (*_ZARR3_KEYS, *_ZARR3_OTHERS)
        and isinstance(value, Mapping)
        and value.get("must_understand") is not False
    ]
    transformers = node.document.get("storage_transformers") or ()
    unknown += [str(_named(found).get("name")) for found in transformers]
    if unknown:
        raise _unreadable(node, f"the extension {unknown[0]!r}", ["no extension"])


def _named(extension: str | Mapping[str, Any]) -> dict[str, Any]:
    """An extension of zarr v3 as an object; a name alone may stand for it."""
    return {"name": extension} if isinstance(extension, str) else dict(extension)


def _codecs(listed: Sequence[str | Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Codecs, and those that shards have inside."""
    for codec in map(_named, listed):
        yield codec
        yield from _codecs((codec.get("configuration") or {}).get("codecs", ()))


def _n5(node: Node) -> ArrayFacts:
    document = node.document
    refuse_multisets(node.path, document)
    compression = document.get("compression")
    if compression is None and "compressionType" in document:
        compression = {"type": document["compressionType"]}
    compression = compression if isinstance(compression, Mapping) else {"type": compression}
    kind = compression.get("type")
    if kind not in _N5_COMPRESSIONS:
        raise _unreadable(node, f"blocks compressed with {kind!r}", _N5_COMPRESSIONS)
    compression = {k: v for k, v in compression.items() if k in _N5_COMPRESSIONS[str(kind)]}
    known = {key: document[key] for key in _N5_KEYS if key in document}
    return ArrayFacts(
        shape=tuple(document["dimensions"])[::-1],
        dtype=_type_name(document["dataType"]),
        chunks=tuple(document["blockSize"])[::-1],
        metadata=known | {"compression": compression},
    )


def _precomputed(node: Node) -> ArrayFacts:
    info = node.document
    if "data_dir" in info:
        raise UserError(
            f"config key input_path: {node.path} is a graph of supervoxels (PyChunkedGraph) "
            f"without voxels; give {info['data_dir']} to mesh the supervoxels"
        )
    scale = info["scales"][node.scale or 0]
    if any(part in ("", ".") for part in str(scale["key"]).split("/")):
        raise UserError(
            f"config key input_path: {node.path} has a scale with the key {scale['key']!r}, which "
            "is not read; remove slashes at its ends and single dots from it in `info`"
        )
    # tensorstore opens no scale of a volume if it does not know the encoding of one of them
    unknown = [s["encoding"] for s in info["scales"] if s["encoding"] not in _ENCODINGS]
    if unknown:
        raise UserError(
            f"config key input_path: {node.path} has chunks in the encoding "
            f"{unknown[0]!r}, expected raw or compressed_segmentation; {_CONVERT}"
        )
    chunks = scale.get("chunk_sizes") or [scale["chunk_size"]]
    channels = int(info.get("num_channels", 1))
    return ArrayFacts(
        shape=(channels, *scale["size"][::-1]),
        dtype=_type_name(info["data_type"]),
        chunks=(channels, *chunks[0][::-1]),
        metadata=None,
    )


def _type_name(dtype: Any) -> str:
    """The type of voxels as numpy names it; as it is written where numpy has no name for it."""
    try:
        return str(np.dtype(dtype).name)
    except TypeError:
        return str(dtype)


def _unreadable(node: Node, what: str, known: Sequence[str] | Mapping[str, Any]) -> UserError:
    return UserError(
        f"config key input_path: {node.path} has {what}, which is not read, expected "
        f"{', '.join(known)}; {_CONVERT}"
    )
