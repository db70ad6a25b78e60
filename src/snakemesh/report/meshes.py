"""Meshes drawn into plots of matplotlib: without perspective, the far triangles first.

A plot shows the plane of a view in nm, x to the right and y down. A node of a cluster has no
display; matplotlib needs none, and draws 130,000 triangles a second.
"""

from collections.abc import Iterable, Sequence
from itertools import product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

from snakemesh.units import lengths

# Vertices x y z in nm (n, 3), faces (m, 3), and the colour of the mesh, RGB from 0 to 1.
Drawable = tuple[np.ndarray, np.ndarray, np.ndarray]

# How far a volume is turned about its vertical axis, and tilted up or down, in degrees.
TURN, TILT = 32.0, 24.0
# Towards the light, in the axes of a view: right, down, towards the viewer.
LIGHT = np.array([-0.35, -0.55, 0.76])
# The light on a face that is turned away from it, as a part of the most.
AMBIENT = 0.22
# How much the farthest triangles fade into the white background.
FADING = 0.25
# The part of each side of a plot that stays free around the meshes, and that a bar takes at most.
MARGIN, LONGEST_BAR = 0.04, 0.3


def looking(right: Sequence[float], down: Sequence[float]) -> np.ndarray:
    """The axes of a view, (3, 3): rows are unit vectors x y z to the right, down, to the viewer.

    right, down: orthogonal unit vectors x y z. As in Neuroglancer, x to the right and y down is a
    look along z.
    """
    return np.stack([right, down, -np.cross(right, down)]).astype(float)


def sides() -> list[np.ndarray]:
    """The axes of views of a volume from its four sides, from above and from below."""
    found = []
    for turn, tilt in product((0, 90, 180, 270), (TILT, -TILT)):
        (a, b), (c, d) = ((np.cos(x), np.sin(x)) for x in np.radians([TURN + turn, tilt]))
        found.append(looking([a, 0, b], [b * d, c, -a * d]))
    return found


def broadside(points: np.ndarray) -> np.ndarray:
    """The axes of the view that shows most of points (n, 3): their longest extent to the right."""
    centred = points - points.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    right, down = vectors[:, 2], vectors[:, 1]
    # the same one of two opposite directions every time
    right, down = (v * np.sign(v[np.abs(v).argmax()]) for v in (right, down))
    return looking(right, down)


def draw(plot: Axes, axes: np.ndarray, meshes: Iterable[Drawable], lines: bool = False) -> None:
    """Draw closed surfaces, whose faces are outward. lines: show the edges of triangles."""
    triangles, colours = [np.empty((0, 3, 3))], [np.empty((0, 3))]
    for vertices, faces, colour in meshes:
        corners = (vertices @ axes.T)[faces]
        # the axes of a view, right, down and near, are left-handed
        normal = -np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        seen = normal[:, 2] > 0
        normal = normal[seen] / np.linalg.norm(normal[seen], axis=1, keepdims=True)
        light = AMBIENT + (1 - AMBIENT) * np.clip(0.5 + 0.5 * normal @ LIGHT, 0, 1) ** 1.5 * 1.1
        triangles.append(corners[seen])
        colours.append(colour * light[:, None])
    corners, lit = np.concatenate(triangles), np.concatenate(colours)
    nearness = corners[..., 2].mean(axis=1)
    order = np.argsort(nearness, kind="stable")
    if len(order):
        far = FADING * (nearness.max() - nearness) / max(float(np.ptp(nearness)), 1e-9)
        lit = np.clip(lit * (1 - far[:, None]) + far[:, None], 0, 1)
    shapes = PolyCollection(
        list(corners[order, :, :2]),
        facecolors=lit[order],
        edgecolors="#00000060" if lines else "face",
        antialiaseds=lines,
        linewidths=0.3,
    )
    plot.add_collection(shapes, autolim=False)


def frame(plot: Axes, low: np.ndarray, high: np.ndarray) -> None:
    """Show a part of the plane of a view, and a bar of known length. low, high: right and down."""
    width, height = spare = (high - low) * (1 + 2 * MARGIN)
    middle = (low + high) / 2
    plot.set_aspect("equal", anchor="NW")
    plot.set_xlim(middle[0] - spare[0] / 2, middle[0] + spare[0] / 2)
    plot.set_ylim(middle[1] + spare[1] / 2, middle[1] - spare[1] / 2)
    plot.grid(False)
    plot.set_axis_off()
    bar = bar_nm(max(width, height))
    plot.add_artist(
        AnchoredSizeBar(plot.transData, bar, lengths([bar]), "lower left", frameon=False)
    )


def bar_nm(width_nm: float) -> float:
    """The longest length of 1, 2 or 5 times a power of ten that fits under a picture."""
    power = 10.0 ** np.floor(np.log10(width_nm * LONGEST_BAR))
    return float(max(n * power for n in (1, 2, 5) if n * power <= width_nm * LONGEST_BAR))
