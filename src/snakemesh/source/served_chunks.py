"""Whether a server has the chunks of an array under the names that its metadata describe.

Chunks that have other names would be read as background. Nobody can list the files of a server, so
a few chunks are asked for. Jobs ask too: zarr v2 only where the metadata leave the separator open,
precomputed only for its first scale.
"""

from collections.abc import Sequence
from typing import Any

from worldarray.store import Location, Refused

from snakemesh.boxes import triple
from snakemesh.chunk_files import chunk_files, other_names
from snakemesh.errors import UserError
from snakemesh.source.documents import Node

# Parts of the grid at which chunks are asked for, until there is one. Each costs two requests in a
# sparse volume.
_PARTS = (0.5, 0.25, 0.75)


def served_metadata(
    node: Node, metadata: dict[str, Any] | None, axes: Sequence[int], index: Sequence[int]
) -> dict[str, Any] | None:
    """The metadata of a remote array with the separator of zarr v2 that its chunks have.

    metadata: what the array's document says. axes, index: as those of `StoredArray`. Raises
    UserError for precomputed chunks whose names only readers of a local folder understand.
    """
    document = metadata or node.document
    # the path stands for the root of the array on the server
    files = chunk_files(node.format, "/", document, node.scale, axes, index)
    is_open = node.format == "zarr2" and node.document.get("dimension_separator") is None
    is_first = node.format == "precomputed" and node.scale == 0
    if files is None or files.name is None or not (is_open or is_first):
        return metadata
    for part in _PARTS:
        at = triple(int(n * part) for n in files.grid)
        name = files.path(at).strip("/")
        if _first(node.path, [name]) is not None:
            return metadata
        if is_open:
            changed = {**document, "dimension_separator": "/"}
            other = chunk_files("zarr2", "/", changed, None, axes, index)
            if other and _first(node.path, [other.path(at).strip("/")]) is not None:
                return changed
            continue
        folder, _, chunk = name.rpartition("/")
        others = [f"{folder}/{other}" for other in other_names(chunk)]
        if (found := _first(node.path, others)) is not None:
            raise UserError(
                f"config key input_path: {node.path} has chunks such as {found}, which the server "
                f"does not give as {name}; let the server do so, or copy the volume to a folder"
            )
    return metadata


def _first(path: str, keys: Sequence[str]) -> str | None:
    """The first key that a server has; None if it has none, or denies access to all."""
    try:
        found = Location(path).read_many(keys)
    except Refused:
        return None
    return next((key for key in keys if found[key] is not None), None)
