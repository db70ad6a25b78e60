"""The document in the output folder that says what made it, and how the next run differs from it.

It is for people, and for `products.other_input`. Which products are used is decided only by the
hashes in their names.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from snakemesh import __version__
from snakemesh.config.paths import spellings
from snakemesh.job_records import RESULTS_VERSION, BuiltLevel, LinkedLevel
from snakemesh.label_list import LIST_KEYS
from snakemesh.output.atomic import replacing
from snakemesh.plan.levels_group import pyramid_group
from snakemesh.plan.placement import FAR_VOXELS
from snakemesh.plan.plan import Plan
from snakemesh.products.fingerprints import Fingerprints
from snakemesh.survey.input_state import is_checked

# The products of the whole volume whose hashes jobs read in the document (`Run.fingerprint`).
_NAMED = ("blocks", "shards", "documents", "result", "measured_shards", "measured", "verified")
# How many characters of a value of the configuration are shown.
_LONGEST = 60


def run_document(fingerprints: Fingerprints) -> dict[str, Any]:
    """Version, configuration, identity of the input, and what each kind of product is made from."""
    plan = fingerprints.plan
    configuration = asdict(plan.settings)
    del configuration["input_changed"]  # it is about the run before
    return {
        "snakemesh": __version__,
        "results_version": RESULTS_VERSION,
        "configuration": configuration | {"num_lods": plan.num_lods},
        "input": {
            "paths": input_paths(plan),
            "levels": [
                {
                    "path": level.path,
                    "name": level.name,
                    "voxels": level.shape,
                    "voxel_size_nm": level.voxel_size,
                    "translation_nm": level.translation,
                    "documents": level.document,
                }
                for level in plan.levels
                if not level.is_built
            ],
            "chunks": fingerprints.chunks if is_checked(plan) else None,
            "lists": {
                key: found.digest
                for key, found in zip(LIST_KEYS, fingerprints.state.lists, strict=True)
                if found is not None
            },
            "label_map": None if plan.table is None else plan.table.content,
            "segment_properties": fingerprints.properties,
        },
        "products": {"levels": fingerprints.group}
        | {name: getattr(fingerprints, name) for name in _NAMED},
        "view": view_document(fingerprints.plan),
    }


def input_paths(plan: Plan) -> list[str]:
    """The paths that stand for the input: of the volume and of its finest level."""
    finest = "/".join(filter(None, (plan.source.path, plan.source.name)))
    return [*spellings(plan.settings.input_path), *spellings(finest)]


def view_document(plan: Plan) -> dict[str, Any]:
    """The volume and levels that snakemesh view can show, so that it need not plan the run again.

    source: the volume, as the viewer itself can read it; None if the configuration says where it
    lies, which its own metadata do not, or if its files are compressed as a whole. levels: those
    that can be shown as one OME-Zarr group, of `format`. A built one has no path, as the output may
    be moved, but the number of its stage. With `label_map` or as one body, voxels have other labels
    than meshes: none are shown. super_chunks: how many each stage has. zero_nm: what the viewer is
    to take for 0, x y z, as it is too inexact far away.
    """
    group = pyramid_group(plan)
    levels = [_view_level(plan, level, level.path) for level in group.linked]
    levels += [_view_level(plan, level, None) for level in group.built]
    levels.sort(key=lambda level: level["number"])
    is_mapped = plan.settings.label_map is not None or plan.levels[0].values.is_one_body
    stored = plan.levels[0].stored
    can_be_shown = not is_mapped and (stored is None or not stored.is_compressed)
    source = {"format": plan.source.format, "path": plan.source.path}
    return {
        "source": source if plan.settings.voxel_size_nm is None and can_be_shown else None,
        "voxel_size_nm": plan.source.voxel_size,
        "format": group.format,
        "levels": [] if is_mapped or not group.linked else levels,
        "super_chunks": [math.prod(stage.grid) for stage in plan.stages],
        "sharding": asdict(plan.sharding) if plan.settings.sharded else None,
        "lod_scale_multiplier": plan.grid.scale_nm,
        "base_nm": plan.grid.base_nm,
        "zero_nm": plan.grid.base_nm if plan.voxels_from_zero > FAR_VOXELS else (0, 0, 0),
    }


def _view_level(plan: Plan, level: LinkedLevel | BuiltLevel, path: str | None) -> dict[str, Any]:
    number = int(level.name[1:])
    stages = (n for n, stage in enumerate(plan.stages) if number in stage.targets)
    return {
        "number": number,
        "name": level.name,
        "path": path,
        "voxel_size_nm": level.voxel_size,
        "translation_nm": level.translation,
        "stage": next(stages) if plan.levels[number].is_built else None,
    }


def served_document(fingerprints: Fingerprints) -> dict[str, Any]:
    """The short document that goes with the meshes wherever they are copied."""
    document = run_document(fingerprints)
    return {
        "snakemesh": document["snakemesh"],
        "results_version": document["results_version"],
        "configuration": fingerprints.result_settings,
        # where the volume lies is in the configuration, as it was given
        "input": [{**level, "path": None} for level in document["input"]["levels"]],
    }


def write_document(path: str, document: Mapping[str, Any]) -> None:
    """Write a document whole or not at all, making its folder."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def is_current(document: Mapping[str, Any] | None, now: Mapping[str, Any]) -> bool:
    """Whether a document says of input, products and view what that of this run says.

    The configuration may differ in keys that change no product.
    """
    now = json.loads(json.dumps(now))
    parts = ("input", "products", "view")
    return document is not None and all(document.get(part) == now[part] for part in parts)


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """How a run differs from the run before, in a few words each."""
    now = json.loads(json.dumps(now))
    found = [
        f"{key} was {_shown(old)}, is {_shown(new)}"
        for key, old, new in _differing(part(before, "configuration"), now["configuration"])
    ]
    input_before = part(before, "input")
    known = {level.get("path"): level.get("documents") for level in levels_in(before)}
    for level in now["input"]["levels"]:
        if known.get(level["path"], level["documents"]) != level["documents"]:
            found.append(f"the metadata of {level['path']}")
    if input_before.get("chunks") not in (None, now["input"]["chunks"]):
        found.append("the chunks of the input")
    lists = part(input_before, "lists")
    for key, digest in now["input"]["lists"].items():
        if lists.get(key, digest) != digest:
            found.append(f"the labels in {key}")
    if input_before.get("label_map") not in (None, now["input"]["label_map"]):
        found.append("the table of label_map")
    tables = [each.get("segment_properties") for each in (input_before, now["input"])]
    if None not in tables and tables[0] != tables[1]:
        found.append("the table of segment_properties_csv")
    if before.get("results_version") != now["results_version"]:
        version = before.get("snakemesh", "an older version")
        found.append(f"snakemesh {now['snakemesh']} makes other results than {version}")
    return found


def part(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object in a document; {} if it is missing or is not an object."""
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def levels_in(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The levels of the source that a document lists."""
    levels = part(document, "input").get("levels")
    return [each for each in levels if isinstance(each, dict)] if isinstance(levels, list) else []


def _differing(
    before: Mapping[str, Any], now: Mapping[str, Any]
) -> list[tuple[str, object, object]]:
    # an older version did not know the key, so it says nothing of its value
    return [(k, before[k], value) for k, value in now.items() if before.get(k, value) != value]


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
