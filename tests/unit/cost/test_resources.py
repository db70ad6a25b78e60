"""Time and memory that jobs ask for.

The memory that they take is measured in tests/unit/pyramid/test_super_chunk.py and tests/bench.
"""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from snakemesh.cost.resources import (
    index_mem_mb,
    index_runtime,
    mesh_runtime,
    pyramid_mem_mb,
    pyramid_runtime,
    shard_runtime,
)
from snakemesh.reading import BYTES_DECODING, reading
from volumes import plan_of, plans, volume


@given(plan=plans())
def test_small_jobs_ask_for_ten_minutes(plan):
    assert pyramid_runtime(plan) == shard_runtime(plan) == 10
    assert {mesh_runtime(plan, lod) for lod in range(plan.num_lods)} == {10}


def test_time_grows_with_the_voxels_of_a_job():
    plan = plan_of(volume((40_000,) * 3, chunks=(128, 128, 128)), max_jobs=2000)
    voxels = np.prod(plan.stages[0].super_chunk)
    assert voxels > 2**34
    assert pyramid_runtime(plan) > 50
    assert mesh_runtime(plan, 0) > 50
    assert shard_runtime(plan) == -(-(40_000**3 // plan.sharding.num_shards) // (60 * 2_000_000))


def test_memory_is_that_of_a_block_not_of_a_super_chunk():
    small, large = (
        plan_of(volume((40_000,) * 3, chunks=(128, 128, 128)), max_jobs=n) for n in (20_000, 100)
    )
    assert np.prod(large.stages[0].super_chunk) > np.prod(small.stages[0].super_chunk)
    assert pyramid_mem_mb(small) == pyramid_mem_mb(large) < 1200


def test_memory_of_large_source_chunks_is_that_of_the_few_that_are_read_at_a_time():
    """A piece touches 27 chunks of 125 MB each. The job took 950 MB, and with pure noise 1424."""
    plan = plan_of(volume((512,) * 3, chunks=(250,) * 3))
    assert 1424 + 2 * 181 < pyramid_mem_mb(plan) < 3 * 950


def test_the_index_asks_for_what_it_lists(tmp_path):
    """tests/bench/bench_index.py took 522 MB for the default, 1011 MB for a million."""
    huge = volume((100_000,) * 3, chunks=(128, 128, 128))
    default, million, few, everything = (
        index_mem_mb(plan_of(huge, max_properties=n)) for n in (200_000, 10**6, 0, None)
    )
    assert 522 + 2 * 181 < default == 1240 and 1011 + 2 * 181 < million == 2200
    assert few == 1000 and everything > 20_000
    assert index_mem_mb(plan_of(volume((100,) * 3), max_properties=None)) == 1001
    (table := tmp_path / "table.csv").write_text("id,name\n" + "1,one\n" * 1_000_000)
    with_table = index_mem_mb(plan_of(huge, segment_properties_csv=str(table)))
    assert with_table == 1240 + 121
    # 10^7 labels, as in the bench, took less than a minute; these are 7 * 10^6 and 2 * 10^10
    assert index_runtime(plan_of(volume((7_000,) * 3, chunks=(128, 128, 128)))) == 10
    assert index_runtime(plan_of(huge)) == -(-(10**15 // 50_000) // (60 * 100_000))


@given(
    stored=st.tuples(*[st.sampled_from([1, 4, 7, 32, 100, 256, 2048])] * 3),
    origin=st.tuples(*[st.sampled_from([0, 8, 24])] * 3),
    block=st.sampled_from([64, 192, 256]),
)
def test_no_more_is_decoded_than_has_to_be(stored, origin, block):
    """Pieces of flat chunks are thin: what is decoded for them is bounded, or cannot be less."""
    how = reading((block,) * 3, stored, origin, (8, 8, 8), 8)
    assert how.piece_bytes <= 8 * block**3
    least = 8 * np.prod([s * (8 // s + 2) for s in stored])
    longest = 8 * np.prod([s * (np.lcm(s, 8) // s + 2) for s in stored])
    assert how.decoded_bytes <= max(8 * BYTES_DECODING, least, longest)
    assert how.at_once >= 2
