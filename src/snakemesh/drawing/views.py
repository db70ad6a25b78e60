"""Where a picture looks from, and what it frames, without perspective.

A view has three axes: to the right, down, and towards the viewer. As in Neuroglancer, a look along
z has x to the right and y down.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from snakemesh.drawing.direction import TILT, TURN

# The part of a side of a picture that stays free on either side of the meshes, and the part that a
# bar takes at most.
MARGIN, LONGEST_BAR = 0.04, 0.3


@dataclass(frozen=True)
class View:
    """How a picture shows space.

    axes: (3, 3), rows are unit vectors x y z to the right, down and to the viewer. centre: what is
    in the middle, in nm along these axes. nm_per_pixel: the scale. size: pixels, width and height.
    """

    axes: np.ndarray
    centre: np.ndarray
    nm_per_pixel: float
    size: tuple[int, int]

    def project(self, points: np.ndarray) -> np.ndarray:
        """Points (n, 3), x y z in nm, as pixels to the right and down, and pixels of nearness."""
        middle = np.array([self.size[0] / 2, self.size[1] / 2, 0])
        return np.asarray((points @ self.axes.T - self.centre) / self.nm_per_pixel + middle)


def looking(right: Sequence[float], down: Sequence[float]) -> np.ndarray:
    """The axes of a view, (3, 3). right, down: orthogonal unit vectors x y z."""
    return np.stack([right, down, -np.cross(right, down)]).astype(float)


def turned(azimuth: float, elevation: float) -> np.ndarray:
    """The axes of a view, (3, 3), from a direction in degrees.

    0, 0 looks along z. azimuth: how far the viewer then walks to the right around the vertical
    axis, y. elevation: how far the viewer rises above the horizon.
    """
    (a, b), (c, d) = ((np.cos(x), np.sin(x)) for x in np.radians([azimuth, elevation]))
    return looking([a, 0, b], [b * d, c, -a * d])


def sides() -> list[np.ndarray]:
    """The axes of views of a volume from its four sides, from above and from below."""
    return [turned(TURN + turn, tilt) for turn, tilt in product((0, 90, 180, 270), (TILT, -TILT))]


def broadside(points: np.ndarray) -> np.ndarray:
    """The axes of the view that shows most of points (n, 3): their longest extent to the right."""
    centred = points - points.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    right, down = vectors[:, 2], vectors[:, 1]
    # the same one of two opposite directions every time
    right, down = (v * np.sign(v[np.abs(v).argmax()]) for v in (right, down))
    return looking(right, down)


def bar_nm(width_nm: float) -> float:
    """The longest length of 1, 2 or 5 times a power of ten that fits under a picture."""
    power = 10.0 ** np.floor(np.log10(width_nm * LONGEST_BAR))
    return float(max(n * power for n in (1, 2, 5) if n * power <= width_nm * LONGEST_BAR))
