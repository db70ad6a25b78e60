"""Numbers for the shape of segments: principal axes and sphericity."""

from typing import NamedTuple

import numpy as np

from snakemesh.job_records import OctreeGrid
from snakemesh.multires.counts import AXES_OF_SECOND


class PrincipalAxes(NamedTuple):
    """The axes of ellipsoids, the longest first.

    lengths: (n, 3) float64, whole axes in nm. direction: (n, 3) float64, x y z, of length 1: where
    the longest one points; its largest component is positive.
    """

    lengths: np.ndarray
    direction: np.ndarray


def principal_axes(totals: np.ndarray, grid: OctreeGrid) -> PrincipalAxes:
    """The axes of the solid ellipsoids that have the second moments of some labels' voxels.

    totals: counts.TOTAL. Voxels are boxes, so one voxel has the axes of a box. A solid ellipsoid
    whose whole axis is a has the variance a^2 / 20 along it, as in scikit-image's `regionprops`
    (axis_major_length). NaN for a label without voxels.

    The errors are those of float64: a variance is off by at most 10^-14 times the square of the
    extent of the label and a cell.
    """
    voxels = totals["voxels"].astype(np.float64)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = totals["moment"] / voxels - totals["cell"]
        second = totals["second"] / voxels
    covariance = np.empty((len(totals), 3, 3))
    for (i, j), moments in zip(AXES_OF_SECOND, second.T, strict=True):
        found = (moments - mean[:, i] * mean[:, j]) * (grid.cell_nm[i] * grid.cell_nm[j])
        covariance[:, i, j] = covariance[:, j, i] = found
    is_there = totals["voxels"] > 0
    lengths, direction = np.full((len(totals), 3), np.nan), np.full((len(totals), 3), np.nan)
    values, vectors = np.linalg.eigh(covariance[is_there])
    lengths[is_there] = np.sqrt(20 * np.maximum(values[:, ::-1], 0))
    longest = vectors[:, :, 2]
    largest = np.abs(longest).argmax(axis=1)[:, None]
    direction[is_there] = longest * np.sign(np.take_along_axis(longest, largest, 1))
    return PrincipalAxes(lengths, direction)


def sphericity(volume: np.ndarray, area: np.ndarray) -> np.ndarray:
    """The area of the ball of the same volume, divided by the area: 1 for a ball, else less.

    pi^(1/3) (6 V)^(2/3) / A: Wadell, Volume, shape, and roundness of quartz particles, J. Geology
    43 (1935). volume: (n,) nm^3. area: (n,) nm^2. NaN where one of them is not positive.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.cbrt(np.pi * (6 * volume) ** 2) / area
    return np.where((volume > 0) & (area > 0), found, np.nan)
