"""The picture of a plane z = constant: the labels of a level, and the outlines of its meshes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter

from snakemesh.boxes import slices
from snakemesh.drawing.bodies import read_bodies
from snakemesh.job_records import LevelPart
from snakemesh.label_values import as_labels
from snakemesh.meshes.mesh_folder import MeshFolder
from snakemesh.meshes.stored_meshes import StoredMesh
from snakemesh.report.style import Facts, new_figure
from snakemesh.segment_colours import segment_colours
from snakemesh.source.voxels import open_part
from snakemesh.units import lengths

# Voxels of the longest side of a picture.
MOST_VOXELS = 768
# How far the colours of voxels go to white, and those of outlines to black.
PALE, DARK = 0.5, 0.55
# The second plot shows this part of each side of the first.
CLOSE = 0.28


@dataclass(frozen=True)
class LevelPlace:
    """A level that is there when a run is done, and where it is: z y x, in nm.

    number: of the level, whose meshes are the LOD of this number. corner_nm: of its voxel 0.
    bodies: whether its labels are those of the meshes, and not of supervoxels.
    """

    number: int
    part: LevelPart
    voxel_nm: tuple[float, float, float]
    corner_nm: tuple[float, float, float]
    bodies: bool


@dataclass(frozen=True)
class Window:
    """Voxels of a plane of a level: begin and end in z y x; there is one in z."""

    level: LevelPlace
    begin: tuple[int, int, int]
    end: tuple[int, int, int]

    @property
    def z_nm(self) -> float:
        """Where the plane is: the middle of its voxels."""
        return self.level.corner_nm[0] + (self.begin[0] + 0.5) * self.level.voxel_nm[0]

    @property
    def box_nm(self) -> tuple[np.ndarray, np.ndarray]:
        """The corners of the window, x y, in nm."""
        corner, size = np.array(self.level.corner_nm), np.array(self.level.voxel_nm)
        low, high = (corner + size * edge for edge in (self.begin, self.end))
        return low[:0:-1], high[:0:-1]

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole plane."""
        return self.begin[1:] == (0, 0) and self.end[1:] == self.level.part.shape[1:]


