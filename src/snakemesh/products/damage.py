"""Products that are not any more what their markers say: they are made again.

This is what shows at a glance, when a run is planned: sizes, the ends of what is served, and which
chunks of the built levels are there. Jobs check the contents of what they read.
"""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from snakemesh.boxes import Index, box_name, indices
from snakemesh.chunk_files import chunk_files, sizes_digest
from snakemesh.output.folder import OutputFolder
from snakemesh.output.markers import read_marker
from snakemesh.output.remove import LABEL_FILE
from snakemesh.output.served import what_is_wrong
from snakemesh.plan.jobs import built_files, shard_names, super_chunk_job
from snakemesh.plan.plan import Plan
from snakemesh.products.fingerprints import Fingerprints

# Threads that ask a filesystem: on a network filesystem each question waits for a server.
_THREADS = 16


def damaged_levels(fingerprints: Fingerprints, folder: OutputFolder) -> dict[str, str]:
    """By marker what is wrong with the levels that are built, all of them or a super-chunk."""
    plan = fingerprints.plan
    group_marker = folder.levels_marker(fingerprints.group)
    if not plan.stages or not os.path.exists(group_marker):
        return {}
    super_chunks = {
        (number, index): folder.super_chunk_marker(
            number, box_name(index), fingerprints.super_chunk(number, index)
        )
        for number, stage in enumerate(plan.stages)
        for index in indices(stage.grid)
    }
    if wrong := _group_damage(fingerprints):
        return {marker: wrong for marker in (group_marker, *super_chunks.values())}
    with ThreadPoolExecutor(_THREADS) as pool:
        found = pool.map(lambda item: _super_chunk_damage(plan, *item), super_chunks.items())
    return {marker: wrong for marker, wrong in found if wrong}


def damaged_meshes(fingerprints: Fingerprints, folder: OutputFolder) -> dict[str, str]:
    """By marker what is wrong with what is served."""
    if not os.path.isdir(folder.summaries):
        return {}
    found = dict(_damaged_shards(fingerprints, folder))
    marker = folder.documents_marker(fingerprints.documents)
    for name, record in _record(marker, "files").items():
        if wrong := what_is_wrong(f"{folder.multires}/{name}", record):
            found[marker] = wrong
    return found


def _group_damage(fingerprints: Fingerprints) -> str | None:
    """What is wrong with the documents of the group and of its arrays."""
    plan = fingerprints.plan
    is_zarr3 = plan.source.format == "zarr3"
    if not Path(plan.pyramid_path, "zarr.json" if is_zarr3 else ".zattrs").is_file():
        return f"{plan.pyramid_path} is gone"
    for files in filter(None, (built_files(plan, level) for level in range(plan.num_lods))):
        document = "zarr.json" if is_zarr3 else ".zarray"
        try:
            found = json.loads(Path(files.root, document).read_text())
        except (OSError, ValueError):
            return f"{files.root} is gone"
        format = "zarr3" if is_zarr3 else "zarr2"
        if chunk_files(format, files.root, found) != files:
            return f"{files.root} is not the array that was made"
    return None


def _super_chunk_damage(
    plan: Plan, which: tuple[int, Index], marker: str
) -> tuple[str, str | None]:
    """The marker of a super-chunk, and what is wrong with its chunks."""
    if not os.path.exists(marker):
        return marker, None
    stored = _record(marker, "stored")
    number, index = which
    for files, chunks in super_chunk_job(plan, plan.stages[number], index).filled():
        if stored.get(Path(files.root).name) != sizes_digest(files, chunks):
            return marker, f"chunks of {files.root} are not those that were written"
    return marker, None


def _damaged_shards(fingerprints: Fingerprints, folder: OutputFolder) -> Iterator[tuple[str, str]]:
    markers = {
        name: folder.shard_marker(name, fingerprints.shards)
        for name in shard_names(fingerprints.plan)
    }
    there = {name: marker for name, marker in markers.items() if os.path.exists(marker)}
    if fingerprints.plan.settings.sharded:
        for name, marker in there.items():
            if wrong := what_is_wrong(folder.shard(name), _record(marker, "served")):
                yield marker, wrong
    elif len(there) == len(markers) and not _has_all_labels(folder, list(there.values())):
        for marker in there.values():
            yield marker, f"files of labels in {folder.multires} are not those that were written"


def _has_all_labels(folder: OutputFolder, markers: list[str]) -> bool:
    """Whether all files of labels together are as many and as large as was written."""
    records = [_record(marker, "served") for marker in markers]
    with os.scandir(folder.multires) as entries:
        sizes = [e.stat().st_size for e in entries if LABEL_FILE.fullmatch(e.name)]
    wanted = (sum(r.get("files", -1) for r in records), sum(r.get("size", -1) for r in records))
    return (len(sizes), sum(sizes)) == wanted


def _record(marker: str, name: str) -> dict[str, Any]:
    """A part of what a marker says; empty where the marker is not there or damaged."""
    found = (read_marker(marker) or {}).get(name)
    return found if isinstance(found, dict) else {}
