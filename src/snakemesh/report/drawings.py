"""The pictures of meshes: many bodies together, the largest one by one, one at each LOD."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from snakemesh.multires.mesh_folder import MeshFolder
from snakemesh.multires.stored_meshes import StoredMesh
from snakemesh.report.bodies import (
    MAX_BYTES,
    Body,
    finest_lod,
    read_bodies,
    together,
)
from snakemesh.report.panels import Panel
from snakemesh.report.raster import Canvas, View, draw, new_canvas
from snakemesh.report.shading import shaded
from snakemesh.report.style import colours_of
from snakemesh.report.views import OVERSAMPLING, broadside, closer, framing, sides

# Pixels of a picture, width and height.
SCENE, SINGLE, DETAIL = (1240, 800), (440, 340), (330, 270)
# Views are compared in pictures that are so many times smaller.
TRIAL = 5
# Bodies that are drawn one by one.
SINGLES = 6
# A close-up is so many times larger.
CLOSER = 7.0


def scene(folder: MeshFolder, meshes: Sequence[StoredMesh], of_all: int) -> list[Panel]:
    """As many of the meshes as fit into one picture, from the first on. of_all: labels in all."""
    count, lod = together(meshes)
    if not count:
        return []
    bodies = list(read_bodies(folder, [(mesh, lod) for mesh in meshes[:count]]))
    view = best_view(bodies, SCENE)
    canvas = _drawn(bodies, view)
    faces = sum(len(body.mesh.faces) for body in bodies)
    largest = "The" if count == of_all else f"The {count:,} largest of {of_all:,}"
    note = f"LOD {lod}, {faces:,} triangles; colours are those of all pictures here"
    picture = shaded(canvas, _colours(bodies))
    return [_panel(picture, f"{largest} segments", note, bodies, view)]


def singles(folder: MeshFolder, meshes: Sequence[StoredMesh], voxels: Sequence[int]) -> list[Panel]:
    """The first meshes that fit, one by one, each from its broad side. voxels: of each."""
    panels: list[Panel] = []
    for stored, size in zip(meshes, voxels, strict=True):
        lod = finest_lod([stored], MAX_BYTES // SINGLES)
        if lod is None:
            continue
        bodies = list(read_bodies(folder, [(stored, lod)]))
        points = bodies[0].mesh.vertices
        view = framing(broadside(points), points, SINGLE)
        picture = shaded(_drawn(bodies, view), _colours(bodies))
        note = f"{size:,} voxels; LOD {bodies[0].lod}, {len(bodies[0].mesh.faces):,} triangles"
        panels.append(_panel(picture, f"Segment {stored.label}", note, bodies, view))
        if len(panels) == SINGLES:
            break
    return panels


def each_lod(folder: MeshFolder, stored: StoredMesh) -> list[Panel]:
    """A mesh at each of its LODs, whole; then a close-up of each, with its triangles."""
    lods = stored.manifest.num_lods
    bodies = list(read_bodies(folder, [(stored, lod) for lod in range(lods)]))
    points = bodies[0].mesh.vertices
    view = framing(broadside(points), points, DETAIL)
    canvases = [_drawn([body], view) for body in bodies]
    near = closer(view, middle_of(canvases[-1]), CLOSER)
    whole, close = [], []
    for lod, (body, canvas) in enumerate(zip(bodies, canvases, strict=True)):
        colours = _colours([body])
        size = int(stored.manifest.sizes[lod].sum())
        note = f"{len(body.mesh.faces):,} triangles, {size / 1000:,.1f} KB"
        whole.append(_panel(shaded(canvas, colours), f"LOD {lod}", note, [body], view))
        picture = shaded(_drawn([body], near), colours, lines=True)
        note = f"{CLOSER:.0f} times larger"
        close.append(_panel(picture, f"LOD {lod}, its triangles", note, [body], near))
    return whole + close


def best_view(bodies: Sequence[Body], size: tuple[int, int]) -> View:
    """Of the views of a volume from its sides, the one in which most bodies show most.

    size: of the picture that is shown.
    """
    points = np.concatenate([body.mesh.vertices for body in bodies])
    small = (size[0] // TRIAL, size[1] // TRIAL)

    def shown(axes: np.ndarray) -> float:
        owner = _drawn(bodies, framing(axes, points, small)).owner
        pixels = np.bincount(owner[owner >= 0])
        return float(np.sqrt(pixels).sum())

    return framing(max(sides(), key=shown), points, size)


def middle_of(canvas: Canvas) -> tuple[float, float]:
    """Of the pixels that show something, the one nearest to their middle: right, down."""
    rows, columns = np.nonzero(canvas.owner >= 0)
    if not len(rows):
        return canvas.owner.shape[1] / 2, canvas.owner.shape[0] / 2
    middle = np.hypot(rows - rows.mean(), columns - columns.mean()).argmin()
    return float(columns[middle]), float(rows[middle])


def _drawn(bodies: Sequence[Body], view: View) -> Canvas:
    canvas = new_canvas(view.size)
    for number, body in enumerate(bodies):
        draw(canvas, view, number, body.mesh.vertices, body.mesh.faces)
    return canvas


def _colours(bodies: Sequence[Body]) -> np.ndarray:
    return colours_of(np.array([body.label for body in bodies], np.uint64))


def _panel(picture: np.ndarray, title: str, note: str, bodies: Sequence[Body], view: View) -> Panel:
    """A panel that says which bodies it shows, and where each point of space is in its pixels."""
    scale = view.nm_per_pixel * OVERSAMPLING
    facts: dict[str, Any] = {
        "labels": [body.label for body in bodies],
        "lods": [body.lod for body in bodies],
        "axes": view.axes.tolist(),
        "centre_nm": view.centre.tolist(),
        "nm_per_pixel": scale,
    }
    return Panel(picture, title, note, scale, facts)
