"""The state of Neuroglancer: what it shows, from where. All triples are x y z."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import numpy as np

from snakemesh.ascending import find
from snakemesh.output.folder import MULTIRES
from snakemesh.tables.column_colours import GREY, ColumnColours
from snakemesh.view.limits import MOST_SELECTED
from snakemesh.view.segments import Chosen

PUBLIC_VIEWER = "https://neuroglancer-demo.appspot.com"
VOLUME = "volume"  # a volume beside the meshes is served under this path
SEGMENTATION = "segmentation"  # the name of the layer
_OTHERS_ALPHA = 0.2  # of the colours of segments that are not selected, in a section


def meshes_at(url: str) -> str:
    """The source of the meshes. `url` is that of the server, without a slash at its end."""
    return f"precomputed://{url}/{MULTIRES}"


def layer_state(
    volume: str | None, meshes: str | None, chosen: Chosen, query: str
) -> dict[str, Any]:
    """A state with one segmentation layer, in which segments are selected.

    volume, meshes: its sources, None for one that is not there. query: in which order the viewer
    lists the segments. The voxels are in a section, and the meshes beside it, without sections that
    would hide them.
    """
    layer: dict[str, Any] = {
        "type": "segmentation",
        "name": SEGMENTATION,
        "source": [source for source in (volume, meshes) if source is not None],
        "segments": [str(label) for label in chosen.labels],
        "tab": "segments",
    }
    if query:
        layer["segmentQuery"] = query
    if chosen.with_others:
        layer["notSelectedAlpha"] = _OTHERS_ALPHA
    if chosen.colours is not None:
        layer["segmentColors"] = _segment_colors(chosen.colours, chosen.labels)
        layer["segmentDefaultColor"] = _hex(GREY)
    return {
        "layers": [layer],
        "selectedLayer": {"visible": True, "layer": SEGMENTATION},
        "layout": "3d" if volume is None else "xy-3d",
        "showSlices": False,
    }


def _segment_colors(colours: ColumnColours, selected: Sequence[int]) -> dict[str, str]:
    """The colours of at most MOST_SELECTED segments: those of `selected`, then the largest."""
    at, is_there = find(colours.labels, np.array(selected, np.uint64))
    ranked = np.lexsort((colours.labels, -colours.volumes))
    places = list(dict.fromkeys([*at[is_there].tolist(), *ranked[:MOST_SELECTED].tolist()]))
    found = colours.labels[places[:MOST_SELECTED]]
    hexes = map(_hex, colours.of(found).tolist())
    return dict(zip(map(str, found.tolist()), hexes, strict=True))


def _hex(rgb: Sequence[int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def viewer_link(state: dict[str, Any]) -> str:
    """A link that opens Neuroglancer on its public site.

    It has the colours of the selected segments only, because all of it is in the address.
    """
    first, *others = state["layers"]
    if "segmentColors" in first:
        selected = {label: first["segmentColors"].get(label) for label in first["segments"]}
        first = first | {"segmentColors": {k: v for k, v in selected.items() if v is not None}}
    state = state | {"layers": [first, *others]}
    return f"{PUBLIC_VIEWER}/#!{quote(json.dumps(state, separators=(',', ':')), safe='')}"
