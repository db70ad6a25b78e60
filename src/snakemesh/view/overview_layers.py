"""The viewer's layers that show all segments at once: one mesh of them all, and their centroids."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from snakemesh.output.folder import CENTROIDS, MULTIRES, OVERVIEW_MESH
from snakemesh.view.state import SEGMENTATION

# `red`, `green` and `blue` are attributes of the vertices (`overview.vtk`).
_SHADER = """#uicontrol float opacity slider(min=0, max=1, default={opacity})
void main() {{
  emitRGBA(vec4({colour}, opacity));
}}
"""
_OWN_COLOURS, _PLAIN = "vec3(red, green, blue) / 255.0", "vec3(0.6)"
# `marker_size` and `segment_color` are properties of the points (`overview.points`).
_MARKERS = """#uicontrol float largest slider(min=1, max=60, default=24)
void main() {
  setColor(prop_segment_color());
  setPointMarkerSize(mix(2.0, largest, float(prop_marker_size()) / 255.0));
  setPointMarkerBorderWidth(0.0);
}
"""


def overview_layer(
    url: str, shift_nm: Sequence[float], opacity: float, is_plain: bool
) -> dict[str, Any]:
    """The layer of the mesh of all segments, in the colours of the file, or in grey if `is_plain`.

    url: of the folder that holds `multires`, without a slash at its end. shift_nm: x y z, the
    translation in the `transform` of the `info` document of the meshes as it is served. opacity:
    0 to 1; other layers show through, and a slider changes it.
    """
    shader = _SHADER.format(opacity=opacity, colour=_PLAIN if is_plain else _OWN_COLOURS)
    source = _source(f"vtk://{url}/{MULTIRES}/{OVERVIEW_MESH}", shift_nm)
    return {"type": "mesh", "name": "overview", "source": source, "shader": shader}


def centroid_layer(url: str, shift_nm: Sequence[float]) -> dict[str, Any]:
    """The layer with a point at the centroid of each segment, larger for a larger segment.

    url, shift_nm: as for `overview_layer`. The viewer lists the segment of a point that is clicked
    with Ctrl and the right button, and shows the segment if the user ticks it.
    """
    return {
        "type": "annotation",
        "name": "centroids",
        "source": _source(f"precomputed://{url}/{MULTIRES}/{CENTROIDS}", shift_nm),
        "linkedSegmentationLayer": {"segment": SEGMENTATION},
        "shader": _MARKERS,
        "tab": "rendering",
    }


def _source(url: str, shift_nm: Sequence[float]) -> str | dict[str, Any]:
    """A source whose positions in nm are shifted."""
    if not any(shift_nm):
        return url
    matrix = np.column_stack([np.eye(3), shift_nm]).tolist()
    units = {axis: [1e-9, "m"] for axis in "xyz"}
    return {"url": url, "transform": {"matrix": matrix, "outputDimensions": units}}
