"""What snakemesh view serves: the viewer, the meshes, the levels and the state, of one origin."""

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import worldarray as wa

from snakemesh.errors import UserError
from snakemesh.output.folder import MULTIRES
from snakemesh.view.output import Output, levels_group, read_output
from snakemesh.view.segments import Chosen
from snakemesh.view.server import located
from snakemesh.view.state import VOLUME, framed, layer_state, meshes_at

STATE = "state.json"
# The viewer of the package neuroglancer insists on a path of this form: /v/<a name>/
PAGES = "v"
# How the viewer names the formats of volumes, and the volumes that it can read from a server.
_FORMATS = {"zarr2": "zarr2", "zarr3": "zarr3", "precomputed": "precomputed", "n5": "n5"}


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
    """What is served of an output, at each request as it is then.

    root: the output directory. client: the folder of the viewer. state: of the viewer. secret: a
    part of every path: whoever else works on this machine can reach the port, but not guess it.
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
        return f"{_FORMATS[source['format']]}://{address}"
    return None


def site_state(output: Output, url: str, chosen: Chosen) -> dict[str, Any]:
    """The state that shows the chosen segments of an output. `url` of it ends with the secret."""
    volume = volume_at(output, url)
    has_meshes = output.meshes_are_finished() or output.info() is not None
    sources = ([volume] if volume else []) + ([meshes_at(url)] if has_meshes else [])
    return _framed_state(output, sources, chosen)


def shared_state(output: Output, url: str, volume: str | None, chosen: Chosen) -> dict[str, Any]:
    """The state that shows copies on web servers.

    url: of a copy of the output or of its `multires`. volume: the address of a copy of the volume;
    None for the volume itself, if it lies on a server. Raises UserError if the viewer would show
    the volume wrongly.
    """
    voxels = _remote_volume(output)
    if volume is not None:
        source = output.view.get("source")
        if source is None:
            raise UserError(
                "--volume: the viewer would show the volume with other labels or in another place "
                "(label_map, voxel_size_nm), or a version before this one made the output"
            )
        voxels = f"{_FORMATS[source['format']]}://{volume}"
    meshes = meshes_at(url.removesuffix(f"/{MULTIRES}"))
    return _framed_state(output, [voxels, meshes] if voxels else [meshes], chosen)


def _framed_state(output: Output, sources: list[str], chosen: Chosen) -> dict[str, Any]:
    """The state with these sources, in view: the chosen segments, or else the finest level."""
    state = layer_state(sources, chosen.labels)
    if chosen.lower is not None and chosen.upper is not None:
        zero = output.zero_nm()
        return framed(state, output.voxel_nm(), chosen.lower - zero, chosen.upper - zero)
    for level in output.levels()[:1]:  # nothing is known of segments: frame it all
        size = np.array(level["voxel_size_nm"])
        lower = np.array(level["translation_nm"]) - size / 2
        shape = np.array(wa.metadata(level["path"], open=False).shape[-3:])
        return framed(state, output.voxel_nm(), lower[::-1], (lower + shape * size)[::-1])
    return state


def as_json(document: dict[str, Any]) -> bytes:
    """The bytes of a document."""
    return json.dumps(document, indent=1).encode()
