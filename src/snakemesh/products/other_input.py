"""Whether an output directory holds products of another input than that of this run.

The inputs are the same if one of these holds:

- The path of the volume or of its finest level is the same, however it is spelled and whatever
  links lead there. The volume may have been edited since.
- The metadata, and the names, sizes and dates of all chunks, are the same: the volume was moved.
- `input_path` and `output_directory` are relative paths and have not changed: the folder that holds
  both was moved.
"""

import os
from collections.abc import Mapping
from typing import Any

from snakemesh.config.paths import spellings
from snakemesh.errors import UserError
from snakemesh.output.folder import OutputFolder
from snakemesh.output.markers import read_marker
from snakemesh.products.fingerprints import Fingerprints
from snakemesh.products.products import Products
from snakemesh.products.provenance import input_paths, levels_in, part


def refuse_other_input(fingerprints: Fingerprints, folder: OutputFolder) -> None:
    """Raise UserError if a run would replace products of another input, or of an unknown one.

    The key `input_changed` allows it.
    """
    settings, now = fingerprints.plan.settings, input_paths(fingerprints.plan)
    document = read_marker(folder.run_document) or {}
    before = _input_paths(document)
    if settings.input_changed or set(before) & set(now) or _is_moved(document, fingerprints):
        return
    # what a later run has only begun does not count: finished meshes may be of this input
    is_of_this = os.path.exists(Products(fingerprints, folder).documents.marker)
    places = (folder.multires, folder.pyramid, folder.blocks, folder.summaries)
    if is_of_this or not any(files for place in places for _, _, files in os.walk(place)):
        return
    found = "does not say which input it was made from"
    if before:
        found = f"was made from {before[0]}, and input_path is {now[0]}"
    raise UserError(
        f"config key output_directory: {folder.root} {found}; choose another directory, or set "
        "input_changed: true to replace what is there"
    )


def _input_paths(document: Mapping[str, Any]) -> list[str]:
    """The paths that stand for the input of a run (`provenance.input_paths`); [] if unknown."""
    kept = part(document, "input")
    if isinstance(kept.get("paths"), list):
        return [str(path) for path in kept["paths"]]
    # a version before this one names only the levels
    levels = levels_in(document)
    path, name = (levels[0].get(key) for key in ("path", "name")) if levels else (None, None)
    return spellings(f"{path}/{name}" if name else path) if isinstance(path, str) else []


def _is_moved(document: Mapping[str, Any], fingerprints: Fingerprints) -> bool:
    """Whether the volume lies elsewhere than before, or the folder that holds it and the output."""
    settings, before = fingerprints.plan.settings, part(document, "configuration")
    given = (settings.input_path, settings.output_directory)
    is_relative = not any(os.path.isabs(path) or "://" in path for path in given)
    if is_relative and given == (before.get("input_path"), before.get("output_directory")):
        return True
    chunks = part(document, "input").get("chunks")
    if chunks is None or not any(stamps.any() for stamps in fingerprints.state.stamps.values()):
        return False
    documents = [level.document for level in fingerprints.plan.levels if not level.is_built]
    is_same = documents == [level.get("documents") for level in levels_in(document)]
    return is_same and bool(chunks == fingerprints.chunks)
