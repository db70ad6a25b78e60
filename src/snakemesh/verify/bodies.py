"""How far the mesh of a label at LOD 0 may be from its voxels, in volume and in place.

Simplification may move a surface by `max_error`, 0.82 voxel by default. So the volume may be off by
that much times the area of the surface. This limit means little for a body that is nearly all
surface, so its volume and place have limits of their own. With a larger `max_error` than the
default, all limits grow with it.

Of the 2,523 labels of pinky40, volumes are off by 0.34 voxel times the area at most, and by 54 % at
most; of the 1,669 labels of 1000 voxels and more by 0.34 %.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from snakemesh.verify.checks import area

DEFAULT_MAX_ERROR = 0.82
# How far the surface may be off on average, in voxels.
MOST_DISTANCE = 0.75
# A body with at least this many voxels is more than its surface.
LARGE = 1000
# How far volumes may be off, as a fraction, and centroids, as a fraction of the largest extent.
MOST_VOLUME = {True: 0.05, False: 0.9}
MOST_SHIFT = {True: 0.03, False: 0.25}


@dataclass(frozen=True)
class Body:
    """What the voxels say of a label.

    voxels: their number. centre_nm: the mean of their centres. voxel_nm: the size of one. (3,) are
    x y z.
    """

    voxels: float
    centre_nm: np.ndarray
    voxel_nm: np.ndarray


def wrong_body(
    body: Body,
    points: np.ndarray,
    faces: np.ndarray,
    volume: float,
    centroid: np.ndarray,
    max_error: float,
) -> Iterator[str]:
    """What is wrong with a closed surface at LOD 0, in words; nothing if it fits the voxels.

    points: (n, 3) in nm. faces: (m, 3). volume, centroid: of the surface, nm^3 and nm.
    """
    more = max(1.0, max_error / DEFAULT_MAX_ERROR)
    is_large = body.voxels >= LARGE
    scaled = points / body.voxel_nm
    held = volume / np.prod(body.voxel_nm) / body.voxels
    by_area = MOST_DISTANCE * area(scaled, faces) / body.voxels
    if volume <= 0 or abs(held - 1) > more * min(by_area, MOST_VOLUME[is_large]):
        yield f"encloses {held:.1%} of the volume of its voxels at LOD 0"
    extent = float((scaled.max(axis=0) - scaled.min(axis=0)).max())
    shift = float(np.abs((centroid - body.centre_nm) / body.voxel_nm).max())
    if shift > more * (MOST_DISTANCE + MOST_SHIFT[is_large] * extent):
        yield f"lies {shift:.2f} voxels beside its voxels at LOD 0"
