"""What `snakemesh view --publish` does: copy viewer, meshes, state and report into a folder."""

import json
from importlib.metadata import files
from pathlib import Path

from snakemesh.errors import UserError
from snakemesh.job_records import Sharding
from snakemesh.output.folder import MULTIRES, WORK, shard_name
from snakemesh.output.served import what_is_wrong
from snakemesh.output.served_products import Documents, Shard, unsharded_damage
from snakemesh.units import file_size
from snakemesh.view.output import Output
from snakemesh.view.published_folder import write_folder
from snakemesh.view.published_report import published_report
from snakemesh.view.segments import Chosen
from snakemesh.view.server import UNFINISHED
from snakemesh.view.site import as_json, client_folder, far_away, shared_state

Contents = dict[str, Path | bytes]

# The viewer insists on a path of this form.
VIEWER = "v/view"
_FIRST_PAGE = f"""<!doctype html>
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url={VIEWER}/index.html">
<title>Meshes</title>
<a href="{VIEWER}/index.html">Open the meshes</a>
"""


def publish(output: Output, folder: Path, volume: str | None, chosen: Chosen) -> list[str]:
    """Copy all that a view needs into a folder. Returns what the user is told, in lines.

    volume: the address of a copy of the volume; None for the volume itself, if it lies on a server.
    Raises UserError if the output is not whole, or the folder is not to be written to.
    """
    refuse_unfinished(output)
    if folder.resolve().is_relative_to((output.root / MULTIRES).resolve()):
        raise UserError(f"--publish: {folder} is in the meshes, expected a folder elsewhere")
    shown = shared_state(output, ".", volume, chosen, output.zero_nm())
    state = {"title": output.root.resolve().name} | shown
    meshes = _meshes(output)
    report, link, remarks = published_report(output)
    viewer, page = _viewer(), _page(json.dumps(state), _probe(meshes), link)

    def check() -> None:
        output.refuse_changed()
        refuse_unfinished(output)

    pages = {f"{VIEWER}/index.html": page, "index.html": _FIRST_PAGE.encode()}
    write_folder(folder, meshes | viewer | report, pages, check)
    parts = {"meshes": meshes, "viewer": viewer, "report": report}
    sizes = {name: sum(map(_size, found.values())) for name, found in parts.items() if found}
    said = ", ".join(f"{name} {file_size(size)}" for name, size in sizes.items())
    lines = [
        f"Published {folder}: {file_size(sum(sizes.values()))} ({said})",
        "Copy the folder to a web server or a bucket, and open its index.html there. The server",
        "has to answer Range requests: nginx, Apache, S3 and GitHub Pages do. To look at it here:",
        f"  snakemesh view {folder}",
    ]
    if len(state["layers"][0]["source"]) < 2:
        lines.append("The voxels are not shown: --volume names a copy of them on a server.")
    return lines + far_away(output) + remarks


def refuse_unfinished(output: Output) -> None:
    """Raise UserError unless the meshes are finished and, as far as a glance shows, undamaged."""
    if not output.meshes_are_finished():
        raise UserError("--publish needs finished meshes")
    if not (output.root / WORK).is_dir():  # a copy of the meshes alone has no records
        return
    documents = Documents(output.folder, output.product("documents"))
    if wrong := _damaged_meshes(output) or next(iter(documents.wrong(what_is_wrong)), None):
        raise UserError(f"{wrong}; the command of the run mends it")


def _damaged_meshes(output: Output) -> str | None:
    """How the files of the meshes differ from their records, in words, or None."""
    folder, fingerprint = output.folder, output.product("shards")
    if sharding := output.view.get("sharding"):
        numbers = Sharding(**sharding)
        names = (shard_name(number, numbers) for number in range(numbers.num_shards))
        found = (Shard(folder, fingerprint, name, True).what_is_wrong() for name in names)
        return next(filter(None, found), None)
    markers = sorted(Path(folder.summaries).glob(f"*.{fingerprint}.done"))
    shards = [Shard(folder, fingerprint, marker.name.split(".")[0], False) for marker in markers]
    return unsharded_damage(folder, shards)


def _meshes(output: Output) -> Contents:
    """The files of the meshes. Where they are far from 0, another `info` moves them near it."""
    multires = output.root / MULTIRES
    paths = sorted(path for path in multires.rglob("*") if path.is_file())
    found: Contents = {
        f"{MULTIRES}/{path.relative_to(multires).as_posix()}": path
        for path in paths
        if not UNFINISHED.fullmatch(path.name)
    }
    if output.zero_nm().any():
        found[f"{MULTIRES}/info"] = as_json(output.info() or {})
    return found


def _probe(meshes: Contents) -> str | None:
    """The file of which the page asks for one byte, to see whether the server sends parts."""
    names = (name for name in meshes if name.endswith(".shard") or Path(name).name.isdigit())
    return max(names, key=lambda name: _size(meshes[name]), default=None)


def _viewer() -> Contents:
    """The files of the viewer but its page, and its licence.

    Raises UserError without one."""
    found: Contents = {
        f"{VIEWER}/{path.name}": path
        for path in client_folder().iterdir()
        if path.suffix not in (".map", ".html")
    }
    licence = next((path for path in files("neuroglancer") or () if path.name == "LICENSE"), None)
    if licence is None:
        raise UserError("the package neuroglancer has no LICENSE, which has to go with its copies")
    return found | {f"{VIEWER}/LICENSE": Path(str(licence.locate()))}


def _page(state: str, probe: str | None, report: str | None) -> bytes:
    """The page of the viewer, which shows a state.

    state: JSON, whose sources have addresses that begin with "./", the published folder. report:
    the page that is linked. Raises UserError for a viewer whose page is unknown.
    """
    path = client_folder() / "index.html"
    head, tag, rest = path.read_text(encoding="utf-8").partition('<meta charset="utf-8">')
    if not tag:
        raise UserError(f"{path} is the page of a version of the viewer that is not known")
    ours = Path(__file__).with_name("published.html").read_text(encoding="utf-8")
    values = {"STATE": state, "REPORT": json.dumps(report), "PROBE": json.dumps(probe)}
    for name, value in values.items():
        ours = ours.replace(name, value.replace("</", "<\\/"), 1)
    return f"{head}{tag}{ours}{rest}".encode()


def _size(content: Path | bytes) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size
