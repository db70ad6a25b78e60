"""The pictures of meshes: many bodies together, the largest one by one, one at each LOD."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from snakemesh.drawing.bodies import MAX_BYTES, Body, finest_lod, read_bodies, together
from snakemesh.drawing.views import broadside, sides
from snakemesh.meshes.mesh_folder import MeshFolder
from snakemesh.meshes.stored_meshes import StoredMesh
from snakemesh.report.meshes import show
from snakemesh.report.style import Facts, new_figure, nothing_to_show
from snakemesh.segment_colours import segment_colours

# Bodies that are drawn one by one, and how many times larger a close-up is.
SINGLES, CLOSER = 6, 7.0
# The most pictures in a row.
MOST_IN_A_ROW = 5
NOTHING = "there is no mesh that is small enough to be drawn"


def scene(folder: MeshFolder, meshes: Sequence[StoredMesh], of_all: int) -> tuple[Figure, Facts]:
    """As many of the meshes as fit into one picture, from the first on. of_all: labels in all."""
    count, lod = together(meshes)
    if not count:
        return nothing_to_show(NOTHING), []
    bodies = list(read_bodies(folder, [(mesh, lod) for mesh in meshes[:count]]))
    figure, (plot,) = new_figure((8.0, 6.6))
    faces = sum(len(body.mesh.faces) for body in bodies)
    largest = "The" if count == of_all else f"The {count:,} largest of {of_all:,}"
    note = f"LOD {lod}, {faces:,} triangles; colours are those of all pictures here"
    # the largest body, which may hide all others, is the farthest
    middles = np.array([body.mesh.vertices.mean(axis=0) for body in bodies])
    axes = min(sides(), key=lambda axes: float(axes[2] @ (middles[0] - middles.mean(axis=0))))
    return figure, [_show(plot, axes, bodies, bodies, f"{largest} segments", note)]


def singles(
    folder: MeshFolder, meshes: Sequence[StoredMesh], voxels: Sequence[int]
) -> tuple[Figure, Facts]:
    """The first meshes that fit, one by one, each from its broad side. voxels: of each."""
    lods = [finest_lod([mesh], MAX_BYTES // SINGLES) for mesh in meshes]
    sizes = dict(zip((mesh.label for mesh in meshes), voxels, strict=True))
    fitting = [(mesh, lod) for mesh, lod in zip(meshes, lods, strict=True) if lod is not None]
    bodies = list(read_bodies(folder, fitting[:SINGLES]))
    if not bodies:
        return nothing_to_show(NOTHING), []
    figure, plots = new_figure((9.5, 3.2 * -(-len(bodies) // 3)), 3, -(-len(bodies) // 3))
    found: Facts = []
    for plot, body in zip(plots, bodies, strict=False):
        axes = broadside(body.mesh.vertices)
        note = f"{sizes[body.label]:,} voxels; LOD {body.lod}, {len(body.mesh.faces):,} triangles"
        found.append(_show(plot, axes, [body], [body], f"Segment {body.label}", note))
    for plot in plots[len(bodies) :]:
        plot.remove()
    return figure, found


def each_lod(folder: MeshFolder, stored: StoredMesh | None) -> tuple[Figure, Facts]:
    """A mesh at each of its LODs, whole; then a close-up of each, with its triangles."""
    if stored is None:
        return nothing_to_show(NOTHING), []
    lods = stored.manifest.num_lods
    bodies = list(read_bodies(folder, [(stored, lod) for lod in range(lods)]))
    axes = broadside(bodies[0].mesh.vertices)
    columns = min(lods, MOST_IN_A_ROW)
    rows = -(-lods // columns)
    figure, plots = new_figure((2.6 * columns, 5.4 * rows), columns, 2 * rows)
    whole, close = plots[: rows * columns], plots[rows * columns :]
    found: list[Facts] = [[], []]
    for lod, body in enumerate(bodies):
        size = int(stored.manifest.sizes[lod].sum())
        note = f"{len(body.mesh.faces):,} triangles, {size / 1000:,.1f} KB"
        found[0].append(_show(whole[lod], axes, [body], bodies[:1], f"LOD {lod}", note))
        note = f"{CLOSER:.0f} times larger"
        title = f"LOD {lod}, its triangles"
        found[1].append(_show(close[lod], axes, [body], bodies[-1:], title, note, CLOSER))
    for plot in [*whole[lods:], *close[lods:]]:
        plot.remove()
    return figure, found[0] + found[1]


def _show(
    plot: Axes,
    axes: np.ndarray,
    bodies: Sequence[Body],
    framed: Sequence[Body],
    title: str,
    note: str,
    closer: float = 1.0,
) -> tuple[Axes, dict[str, object]]:
    """Draw bodies; returns the plot and what it shows.

    framed: the bodies that the frame holds. closer: how many times larger than that the picture is,
    with the triangles around a vertex in the middle of the first of them.
    """
    colours = segment_colours(np.array([body.label for body in bodies], np.uint64))
    meshes = [(b.mesh.vertices, b.mesh.faces, c) for b, c in zip(bodies, colours, strict=True)]
    points = np.concatenate([body.mesh.vertices for body in framed]) @ axes.T
    low, high = points.min(axis=0)[:2], points.max(axis=0)[:2]
    if closer > 1:
        near = points[points[:, 2] >= np.median(points[:, 2])][:, :2]
        middle = near[np.linalg.norm(near - near.mean(axis=0), axis=1).argmin()]
        half = (high - low).max() / 2 / closer
        low, high = middle - half, middle + half
    show(plot, axes, meshes, low, high, lines=closer > 1)
    plot.set_title(title)
    plot.text(0, 1, note, transform=plot.transAxes, va="top", fontsize=8.5)
    facts = {"labels": [b.label for b in bodies], "lods": [b.lod for b in bodies]}
    return plot, facts | {"axes": axes.tolist()}
