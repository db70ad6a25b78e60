"""What snakemesh view serves: the viewer, the meshes, the levels and the state, of one origin."""

import importlib.util
import json
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import numpy as np

from snakemesh.errors import UserError
from snakemesh.output.folder import CENTROIDS, MULTIRES, OVERVIEW_MESH
from snakemesh.source.array_shape import format_and_shape
from snakemesh.tables.measures import MEASURES
from snakemesh.view.camera import camera
from snakemesh.view.output import Output, levels_group, read_output
from snakemesh.view.overview_layers import centroid_layer, overview_layer
from snakemesh.view.segments import Chosen
from snakemesh.view.server import located
from snakemesh.view.state import VOLUME, layer_state, meshes_at

STATE = "state.json"
# The viewer of the package neuroglancer insists on a path of this form: /v/<a name>/
PAGES = "v"
_ZERO = np.zeros(3)
# The overview around selected segments: what the opacities of all surfaces behind each other add up
# to, and the most of one surface.
_OPACITY, _MOST_OPACITY = 0.8, 0.4


def client_folder() -> Path:
    """The folder of the built viewer, in the package neuroglancer, which is not imported.

    Raises UserError if there is none.
    """
    found = importlib.util.find_spec("neuroglancer")
    places = [] if found is None else found.submodule_search_locations or []
    for place in places:
        if Path(place, "static/client/index.html").is_file():
            return Path(place, "static/client")
    raise UserError("the package neuroglancer, which has the viewer, is missing: pip install it")


@dataclass(frozen=True)
class Site:
    """What is served of an output: at each request, what is there at that moment.

    root: the output directory. client: the folder of the viewer. state: of the viewer. secret: a
    part of every path: other users of this machine can reach the port, but not guess the secret.
    """

    root: Path
    client: Path
    state: dict[str, Any]
    secret: str

    def find(self, path: str) -> Path | bytes | None:
        """What the path of a request stands for (see `server.Find`)."""
        page, data = f"/{PAGES}/{self.secret}/", f"/{self.secret}/"
        if path.startswith(page):
            name = path.removeprefix(page) or "index.html"
            return located({"": self.client}, name)
        return self._of_output(path.removeprefix(data)) if path.startswith(data) else None

    def _of_output(self, path: str) -> Path | bytes | None:
        if path == STATE:
            return as_json(self.state)
        output = read_output(self.root)
        parts = path.rstrip("/").split("/")
        is_finished = output.meshes_are_finished()
        if parts == [MULTIRES, "info"] and (output.zero_nm().any() or not is_finished):
            info = output.info()
            return None if info is None else as_json(info)
        if parts[0] == MULTIRES and not is_finished:
            is_there = len(parts) == 2 and output.shard_is_finished(parts[1])
            return located({MULTIRES: output.root / MULTIRES}, path) if is_there else None
        mounts = {MULTIRES: self.root / MULTIRES}
        if parts[0] == VOLUME:
            if len(parts) == 2 and (levels := output.levels()):
                return _group_file(levels, output.view["format"], parts[1])
            mounts |= {f"{VOLUME}/{name}": path for name, path in output.level_paths().items()}
            if _is_served_whole(output):
                mounts[VOLUME] = Path(output.view["source"]["path"])
        return located(mounts, path)


def _group_file(levels: list[dict[str, Any]], format: str, name: str) -> bytes | None:
    """A metadata document of the group of these levels."""
    document_name, group = levels_group(levels, format)
    documents = {document_name: group}
    if format == "zarr2":
        documents[".zgroup"] = {"zarr_format": 2}
    return as_json(documents[name]) if name in documents else None


def _is_served_whole(output: Output) -> bool:
    """Whether the source is a folder that the viewer can read as it is, and need not be moved."""
    source = output.view.get("source")
    return (
        source is not None
        and source["format"] == "precomputed"
        and Path(source["path"]).is_dir()
        and not output.zero_nm().any()
    )


def page_link(url: str, secret: str) -> str:
    """The link that opens the viewer of a server at `url`, with the state that is served."""
    return f"{url}/{PAGES}/{secret}/#!{url}/{secret}/{STATE}"


def volume_at(output: Output, url: str) -> str | None:
    """The source of the voxels, or None if the viewer cannot show them."""
    if output.levels():
        return f"{output.view['format']}://{url}/{VOLUME}"
    if _is_served_whole(output):
        return f"precomputed://{url}/{VOLUME}"
    return _remote_volume(output)


def _remote_volume(output: Output) -> str | None:
    """The source of a volume that lies on a server, or None if it is local or cannot be shown."""
    source = output.view.get("source") or {"path": ""}
    if "://" in source["path"] and not output.zero_nm().any():
        address = source["path"].removeprefix("precomputed://")
        return f"{source['format']}://{address}"
    return None


