"""What a plan says of a table of bodies, and which products a changed table renames."""

from pathlib import Path

import numpy as np
import pytest

from products import product_names
from small_blocks import small_blocks
from snakemesh.boxes import indices, slices
from snakemesh.console.summary import plan_summary
from snakemesh.cost.resources import mesh_mem_mb, resources_of
from snakemesh.errors import UserError
from snakemesh.output.folder import OutputFolder
from snakemesh.plan.jobs import block_box, super_chunk_box
from snakemesh.plan.levels_group import pyramid_group
from snakemesh.plan.plan import make_plan
from snakemesh.products.fingerprints import Fingerprints
from snakemesh.products.label_map import (
    label_map_of,
    look_at_table,
    look_at_tokens,
    read_table_of_run,
    read_tokens_of_run,
    write_label_map_state,
)
from snakemesh.survey.input_state import InputState
from snakemesh.tables.bodies import TableFacts
from snakemesh.tables.seen import Seen, record_path, write_record
from volumes import ISOTROPIC, settings_with, volume

SHAPE = (150, 140, 130)
RUNNING = {"cell_size": 64, "num_lods": 3, "n_smoothing_iter": 1}


def planned(folder, rows, **changes):
    """What a run is made from that plans with a table of these rows; its output is in `folder`."""
    path = folder / "table.npy"
    np.save(path, np.array(list(rows.items()), np.uint64).reshape(-1, 2))
    output = OutputFolder(str(folder / "out"))
    settings = settings_with(
        label_map=str(path), output_directory=output.root, **{**RUNNING, **changes}
    )
    with small_blocks():
        table = look_at_table(settings, output)
        plan = make_plan(settings, volume(SHAPE, chunks=(32, 32, 32)), table)
    state = InputState(plan, {})
    fingerprints = Fingerprints(plan, state, look_at_tokens(Fingerprints(plan, state), output))
    return fingerprints, output


def record(fingerprints, output, labels, rows):
    """Record what the jobs of a run would see, by brute force."""
    plan = fingerprints.plan

    def write(label_map, box):
        found = np.unique(labels[slices(*box)])
        found = found[found != 0]
        bodies = np.array([rows.get(label, label) for label in found.tolist()], np.uint64)
        write_record(label_map.record, label_map.token, Seen(found, bodies))

    for index in indices(plan.stages[0].grid):
        box = super_chunk_box(plan, plan.stages[0], index)
        write(label_map_of(fingerprints, output, "stage", 0, index), box)
    for index in indices(plan.blocks(0)):
        write(label_map_of(fingerprints, output, "lod", 0, index), block_box(plan, 0, index))


def touched(fingerprints, is_changed):
    """By brute force, the products that hold a changed label. is_changed: z y x, of s0.

    What is not made of s0 is known to super-chunks.
    """
    plan = fingerprints.plan
    coarse = np.zeros_like(is_changed)
    for index in indices(plan.stages[0].grid):
        box = slices(*super_chunk_box(plan, plan.stages[0], index))
        coarse[box] = is_changed[box].any()
    found = set()
    for key in product_names(fingerprints):
        kind, number, index = key
        if kind == "super-chunk":
            stage = plan.stages[number]
            level, box = stage.base, super_chunk_box(plan, stage, index)
        else:
            level, box = number, block_box(plan, number, index)
        factor = plan.levels[level].factor
        low, high = ([v * f for v, f in zip(edge, factor, strict=True)] for edge in box)
        of = is_changed if key[:2] == ("block", 0) else coarse
        if of[slices(low, high)].any():
            found.add(key)
    return found


def labels_of(rng):
    """Blocks of 20 voxels, each with a label of its own; some are background."""
    parts = rng.permutation(8 * 7 * 7).reshape(8, 7, 7).astype(np.uint64)
    parts[parts % 9 == 0] = 0
    return parts.repeat(20, 0).repeat(20, 1).repeat(20, 2)[: SHAPE[0], : SHAPE[1], : SHAPE[2]]


