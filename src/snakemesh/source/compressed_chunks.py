"""Precomputed volumes whose chunk files are compressed as a whole, or lie in folders.

cloud-volume writes `<chunk>.gz` by default, which a web server sends as `<chunk>` with a
Content-Encoding, and neuroglancer-scripts writes `<x>/<y>/<z>.gz`. In a folder these are names that
the format does not know. https://github.com/seung-lab/cloud-files
"""

import bz2
import gzip
import lzma
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorstore as ts

from snakemesh.chunk_files import COMPRESSED_SUFFIXES, other_names
from snakemesh.source.chunkwise import awaited, chunkwise, inner_context

_INFO = "info"
# What the unpackers raise for a file that is broken.
_BROKEN = (OSError, ValueError, EOFError, zlib.error, lzma.LZMAError)


def _by_arrow(codec: str) -> Callable[[bytes], bytes]:
    def unpacked(data: bytes) -> bytes:
        import pyarrow as pa  # here, because planning must not import it

        with pa.CompressedInputStream(pa.BufferReader(data), codec) as stream:
            found: bytes = stream.read()
        return found

    return unpacked


_UNPACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.decompress,
    ".br": _by_arrow("brotli"),
    ".zstd": _by_arrow("zstd"),
    ".xz": lzma.decompress,
    ".bz2": bz2.decompress,
}
assert set(_UNPACKERS) == {"", *COMPRESSED_SUFFIXES}


def with_compressed_files(
    opened: Callable[[ts.Context], ts.TensorStore], scale: int
) -> ts.TensorStore:
    """A store in a local folder, x y z channel, whose chunks may lie in compressed files.

    opened: opens the store as it is with a context. scale: its number in the volume. tensorstore
    decodes what is in the files. Raises ValueError when a chunk is read whose file is broken.
    """
    base = opened(inner_context())
    assert base.kvstore is not None
    folder = base.kvstore.path
    memory = ts.KvStore.open({"driver": "memory", "path": folder}, context=inner_context()).result()
    memory.write(_INFO, Path(folder, _INFO).read_bytes()).result()
    key = base.spec().to_json()["scale_metadata"]["key"]
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": {"driver": "memory", "path": folder},
        "scale_index": scale,
    }
    unpacked = ts.open(spec, read=True, context=inner_context()).result()
    lock = threading.Lock()

    def read(domain: ts.IndexDomain) -> np.ndarray:
        chunk = chunk_name(domain)
        name, data = f"{key}/{chunk}", _content(f"{folder}{key}", chunk)
        if data is None:
            return np.zeros(domain.shape, base.dtype.numpy_dtype)
        # a chunk is in memory only while it is decoded
        with lock:
            memory.write(name, data).result()
            try:
                found: np.ndarray = awaited(unpacked[domain].read())
            finally:
                memory.write(name, None).result()
        return found

    return chunkwise(base, read)


def chunk_name(domain: ts.IndexDomain) -> str:
    """The name of the file that holds a chunk. domain: x y z channel."""
    sides = zip(domain.inclusive_min[:3], domain.exclusive_max[:3], strict=True)
    return "_".join(f"{begin}-{end}" for begin, end in sides)


def _content(folder: str, chunk: str) -> bytes | None:
    """What is in the file of a chunk, unpacked; None if there is none."""
    for name in other_names(chunk):
        path = Path(folder, name)
        try:
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            continue
        try:
            return _UNPACKERS[path.suffix](data)
        except _BROKEN as error:
            raise ValueError(f"{path} is broken: {error}") from error
    return None
