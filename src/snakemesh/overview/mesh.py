"""The overview: one mesh of all segments, or of the largest, that a viewer fetches at once."""

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from snakemesh.job_records import OctreeGrid
from snakemesh.meshes.mesh_folder import MeshFolder
from snakemesh.meshes.stored_meshes import fragment_bytes, places_of, stored_meshes
from snakemesh.meshes.whole_mesh import decoded_fragments, to_nm
from snakemesh.output.atomic import replacing
from snakemesh.overview.vtk import vtk_gz

# The most bytes of the file: with more, a viewer takes more than 3 s to show it.
MAX_BYTES = 8_000_000
# The most labels of which the sizes are looked at.
MAX_LABELS = 1 << 16
# The least bytes of the file for a byte of fragments.
_LEAST_GROWTH = 2.0
# After a try that was too large: which part of the bytes that would have fit is tried next.
_CAUTION = 0.98
# Steps of positions in a voxel of s0, at least.
_STEPS = 4
# Digits of a label that a viewer shows exactly as the number of a vertex.
_DIGITS = 6


def write_overview(
    path: str | os.PathLike[str],
    folder: MeshFolder,
    labels: np.ndarray,
    count: int,
    grid: OctreeGrid,
    colours_of: Callable[[np.ndarray], np.ndarray],
) -> int:
    """Write the overview, whole or not at all, and return how many segments it shows.

    Each segment is at its coarsest LOD, which is made for a view of the whole volume. If all of
    them have more than MAX_BYTES, the file holds the largest.
    labels: of the largest segments, uint64 (n,), the largest first. count: of all segments. grid:
    positions in the file are relative to its base, and rounded by its scale, the size of a voxel of
    s0. colours_of: gives RGB, uint8 (n, 3), for labels. Raises UserError if a mesh is damaged.
    """
    candidates = labels[:MAX_LABELS]
    ascending = np.sort(candidates)
    places = places_of(folder, ascending)[np.searchsorted(ascending, candidates)]
    limit = MAX_BYTES / _LEAST_GROWTH
    sizes, lods = _coarsest(folder, places, limit)
    while True:
        shown = fitting(sizes, limit)
        title = f"{len(shown)} of {count} segments, x y z in nm"
        data = _encoded(folder, places[shown], lods[shown], title, grid, colours_of)
        if len(data) <= MAX_BYTES:
            break
        limit = _CAUTION * sizes[shown].sum() * MAX_BYTES / len(data)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(data)
    return len(shown)


def fitting(sizes: np.ndarray, limit: float) -> np.ndarray:
    """Which segments are shown, indices in ascending order.

    sizes: bytes of each, int64 (n,). limit: the most bytes of all. Left out are the last segments,
    and those that alone have more bytes.
    """
    small = np.flatnonzero(sizes <= limit)
    return small[np.cumsum(sizes[small]) <= limit]


def _coarsest(
    folder: MeshFolder, places: np.ndarray, limit: float
) -> tuple[np.ndarray, np.ndarray]:
    """Bytes and number of the coarsest LOD of each segment, int64 (n,).

    Ends with the segment with which the bytes exceed the limit: manifests are not read in vain.
    """
    sizes, lods, total = [], [], 0
    for mesh in stored_meshes(folder, places):
        sizes.append(int(mesh.manifest.sizes[-1].sum()))
        lods.append(mesh.manifest.num_lods - 1)
        # a segment that alone exceeds the limit is never shown
        total += sizes[-1] if sizes[-1] <= limit else 0
        if total > limit:
            break
    return np.array(sizes, np.int64), np.array(lods, np.int64)


def _encoded(
    folder: MeshFolder,
    places: np.ndarray,
    lods: np.ndarray,
    title: str,
    grid: OctreeGrid,
    colours_of: Callable[[np.ndarray], np.ndarray],
) -> bytes:
    """The file with these segments, each at its LOD."""
    labels, vertices, faces = [np.empty(0, np.uint64)], [np.empty((0, 3))], [np.empty((0, 3), int)]
    count = 0
    for label, positions, corners in _fragments(folder, places, lods):
        labels.append(np.full(len(positions), label, np.uint64))
        vertices.append(positions - grid.base_nm)
        faces.append(corners + count)
        count += len(positions)
    of_vertices = np.concatenate(labels)
    names, of_vertex = np.unique(of_vertices, return_inverse=True)
    colours = colours_of(names)[of_vertex]
    attributes = digits(of_vertices) | dict(zip(("red", "green", "blue"), colours.T, strict=True))
    positions = rounded(np.concatenate(vertices), grid.scale_nm)
    return vtk_gz(title, positions, np.concatenate(faces), attributes)


def _fragments(
    folder: MeshFolder, places: np.ndarray, lods: np.ndarray
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Label, vertices (n, 3) in nm and faces (m, 3) of each fragment, LOD by LOD.

    They stay apart, as in the viewer, which shades each fragment on its own.
    """
    steps = (1 << folder.bits) - 1
    for lod in np.unique(lods).tolist():
        stored = stored_meshes(folder, places[lods == lod])
        for mesh, data in fragment_bytes(folder, stored, lod):
            for cell, positions, faces in decoded_fragments(folder, mesh, lod, data):
                yield mesh.label, to_nm(folder, mesh, lod, cell * steps + positions), faces


def rounded(positions: np.ndarray, voxel_nm: float) -> np.ndarray:
    """Positions (n, 3) in nm to a power of ten that is at most a quarter of a voxel.

    Whole numbers, int64, unless that power is below 1: their text is short.
    """
    decimals = -math.floor(math.log10(voxel_nm / _STEPS))
    found = np.round(positions, decimals)
    return found.astype(np.int64) if decimals <= 0 else found


def digits(labels: np.ndarray) -> dict[str, np.ndarray]:
    """Labels, uint64 (n,), as numbers that a viewer shows exactly when the mouse is over a vertex.

    One number, `label`, if all have at most 6 digits; else `label_1`, `label_2`, ... are 6
    digits each, the last one those at the end.
    """
    count = max(1, -(-len(str(int(labels.max(initial=0)))) // _DIGITS))
    powers = [np.uint64(10 ** (_DIGITS * i)) for i in range(count)][::-1]
    parts = [labels // power % np.uint64(10**_DIGITS) for power in powers]
    if count == 1:
        return {"label": parts[0]}
    return {f"label_{i}": part for i, part in enumerate(parts, start=1)}
