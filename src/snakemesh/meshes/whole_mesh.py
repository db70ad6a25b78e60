"""Join the fragments of a label at one LOD to one mesh."""

from collections.abc import Iterator
from dataclasses import dataclass

import DracoPy
import numpy as np

from snakemesh.errors import UserError, one_line
from snakemesh.meshes.mesh_folder import MeshFolder
from snakemesh.meshes.stored_meshes import StoredMesh


@dataclass(frozen=True)
class WholeMesh:
    """A mesh: vertices (n, 3), x y z in nm, float64, no two in one place; faces (m, 3), int64.

    step_nm: vertices are at least so far apart.
    """

    vertices: np.ndarray
    faces: np.ndarray
    step_nm: float


def whole_mesh(folder: MeshFolder, mesh: StoredMesh, lod: int, data: bytes) -> WholeMesh:
    """The mesh of a label at an LOD. data: the bytes of its fragments (`fragment_bytes`).

    Fragments are joined where their vertices have the same place on the lattice, which runs through
    all cells: no distance decides. Faces back to back are left out: two fragments may have one each
    in the plane between their cells. Raises UserError for a damaged fragment.
    """
    steps = (1 << folder.bits) - 1
    vertices, faces = _welded(*_gathered(folder, mesh, lod, data, steps))
    faces = _without_pairs(faces, (vertices % steps == 0).any(axis=1))
    used = np.unique(faces)
    faces = np.searchsorted(used, faces)
    linear = folder.transform[:, :3]
    if np.linalg.det(linear) < 0:
        faces = faces[:, ::-1]
    stretch = np.linalg.svd(linear, compute_uv=False).min()
    step = _step_nm(folder, mesh, lod)
    points = to_nm(folder, mesh, lod, vertices[used])
    return WholeMesh(points, faces, float(step.min() * stretch))


def to_nm(folder: MeshFolder, mesh: StoredMesh, lod: int, vertices: np.ndarray) -> np.ndarray:
    """Vertices (n, 3) on the lattice of an LOD, which runs through all cells, as x y z in nm."""
    manifest = mesh.manifest
    corner = manifest.origin_nm + manifest.vertex_offsets[lod]
    points = corner + _step_nm(folder, mesh, lod) * vertices
    return np.asarray(points @ folder.transform[:, :3].T + folder.transform[:, 3])


def _step_nm(folder: MeshFolder, mesh: StoredMesh, lod: int) -> np.ndarray:
    """How far points of the lattice are apart, x y z, before the transform of the folder."""
    step: np.ndarray = mesh.manifest.cell_nm * 2.0**lod / ((1 << folder.bits) - 1)
    return step


def _gathered(
    folder: MeshFolder, mesh: StoredMesh, lod: int, data: bytes, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """All vertices on the lattice (n, 3) and all faces (m, 3) of an LOD, int64."""
    vertices, faces = [np.empty((0, 3), np.int64)], [np.empty((0, 3), np.int64)]
    count = 0
    for cell, positions, corners in decoded_fragments(folder, mesh, lod, data):
        vertices.append(cell * steps + positions)
        faces.append(corners + count)
        count += len(positions)
    return np.concatenate(vertices), np.concatenate(faces)


def decoded_fragments(
    folder: MeshFolder, mesh: StoredMesh, lod: int, data: bytes
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The cell (3,), positions (n, 3) in it and faces (m, 3) of each fragment, int64.

    data: the bytes of the fragments of an LOD (`fragment_bytes`). Raises UserError for a damaged
    fragment.
    """
    begin = 0
    sizes = mesh.manifest.sizes[lod].tolist()
    for cell, size in zip(mesh.manifest.cells[lod], sizes, strict=True):
        blob, begin = data[begin : begin + size], begin + size
        if size:
            yield cell, *decode_fragment(folder, mesh, lod, cell, blob)


def decode_fragment(
    folder: MeshFolder, mesh: StoredMesh, lod: int, cell: np.ndarray, blob: bytes
) -> tuple[np.ndarray, np.ndarray]:
    """Positions (n, 3) in its cell, in steps of the lattice, and faces (m, 3), int64.

    Raises UserError for a damaged fragment.
    """
    try:
        found = DracoPy.decode(blob)
        # DracoPy gives integers as float32, which holds them up to 2^24
        positions = np.asarray(found.points).reshape(-1, 3).astype(np.int64)
        faces = np.asarray(found.faces).reshape(-1, 3).astype(np.int64)
        if len(positions) and not (positions.min() >= 0 and positions.max() < 1 << folder.bits):
            raise ValueError("vertices lie beyond their cell")
    except Exception as error:  # DracoPy has errors of its own
        raise UserError(
            f"{folder.where}/{mesh.file} has a damaged fragment of label {mesh.label} in cell "
            f"{cell.tolist()} of LOD {lod}: {one_line(error)}"
        ) from error
    return positions, faces


def _welded(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Join vertices in one place. Faces that have lost a corner by that are left out."""
    order = np.lexsort(vertices.T)
    ordered = vertices[order]
    is_new = np.ones(len(order), bool)
    is_new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    joined = np.empty(len(order), np.int64)
    joined[order] = np.cumsum(is_new) - 1
    faces = joined[faces]
    is_face = (faces != np.roll(faces, 1, axis=1)).all(axis=1)
    return ordered[is_new], faces[is_face]


def _without_pairs(faces: np.ndarray, in_plane: np.ndarray) -> np.ndarray:
    """Faces without those back to back. in_plane: which vertices lie in planes between cells."""
    rows = np.flatnonzero(in_plane[faces].all(axis=1))
    if not len(rows):
        return faces
    # the corners from the smallest on, and from the smallest on the other way round
    turn = faces[rows].argmin(axis=1)[:, None]
    ahead = np.take_along_axis(faces[rows], (turn + [0, 1, 2]) % 3, axis=1)
    numbered = {tuple(face): row for row, face in zip(rows.tolist(), ahead.tolist(), strict=True)}
    pairs = [row for (a, b, c), row in numbered.items() if (a, c, b) in numbered]
    return np.delete(faces, pairs, axis=0)
