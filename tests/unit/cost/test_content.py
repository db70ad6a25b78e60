"""What to expect in a part of a volume is no less than what any part of that size has."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snakemesh.cost import mesh_memory
from snakemesh.cost.content import (
    alike,
    dense_faces,
    expected,
    number_of_labels,
    surfaces_of_blocks,
)
from snakemesh.cost.resources import mesh_mem_mb, resources_of
from snakemesh.mesh import surface
from snakemesh.plan.box_figures import BoxFigures, Sample
from snakemesh.plan.together import MAX_PROCESSES, blocks_together
from volumes import plan_of, volume

# Voxels a side of a box.
EDGE = 64


def box(faces=1.0, begin=1e-5, cross=0.01, alike=0.1, filled=1.0, lods=4):
    return BoxFigures((faces,) * lods, (begin,) * lods, cross, alike, filled)


def planned(boxes, shape=(512, 512, 512), part=1.0, seen=1.0, **changes):
    plan = plan_of(volume(shape, dtype="uint32"), **changes)
    return replace(plan, sample=Sample(tuple(boxes), part, seen))


# What tests/bench/bench_memory.py counts in pinky40, in lumps of 3 voxels and in organelles.
TISSUE = [box(n, 2e-5, 0.008, 0.054) for n in (0.6, 0.9, 0.7, 0.2)]
LUMPS = [box(4.0, 0.035, 0.34, 0.0001)]
ORGANELLES = [box(0.02, 0, 0.0002, 1.0, 0.02)]


@given(
    faces=st.lists(st.floats(0.1, 12), min_size=1, max_size=20),
    data=st.data(),
)
def test_no_part_has_more_if_all_boxes_are_read(faces, data):
    """A part is some of the boxes: at least a quarter of them."""
    plan = planned([box(n) for n in faces], (EDGE, EDGE, EDGE * len(faces)))
    least = -(-len(faces) // 4)
    size = data.draw(st.integers(least, len(faces)))
    chosen = data.draw(st.permutations(faces))[:size]
    found = dense_faces(plan, 0, size * EDGE**3)
    assert found >= np.mean(chosen) * (1 - 1e-9)
    if size == len(faces):
        assert found == pytest.approx(np.mean(faces))


def test_the_surface_of_a_block_is_that_of_its_boxes():
    """Blocks of 256 voxels at LOD 0, of 512 at LOD 1."""
    places = {(0, 0, 0): 1.0, (0, 0, 192): 3.0, (256, 448, 64): 5.0}
    plan = planned(
        [replace(box(faces), place=place) for place, faces in places.items()],
        cell_size=256,
        num_lods=2,
    )
    assert surfaces_of_blocks(plan) == {
        (0, (0, 0, 0)): pytest.approx(2 / 3),
        (0, (1, 1, 0)): pytest.approx(5 / 3),
        (1, (0, 0, 0)): pytest.approx(1),
    }
    assert surfaces_of_blocks(planned([])) == surfaces_of_blocks(planned([box(0.0)])) == {}


@given(faces=st.lists(st.floats(0.1, 12), min_size=1, max_size=20), seen=st.floats(0.01, 1))
def test_small_parts_may_have_more(faces, seen):
    plan = planned([box(n) for n in faces], seen=seen)
    found = [dense_faces(plan, 0, n**3) for n in (64, 128, 256, 400, 512)]
    assert found == sorted(found, reverse=True)
    assert np.mean(faces) * (1 - 1e-9) <= found[-1] and found[0] <= max(faces) * (1 + 1e-9)


def test_parts_without_labels_do_not_count_for_small_parts():
    """A tenth of the volume has labels: a small part may lie in it, the whole has a tenth."""
    plan = planned([box(2.0)] * 8, part=0.1)
    assert dense_faces(plan, 0, 64**3) == 2.0
    assert dense_faces(plan, 0, 512**3) == pytest.approx(0.2)


def test_something_may_be_there_where_nothing_was_found():
    plan = planned([], part=0.0)
    assert 0 < dense_faces(plan, 0, 512**3) < 0.1
    assert alike(plan) == 1 and number_of_labels(plan) == 1


def test_fragments_are_the_labels_that_begin_in_a_cell_and_those_that_cross_it():
    plan = planned(LUMPS, cell_size=64)
    assert expected(plan, 0, 64**3).fragments == pytest.approx(0.035 + 0.34 / 64)
    assert expected(plan, 3, 64**3).fragments == pytest.approx(0.035 + 0.34 / 512)
    assert number_of_labels(plan) == pytest.approx(0.035 * 512**3, rel=1e-6)


@pytest.mark.parametrize("strategy", ["auto", "downsample"])
@pytest.mark.parametrize("cell_size", [64, 256])
def test_more_surface_asks_for_more(strategy, cell_size):
    changes = {"multires_strategy": strategy, "cell_size": cell_size}
    plans = [planned(boxes, **changes) for boxes in (ORGANELLES, TISSUE, LUMPS)]
    for lod in range(4):
        found = [mesh_mem_mb(plan, lod) for plan in plans]
        assert found == sorted(found) and found[0] >= 600
    assert mesh_mem_mb(plans[0], 0) < 0.8 * mesh_mem_mb(plans[1], 0) < mesh_mem_mb(plans[2], 0)
    shards = [resources_of(plan, "shard").mem_mb for plan in plans]
    assert shards == sorted(shards) and shards[0] < 680 < shards[2]


def test_lumps_ask_for_what_they_take():
    """tests/bench/bench_memory.py: 1973 MB for a volume of 256^3 voxels; tissue 605 MB."""
    lumps, tissue = (planned(boxes, (256,) * 3) for boxes in (LUMPS, TISSUE))
    assert 1973 + 2 * 181 < mesh_mem_mb(lumps, 0) < 1.5 * (1973 + 2 * 124)
    assert 605 + 2 * 181 < mesh_mem_mb(tissue, 0) < 1.5 * (605 + 2 * 124)


def test_the_surface_of_one_label_is_in_memory_at_once():
    many, one = (planned([box(1.0, alike=part)], cell_size=512) for part in (0.001, 1.0))
    assert mesh_mem_mb(one, 0) > 2 * mesh_mem_mb(many, 0)


def test_large_chunks_are_decoded_beside_the_labels():
    """Eight chunks of 125 MB at a time."""
    small, large = (
        replace(plan_of(volume((512,) * 3, chunks=(n,) * 3), cell_size=64), sample=found)
        for found in [Sample(tuple(ORGANELLES), 1.0, 1.0)]
        for n in (64, 250)
    )
    assert mesh_mem_mb(large, 0) > 600 + 8 * 125 > mesh_mem_mb(small, 0)


def test_jobs_of_several_blocks_ask_for_the_largest():
    plan = planned(TISSUE, (256, 256, 256), multires_strategy="auto")
    assert resources_of(plan, "mesh_small_lods").mem_mb == max(
        mesh_mem_mb(plan, lod, MAX_PROCESSES) for lod, _ in blocks_together(plan)
    )


def test_volumes_without_a_sample_ask_as_tissue():
    plan = plan_of(volume((512, 512, 512), dtype="uint32"))
    tissue = replace(plan, sample=Sample((box(1.2, 2e-5, 0.012),) * 4, 1.0, 1.0))
    assert mesh_mem_mb(plan, 0) == mesh_mem_mb(tissue, 0)
    one, other = (resources_of(each, "verify_shard").mem_mb for each in (plan, tissue))
    assert one == pytest.approx(other, abs=2)


def test_batches_are_those_of_the_meshing():
    assert mesh_memory.BATCH_FACES == surface.BATCH_FACES
