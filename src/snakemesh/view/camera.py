"""From where a view looks at segments, and from how near. All triples are x y z."""

from collections.abc import Sequence
from itertools import product
from math import cos, pi, radians, sin, tan
from typing import Any

import numpy as np

from snakemesh.drawing.direction import TILT, TURN
from snakemesh.drawing.views import turned

# The camera is turned by the first angle about the axis y, and then tilted by the second about its
# own axis x: no axis of the volume points at it, and it looks down, as y points down in the viewer.
_TURN, _TILT = radians(-TURN), radians(-TILT)
# The distance of the camera from the centre, in heights of the picture there. The field of view is
# 45 degrees high (src/perspective_view/panel.ts of Neuroglancer).
_DISTANCE = 1 / (2 * tan(pi / 8))
_MARGIN = 1.1  # of a picture around what it frames
# Width by height of a panel: of two side by side on a common screen, and of a single one.
_ASPECT = {"xy-3d": 0.75, "3d": 1.0}
_PANEL_PIXELS = 550  # the width of one of two panels on a small screen


def camera(boxes_nm: np.ndarray, voxel_nm: Sequence[float], layout: str) -> dict[str, Any]:
    """The parts of a state that frame some boxes obliquely.

    boxes_nm: (n, 2, 3), lower and upper end of each, at least one. Positions are in voxels of
    `voxel_nm`. In Neuroglancer, a scale is what a pixel, or in 3D the height of the picture, is of
    the smallest side of a voxel.
    """
    lower, upper = boxes_nm[:, 0].min(axis=0), boxes_nm[:, 1].max(axis=0)
    centre, unit = (lower + upper) / 2, min(voxel_nm)
    ends = np.array(list(product((0, 1), repeat=3)))
    axes = turned(TURN, TILT) * [[1], [1], [-1]]  # to the right, down, and away from the viewer
    corners = boxes_nm[:, ends, range(3)].reshape(-1, 3) - centre
    height = _height(corners @ axes.T, _ASPECT[layout])
    across = float((upper - lower)[:2].max()) * _MARGIN
    return {
        "dimensions": {
            axis: [size * 1e-9, "m"] for axis, size in zip("xyz", voxel_nm, strict=True)
        },
        "position": (centre / voxel_nm).tolist(),
        "crossSectionScale": max(across / unit, 1.0) / _PANEL_PIXELS,
        "projectionScale": max(height / unit, 1.0),
        "projectionOrientation": [
            cos(_TURN / 2) * sin(_TILT / 2),
            sin(_TURN / 2) * cos(_TILT / 2),
            -sin(_TURN / 2) * sin(_TILT / 2),
            cos(_TURN / 2) * cos(_TILT / 2),
        ],
    }


def _height(points: np.ndarray, aspect: float) -> float:
    """The least height of the picture at its centre in which all points are.

    points: (n, 3), along the axes of the picture, from its centre. A point is drawn at y d / (d +
    z), where d is the distance of the camera: what is near looks larger.
    """
    across, down, away = np.abs(points[:, 0]), np.abs(points[:, 1]), points[:, 2]
    reach = np.maximum(across / aspect, down)
    return float((2 * _MARGIN * reach - away / _DISTANCE).max())