def far_away(output: Output) -> list[str]:
    """What the user is told if positions in the viewer count from another place, in lines."""
    zero = output.zero_nm()
    if not zero.any():
        return []
    return [
        f"Positions in the viewer, which computes in 32 bits, count from {zero.tolist()} nm "
        "(x y z): it would draw voxels and meshes in wrong places that far away."
    ]


def site_state(output: Output, url: str, chosen: Chosen) -> dict[str, Any]:
    """The state that shows the chosen segments of an output. `url` of it ends with the secret."""
    has_meshes = output.meshes_are_finished() or output.info() is not None
    volume = volume_at(output, url)
    return _state(output, volume, url if has_meshes else None, chosen, output.zero_nm())


def shared_state(
    output: Output, url: str, volume: str | None, chosen: Chosen, zero_nm: np.ndarray = _ZERO
) -> dict[str, Any]:
    """The state that shows copies on web servers.

    url: of a copy of the output or of its `multires`. volume: the address of a copy of the volume;
    None for the volume itself, if it lies on a server. zero_nm: what the copy of `info` takes for
    0, x y z. Raises UserError if the viewer would show the volume wrongly.
    """
    voxels = _remote_volume(output)
    if volume is not None:
        source = output.view.get("source")
        if source is None:
            raise UserError(
                "--volume: the viewer would show the volume with other labels or in another place "
                "(label_map, voxel_size_nm), or a version before this one made the output"
            )
        if zero_nm.any():
            raise UserError("--volume: the volume is too far from 0 to be shown beside the meshes")
        voxels = f"{source['format']}://{volume}"
    return _state(output, voxels, url.removesuffix(f"/{MULTIRES}"), chosen, zero_nm)


def _state(
    output: Output,
    volume: str | None,
    url: str | None,
    chosen: Chosen,
    zero_nm: np.ndarray,
) -> dict[str, Any]:
    """The state that shows the chosen segments, or else the finest level.

    volume: the source of the voxels, or None. url: of the folder that holds the meshes; None while
    there are none. zero_nm: what these take for 0, x y z.
    """
    meshes = None if url is None else meshes_at(url)
    state = layer_state(volume, meshes, chosen, _largest_first(output))
    if url is not None and output.meshes_are_finished():
        state["layers"] += _layers_of_all(output, url, chosen, zero_nm)
    boxes = chosen.boxes_nm - zero_nm
    if not len(boxes):  # nothing is known of segments: frame it all
        boxes = np.array([_box(level) for level in output.levels()[:1]])
    return (camera(boxes, output.voxel_nm(), state["layout"]) if len(boxes) else {}) | state


def _layers_of_all(
    output: Output, url: str, chosen: Chosen, zero_nm: np.ndarray
) -> list[dict[str, Any]]:
    """The layers that show all segments at once, if the output has them.

    The overview surrounds a choice, and is hidden if the user asks for segments. Centroids are
    hidden at first.
    """
    multires = Path(output.folder.multires)
    has_mesh, has_points = (multires / OVERVIEW_MESH).is_file(), (multires / CENTROIDS).is_dir()
    if not (has_mesh or has_points):  # an older version made the output, or it has no segments
        return []
    shift_nm = np.array(output.stored_info()["transform"][3::4]) - zero_nm
    found = []
    if has_mesh:
        is_plain = chosen.colours is not None and chosen.colours.name != output.segment_colors()
        opacity = min(_MOST_OPACITY, _OPACITY / max(chosen.crossings, 1.0))
        layer = overview_layer(url, shift_nm, round(opacity, 3), is_plain)
        found.append(layer | {"visible": chosen.with_others})
    if has_points:
        found.append(centroid_layer(url, shift_nm) | {"visible": False})
    return found


def _largest_first(output: Output) -> str:
    """The viewer's query that sorts by volume, or "" where the viewer lists none."""
    name = next(m.viewer_name for m in MEASURES if m.name == "volume")
    path = Path(output.folder.segment_properties)
    output.refuse_damage("segment_properties/info")
    is_there = output.meshes_are_finished() and path.is_file()
    if not is_there or not path.stat().st_size:  # a copy has no record
        return ""
    # the file may have 1 GB, and older versions wrote volumes under another name
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        return f">{name}" if content.find(b'"id":"%s"' % name.encode()) >= 0 else ""


def _box(level: dict[str, Any]) -> np.ndarray:
    """Lower and upper end of a level, x y z in nm."""
    size = np.array(level["voxel_size_nm"])
    lower = np.array(level["translation_nm"]) - size / 2
    shape = np.array(format_and_shape(level["path"])[1][-3:])
    return np.array([lower, lower + shape * size])[:, ::-1]


def as_json(document: dict[str, Any]) -> bytes:
    """The bytes of a document."""
    return json.dumps(document, indent=1).encode()
