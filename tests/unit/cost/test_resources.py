"""Time and memory that jobs ask for.

The memory that they take is measured in tests/unit/pyramid/test_super_chunk.py and tests/bench.
"""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from snakemesh.cost.resources import resources_of
from snakemesh.reading import BYTES_DECODING, reading
from volumes import plan_of, plans, volume


@given(plan=plans())
def test_small_jobs_ask_for_ten_minutes(plan):
    assert (
        resources_of(plan, "pyramid_super_chunk").runtime
        == resources_of(plan, "shard").runtime
        == 10
    )
    assert {resources_of(plan, "mesh_block", lod).runtime for lod in range(plan.num_lods)} == {10}


def test_time_grows_with_the_voxels_of_a_job():
    plan = plan_of(volume((40_000,) * 3, chunks=(128, 128, 128)), max_jobs=2000)
    voxels = np.prod(plan.stages[0].super_chunk)
    assert voxels > 2**34
    assert resources_of(plan, "pyramid_super_chunk").runtime > 50
    assert resources_of(plan, "mesh_block").runtime > 50
    share = 40_000**3 // plan.sharding.num_shards
    assert resources_of(plan, "shard").runtime == -(-share // (60 * 2_000_000))


def test_memory_is_that_of_a_block_not_of_a_super_chunk():
    small, large = (
        plan_of(volume((40_000,) * 3, chunks=(128, 128, 128)), max_jobs=n) for n in (20_000, 100)
    )
    assert np.prod(large.stages[0].super_chunk) > np.prod(small.stages[0].super_chunk)
    assert (
        resources_of(small, "pyramid_super_chunk").mem_mb
        == resources_of(large, "pyramid_super_chunk").mem_mb
        < 1200
    )


def test_memory_of_large_source_chunks_is_that_of_the_few_that_are_read_at_a_time():
    """A piece touches 27 chunks of 125 MB each. The job took 950 MB, and with pure noise 1424."""
    plan = plan_of(volume((512,) * 3, chunks=(250,) * 3))
    assert 1424 + 2 * 181 < resources_of(plan, "pyramid_super_chunk").mem_mb < 3 * 950


def test_the_index_asks_for_what_it_lists(tmp_path):
    """tests/bench/bench_index.py took 522 MB for the default, 1011 MB for a million.

    Points of 10^7 segments, the most there are, take 2 GB more.
    """

    def mem_of_index(source, **changes):
        return resources_of(plan_of(source, **changes), "multires_index").mem_mb

    huge = volume((100_000,) * 3, chunks=(128, 128, 128))
    default, million, few, everything = (
        mem_of_index(huge, max_properties=n, contacts=False) for n in (200_000, 10**6, 0, None)
    )
    assert 522 + 2 * 181 < default - 2000 == 1240 and 1011 + 2 * 181 < million - 2000 == 2200
    assert few == 3000 and everything > 20_000
    assert mem_of_index(volume((100,) * 3), max_properties=None) == 1001
    (table := tmp_path / "table.csv").write_text("id,name\n" + "1,one\n" * 1_000_000)
    with_table = mem_of_index(huge, segment_properties_csv=str(table), contacts=False)
    assert with_table == 3240 + 121
    # 12 bytes of each of 2 * 10^7 labels, whose neighbours are counted
    assert mem_of_index(volume((10_000,) * 3), max_properties=0) == 3000 + 240
    # a column that colours them takes 120 bytes of each
    column = {"segment_colors": "volume", "max_properties": 0}
    assert mem_of_index(volume((10_000,) * 3), **column) == 3000 + 240 + 2400
    # 10^7 labels, as in the bench, took less than a minute; these are 7 * 10^6 and 2 * 10^10
    seven = plan_of(volume((7_000,) * 3, chunks=(128, 128, 128)))
    assert resources_of(seven, "multires_index").runtime == 10
    assert resources_of(plan_of(huge), "multires_index").runtime == -(
        -(10**15 // 50_000) // (60 * 100_000)
    )


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
