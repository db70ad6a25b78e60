"""The link that opens a result in Neuroglancer, with its largest segments selected."""

import json
import sys
from pathlib import Path
from urllib.parse import quote

from snakemesh.output.folder import MULTIRES

VIEWER = "https://neuroglancer-demo.appspot.com"
VOLUME = "volume"  # a volume beside the output is served under this path
SHOWN_AT_FIRST = 40  # so many segments, the largest, are shown when the link is opened


def sources(url: str, with_volume: bool) -> list[str]:
    """The sources of one segmentation layer, as one pastes them into Neuroglancer.

    `url` is that of the server, without a slash at its end.
    """
    volume = [f"zarr://{url}/{VOLUME}"] if with_volume else []
    return [*volume, f"precomputed://{url}/{MULTIRES}"]


def largest_segments(directory: Path) -> list[str]:
    """The ids of the largest segments, by the volumes in `segment_properties`, largest first.

    Returns [] if there are no segment properties, or no volumes in them. If they are broken, says
    so too.
    """
    path = directory / MULTIRES / "segment_properties/info"
    try:
        inline = json.loads(path.read_text(encoding="utf-8"))["inline"]
        volumes = next(p["values"] for p in inline["properties"] if p["id"] == "volume")
        ranked = sorted(zip(volumes, map(int, inline["ids"]), strict=True), reverse=True)
    except (FileNotFoundError, StopIteration):
        return []
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        print(f"{path} cannot be read: no segment is selected in the link.", file=sys.stderr)
        return []
    return [str(segment) for _, segment in ranked[:SHOWN_AT_FIRST]]


def viewer_link(layer_sources: list[str], segments: list[str]) -> str:
    """A link that opens Neuroglancer with one segmentation layer of these sources."""
    layer = {
        "type": "segmentation",
        "name": "segmentation",
        "source": layer_sources,
        "segments": segments,
        "tab": "segments",
    }
    state = {
        "layers": [layer],
        "selectedLayer": {"visible": True, "layer": layer["name"]},
        "layout": "4panel" if len(layer_sources) > 1 else "3d",
    }
    return f"{VIEWER}/#!{quote(json.dumps(state, separators=(',', ':')), safe='')}"
