"""The state of Neuroglancer: what it shows, from where. All triples are x y z."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import numpy as np

from snakemesh.output.folder import MULTIRES

PUBLIC_VIEWER = "https://neuroglancer-demo.appspot.com"
VOLUME = "volume"  # a volume beside the meshes is served under this path
SHOWN_AT_FIRST = 40  # the number of largest segments that are selected if none are named
MARGIN = 1.2  # of a cross-section around what it frames
MARGIN_3D = 1.6  # what is near looks larger
PANEL_PIXELS = 400  # the height of one of four panels on a common screen


def meshes_at(url: str) -> str:
    """The source of the meshes. `url` is that of the server, without a slash at its end."""
    return f"precomputed://{url}/{MULTIRES}"


def layer_state(sources: Sequence[str], labels: Sequence[int]) -> dict[str, Any]:
    """A state with one segmentation layer of these sources, in which `labels` are selected."""
    layer = {
        "type": "segmentation",
        "name": "segmentation",
        "source": list(sources),
        "segments": [str(label) for label in labels],
        "tab": "segments",
    }
    return {
        "layers": [layer],
        "selectedLayer": {"visible": True, "layer": layer["name"]},
        "layout": "4panel" if len(sources) > 1 else "3d",
    }


def sources_of(state: dict[str, Any]) -> list[str]:
    """The sources of the layer of a state."""
    found: list[str] = state["layers"][0]["source"]
    return found


def framed(
    state: dict[str, Any],
    voxel_nm: Sequence[float],
    lower_nm: Sequence[float] | np.ndarray,
    upper_nm: Sequence[float] | np.ndarray,
) -> dict[str, Any]:
    """The state with a camera that frames a box. Positions are in voxels of `voxel_nm`.

    In Neuroglancer, a scale is what a pixel, or in 3D the height of the picture, is of the smallest
    side of a voxel.
    """
    lower, upper = np.asarray(lower_nm, float), np.asarray(upper_nm, float)
    height = max(float((upper - lower).max()) * MARGIN / min(voxel_nm), 1.0)
    units = {axis: [size * 1e-9, "m"] for axis, size in zip("xyz", voxel_nm, strict=True)}
    return {
        "dimensions": units,
        "position": ((lower + upper) / 2 / voxel_nm).tolist(),
        "crossSectionScale": height / PANEL_PIXELS,
        "projectionScale": height * MARGIN_3D / MARGIN,
    } | state


def viewer_link(state: dict[str, Any]) -> str:
    """A link that opens Neuroglancer on its public site."""
    return f"{PUBLIC_VIEWER}/#!{quote(json.dumps(state, separators=(',', ':')), safe='')}"
