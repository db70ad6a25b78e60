"""The levels of the source, from its metadata alone. All triples are z, y, x; lengths are nm.

worldarray reads the metadata of every format (OME-NGFF, N5, precomputed, plain zarr), local and
remote.
"""

import os
from dataclasses import dataclass, replace

import numpy as np
import worldarray as wa
from worldarray.store import Refused

from snakemesh.boxes import Nanometres, Shape, triple
from snakemesh.errors import UserError

_ZYX = ("z", "y", "x")


@dataclass(frozen=True)
class SourceLevel:
    """One array of the source.

    path: the array, a path or a URL. name: which of the arrays at `path`, where there are several
    (precomputed); otherwise None. shape: voxels. chunks: voxels of a chunk; where chunks lie in
    shards, this is one of the small chunks. dtype: numpy's name of the data type. voxel_size: nm.
    translation: the centre of voxel 0, in nm. format: "zarr2", "zarr3", "n5" or "precomputed".
    """

    path: str
    name: str | None
    shape: Shape
    chunks: Shape
    dtype: str
    voxel_size: Nanometres
    translation: Nanometres
    format: str


def read_source(
    path: str, voxel_size_nm: Nanometres | None = None, translation_nm: Nanometres | None = None
) -> tuple[SourceLevel, ...]:
    """The levels of a volume, finest first. No voxel is read.

    path: a group, an array, or a level of a group; a local path or a URL. voxel_size_nm,
    translation_nm: replace what the metadata say, see `with_voxel_size`; only the finest level is
    returned then. Raises UserError if nothing is found, if the metadata cannot be read, if the
    volume cannot be meshed, or if neither the metadata nor the caller give a voxel size.
    """
    try:
        pyramid = wa.open_pyramid(path)
        names = _level_names(path, pyramid)
        metas = [pyramid.level_meta(name) for name in names]
        if voxel_size_nm is None:
            _refuse_unplaced(path, metas)
            metas = [meta.in_nm() for meta in metas]
    except UserError:
        raise
    except FileNotFoundError as error:
        raise UserError(
            f"config key input_path: found no zarr, N5 or precomputed volume at {path}"
        ) from error
    except Refused as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"config key input_path: reading {path} is not allowed, to nobody or with the "
            f"credentials found here: {reason}"
        ) from error
    except (ValueError, KeyError, TimeoutError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"config key input_path: the metadata of {path} cannot be read: {reason}"
        ) from error
    levels = [_level(name, meta) for name, meta in zip(names, metas, strict=True)]
    levels.sort(key=lambda level: np.prod(level.voxel_size))
    if voxel_size_nm is not None:
        return (with_voxel_size(levels[0], voxel_size_nm, translation_nm),)
    return tuple(levels)


def with_voxel_size(
    level: SourceLevel, voxel_size_nm: Nanometres, translation_nm: Nanometres | None = None
) -> SourceLevel:
    """The level with the placement that the configuration gives.

    voxel_size_nm: z y x. translation_nm: the centre of its voxel 0, z y x; None puts its corner at
    the origin.
    """
    voxel_size = triple(float(v) for v in voxel_size_nm)
    if translation_nm is None:
        translation = triple(v / 2 for v in voxel_size)
    else:
        translation = triple(float(t) for t in translation_nm)
    return replace(level, voxel_size=voxel_size, translation=translation)


def _refuse_unplaced(path: str, metas: list[wa.ArrayMeta]) -> None:
    """Raise UserError if the metadata of a level have no voxel size."""
    if any(meta.placed_by is None for meta in metas):
        raise UserError(
            f"config key voxel_size_nm: the metadata of {path} do not say how large a voxel is; "
            "set the key to [z, y, x] in nm"
        )


def _level_names(path: str, pyramid: wa.Pyramid) -> list[str]:
    """The names of the levels at a path: all those of a group, or the one that the path names."""
    node = wa.detect(path)
    if node.scale_key is not None:
        return [node.scale_key]
    if node.kind == "array":
        return [name for name in pyramid.names if node.path.endswith("/" + name)]
    names: list[str] = pyramid.names
    return names


def _level(name: str, meta: wa.ArrayMeta) -> SourceLevel:
    """The level with these metadata. Raises UserError if it cannot be meshed."""
    kind = np.dtype(meta.dtype).kind
    if kind not in "ui":
        raise UserError(
            f"config key input_path: {meta.path} holds {np.dtype(meta.dtype)}, "
            "expected a segmentation of signed or unsigned integers"
        )
    spatial = meta.spatial
    names = tuple(meta.axes[i] for i in spatial)
    # if no axis is called z, y or x, the axes are taken in their order
    is_zyx = names == _ZYX or not set(names) & set(_ZYX)
    is_last = spatial == tuple(range(meta.ndim - 3, meta.ndim))
    if not (is_zyx and is_last) or any(n != 1 for n in meta.shape[:-3]):
        raise UserError(
            f"config key input_path: {meta.path} has axes {' '.join(meta.axes)} of {meta.shape} "
            "voxels, expected three (z y x), any others of length 1 in front of them"
        )
    if 0 in meta.shape:
        raise UserError(f"config key input_path: {meta.path} has no voxels: {meta.shape}")

    return SourceLevel(
        path=meta.path,
        name=name if meta.format == "precomputed" else None,
        shape=triple(meta.shape[-3:]),
        chunks=triple(meta.chunk_shape[-3:]),
        dtype=np.dtype(meta.dtype).name,
        voxel_size=triple(meta.voxel_size[-3:]),
        translation=triple(meta.translation[-3:]),
        format=meta.format,
    )


def is_local(level: SourceLevel) -> bool:
    """Whether a level lies in the local filesystem. Only then can a link point to it."""
    return os.path.isabs(level.path)
