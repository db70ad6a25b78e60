"""What a source volume is, from its metadata documents alone, and reading it.

worldarray finds the levels and places them (OME-NGFF, N5, precomputed, plain zarr; local and
remote); everything here is z y x and nanometres.
"""

import os
from dataclasses import dataclass, replace

import numpy as np
import tensorstore as ts
import worldarray as wa
from worldarray.store import Refused

from snakemesh.errors import UserError

Triple = tuple[float, float, float]
Shape = tuple[int, int, int]

_ZYX = ("z", "y", "x")


@dataclass(frozen=True)
class SourceLevel:
    """One array of the source: where it is, its shape and placement (centre of voxel 0), z y x."""

    path: str
    name: str | None
    shape: Shape
    chunks: Shape
    dtype: str
    voxel_size: Triple
    translation: Triple
    format: str


def read_source(
    path: str, voxel_size_nm: Triple | None = None, translation_nm: Triple | None = None
) -> tuple[SourceLevel, ...]:
    """The levels of a volume, finest first; no voxel is read.

    path: a group, an array or a level of a group, local or a URL. voxel_size_nm, translation_nm:
    z y x, in place of what the metadata say. Raises UserError for what is not there, cannot be
    meshed, or has a size that nobody says.
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
    level: SourceLevel, voxel_size_nm: Triple, translation_nm: Triple | None = None
) -> SourceLevel:
    """A level placed by the configuration: voxels of this size, z y x.

    translation_nm: the centre of its voxel 0; None puts its corner at the origin.
    """
    voxel_size = tuple(float(v) for v in voxel_size_nm)
    if translation_nm is None:
        translation = tuple(v / 2 for v in voxel_size)
    else:
        translation = tuple(float(t) for t in translation_nm)
    return replace(level, voxel_size=voxel_size, translation=translation)


def _refuse_unplaced(path: str, metas: list[wa.ArrayMeta]) -> None:
    if any(meta.placed_by is None for meta in metas):
        raise UserError(
            f"config key voxel_size_nm: the metadata of {path} do not say how large a voxel is; "
            "set the key to [z, y, x] in nm"
        )


def _level_names(path: str, pyramid: wa.Pyramid) -> list[str]:
    """The levels a path stands for: those of a group, or the one that it leads to."""
    node = wa.detect(path)
    if node.scale_key is not None:
        return [node.scale_key]
    if node.kind == "array":
        return [name for name in pyramid.names if node.path.endswith("/" + name)]
    return pyramid.names


def _level(name: str, meta: wa.ArrayMeta) -> SourceLevel:
    kind = np.dtype(meta.dtype).kind
    if kind not in "ui":
        raise UserError(
            f"config key input_path: {meta.path} holds {np.dtype(meta.dtype)}, "
            "expected a segmentation of signed or unsigned integers"
        )
    spatial = meta.spatial
    names = tuple(meta.axes[i] for i in spatial)
    # axes that bear other names altogether are taken in order
    is_zyx = names == _ZYX or not set(names) & set(_ZYX)
    is_last = spatial == tuple(range(meta.ndim - 3, meta.ndim))
    if not (is_zyx and is_last) or any(n != 1 for n in meta.shape[:-3]):
        raise UserError(
            f"config key input_path: {meta.path} has axes {' '.join(meta.axes)} of {meta.shape} "
            "voxels, expected three (z y x), any others of length 1 in front of them"
        )
    if 0 in meta.shape:
        raise UserError(f"config key input_path: {meta.path} has no voxels: {meta.shape}")

    def pick(values):
        return tuple(values[i] for i in spatial)

    return SourceLevel(
        path=meta.path,
        name=name if meta.format == "precomputed" else None,
        shape=pick(meta.shape),
        chunks=pick(meta.chunk_shape),
        dtype=np.dtype(meta.dtype).name,
        voxel_size=pick(meta.voxel_size),
        translation=pick(meta.translation),
        format=meta.format,
    )


def is_local(level: SourceLevel) -> bool:
    """Whether a level lies in the local filesystem, where it can be linked to."""
    return os.path.isabs(level.path)


def open_labels(path: str, name: str | None = None) -> ts.TensorStore:
    """An array of labels, z y x with origin 0; axes of length 1 in front are dropped."""
    store = wa.open_tensorstore(path, level=name)
    return store[(0,) * (store.ndim - 3)] if store.ndim > 3 else store


def level_store(source: tuple[str, str | None, Shape, Shape]) -> ts.TensorStore:
    """The part of a level that is meshed, with its first voxel at 0."""
    path, name, origin, shape = source
    store = open_labels(path, name)
    box = tuple(slice(o, o + n) for o, n in zip(origin, shape, strict=True))
    return store[box][ts.d[:].translate_to[0]]


def is_background(store: ts.TensorStore) -> bool:
    """Whether nothing of an array, or of a part of one, is stored, so that all of it is 0.

    Asks for the chunks' files, not for their voxels. What cannot be asked cheaply is taken to be
    stored: a remote array, one whose background is not 0, and precomputed volumes, where
    tensorstore 0.1.86 looks for the wrong files.
    """
    spec = store.spec().to_json()
    if spec["driver"] not in ("zarr", "zarr3", "n5") or spec["kvstore"]["driver"] != "file":
        return False
    if store.fill_value is not None and store.fill_value != 0:
        return False
    return store.storage_statistics(query_not_stored=True).result().not_stored


def unreadable(error: Exception, box: tuple[slice, slice, slice]) -> UserError:
    """What to say when voxels of a level (z y x, from its origin) cannot be read, a broken chunk.

    error: tensorstore's, which names the file.
    """
    voxels = f"{[side.start for side in box]} to {[side.stop for side in box]}"
    reason = " ".join(str(error).split()).split(" [source locations=")[0]
    return UserError(
        f"the volume cannot be read at voxels {voxels} (z y x) of what is meshed: {reason}"
    )


def unsigned(labels: np.ndarray) -> np.ndarray:
    """Labels as unsigned integers of the same width, without a copy.

    Raises UserError for negative labels, which are not labels.
    """
    if labels.dtype.kind == "i":
        if labels.size and labels.min() < 0:
            raise UserError(
                f"config key input_path: found label {labels.min()}, labels cannot be negative"
            )
        return labels.view(f"u{labels.dtype.itemsize}")
    return labels
