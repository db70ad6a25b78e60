"""The factors of the levels, the part of s0 that is meshed, and what its place is relative to.

All triples are z, y, x, unless they are said to be x, y, z.
"""

import math

import numpy as np
import worldarray as wa

from snakemesh.boxes import Nanometres, Shape, triple
from snakemesh.errors import UserError
from snakemesh.units import rounded

# At each level, an axis is halved if its voxel size is at most this many times the finest one. So
# anisotropic voxels become isotropic first.
ANISOTROPY = 1.5
# Positions of the roi are rounded to this many decimals of a voxel. A face of the roi that misses
# the edge of a voxel by a millionth of a voxel is meant to lie on it.
ROI_DECIMALS = 6
# Where the number of LODs is left open, the longest side has at most this many voxels of the
# coarsest level: a view of the whole on a screen of 1000 pixels then shows each voxel on 2 pixels.
COARSEST_VOXELS = 512
# Where the number of LODs is left open, a volume of any size gets this many if its axes allow it.
USUAL_LODS = 3
# An axis is not halved to fewer voxels than this.
LEAST_VOXELS = 2
# The largest `num_lods` that the schema allows
MAX_LODS = 16
# A volume that begins within this many voxels of 0 needs no base: 32 bits hold its positions to a
# 256th of a voxel. If the number were larger, viewers would round the vertices of meshes visibly.
NEAR_VOXELS = 1 << 16
# 32 bits hold a corner if it is off by at most so much of a voxel.
CORNER_TOLERANCE = 1e-5
# A volume that ends farther from 0 than this, in voxels, is drawn up to half a voxel off:
# Neuroglancer computes in 32 bits, which hold no more than a quarter of a voxel there.
FAR_VOXELS = 1 << 22


def level_factors(voxel_size: Nanometres, num_lods: int) -> tuple[Shape, ...]:
    """The factor of each level over s0: ((1, 1, 1), (1, 2, 2), ...).

    voxel_size: of s0, in nm. num_lods: the number of levels, s0 included.
    """
    factors = [(1, 1, 1)]
    for step in wa.level_factors(voxel_size, ratio=ANISOTROPY, max_levels=num_lods - 1):
        factors.append(triple(f * s for f, s in zip(factors[-1], step, strict=True)))
    return tuple(factors)


def chosen_num_lods(
    roi: tuple[Nanometres, Nanometres] | None,
    shape: Shape,
    voxel_size: Nanometres,
    translation: Nanometres,
    mode: str,
) -> int:
    """The number of LODs where the configuration leaves it open.

    It is 1 + ceil(log2(n / COARSEST_VOXELS)), at least USUAL_LODS and at most MAX_LODS. n: voxels
    of s0 along the longest side of what is meshed. There are fewer LODs where an axis would be
    halved to fewer than LEAST_VOXELS voxels, so that even `snap` leaves a voxel of the coarsest
    level.

    The arguments, and what is raised: as for `aligned_roi`.
    """
    begin, end = aligned_roi(roi, shape, voxel_size, translation, (1, 1, 1), mode)
    voxels = np.subtract(end, begin)
    halvings = math.ceil(math.log2(max(1.0, float(voxels.max()) / COARSEST_VOXELS)))
    lods = min(max(1 + halvings, USUAL_LODS), MAX_LODS)
    return allowed_lods(triple(voxels.tolist()), voxel_size, lods)


def allowed_lods(voxels: Shape, voxel_size: Nanometres, lods: int) -> int:
    """At most `lods`, as many as halve no axis of this many voxels to fewer than LEAST_VOXELS."""
    factors = np.array(level_factors(voxel_size, lods))
    is_thick = ((factors == 1) | (np.array(voxels) >= LEAST_VOXELS * factors)).all(axis=1)
    return int(is_thick.sum())  # thick ones come first


def aligned_roi(
    roi: tuple[Nanometres, Nanometres] | None,
    shape: Shape,
    voxel_size: Nanometres,
    translation: Nanometres,
    factor: Shape,
    mode: str,
) -> tuple[Shape, Shape]:
    """The part of s0 that is meshed: its first voxel, and on each axis the one after its last.

    roi: begin and end in nm, or None for the whole volume. shape: voxels of s0. voxel_size,
    translation: of s0, in nm; the translation is the centre of voxel 0. factor: of the coarsest
    level over s0.

    mode: the value of the config key `pyramid_alignment_mode`. `halo` moves the roi outward to
    multiples of the factor, `snap` moves it inward. This `halo` is only the name of the mode: it is
    not the halo of a tile, the margin that `halo.halo_voxels` computes.

    The result is cut at the end of the volume. Raises UserError if no voxel is left.
    """
    if roi is None:
        return (0, 0, 0), shape
    corner = np.array(translation) - np.array(voxel_size) / 2
    begin, end = (np.round((np.array(edge) - corner) / voxel_size, ROI_DECIMALS) for edge in roi)
    data_end = corner + np.array(shape) * voxel_size
    where = f"the volume spans {rounded(corner)} to {rounded(data_end)} nm (z y x)"
    if np.any(end <= begin):
        raise UserError(f"config key roi: found {_listed(roi)}, its end is not beyond its begin")
    if np.any(end <= 0) or np.any(begin >= shape):
        raise UserError(f"config key roi: found {_listed(roi)}, outside the volume: {where}")
    step = np.array(factor)
    if mode == "halo":
        first, last = np.floor(begin / step) * step, np.ceil(end / step) * step
    else:
        first, last = np.ceil(begin / step) * step, np.floor(end / step) * step
        # The last cube may be cut by the end of the volume. It is kept, as the roi does not cut it.
        last = np.where(end >= shape, shape, last)
    first = np.maximum(first, 0).astype(int)
    last = np.minimum(last, shape).astype(int)
    if np.any(last <= first):
        raise UserError(
            f"config key roi: found {_listed(roi)}, no whole cube of {tuple(factor)} voxels is "
            "left inside it; use pyramid_alignment_mode: halo, fewer num_lods or a larger roi"
        )
    return triple(first.tolist()), triple(last.tolist())


def base_of(corner_nm: Nanometres, voxel_nm: Nanometres) -> tuple[int, int, int]:
    """What positions in the manifests of meshes are relative to, in nm: 0 or a whole number.

    Manifests hold 32-bit floating point numbers, which are 64 nm apart at 1 m. So the base of an
    axis is the corner itself, rounded to a whole number. The viewer holds the base in 32 bits too,
    so it is a number that these hold. It is 0 where 32 bits are enough for positions without a
    base.

    corner_nm: of what is meshed. voxel_nm: of s0.
    """
    corner, voxel = np.array(corner_nm), np.array(voxel_nm)
    is_held = np.abs(corner.astype(np.float32) - corner) <= CORNER_TOLERANCE * voxel
    is_near = is_held & (np.abs(corner) <= NEAR_VOXELS * voxel)
    base = np.where(is_near, 0, np.rint(corner).astype(np.float32))
    return triple(int(b) for b in base)


def _listed(roi: tuple[Nanometres, Nanometres]) -> list[list[float]]:
    return [list(edge) for edge in roi]
