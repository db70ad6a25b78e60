import re

import pytest

from snakemesh.console.summary import lengths
from snakemesh.console.summary import plan_summary as summary_of
from snakemesh.cost.estimates import Work, level_bytes
from snakemesh.cost.resources import mesh_mem_mb
from snakemesh.plan.job_counts import job_counts
from volumes import plan_of, volume

COUNTED = """\
The plan for /data/seg (sizes are z y x, estimates for dense tissue)
  level s0 1000 x 2000 x 2000 voxels of 40 x 8 x 8 nm, factor 1 x 1 x 1, exists: /data/seg/s0
  level s1 1000 x 1000 x 1000 voxels of 40 x 16 x 16 nm, factor 1 x 2 x 2, exists: /data/seg/s1
  level s2 1000 x 500 x 500 voxels of 40 x 32 x 32 nm, factor 1 x 4 x 4, to be built
  pyramid  256 super-chunks of 64 x 512 x 512 voxels of s0, read once for s2
  LOD 0    256 cells of 256 x 256 x 256 voxels of s0, in 256 blocks
  LOD 1    32 cells of 512 x 256 x 256 voxels of s1, in 32 blocks
  LOD 2    4 cells of 1024 x 256 x 256 voxels of s2, in 4 blocks
  shards   1"""


def anisotropic(**changes):
    factors = ((1, 1, 1), (1, 2, 2))
    levels = volume((1000, 2000, 2000), (40, 8, 8), factors=factors, chunks=(64, 128, 128))
    return plan_of(levels, num_lods=3, **changes)


def plan_summary(plan):
    """Of a run that has done nothing yet."""
    counts = job_counts(plan).items()
    return summary_of(plan, [(rule, Work(10, 1)) for rule, n in counts for _ in range(n)])


def test_what_is_there_what_is_built_and_how_it_is_divided():
    plan = anisotropic()
    text = plan_summary(plan)
    assert text.startswith(COUNTED)
    last = text.splitlines()[-2:]
    largest = max(mesh_mem_mb(plan, lod) for lod in range(3)) / 1000
    assert re.fullmatch(
        rf"  in all   555 jobs, about \d+ CPU minutes; the largest job asks for {largest:.1f} GB "
        r"of memory",
        last[0],
    )
    disk = r"  disk     about \d+ MB in /meshes at the end, and \d+ MB more while the run goes on"
    assert re.fullmatch(disk, last[1])


def megabytes(text):
    return list(map(int, re.findall(r"(\d+) MB", text.splitlines()[-1])))


def test_levels_that_are_kept_are_there_in_the_end():
    end, between = megabytes(plan_summary(anisotropic()))
    kept_end, kept_between = megabytes(plan_summary(anisotropic(delete_intermediate_scales=False)))
    levels = level_bytes(anisotropic()) / 1e6
    assert abs(between - kept_between - levels) <= 1
    assert abs(kept_end - end - levels) <= 1


def test_a_large_volume_is_counted_in_hours_and_terabytes():
    text = plan_summary(plan_of(volume((32_768,) * 3, chunks=(128,) * 3), num_lods=5))
    assert "2,097,152 cells of 256 x 256 x 256 voxels of s0, in 8,192 blocks" in text
    assert re.search(r"about \d+,\d+ CPU hours;", text)
    assert re.search(r"about [\d.]+ TB in /meshes at the end, and [\d.]+ TB more while", text)


def test_nothing_to_be_built():
    text = plan_summary(plan_of(volume((100,) * 3), num_lods=1))
    assert "pyramid" not in text and "to be built" not in text


@pytest.mark.parametrize(
    ("shape", "cell_size", "line"),
    [
        ((100,) * 3, 256, "3, chosen: the longest side has 25 voxels of s2"),
        ((2049,) * 3, 256, "4, chosen: the longest side has 257 voxels of s3"),
        (
            (1, 20_000, 20_000),
            256,
            "1, chosen: the longest side has 20,000 voxels of s0, and an axis is too thin for more",
        ),
        (
            (6, 100, 100),
            256,
            "2, chosen: the longest side has 50 voxels of s1, and an axis is too thin for more",
        ),
        (
            (1 << 16, 1 << 16, 1 << 25),
            32,
            "16, chosen: the longest side has 1,024 voxels of s15, and 16 is the most",
        ),
    ],
)
def test_how_many_lods_were_chosen_and_why(shape, cell_size, line):
    plan = plan_of(volume(shape), num_lods=None, cell_size=cell_size)
    assert f"\n  num_lods {line}\n" in plan_summary(plan)
    assert "chosen" not in plan_summary(plan_of(volume(shape), num_lods=plan.num_lods))


def test_what_is_left_of_a_run():
    plan = anisotropic()
    whole = plan_summary(plan).splitlines()
    blocks = [("mesh_block", Work(3600, 1))] * 11
    rest = [("shard", Work(3600, 1)), ("cleanup", Work(2, 0))]
    left = summary_of(plan, blocks + rest, ["  and more"]).splitlines()
    assert left.pop(-3) == (
        "  to run   13 jobs, about 12 CPU hours: 11 blocks, 1 shard, 1 short job"
    )
    assert left == [*whole, "  and more"]
    assert "  to run   nothing, everything is there" in summary_of(plan, []).splitlines()


@pytest.mark.parametrize(
    ("sizes_nm", "text"),
    [
        ((40, 8, 8), "40 x 8 x 8 nm"),
        ((0.125, 2.5, 1000), "0.125 x 2.5 x 1000 nm"),
        ((1000, 1500, 2000), "1 x 1.5 x 2 µm"),
        ((1e6, 1e6, 25e3), "1000 x 1000 x 25 µm"),
        ((1e6, 2.5e6, 1e9), "1 x 2.5 x 1000 mm"),
        ((1e9, 999.9, 4), "1000000000 x 999.9 x 4 nm"),
    ],
)
def test_lengths_have_a_fitting_unit(sizes_nm, text):
    assert lengths(sizes_nm) == text
