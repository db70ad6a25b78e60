"""Opening an array as it is stored, turned to z y x.

Planning finds out how an array is to be opened (`source`), and jobs open it in that way.
"""

import json
from typing import Any

import tensorstore as ts
import worldarray as wa
from worldarray.retry import Retry, with_retries
from worldarray.store import is_remote, kvstore_specs, with_access

from snakemesh.source.compressed_chunks import with_compressed_files
from snakemesh.source.forbidden_chunks import with_forbidden_as_missing
from snakemesh.stored_array import DOCUMENTS, StoredArray
from snakemesh.zip_files import zip_file

_DRIVERS = {
    "zarr2": "zarr",
    "zarr3": "zarr3",
    "n5": "n5",
    "precomputed": "neuroglancer_precomputed",
}


def store_specs(path: str) -> list[dict[str, Any]]:
    """The key-value stores of tensorstore that read a folder, in the order to be tried.

    path: a folder, local, in a zip file or remote. More than one where a public bucket may be read
    without credentials or with them.
    """
    if (zipped := zip_file(path)) is None:
        specs: list[dict[str, Any]] = kvstore_specs(path)
        return specs
    base = {"driver": "file", "path": zipped[0]}
    return [{"driver": "zip", "base": base, "path": f"{zipped[1]}/" if zipped[1] else ""}]


def open_stored(array: StoredArray) -> ts.TensorStore:
    """Open an array, z y x, with its first voxel at 0. Its values are those that are stored."""
    store = open_in_c_order(array)
    whole = slice(None)
    store = store[tuple(whole if d in array.axes else i for d, i in enumerate(array.index))]
    rank = {dimension: r for r, dimension in enumerate(sorted(array.axes))}
    turned: ts.TensorStore = store.transpose([rank[d] for d in array.axes])
    return turned


def open_in_c_order(array: StoredArray) -> ts.TensorStore:
    """Open an array with all its dimensions, those of N5 and precomputed in reverse order.

    Its first voxel is at 0.
    """
    store = _open(array)
    if array.format in ("n5", "precomputed"):
        store = store.T
    return store[ts.d[:].translate_to[0]] if array.format == "precomputed" else store


def _open(array: StoredArray) -> ts.TensorStore:
    """Open an array with the dimensions that tensorstore gives it."""

    def attempt(kvstore: dict[str, Any]) -> ts.TensorStore:
        spec: dict[str, Any] = {"driver": _DRIVERS[array.format], "kvstore": kvstore}
        if array.metadata is not None:
            spec |= {"metadata": json.loads(array.metadata), "assume_metadata": True}
        if array.scale is not None:
            spec["scale_index"] = array.scale

        def opened(context: ts.Context) -> ts.TensorStore:
            store: ts.TensorStore = with_retries(
                lambda: ts.open(spec, read=True, context=context),
                nbytes=0,
                retry=Retry(),
                remote=is_remote(array.folder),
                what=array.folder,
                verb="open",
            )
            return store

        if array.is_compressed:
            return with_compressed_files(opened, array.scale or 0)
        if array.forbids_missing:
            return with_forbidden_as_missing(opened, DOCUMENTS[array.format])
        return opened(wa.shared_context(0))

    store: ts.TensorStore = with_access(store_specs(array.folder), attempt)
    return store