@pytest.mark.parametrize("seed", range(4))
def test_a_changed_table_renames_exactly_what_holds_a_changed_label(tmp_path, seed):
    rng = np.random.default_rng(seed)
    labels = labels_of(rng)
    rows = {label: 1000 + label // 3 for label in range(1, 400, 2)}
    first, output = planned(tmp_path, rows)
    before = product_names(first)
    record(first, output, labels, rows)
    assert product_names(planned(tmp_path, rows)[0]) == before
    others = rows | {10**6 + i: 5 for i in range(50)} | {2: 2}
    assert product_names(planned(tmp_path, dict(reversed(others.items())))[0]) == before

    changed = rng.choice(np.unique(labels)[1:], 1 + seed // 2, replace=False).tolist()
    new = others | dict.fromkeys(changed, 77)
    if seed == 3:
        new.pop(changed[0], None)
        changed = [c for c in changed if new.get(c, c) != rows.get(c, c)]
    second, _ = planned(tmp_path, new)
    now = product_names(second)
    expected = touched(second, np.isin(labels, changed))
    assert expected and {key for key in now if now[key] != before[key]} == expected

    # jobs plan with what the run has seen
    write_label_map_state(second, output)
    settings = second.plan.settings
    assert read_table_of_run(settings, output) == second.plan.table
    kept = read_tokens_of_run(second, output)
    assert product_names(Fingerprints(second.plan, second.state, kept)) == now

    # once they have run, and when the first table comes back
    record(second, output, labels, new)
    assert product_names(planned(tmp_path, new)[0]) == now
    assert product_names(planned(tmp_path, rows)[0]) == before


def test_records_that_are_lost_or_damaged_count_as_others(tmp_path):
    rows = {1: 5, 2: 6}
    labels = np.ones(SHAPE, np.uint64)
    first, output = planned(tmp_path, rows)
    record(first, output, labels, rows)
    lost, damaged = (
        Path(record_path(found.record, found.token))
        for found in (label_map_of(first, output, "lod", 0, (0, 0, i)) for i in (0, 1))
    )
    before = product_names(first)
    new = {1: 5, 2: 7}
    assert product_names(planned(tmp_path, new)[0]) == before
    lost.unlink()
    damaged.write_bytes(b"damaged")
    now = product_names(planned(tmp_path, new)[0])
    assert {key for key in now if now[key] != before[key]} == {
        ("block", 0, (0, 0, 0)),
        ("block", 0, (0, 0, 1)),
    }


def test_what_is_done_with_the_rest_counts_where_there_is_some(tmp_path):
    labels = np.ones(SHAPE, np.uint64)
    labels[:10, :10, :10] = 3
    rows = {1: 5}
    first, output = planned(tmp_path, rows)
    record(first, output, labels, rows)
    second, _ = planned(tmp_path, rows, label_map_rest="background")
    before, now = product_names(first), product_names(second)
    expected = touched(second, labels == 3)
    assert {key for key in now if now[key] != before[key]} == expected


def test_a_label_with_two_bodies_that_was_met(tmp_path):
    rows = {1: 5, 2: 6}
    first, output = planned(tmp_path, rows)
    record(first, output, np.ones(SHAPE, np.uint64), rows)
    twice = np.array([[1, 5], [2, 6], [1, 7]], np.uint64)
    np.save(tmp_path / "table.npy", twice)
    facts = look_at_table(first.plan.settings, output)
    with small_blocks(), pytest.raises(UserError, match="gives label 1 to two bodies"):
        plan = make_plan(first.plan.settings, volume(SHAPE, chunks=(32, 32, 32)), facts)
        look_at_tokens(Fingerprints(plan, InputState(plan, {})), output)


@pytest.mark.parametrize(
    ("source", "largest", "expected"),
    [
        ("uint8", 255, "uint8"),
        ("uint8", 256, "uint32"),
        ("uint32", 2**32 - 1, "uint32"),
        ("uint32", 2**32, "uint64"),
        ("int32", 2**31, "uint32"),
        ("int64", 2**63 - 1, "int64"),
        ("int64", 2**63, "uint64"),
        ("uint64", 1, "uint64"),
    ],
)
def test_the_type_of_the_levels(source, largest, expected):
    table = TableFacts("", 100_000_000, largest)
    levels = volume(SHAPE, factors=ISOTROPIC[:2], dtype=source)
    settings = settings_with(label_map="/data/table.csv", delete_intermediate_scales=False)
    plan, plain = make_plan(settings, levels, table), make_plan(settings, levels)
    assert plan.dtype == pyramid_group(plan).dtype == expected
    assert plain.dtype == source
    # all levels are built but s0, which the group does not have
    assert [level.is_built for level in plan.levels] == [False, True, True, True]
    assert pyramid_group(plan).linked == () and len(pyramid_group(plain).linked) == 2
    text = plan_summary(plan, [])
    assert f"(100,000,000 rows), all others stay as they are; levels are {expected}" in text
    assert "begin with s1" in text
    # at most 0.3 GB more, besides voxels of a larger type
    if source == expected:
        assert 0 < mesh_mem_mb(plan, 0) - mesh_mem_mb(plain, 0) < 300
        assert mesh_mem_mb(plan, 1) == mesh_mem_mb(plain, 1)
        super_chunks = [resources_of(each, "pyramid_super_chunk").mem_mb for each in (plan, plain)]
        assert 0 < super_chunks[0] - super_chunks[1] < 300
