"""Products bear other names when what they are made from changes, and only then."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from products import product_names, watched
from small_blocks import small_blocks
from snakemesh import job_records
from snakemesh.boxes import indices, slices
from snakemesh.plan.finer import finer_blocks
from snakemesh.plan.jobs import block_box, mesh_block_job, super_chunk_box
from snakemesh.plan.plan import make_plan
from snakemesh.products import fingerprints as module
from snakemesh.products.fingerprints import Fingerprints
from snakemesh.products.provenance import changes, run_document
from snakemesh.survey.input_state import InputState
from snakemesh.survey.label_lists import label_files, read_lists
from volumes import ISOTROPIC, all_jobs, plans, settings_with, volume

PRODUCTS = ("group", "blocks", "shards", "documents", "result")
# By key another value, and the first product that must be made again: all later ones follow.
OTHER = {
    "input_path": ("/data/other", "documents"),
    "num_lods": (3, "group"),
    "roi": ([[0, 0, 0], [1600, 1600, 1600]], "group"),
    "pyramid_alignment_mode": ("snap", "documents"),
    "voxel_size_nm": ([9, 9, 9], "documents"),
    "translation_nm": ([1, 1, 1], "documents"),
    "index": ({"t": 1}, "documents"),
    "background": ([-1, 0], "group"),
    "multires_strategy": ("auto", "blocks"),
    "downsample_method": ("binary", "group"),
    "use_existing_scales": (False, "group"),
    "delete_intermediate_scales": (False, "result"),
    "keep_fragments": (True, "result"),
    "check_input": (True, None),
    "input_version": ("second", "group"),
    "input_changed": (True, None),
    "n_smoothing_iter": (4, "blocks"),
    "target_reduction": (0.9, "blocks"),
    "decimation_factor": (5, "blocks"),
    "max_error": (0.5, "blocks"),
    "contacts": (False, "blocks"),
    "label_map": ("/data/table.csv", "documents"),
    "label_map_rest": ("background", "documents"),
    "target_ids": ([3], "blocks"),
    "exclude_ids": ([3], "blocks"),
    "min_voxels": (9, "shards"),
    "sharded": (False, "blocks"),
    "segment_properties_csv": (None, None),
    "segment_colors": ("volume", "documents"),
    "max_properties": (10, "documents"),
    "measures": (["components"], "documents"),
    "verify": (True, None),
    "cell_size": (128, "blocks"),
    "max_jobs": (19999, None),
    "output_directory": ("/elsewhere", None),
}
LEVELS = volume((300,) * 3, (8,) * 3, (4,) * 3, ISOTROPIC[:2])


def products(fingerprints):
    return {name: getattr(fingerprints, name) for name in PRODUCTS}


def unwatched(levels=LEVELS, **changes):
    with small_blocks():
        plan = make_plan(settings_with(**changes), levels)
    lists = label_files(plan, read_lists(plan.settings, "uint64"))
    return Fingerprints(plan, InputState(plan, {}, lists))


def test_every_key_is_looked_at():
    assert set(OTHER) == {field.name for field in dataclasses.fields(settings_with())}


@pytest.mark.parametrize("key", OTHER)
def test_what_a_key_changes(key):
    value, first = OTHER[key]
    before, after = unwatched(), unwatched(**{key: value})
    changed = [name for name, made in products(before).items() if products(after)[name] != made]
    assert changed == ([] if first is None else list(PRODUCTS[PRODUCTS.index(first) :]))
    jobs = [all_jobs(fingerprints.plan) for fingerprints in (before, after)]
    if key not in ("output_directory", "input_path") and jobs[0] != jobs[1]:
        assert "blocks" in changed


def test_curvature_is_of_shards_and_leaves_blocks_as_they_are():
    both, one = unwatched(measures=("components", "curvature")), unwatched(measures=("components",))
    assert both.measured_block((0, 0, 0)) == one.measured_block((0, 0, 0))
    assert both.measured != one.measured
    assert unwatched(min_voxels=9).measured_shards != one.measured_shards == both.measured_shards


def test_a_number_of_lods_counts_alike_whether_given_or_chosen():
    chosen = unwatched(num_lods=None)
    assert chosen.plan.num_lods == 3
    assert products(chosen) == products(unwatched(num_lods=3))
    assert not set(products(chosen).values()) & set(products(unwatched()).values())
    before, now = (
        json.loads(json.dumps(run_document(unwatched()))),
        run_document(chosen),
    )
    assert changes(before, now) == ["num_lods was 4, is 3"]


def test_a_table_is_known_by_its_content(tmp_path):
    path = tmp_path / "table.csv"
    made = []
    for text in ("id,name\n1,one\n", "id,name\n1,two\n", "id,name\n1,one\n"):
        path.write_text(text)
        made.append(products(unwatched(segment_properties_csv=str(path))))
    assert made[0] == made[2]
    assert made[0]["blocks"] == made[1]["blocks"]
    assert made[0]["documents"] != made[1]["documents"]


@pytest.mark.parametrize("distance_nm", [8, 10**9])
def test_a_volume_that_moves_keeps_its_fragments(distance_nm):
    """No fragment says where the volume lies: shards and documents do, and the levels."""
    moved = [
        dataclasses.replace(level, translation=tuple(t + distance_nm for t in level.translation))
        for level in LEVELS
    ]
    before, after = unwatched(), unwatched(tuple(moved))
    changed = [name for name, made in products(before).items() if products(after)[name] != made]
    assert changed == ["group", "shards", "documents", "result"]
    lods = range(before.plan.num_lods)
    blocks = [(lod, i) for lod in lods for i in indices(before.plan.blocks(lod))]
    assert [before.block(*block) for block in blocks] == [after.block(*block) for block in blocks]
    jobs = [
        [mesh_block_job(fingerprints.plan, *block) for block in blocks]
        for fingerprints in (before, after)
    ]
    assert jobs[0] == jobs[1]


def test_the_documents_of_the_input_and_the_code_count(monkeypatch):
    before = products(unwatched())
    other = [dataclasses.replace(level, document="other") for level in LEVELS]
    assert not set(before.values()) & set(products(unwatched(tuple(other))).values())
    assert job_records.RESULTS_VERSION == module.RESULTS_VERSION
    monkeypatch.setattr(module, "RESULTS_VERSION", 0)
    assert not set(before.values()) & set(products(unwatched()).values())


def test_a_version_makes_its_own_documents_only(monkeypatch):
    before = products(unwatched())
    monkeypatch.setattr(module, "__version__", "0.0.0")
    after = products(unwatched())
    assert [name for name in PRODUCTS if before[name] != after[name]] == ["documents", "result"]


def test_the_names_are_the_same_in_every_process():
    code = "from test_fingerprints import *; print(products(unwatched()))"
    folders = [Path(__file__).parent, *sys.path]
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(map(str, folders))},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert found == {f"{products(unwatched())}\n"}


def touched(plan, source_level, chunk):
    """By level, which of its voxels hang on a chunk of a level of the source: boolean arrays."""
    found = []
    for k, level in enumerate(plan.levels):
        mask = np.zeros(level.shape, bool)
        if k == source_level:
            size = plan.source.chunks
            begin = np.multiply(chunk, size) - level.origin
            mask[slices(np.maximum(begin, 0), np.maximum(begin + size, 0))] = True
        elif level.is_built:
            base = next(stage.base for stage in plan.stages if k in stage.targets)
            factor = level.relative_to(plan.levels[base])
            for index in np.argwhere(found[base]):
                mask[tuple(index // factor)] = True
        found.append(mask)
    return found


@settings(deadline=None, max_examples=40)
@given(plan=plans(), data=st.data())
def test_a_chunk_that_changes_renames_what_hangs_on_it_alone(plan, data):
    before = watched(plan, np.random.default_rng(0))
    plan = before.plan
    level = data.draw(st.sampled_from(sorted(before.state.stamps)))
    stamps = before.state.stamps[level]
    index = tuple(data.draw(st.integers(0, n - 1)) for n in stamps.shape)
    changed = stamps.copy()
    changed[index] += np.uint64(1)
    after = Fingerprints(plan, InputState(plan, {**before.state.stamps, level: changed}))

    first = [o // c for o, c in zip(plan.levels[level].origin, plan.source.chunks, strict=True)]
    masks = touched(plan, level, np.add(index, first))
    boxes = {
        ("block", lod, i): (lod, block_box(plan, lod, i))
        for lod in range(plan.num_lods)
        for i in indices(plan.blocks(lod))
        if not plan.is_of_fragments(lod)
    } | {
        ("super-chunk", n, i): (stage.base, super_chunk_box(plan, stage, i))
        for n, stage in enumerate(plan.stages)
        for i in indices(stage.grid)
    }
    new, old = product_names(after), product_names(before)
    expected = {name for name, (k, box) in boxes.items() if masks[k][slices(*box)].any()}
    for lod in filter(plan.is_of_fragments, range(plan.num_lods)):
        for i in indices(plan.blocks(lod)):
            if any(("block", lod - 1, finer) in expected for finer in finer_blocks(plan, lod, i)):
                expected.add(("block", lod, i))
    assert {name for name in old if new[name] != old[name]} == expected
    assert before.group == after.group
    assert len(set(old.values())) == len(old)


def test_a_bundle_is_named_after_its_blocks(monkeypatch):
    """The marker that lists what shards read is named after the size of bundles, too."""
    monkeypatch.setattr("snakemesh.plan.blocks.MAX_SECTIONS", 0)
    bundles, markers = [], {unwatched().blocks}
    for sections in (2, 3):
        monkeypatch.setattr("snakemesh.plan.blocks.BUNDLED_SECTIONS", sections)
        fingerprints = unwatched()
        numbers = range(fingerprints.plan.bundles(0))
        bundles.append({fingerprints.bundle(0, number) for number in numbers})
        markers.add(fingerprints.blocks)
        assert len(bundles[-1]) == len(numbers) > 1
    assert bundles[0].isdisjoint(bundles[1]) and len(markers) == 3
