"""Limits of sizes and positions: beyond them metadata are wrong, or arithmetic would overflow."""

from collections.abc import Sequence

from snakemesh.boxes import Nanometres
from snakemesh.errors import UserError

# A voxel is no smaller than an atom, and no larger than a metre.
MIN_VOXEL_NM, MAX_VOXEL_NM = 1e-3, 1e9
MAX_POSITION_NM = 1e15
# Voxels along an axis of a volume or of a chunk, and from the origin to a volume.
MAX_VOXELS = 1 << 40


def refuse_odd_placement(path: str, voxel_size: Nanometres, translation: Nanometres) -> None:
    """Raise UserError for an impossible voxel size or position. z y x, in nm."""
    for size in voxel_size:
        if not MIN_VOXEL_NM <= size <= MAX_VOXEL_NM:
            raise UserError(
                f"config key voxel_size_nm: {path} has voxels of {list(voxel_size)} "
                f"nm, expected {MIN_VOXEL_NM:g} to {MAX_VOXEL_NM:g}; set the key to the right size"
            )
    if not all(abs(position) <= MAX_POSITION_NM for position in translation):
        raise UserError(
            f"config key translation_nm: {path} lies at {list(translation)} nm, "
            f"expected at most {MAX_POSITION_NM:g}; set voxel_size_nm and translation_nm"
        )
    reach = zip(translation, voxel_size, strict=True)
    if any(abs(position) > MAX_VOXELS * size for position, size in reach):
        raise UserError(
            f"config key translation_nm: {path} lies at {list(translation)} nm, too "
            f"far off for voxels of {list(voxel_size)} nm; set voxel_size_nm and "
            "translation_nm"
        )


def refuse_odd_shape(path: str, shape: Sequence[int], chunks: Sequence[int]) -> None:
    """Raise UserError for an impossible shape or impossible chunks, or if there are no voxels."""
    if 0 in shape:
        raise UserError(f"config key input_path: {path} has no voxels: {tuple(shape)}")
    for size in (shape, chunks):
        if not all(type(n) is int and 1 <= n <= MAX_VOXELS for n in size):
            raise UserError(
                f"config key input_path: {path} has a shape or chunks of {tuple(size)} voxels, "
                f"expected 1 to {MAX_VOXELS:,} on each axis"
            )
