"""The levels of the source, from its metadata alone. All triples are z, y, x; lengths are nm.

worldarray reads the metadata of every format (OME-NGFF, N5, precomputed, plain zarr), local and
remote.
"""

import hashlib
import json
import math
import os
from dataclasses import dataclass, replace

import numpy as np
import worldarray as wa
from worldarray.store import Refused, open_array, precomputed_scale_index

from snakemesh.boxes import Nanometres, Shape, triple
from snakemesh.chunk_files import ChunkFiles, chunk_files
from snakemesh.errors import UserError
from snakemesh.plan.compressed_files import refuse_compressed_files
from snakemesh.plan.groups import refuse_folder, refuse_image

_ZYX = ("z", "y", "x")
# A voxel is no smaller than an atom, and no larger than a metre.
MIN_VOXEL_NM, MAX_VOXEL_NM = 1e-3, 1e9
MAX_POSITION_NM = 1e15
# Voxels along an axis of a volume or of a chunk, and from the origin to a volume.
MAX_VOXELS = 1 << 40
# What reading broken documents raises, in worldarray and here.
_ODD_METADATA = (
    *(ValueError, TypeError, LookupError, ArithmeticError, AttributeError),
    *(OSError, RuntimeError, AssertionError, MemoryError),
)


@dataclass(frozen=True)
class SourceLevel:
    """One array of the source: where it is, its shape and placement (centre of voxel 0), z y x.

    document: a hash of its metadata documents. files: of its chunks, where they can be told.
    has_unit: whether the metadata name the unit of its sizes.
    """

    path: str
    name: str | None
    shape: Shape
    chunks: Shape
    dtype: str
    voxel_size: Nanometres
    translation: Nanometres
    format: str
    document: str = ""
    files: ChunkFiles | None = None
    has_unit: bool = True


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
        # numbers that overflow are refused below
        with np.errstate(all="ignore"):
            levels = _read_levels(path, voxel_size_nm is None)
    except UserError:
        raise
    except FileNotFoundError as error:
        refuse_folder(path)
        raise UserError(
            f"config key input_path: found no zarr, N5 or precomputed volume at {path}"
        ) from error
    except Refused as error:
        raise UserError(
            f"config key input_path: reading {path} is not allowed, to nobody or with the "
            f"credentials found here: {_reason(error)}"
        ) from error
    except _ODD_METADATA as error:
        raise UserError(
            f"config key input_path: the metadata of {path} cannot be read: {_reason(error)}"
        ) from error
    if voxel_size_nm is not None:
        return (with_voxel_size(levels[0], voxel_size_nm, translation_nm),)
    for level in levels:
        _refuse_odd_placement(level)
    return levels


def _read_levels(path: str, is_placed: bool) -> tuple[SourceLevel, ...]:
    """The levels of a volume, finest first. is_placed: whether their placement is to be known."""
    refuse_image(path)
    try:
        pyramid = wa.open_pyramid(path)
    except ValueError:
        refuse_folder(path)
        raise
    levels = []
    for name in _level_names(path, pyramid):
        try:
            stored = pyramid.level_meta(name)
        except FileNotFoundError as error:
            raise UserError(
                f"config key input_path: {path} lists level {name}, which is not there; give the "
                "path of one level to use that alone"
            ) from error
        if is_placed:
            _refuse_unplaced(path, [stored])
        meta = stored.in_nm() if is_placed else stored
        levels.append(_level(name, meta, all(stored.units[i] for i in stored.spatial)))
    if is_placed:
        return tuple(sorted(levels, key=lambda level: math.prod(level.voxel_size)))
    return tuple(sorted(levels, key=lambda level: -math.prod(level.shape)))


def _refuse_odd_placement(level: SourceLevel) -> None:
    """Refuse sizes and positions that no volume has, and that arithmetic would not survive."""
    for size in level.voxel_size:
        if not MIN_VOXEL_NM <= size <= MAX_VOXEL_NM:
            raise UserError(
                f"config key voxel_size_nm: {level.path} has voxels of {list(level.voxel_size)} "
                f"nm, expected {MIN_VOXEL_NM:g} to {MAX_VOXEL_NM:g}; set the key to the right size"
            )
    if not all(abs(position) <= MAX_POSITION_NM for position in level.translation):
        raise UserError(
            f"config key translation_nm: {level.path} lies at {list(level.translation)} nm, "
            f"expected at most {MAX_POSITION_NM:g}; set voxel_size_nm and translation_nm"
        )
    reach = zip(level.translation, level.voxel_size, strict=True)
    if any(abs(position) > MAX_VOXELS * size for position, size in reach):
        raise UserError(
            f"config key translation_nm: {level.path} lies at {list(level.translation)} nm, too "
            f"far off for voxels of {list(level.voxel_size)} nm; set voxel_size_nm and "
            "translation_nm"
        )


def _reason(error: Exception) -> str:
    """What an error says, in one line."""
    if isinstance(error, KeyError):
        return f"{error} is missing"
    reason = " ".join(str(error).split()).split(" [source locations=")[0]
    return reason or type(error).__name__


def with_voxel_size(
    level: SourceLevel, voxel_size_nm: Nanometres, translation_nm: Nanometres | None = None
) -> SourceLevel:
    """The level with the placement that the configuration gives.

    voxel_size_nm: z y x. translation_nm: the centre of its voxel 0, z y x; None puts its corner at
    the origin. Raises UserError for a placement that no volume has.
    """
    voxel_size = triple(float(v) for v in voxel_size_nm)
    if translation_nm is None:
        translation = triple(v / 2 for v in voxel_size)
    else:
        translation = triple(float(t) for t in translation_nm)
    placed = replace(level, voxel_size=voxel_size, translation=translation, has_unit=True)
    _refuse_odd_placement(placed)
    return placed


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
    return list(pyramid.names)


def _level(name: str, meta: wa.ArrayMeta, has_unit: bool) -> SourceLevel:
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

    for size in (meta.shape, meta.chunk_shape):
        if not all(type(n) is int and 1 <= n <= MAX_VOXELS for n in size):
            raise UserError(
                f"config key input_path: {meta.path} has a shape or chunks of {size} voxels, "
                f"expected 1 to {MAX_VOXELS:,} on each axis"
            )

    node = wa.detect(meta.path)
    _open(node, name)
    files = chunk_files(node.format, node.path, node.docs, name)
    if node.format == "precomputed" and files is not None:
        refuse_compressed_files(files)
    return SourceLevel(
        path=meta.path,
        name=name if meta.format == "precomputed" else None,
        shape=triple(meta.shape[-3:]),
        chunks=triple(meta.chunk_shape[-3:]),
        dtype=np.dtype(meta.dtype).name,
        voxel_size=triple(meta.voxel_size[-3:]),
        translation=triple(meta.translation[-3:]),
        format=meta.format,
        document=hashlib.sha256(json.dumps(node.docs, sort_keys=True).encode()).hexdigest(),
        has_unit=has_unit,
        files=files,
    )


def _open(node: wa.Node, name: str) -> None:
    """Open an array and read no voxel, so that what a job could not read is said before."""
    is_one_of_many = node.format == "precomputed"
    index = precomputed_scale_index(node.docs["info"], name) if is_one_of_many else None
    open_array(node, context=wa.shared_context(0), scale_index=index)


def is_local(level: SourceLevel) -> bool:
    """Whether a level lies in the local filesystem. Only then can a link point to it."""
    return os.path.isabs(level.path)