def chosen_window(levels: Sequence[LevelPlace], at_nm: Sequence[float]) -> Window:
    """The plane through a point, z y x in nm: of the finest level that fits into a picture.

    Where none does, it is the part around the point of the coarsest.
    """
    fitting = [level for level in levels if max(level.part.shape[1:]) <= MOST_VOXELS]
    level = fitting[0] if fitting else levels[-1]
    shape = np.array(level.part.shape)
    at = (np.array(at_nm) - level.corner_nm) / level.voxel_nm
    at = np.clip(at, 0, shape - 1).astype(int)
    begin = np.clip(at - MOST_VOXELS // 2, 0, np.maximum(shape - MOST_VOXELS, 0))
    end = np.minimum(begin + MOST_VOXELS, shape)
    begin[0], end[0] = at[0], at[0] + 1
    return Window(level, tuple(begin.tolist()), tuple(end.tolist()))


def read_window(window: Window) -> np.ndarray:
    """The labels of a window, (y, x), unsigned. Raises what tensorstore does if it cannot."""
    store = open_part(window.level.part)
    found: np.ndarray = store[slices(window.begin, window.end)].read().result()
    labels: np.ndarray = as_labels(found, window.level.part.values, window.begin)[0]
    return labels


def cut(vertices: np.ndarray, faces: np.ndarray, z: float) -> np.ndarray:
    """Where a plane cuts triangles: segments (n, 2, 2), the x y of both ends.

    vertices: (n, 3) x y z. faces: (m, 3). A vertex in the plane counts as above.
    """
    above = vertices[:, 2] >= z
    crossed = faces[(above[faces] != above[faces[:, :1]]).any(axis=1)]
    begin, end = vertices[crossed], vertices[np.roll(crossed, -1, axis=1)]
    is_crossed = (begin[..., 2] >= z) != (end[..., 2] >= z)
    rise = np.where(is_crossed, end[..., 2] - begin[..., 2], 1)
    part = ((z - begin[..., 2]) / rise)[..., None]
    points = begin[..., :2] + part * (end[..., :2] - begin[..., :2])
    # of the three sides of each triangle, the two that are crossed
    return np.asarray(points[is_crossed].reshape(-1, 2, 2))


def outlines(
    folder: MeshFolder, meshes: Sequence[StoredMesh], window: Window, max_bytes: int
) -> dict[int, np.ndarray]:
    """By label, where the plane of a window cuts its mesh: segments (n, 2, 2), x y in nm.

    meshes: of which at most `max_bytes` are read, from the first on.
    """
    lod = window.level.number
    there = [mesh for mesh in meshes if lod < mesh.manifest.num_lods]
    sizes = [int(mesh.manifest.sizes[lod].sum()) for mesh in there]
    count = int(np.searchsorted(np.cumsum(sizes), max_bytes, side="right"))
    bodies = read_bodies(folder, [(mesh, lod) for mesh in there[:count]])
    return {b.label: cut(b.mesh.vertices, b.mesh.faces, window.z_nm) for b in bodies}


def pale(labels: np.ndarray) -> np.ndarray:
    """The colours of voxels, RGB (y, x, 3): those of their labels, paler; background is white."""
    names, at = np.unique(labels, return_inverse=True)
    colours = 1 - PALE * (1 - segment_colours(names) / 255)
    colours[names == 0] = 1
    return np.asarray(colours[at.reshape(labels.shape)])


def slice_figure(
    labels: np.ndarray, lines: Mapping[int, np.ndarray], window: Window, n_labels: int
) -> tuple[Figure, Facts]:
    """The picture, and what its plots show.

    labels: (y, x), of the meshes. lines: by label, segments (n, 2, 2), x y in nm. n_labels: in the
    window.
    """
    low, high = window.box_nm
    width, height = high - low
    figure, (whole, close) = new_figure((11.5, 5.4 * min(max(height / width, 0.35), 1.6) + 0.9), 2)
    nm, unit = next((u for u in ((1e6, "mm"), (1e3, "µm")) if width >= 2 * u[0]), (1.0, "nm"))
    picture = pale(labels)
    for plot in (whole, close):
        plot.grid(False)
        extent = (low[0], high[0], high[1], low[1])
        plot.imshow(picture, extent=extent, interpolation="nearest", aspect="equal")
        _outline(plot, lines, 0.7 if plot is whole else 1.5)
        for axis in (plot.xaxis, plot.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda at, _: f"{at / nm:,.6g}"))
        plot.set_xlabel(f"x ({unit})")
        plot.set_ylabel(f"y ({unit})")
    side = CLOSE * (high - low)
    begin = np.clip(_busiest(lines, low, high) - side / 2, low, high - side)
    close.set_xlim(begin[0], begin[0] + side[0])
    close.set_ylim(begin[1] + side[1], begin[1])
    whole.add_patch(Rectangle(begin, *side, fill=False, linewidth=1.1))
    what = "The" if window.is_whole else "Part of the"
    whole.set_title(f"{what} plane z = {lengths([window.z_nm])} of s{window.level.number}")
    said = "all" if len(lines) == n_labels else f"{len(lines):,} of {n_labels:,}"
    close.set_title(f"In the frame: outlines of LOD {window.level.number} ({said} labels)")
    facts = {"z": window.z_nm, "level": window.level.number}
    return figure, [(whole, facts), (close, facts)]


def _outline(plot: Axes, lines: Mapping[int, np.ndarray], width: float) -> None:
    colours = segment_colours(np.array(list(lines), np.uint64)) / 255 * (1 - DARK)
    for colour, segments in zip(colours, lines.values(), strict=True):
        plot.add_collection(
            LineCollection(list(segments), colors=[colour], linewidths=width), autolim=False
        )


def _busiest(lines: Mapping[int, np.ndarray], low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The middle of that of 5 x 5 parts of the window with the most outlines, x y in nm."""
    points = np.concatenate([np.empty((0, 2)), *(part[:, 0] for part in lines.values())])
    sides = [np.linspace(low[axis], high[axis], 6) for axis in (0, 1)]
    counts, _, _ = np.histogram2d(points[:, 0], points[:, 1], bins=sides)
    best = np.array(np.unravel_index(counts.argmax(), counts.shape))
    return np.asarray(low + (best + 0.5) / 5 * (high - low))
