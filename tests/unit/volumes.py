"""Volumes that are metadata alone, and settings to plan them with. Everything is z y x."""

from dataclasses import replace

from snakemesh.settings import Settings, read_settings
from snakemesh.source import SourceLevel

DEFAULTS = read_settings({"input_path": "/data/seg", "output_directory": "/meshes"})


def settings_with(**changes) -> Settings:
    """The defaults, with some keys changed; the schema is not asked."""
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
    """A level for each factor over s0, placed so that its voxels cover those of s0."""
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
