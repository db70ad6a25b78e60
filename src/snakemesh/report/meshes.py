"""Meshes drawn into plots of matplotlib.

A plot shows the plane of a view in nm, x to the right and y down.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

from snakemesh.drawing.raster import draw, new_canvas, picture
from snakemesh.drawing.views import MARGIN, View, bar_nm
from snakemesh.meshes.normals import vertex_normals
from snakemesh.units import lengths

# Vertices x y z in nm (n, 3), faces (m, 3), and the colour of the mesh, RGB, uint8 (3,).
Drawable = tuple[np.ndarray, np.ndarray, np.ndarray]

# Pixels of the longest side of a plot, and the width of the edges of triangles in them.
PIXELS, LINE = 900, 1.0


def show(
    plot: Axes,
    axes: np.ndarray,
    meshes: Sequence[Drawable],
    low: np.ndarray,
    high: np.ndarray,
    lines: bool = False,
) -> None:
    """Draw closed surfaces, whose faces are outward, and a bar of known length.

    low, high: the part of the plane of the view that is shown, right and down. lines: show the
    edges of triangles.
    """
    spare = (high - low) * (1 + 2 * MARGIN)
    scale = max(float(spare.max()), 1e-9) / PIXELS
    width, height = np.maximum(np.ceil(spare / scale), 1).astype(int).tolist()
    near = max((float((vertices @ axes[2]).max()) for vertices, *_ in meshes), default=0.0)
    middle = (low + high) / 2
    canvas = new_canvas(View(axes, np.array([*middle, near]), scale, (width, height)))
    for number, (vertices, faces, _) in enumerate(meshes):
        normals = vertex_normals(vertices, faces).astype(np.float32)
        faces = faces.astype(np.int32)
        draw(canvas, number, vertices, normals, faces, LINE if lines else 0.0)
    half = np.array([width, height]) * scale / 2
    (left, top), (right, bottom) = middle - half, middle + half
    colours = np.array([colour for *_, colour in meshes], np.uint8).reshape(-1, 3)
    # with an alpha, so that the plot shows its own background
    plot.imshow(picture(canvas, colours), extent=(left, right, bottom, top), aspect="equal")
    plot.set_anchor("NW")
    plot.set_axis_off()
    bar = bar_nm(max(right - left, bottom - top))
    plot.add_artist(
        AnchoredSizeBar(plot.transData, bar, lengths([bar]), "lower left", frameon=False)
    )
