"""Volumes that consist only of metadata, and settings to plan them with. All is z y x."""

from dataclasses import replace
from unittest import mock

from hypothesis import strategies as st

from snakemesh.boxes import indices
from snakemesh.config.configuration import read_settings
from snakemesh.config.settings import Settings
from snakemesh.plan.jobs import mesh_block_job, super_chunk_job
from snakemesh.plan.plan import make_plan
from snakemesh.source.level import SourceLevel

# Even a small volume has several LODs here, and each is made of its level.
DEFAULTS = read_settings(
    {
        "input_path": "/data/seg",
        "output_directory": "/meshes",
        "num_lods": 4,
        "multires_strategy": "downsample",
    }
)
ISOTROPIC = tuple((2**k,) * 3 for k in range(9))


def settings_with(**changes) -> Settings:
    """The defaults with some keys changed, and 4 LODs. They are not checked against the schema."""
    return replace(DEFAULTS, **{key: _frozen(value) for key, value in changes.items()})


def _frozen(value):
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def volume(
    shape=(100, 100, 100),
    voxel_size=(8, 8, 8),
    translation=(0, 0, 0),
    factors=((1, 1, 1),),
    chunks=(64, 64, 64),
    dtype="uint64",
    format="zarr2",
) -> tuple[SourceLevel, ...]:
    """One level for each factor over s0, placed so that its voxels cover the voxels of s0."""
    return tuple(
        SourceLevel(
            path=f"/data/seg/s{number}",
            name=None,
            shape=tuple(-(-n // f) for n, f in zip(shape, factor, strict=True)),
            chunks=chunks,
            dtype=dtype,
            voxel_size=tuple(float(v * f) for v, f in zip(voxel_size, factor, strict=True)),
            translation=tuple(
                t + 0.5 * v * (f - 1)
                for t, v, f in zip(translation, voxel_size, factor, strict=True)
            ),
            format=format,
        )
        for number, factor in enumerate(factors)
    )


def plan_of(levels, **changes):
    """The plan of a volume."""
    return make_plan(settings_with(**changes), levels)


@st.composite
def plans(draw):
    """Plans of small volumes that have some of the levels, cut into one block or many.

    `max_jobs` goes below the least that the schema allows.
    """
    voxel_size = draw(st.sampled_from([(8, 8, 8), (20, 8, 8), (8, 40, 8), (8, 10, 200)]))
    shape = draw(st.tuples(*[st.integers(1, 130)] * 3))
    num_lods = draw(st.integers(1, 6))
    there = draw(st.sets(st.sampled_from(ISOTROPIC[1:6])))
    chunks = draw(st.tuples(*[st.sampled_from([8, 33, 64])] * 3))
    levels = volume(shape, voxel_size, (1004, 4, -36), (ISOTROPIC[0], *sorted(there)), chunks)
    begin = [draw(st.integers(0, n - 1)) for n in shape]
    end = [draw(st.integers(b + 1, n)) for b, n in zip(begin, shape, strict=True)]
    roi = [
        [t + (p - 0.5) * v for t, p, v in zip((1004, 4, -36), edge, voxel_size, strict=True)]
        for edge in (begin, end)
    ]
    largest = {
        "MAX_BLOCK_VOXELS": draw(st.sampled_from([1, 3 * 32**3, 256**3])),
        "TILE_VOXELS": draw(st.sampled_from([1, 2 * 32**3, 256**3])),
    }
    with mock.patch.multiple("snakemesh.plan.blocks", **largest):
        return plan_of(
            levels,
            max_jobs=draw(st.integers(1, 60)),
            num_lods=num_lods,
            cell_size=32,
            roi=draw(st.sampled_from([None, roi])),
            use_existing_scales=draw(st.booleans()),
            multires_strategy=draw(st.sampled_from(["auto", "decimate", "downsample"])),
        )


ANISOTROPIC = {"roi": [[0, 0, 0], [2000, 400, 700]], "num_lods": 6, "target_ids": [3, 1]}


def anisotropic_plan():
    return make_plan(
        settings_with(**ANISOTROPIC), volume((200, 150, 140), (20, 8, 8), (1010, 4.5, -8))
    )


def all_jobs(plan):
    chunks = [
        super_chunk_job(plan, stage, index)
        for stage in plan.stages
        for index in indices(stage.grid)
    ]
    blocks = [
        mesh_block_job(plan, lod, index)
        for lod in range(plan.num_lods)
        for index in indices(plan.blocks(lod))
    ]
    return chunks + blocks
