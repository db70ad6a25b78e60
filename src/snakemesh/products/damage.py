"""Products that no longer match their markers: they are made again.

A plan checks what shows at a glance: sizes, the ends of served files, and which chunks of the built
levels exist. Jobs check the contents of what they read.
"""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from snakemesh.boxes import Index
from snakemesh.chunk_files import chunk_files, sizes_digest
from snakemesh.errors import DamagedError
from snakemesh.output.markers import read_marker
from snakemesh.output.served import what_is_wrong
from snakemesh.output.served_products import unsharded_damage
from snakemesh.plan.jobs import built_files, super_chunk_job
from snakemesh.plan.plan import Plan
from snakemesh.products.products import Products
from snakemesh.tables.sorted_bodies import open_sorted

# Threads that ask a filesystem: on a network filesystem each question waits for a server.
_THREADS = 16


def damage(products: Products) -> dict[str, str]:
    """By marker, what is damaged in the products of earlier runs, in words."""
    return _damaged_levels(products) | _damaged_meshes(products) | _damaged_table(products)


def _damaged_levels(products: Products) -> dict[str, str]:
    """By marker, what is damaged in the built levels: the group, or super-chunks."""
    plan, group_marker = products.fingerprints.plan, products.levels_marker
    if not plan.stages or not os.path.exists(group_marker):
        return {}
    super_chunks = {each: products.super_chunk_marker(*each) for each in products.super_chunks()}
    if wrong := _group_damage(plan):
        return {marker: wrong for marker in (group_marker, *super_chunks.values())}
    with ThreadPoolExecutor(_THREADS) as pool:
        found = pool.map(lambda item: _super_chunk_damage(plan, *item), super_chunks.items())
    return {marker: wrong for marker, wrong in found if wrong}


def _damaged_meshes(products: Products) -> dict[str, str]:
    """By marker, what is damaged in the served files."""
    if not os.path.isdir(products.folder.summaries):
        return {}
    shards = [shard for shard in products.shards if os.path.exists(shard.marker)]
    if products.fingerprints.plan.settings.sharded:
        found = {shard.marker: wrong for shard in shards if (wrong := shard.what_is_wrong())}
    else:
        are_all = len(shards) == len(products.shards)
        wrong = unsharded_damage(products.folder, shards) if are_all else None
        found = {shard.marker: wrong for shard in shards if wrong}
    documents = products.documents
    if os.path.exists(documents.marker):
        found.update((documents.marker, wrong) for wrong in documents.wrong(what_is_wrong))
    return found


def _damaged_table(products: Products) -> dict[str, str]:
    """By marker, what is damaged in the sorted table of bodies."""
    marker = products.table_marker
    try:
        if products.fingerprints.plan.table is not None and os.path.exists(marker):
            open_sorted(products.table, marker)
    except DamagedError as error:
        return {marker: str(error).split(";")[0]}
    return {}


def _group_damage(plan: Plan) -> str | None:
    """What is wrong with the documents of the group and of its arrays."""
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
    stored = (read_marker(marker) or {}).get("stored")
    if not isinstance(stored, dict):
        stored = {}
    number, index = which
    for files, chunks in super_chunk_job(plan, plan.stages[number], index).filled():
        if stored.get(Path(files.root).name) != sizes_digest(files, chunks):
            return marker, f"chunks of {files.root} are not those that were written"
    return marker, None
