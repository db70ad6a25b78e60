"""The metadata documents of an OME-Zarr group and of the arrays in it. Axes are z y x, in nm.

They are made in memory. tensorstore would lock and sync the files of an array that it creates,
which not every filesystem can.
"""

import json
from collections.abc import Iterable

import tensorstore as ts
import worldarray as wa

from snakemesh.boxes import Shape

AXES = ("z", "y", "x")


def group_documents(
    format: str, levels: Iterable[tuple[str, tuple[float, ...], tuple[float, ...]]]
) -> dict[str, bytes]:
    """The documents of a group, by name. format: "zarr2" (OME-Zarr 0.4) or "zarr3" (0.5).

    levels: finest first, each its name, the size of its voxels, and the centre of voxel 0.
    """
    version = "0.4" if format == "zarr2" else "0.5"
    attributes = wa.ome_multiscales(AXES, "nanometer", list(levels), version)
    if format == "zarr2":
        return {".zgroup": _json({"zarr_format": 2}), ".zattrs": _json(attributes)}
    group = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    return {"zarr.json": _json(group)}


def array_documents(format: str, shape: Shape, dtype: str, chunks: Shape) -> dict[str, bytes]:
    """The documents of an empty array, by name. Background is 0; chunks lie in nested folders."""
    kvstore = {"driver": "memory"}
    spec = wa.write.array_spec(
        kvstore, format, shape, dtype, chunks, None, 0, "zstd", AXES, None, "/", False
    )
    context = ts.Context()
    ts.open(spec, create=True, open=False, context=context).result()
    documents = ts.KvStore.open(kvstore, context=context).result()
    return {name.decode(): documents[name] for name in documents.list().result()}


def _json(document: dict[str, object]) -> bytes:
    return (json.dumps(document, indent=2) + "\n").encode()
