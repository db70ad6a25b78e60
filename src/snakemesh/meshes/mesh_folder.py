"""A folder of finished meshes, local or behind a URL: what its `info` says, and reading its files.

Formats: https://github.com/google/neuroglancer/blob/master/src/datasource/precomputed/meshes.md
and sharded.md in the same folder. Files are read through tensorstore, which reads parts of them in
the same way from a disk, a web server and an object store.
"""

import json
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorstore as ts
from worldarray.store import (
    is_refused,
    join,
    kvstore_specs,
    metadata_spec,
    normalize_path,
    with_access,
)

from snakemesh.errors import UserError, one_line
from snakemesh.job_records import Sharding
from snakemesh.output.folder import MULTIRES, RUN_DOCUMENT

PATIENCE_S = 300  # for one read, retries included
_ENCODINGS = ("raw", "gzip")


@dataclass(frozen=True)
class Sharded:
    """How labels are sharded, and whether minishard indices and manifests are gzipped."""

    sharding: Sharding
    gzipped_indices: bool
    gzipped_manifests: bool


@dataclass(frozen=True)
class MeshFolder:
    """A folder of meshes.

    where: its path or URL. store: the files below it. bits: of the lattice of a cell. transform: of
    positions to nm, float64 of shape (3, 4). sharded: None if each label has files of its own.
    is_ours: whether a run of snakemesh made it, which writes all shards, empty ones too.
    """

    where: str
    store: ts.KvStore
    bits: int
    transform: np.ndarray
    sharded: Sharded | None
    is_ours: bool


def open_meshes(where: str) -> MeshFolder:
    """Open a folder of meshes, or the `multires` folder in an output directory.

    where: a path, or a URL of http(s), s3 or gs; "precomputed://" in front is allowed. Raises
    UserError, one line, if there is none, or if it cannot be read.
    """
    try:
        root = normalize_path(where)
        opened = _open(root) or _open(join(root, MULTIRES))
    except (ValueError, RuntimeError, OSError) as error:
        raise UserError(f"{where} cannot be read: {one_line(error)}") from error
    if opened is None:
        raise UserError(
            f"found no meshes at {where}: neither info nor {MULTIRES}/info is there; expected an "
            "output directory of snakemesh, its multires folder, or a URL of one of them"
        )
    store, folder, info = opened
    try:
        return _described(folder, store, json.loads(info))
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise UserError(f"{folder}/info does not describe meshes: {one_line(error)}") from error


def meshes_without_info(where: str, info: dict[str, Any]) -> MeshFolder:
    """A local folder whose `info` is not written yet. info: what it will be."""
    spec = {"driver": "file", "path": f"{os.path.abspath(where)}/"}
    store = ts.KvStore.open(spec).result(timeout=PATIENCE_S)
    return _described(where, store, info)


def start_read(
    folder: MeshFolder, name: str, begin: int | None = None, end: int | None = None
) -> "ts.Future[Any]":
    """Start to read a file of the folder, or its bytes [begin, end); see `finish_read`."""
    if begin is None:
        return folder.store.read(name)
    return folder.store.read(name, byte_range=slice(begin, end))


def finish_read(folder: MeshFolder, name: str, started: "ts.Future[Any]") -> bytes | None:
    """The bytes of a read that was started, or None if there is no such file.

    Raises UserError if they cannot be read, or the file is too short.
    """
    try:
        found = started.result(timeout=PATIENCE_S)
    except (ValueError, RuntimeError, OSError) as error:
        raise UserError(f"{folder.where}/{name} cannot be read: {one_line(error)}") from error
    return None if found.state == "missing" else bytes(found.value)


def _open(folder: str) -> tuple[ts.KvStore, str, bytes] | None:
    """The store of a folder, the folder, and its `info`; None if it has none."""

    def attempt(spec: dict[str, Any]) -> tuple[ts.KvStore, Any]:
        store = ts.KvStore.open(metadata_spec(spec)).result(timeout=PATIENCE_S)
        return store, store.read("info").result(timeout=PATIENCE_S)

    try:
        store, found = with_access(kvstore_specs(folder), attempt)
    except (ValueError, RuntimeError, OSError) as error:
        # a bucket that does not list its objects refuses what is not there
        if is_refused(error) and not folder.endswith(f"/{MULTIRES}"):
            return None
        raise
    return None if found.state == "missing" else (store, folder, bytes(found.value))


def _described(where: str, store: ts.KvStore, info: dict[str, Any]) -> MeshFolder:
    """The folder that an `info` document describes.

    Raises ValueError, TypeError, LookupError or AttributeError if the document is odd.
    """
    _require(info["@type"] == "neuroglancer_multilod_draco", "@type", info["@type"])
    bits = info["vertex_quantization_bits"]
    _require(bits in (10, 16), "vertex_quantization_bits", bits)
    transform = np.array(info["transform"], np.float64).reshape(3, 4)
    sharded = _sharded(info["sharding"]) if info.get("sharding") else None
    is_ours = store.read(RUN_DOCUMENT).result(timeout=PATIENCE_S).state == "value"
    return MeshFolder(where, store, bits, transform, sharded, is_ours)


def _sharded(spec: dict[str, Any]) -> Sharded:
    _require(spec["@type"] == "neuroglancer_uint64_sharded_v1", "@type of sharding", spec["@type"])
    _require(spec["hash"] == "murmurhash3_x86_128", "hash", spec["hash"])
    sharding = Sharding(spec["shard_bits"], spec["minishard_bits"], spec["preshift_bits"])
    encodings = [spec.get(name, "raw") for name in ("minishard_index_encoding", "data_encoding")]
    _require(all(e in _ENCODINGS for e in encodings), "encoding", encodings)
    return Sharded(sharding, *(encoding == "gzip" for encoding in encodings))


def _require(condition: bool, member: str, found: Any) -> None:
    if not condition:
        raise ValueError(f"its {member} is {found}")
