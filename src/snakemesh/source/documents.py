"""The metadata documents at a path: which format is there, and what they say."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zipfile import ZipFile

from worldarray.store import PROBE_KEYS, Location, basename, is_root, join, normalize_path, parent

from snakemesh.source.open_array import store_specs
from snakemesh.stored_array import DOCUMENTS
from snakemesh.zip_files import zip_file

_KEYS = (*PROBE_KEYS, ".zattrs", ".zmetadata")
# How many folders a dataset may be below the group that lists it.
MAX_DEPTH = 4


@dataclass(frozen=True)
class Node:
    """An array or a group.

    format: zarr2, zarr3, n5 or precomputed. path: of the root, for a precomputed volume. documents:
    by file name. scale: number of the scale, where the path is that of one of a precomputed volume.
    is_consolidated: whether its documents are only in those of a group above it.
    """

    format: str
    is_array: bool
    path: str
    documents: Mapping[str, Any] = field(default_factory=dict)
    scale: int | None = None
    is_consolidated: bool = False

    @property
    def document(self) -> dict[str, Any]:
        """The document of the array or volume; {} if it has none."""
        return _mapping(self.documents.get(DOCUMENTS[self.format]))

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes that users and other programs have written."""
        if self.format == "zarr2":
            return _mapping(self.documents.get(".zattrs"))
        if self.format == "zarr3":
            return _mapping(self.document.get("attributes"))
        return self.document

    @property
    def multiscales(self) -> list[dict[str, Any]]:
        """The pyramids that OME-NGFF metadata of a group describe."""
        found = _mapping(self.attributes.get("ome")).get("multiscales")
        found = self.attributes.get("multiscales") if found is None else found
        return [_mapping(entry) for entry in found] if isinstance(found, list) else []


def find(path: str) -> Node | None:
    """What is at a path, or None. A folder without a document is a group if it has an array `s0`.

    Raises Refused if access is denied, and ValueError for documents that are not JSON.
    """
    path = normalize_path(path)
    if (node := _node(path, _read(path, _KEYS))) is not None:
        return node
    above = _above(path)
    for depth, folder in enumerate(above):
        relative = path.removeprefix(f"{folder}/")
        if (node := _consolidated(folder, relative)) is not None:
            return node
        if depth == 0 and "info" in (found := _read(folder, ("info",))):
            return _scale(folder, found, basename(path))
    if (inside := _only_folder(path)) is not None:
        return find(join(path, inside))
    if found := _read(join(path, "s0"), ("zarr.json", ".zarray", "attributes.json")):
        names = {"zarr.json": "zarr3", ".zarray": "zarr2", "attributes.json": "n5"}
        return Node(next(names[name] for name in names if name in found), False, path)
    return None


def group_of(array: Node) -> tuple[Node | None, str]:
    """The group whose metadata list an array, or else the one that it lies in, and its name there.

    The group is None if there is neither.
    """
    nearest = None
    for folder in _above(array.path):
        try:
            group = find(folder)
        except Exception:  # a server's root may answer anything
            break
        name = array.path.removeprefix(f"{folder}/")
        if group is None or group.is_array:
            continue
        if name in (dataset_name(entry) for entry in datasets(group)):
            return group, name
        nearest = nearest or (group, name)
        if group.multiscales:
            break
    return nearest or (None, "")


def datasets(group: Node) -> list[dict[str, Any]]:
    """The levels that the first pyramid of a group lists."""
    if not group.multiscales:
        return []
    listed = group.multiscales[0].get("datasets")
    return [_mapping(entry) for entry in listed] if isinstance(listed, list) else []


def dataset_name(entry: Mapping[str, Any]) -> str:
    """The path of a level below its group: that of "./s0/" is "s0", that of the number 0 is "0"."""
    parts = str(entry.get("path", "")).split("/")
    return "/".join(part for part in parts if part not in ("", "."))


def _above(path: str) -> list[str]:
    """The folders above a path, nearest first, but no root of a filesystem or a server."""
    found: list[str] = []
    folder = parent(path)
    while folder is not None and not is_root(folder) and len(found) < MAX_DEPTH:
        found.append(folder)
        folder = parent(folder)
    return found


def _read(path: str, names: tuple[str, ...]) -> dict[str, Any]:
    location = Location(path)
    location.specs = store_specs(path)
    contents = location.read_many(names)
    return {name: _json(path, name, text) for name, text in contents.items() if text is not None}


def _json(path: str, name: str, text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"{join(path, name)} is not JSON: {error}") from error


def _node(path: str, found: Mapping[str, Any]) -> Node | None:
    if "zarr.json" in found:
        is_array = _mapping(found["zarr.json"]).get("node_type", "array") == "array"
        return Node("zarr3", is_array, path, found)
    if ".zarray" in found or ".zgroup" in found:
        return Node("zarr2", ".zarray" in found, path, found)
    if "info" in found:
        return Node("precomputed", False, path, found)
    if "attributes.json" in found:
        return Node("n5", "dimensions" in _mapping(found["attributes.json"]), path, found)
    return _of_consolidated(path, found, "")


def _consolidated(folder: str, relative: str) -> Node | None:
    """A node that only the documents of a group above it describe, or None."""
    is_local = os.path.isabs(folder) and zip_file(folder) is None
    if is_local and not os.path.isdir(f"{folder}/{relative}"):
        return None  # it was removed
    try:
        found = _read(folder, (".zmetadata", "zarr.json"))
    except Exception:  # a server's root may answer anything
        return None
    return _of_consolidated(folder, found, relative)


def _of_consolidated(folder: str, found: Mapping[str, Any], relative: str) -> Node | None:
    """A node from the metadata of all nodes below a group, which zarr calls consolidated."""
    path = join(folder, relative) if relative else folder
    listed = _mapping(_mapping(found.get(".zmetadata")).get("metadata"))
    prefix = f"{relative}/" if relative else ""
    names = (".zarray", ".zgroup", ".zattrs")
    documents = {name: listed[prefix + name] for name in names if prefix + name in listed}
    if documents:
        return Node("zarr2", ".zarray" in documents, path, documents, is_consolidated=True)
    below = _mapping(_mapping(found.get("zarr.json")).get("consolidated_metadata"))
    document = _mapping(_mapping(below.get("metadata")).get(relative))
    if document:
        is_array = document.get("node_type") == "array"
        return Node("zarr3", is_array, path, {"zarr.json": document}, is_consolidated=True)
    return None


def _only_folder(path: str) -> str | None:
    """The only folder at the top of a zip file, or None. macOS adds one, `__MACOSX`."""
    zipped = zip_file(path)
    if zipped is None or zipped[1]:
        return None
    with ZipFile(zipped[0]) as file:
        tops = {name.split("/", 1)[0] for name in file.namelist() if "/" in name} - {"__MACOSX"}
    return tops.pop() if len(tops) == 1 else None


def _scale(folder: str, found: Mapping[str, Any], name: str) -> Node | None:
    scales = _mapping(found["info"]).get("scales", [])
    keys = [str(_mapping(scale).get("key")) for scale in scales]
    return Node("precomputed", False, folder, found, keys.index(name)) if name in keys else None


def _mapping(found: object) -> dict[str, Any]:
    return dict(found) if isinstance(found, Mapping) else {}
