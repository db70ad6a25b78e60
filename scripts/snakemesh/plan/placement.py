"""Where levels lie: per-axis factors, the aligned region of interest, placements. All z y x."""

import numpy as np
import worldarray as wa

from snakemesh.boxes import Nanometres, Shape
from snakemesh.errors import UserError

# An axis is halved while its voxels are at most this many times the finest ones: anisotropic data
# becomes isotropic first.
ANISOTROPY = 1.5


def level_factors(voxel_size: Nanometres, num_lods: int) -> tuple[Shape, ...]:
    """Per level, its per-axis factor over s0: ((1, 1, 1), (1, 2, 2), ...)."""
    factors = [(1, 1, 1)]
    for step in wa.level_factors(voxel_size, ratio=ANISOTROPY, max_levels=num_lods - 1):
        factors.append(tuple(f * s for f, s in zip(factors[-1], step, strict=True)))
    return tuple(factors)


def aligned_roi(
    roi: tuple[Nanometres, Nanometres] | None,
    shape: Shape,
    voxel_size: Nanometres,
    translation: Nanometres,
    factor: Shape,
    mode: str,
) -> tuple[Shape, Shape]:
    """First and one past the last voxel of the part of s0 to mesh.

    roi: begin and end in nm, or None for everything. factor: of the coarsest level. mode: `halo`
    rounds outward to multiples of the factor, `snap` inward. What lies past the dataset's edge does
    not exist: the result is cut to it. Raises UserError when nothing is left.
    """
    if roi is None:
        return (0, 0, 0), shape
    corner = np.array(translation) - np.array(voxel_size) / 2
    # a boundary a millionth of a voxel off a voxel's edge is meant to be on it
    begin, end = (np.round((np.array(edge) - corner) / voxel_size, 6) for edge in roi)
    data_end = corner + np.array(shape) * voxel_size
    where = f"the volume spans {_nm(corner)} to {_nm(data_end)} nm (z y x)"
    if np.any(end <= begin):
        raise UserError(f"config key roi: found {_listed(roi)}, its end is not beyond its begin")
    if np.any(end <= 0) or np.any(begin >= shape):
        raise UserError(f"config key roi: found {_listed(roi)}, outside the volume: {where}")
    step = np.array(factor)
    if mode == "halo":
        first, last = np.floor(begin / step) * step, np.ceil(end / step) * step
    else:
        first, last = np.ceil(begin / step) * step, np.floor(end / step) * step
        # there, a cube that is cut by the dataset's edge is not cut by the roi
        last = np.where(end >= shape, shape, last)
    first = np.maximum(first, 0).astype(int)
    last = np.minimum(last, shape).astype(int)
    if np.any(last <= first):
        raise UserError(
            f"config key roi: found {_listed(roi)}, no whole cube of {tuple(factor)} voxels is "
            "left inside it; use pyramid_alignment_mode: halo, fewer num_lods or a larger roi"
        )
    return tuple(first.tolist()), tuple(last.tolist())


def _nm(position: np.ndarray) -> list[float]:
    return [round(float(p), 3) for p in position]


def _listed(roi: tuple[Nanometres, Nanometres]) -> list[list[float]]:
    return [list(edge) for edge in roi]
