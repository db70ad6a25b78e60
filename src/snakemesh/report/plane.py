"""A plane z = constant through a level of the volume and through the meshes of an LOD."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snakemesh.boxes import slices
from snakemesh.job_records import LevelPart
from snakemesh.label_values import as_labels
from snakemesh.multires.mesh_folder import MeshFolder, finish_read, start_read
from snakemesh.multires.stored_meshes import StoredMesh
from snakemesh.multires.whole_mesh import decode_fragment, to_nm
from snakemesh.voxels import open_part

# Voxels of the longest side of a picture.
MOST_VOXELS = 768


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
    shape = level.part.shape
    at = [
        min(max(int((p - c) // v), 0), n - 1)
        for p, c, v, n in zip(at_nm, level.corner_nm, level.voxel_nm, shape, strict=True)
    ]
    begin = [
        max(min(p - MOST_VOXELS // 2, n - MOST_VOXELS), 0) for p, n in zip(at, shape, strict=True)
    ]
    end = [min(b + MOST_VOXELS, n) for b, n in zip(begin, shape, strict=True)]
    return Window(level, (at[0], begin[1], begin[2]), (at[0] + 1, end[1], end[2]))


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
) -> Mapping[int, np.ndarray]:
    """By label, where a window cuts its mesh: segments (n, 2, 2), x y in nm.

    Only fragments in cells that the window meets are read, and of all at most `max_bytes`: what
    comes later is left out.
    """
    lod = window.level.number
    found, read = {}, 0
    for mesh in meshes:
        if lod >= mesh.manifest.num_lods:
            continue
        chosen = list(_fragments_in(folder, mesh, lod, window))
        read += sum(end - begin for _, begin, end in chosen)
        if read > max_bytes:
            break
        parts = [np.empty((0, 2, 2))]
        started = [start_read(folder, mesh.file, begin, end) for _, begin, end in chosen]
        for (cell, _, _), future in zip(chosen, started, strict=True):
            blob = finish_read(folder, mesh.file, future) or b""
            positions, faces = decode_fragment(folder, mesh, lod, cell, blob)
            steps = (1 << folder.bits) - 1
            parts.append(
                cut(to_nm(folder, mesh, lod, cell * steps + positions), faces, window.z_nm)
            )
        found[mesh.label] = np.concatenate(parts)
    return found


def _fragments_in(
    folder: MeshFolder, mesh: StoredMesh, lod: int, window: Window
) -> Iterator[tuple[np.ndarray, int, int]]:
    """Of each fragment in a cell that a window meets: the cell, and its bytes in the file."""
    steps = (1 << folder.bits) - 1
    cells, sizes = mesh.manifest.cells[lod], mesh.manifest.sizes[lod]
    low, high = (to_nm(folder, mesh, lod, steps * (cells + side)) for side in (0, 1))
    box = window.box_nm
    meets = (low[:, 2] <= window.z_nm) & (high[:, 2] >= window.z_nm) & (sizes > 0)
    meets &= ((low[:, :2] <= box[1]) & (high[:, :2] >= box[0])).all(axis=1)
    ends = mesh.span(lod)[0] + np.cumsum(sizes)
    for i in np.flatnonzero(meets):
        yield cells[i], int(ends[i] - sizes[i]), int(ends[i])
