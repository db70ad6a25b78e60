"""Groups and folders that are not volumes but contain volumes: a message names these."""

import itertools
import json
import os
from zipfile import BadZipFile, ZipFile

from worldarray.store import PROBE_KEYS, Location, Refused

from snakemesh.errors import UserError
from snakemesh.source.documents import Node, dataset_name, datasets
from snakemesh.zip_files import zip_file

# Entries of a folder that are looked at, and names that are shown.
MAX_ENTRIES = 1000
MAX_NAMES = 10


def refuse_image(path: str, node: Node) -> None:
    """Raise UserError for an OME-NGFF image whose labels are in a group of their own below it."""
    if node.format not in ("zarr2", "zarr3"):
        return
    if any(dataset_name(entry).startswith("labels/") for entry in datasets(node)):
        return
    labels = f"{node.path}/labels"
    if names := _listed_labels(labels) or volumes_in(labels):
        raise UserError(
            f"config key input_path: {path} is an image, its labels are in "
            f"{_shown([f'labels/{name}' for name in names])}; give one of these"
        )


def _listed_labels(path: str) -> list[str]:
    """The names that the group of an image's labels lists, or nothing.

    https://ngff.openmicroscopy.org/0.5/#labels-md
    """
    try:
        documents = Location(path).read_many(("zarr.json", ".zattrs"))
        for text in filter(None, documents.values()):
            found = json.loads(text)
            found = found.get("attributes", found)
            names = found.get("ome", found).get("labels")
            if names:
                return list(map(str, names))
    except (Refused, OSError, ValueError, TypeError, AttributeError, RecursionError):
        # some servers answer 403 for files that do not exist
        pass
    return []


def refuse_folder(path: str) -> None:
    """Raise UserError for a folder or a group that is not a volume but contains volumes."""
    if names := volumes_in(path) or _listed_labels(path):
        raise UserError(
            f"config key input_path: {path} is not a volume but contains volumes: "
            f"{_shown(names)}; give one of them"
        )


def volumes_in(path: str) -> list[str]:
    """The names of the groups and arrays in a local folder or a zip file; nothing elsewhere."""
    if (zipped := zip_file(path)) is not None:
        return _volumes_in_zip(*zipped)
    try:
        with os.scandir(path) as entries:
            names = sorted(entry.name for entry in itertools.islice(entries, MAX_ENTRIES))
    except OSError:
        return []
    return [
        name
        for name in names
        if any(os.path.isfile(f"{path}/{name}/{document}") for document in PROBE_KEYS)
    ]


def _volumes_in_zip(file: str, inside: str) -> list[str]:
    """The names of the groups and arrays in a zip file, or in a folder inside of it."""
    try:
        with ZipFile(file) as opened:
            names = opened.namelist()
    except (OSError, BadZipFile):
        return []
    prefix = f"{inside}/" if inside else ""
    below = [name[len(prefix) :].split("/") for name in names if name.startswith(prefix)]
    return sorted({parts[0] for parts in below if len(parts) == 2 and parts[1] in PROBE_KEYS})


def _shown(names: list[str]) -> str:
    return ", ".join(names[:MAX_NAMES]) + (", ..." if len(names) > MAX_NAMES else "")
