"""From where meshes are looked at."""

from collections.abc import Sequence

import numpy as np

from snakemesh.report.raster import View

# Of the picture on each side that stays free
MARGIN = 0.04
# How far the volume is turned about its vertical axis, and tilted, in degrees.
TURN, TILT = 32.0, 24.0
# Triangles are drawn at twice the size of the picture (`shading.shaded`).
OVERSAMPLING = 2


def looking(right: Sequence[float], down: Sequence[float]) -> np.ndarray:
    """The axes of a view, (3, 3). right, down: orthogonal unit vectors x y z.

    As in Neuroglancer, x to the right and y down is a look along z.
    """
    return np.stack([right, down, -np.cross(right, down)]).astype(float)


def sides() -> list[np.ndarray]:
    """The axes of views of a volume from its four sides, from above and from below."""
    return [turned(TURN + quarter, tilt) for quarter in (0, 90, 180, 270) for tilt in (TILT, -TILT)]


def turned(turn: float, tilt: float) -> np.ndarray:
    """The axes of a view that is turned about y and then tilted, in degrees."""
    cosines, sines = np.cos(np.radians([turn, tilt])), np.sin(np.radians([turn, tilt]))
    about_y = np.array([[cosines[0], 0, sines[0]], [0, 1, 0], [-sines[0], 0, cosines[0]]])
    about_x = np.array([[1, 0, 0], [0, cosines[1], -sines[1]], [0, sines[1], cosines[1]]])
    right, down, _ = about_x @ about_y
    return looking(right, down)


def broadside(points: np.ndarray) -> np.ndarray:
    """The axes in which points (n, 3) are spread out: the longest extent to the right."""
    centred = points - points.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    right, down = vectors[:, 2], vectors[:, 1]
    # the same one of two opposite directions every time
    right, down = (v * np.sign(v[np.abs(v).argmax()]) for v in (right, down))
    return looking(right, down)


def framing(axes: np.ndarray, points: np.ndarray, size: tuple[int, int]) -> View:
    """The view with all points (n, 3) in the picture. size: of the picture that is shown."""
    size = (size[0] * OVERSAMPLING, size[1] * OVERSAMPLING)
    seen = points @ axes.T
    low, high = seen.min(axis=0), seen.max(axis=0)
    room = np.array(size) * (1 - 2 * MARGIN)
    scale = float(max(((high - low)[:2] / room).max(), 1e-9))
    return View(axes, (low + high) / 2 @ axes, scale, size)


def closer(view: View, pixel: tuple[float, float], times: float) -> View:
    """A view that shows what is at a pixel (right, down) of another, enlarged."""
    offset = (np.array(pixel) - np.array(view.size) / 2) * view.nm_per_pixel
    centre = view.centre + offset @ view.axes[:2]
    return View(view.axes, centre, view.nm_per_pixel / times, view.size)
