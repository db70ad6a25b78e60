"""Figures of a mesh whose true surface is known.

Positions are x y z, in the units of `known_bodies`.
"""

from dataclasses import dataclass

import numpy as np
import trimesh

from known_bodies import Distance, true_normals, true_points
from snakemesh.verify.checks import volume_and_centroid
from snakemesh.verify.components import components
from snakemesh.verify.pieces import groups
from surface_distance import distances

SAMPLES, TRUE_SAMPLES = 100_000, 5_000
# Vertices along a line, times the distance between neighbours, where equilateral triangles cover a
# surface with one vertex per unit of area: the square root of sqrt(3) / 2.
ALONG_A_LINE = 0.9306


@dataclass(frozen=True)
class Surface:
    """Vertices (n, 3), faces (m, 3), and which vertices lie on a face between cells, per axis."""

    vertices: np.ndarray
    faces: np.ndarray
    on_cell_face: np.ndarray


@dataclass(frozen=True)
class Seen:
    """A label at an LOD: what the viewer draws, and what is true.

    parts: the fragments. joined: all of them, with vertices at equal positions joined. cell: (3,)
    size of a cell, in any measure. distance, volume: of the true body. half: half its extent, (3,).
    pieces: before the mesh was simplified, None where they are those of the joined mesh.
    """

    parts: list[Surface]
    joined: Surface
    cell: np.ndarray
    distance: Distance
    volume: float
    half: np.ndarray
    pieces: int | None = None


def figures(labels: list[Seen]) -> dict:
    """Distances, normals, volume, faces and topology of all labels of an LOD together.

    Labels without faces are left out. All is None or 0 if nothing is left.
    """
    labels = [label for label in labels if len(label.joined.faces)]
    samples = [sampled(label) for label in labels]
    distances = np.concatenate([s[0] for s in samples]) if samples else None
    angles = np.concatenate([s[1] for s in samples]) if samples else None
    missing = [missed(s) for s in labels]
    volumes = [volume_and_centroid(s.joined.vertices, s.joined.faces)[0] for s in labels]
    return {
        "distance_rms": None if distances is None else float(np.sqrt(np.mean(distances**2))),
        "distance_95": None if distances is None else float(np.quantile(np.abs(distances), 0.95)),
        "missing_rms": float(np.sqrt(np.mean(np.square(missing)))) if labels else None,
        "normals": None if angles is None else float(angles.mean()),
        "volume": sum(volumes) / sum(s.volume for s in labels) if labels else None,
        "faces": sum(len(s.joined.faces) for s in labels),
        "pieces": sum(s.pieces or pieces(s.joined.faces) for s in labels),
        "watertight": sum(is_watertight(s.joined) for s in labels),
    }


def seam_figures(labels: list[Seen]) -> dict:
    """How vertices on faces between cells compare with all others.

    seam_vertices: their share of the fragments' vertices. seam_density: joined vertices per length
    of the curves in which the surface meets these faces, by what the density elsewhere would give.
    seam_normals, other_normals: mean error of the viewer's normals at the fragments' vertices, in
    degrees.
    """
    on_face, angles = [np.zeros(0, bool)], [np.zeros(0)]
    for label in labels:
        for part in label.parts:
            on_face.append(part.on_cell_face.any(axis=1))
            truth = true_normals(label.distance, part.vertices)
            angles.append(angle(viewer_normals(part, label.cell), truth))
    seam, angles = np.concatenate(on_face), np.concatenate(angles)
    joined = np.concatenate([s.joined.on_cell_face.any(axis=1) for s in labels] or [seam])
    length = sum(seam_length(s.joined) for s in labels)
    area = sum(trimesh.triangles.area(s.joined.vertices[s.joined.faces]).sum() for s in labels)
    has_both = 0 < joined.sum() < len(joined) and length > 0
    expected = ALONG_A_LINE * np.sqrt((~joined).sum() / area) if has_both else None
    return {
        "seam_vertices": float(seam.mean()) if len(seam) else None,
        "seam_density": float(joined.sum() / length / expected) if has_both else None,
        "seam_normals": float(angles[seam].mean()) if seam.any() else None,
        "other_normals": float(angles[~seam].mean()) if (~seam).any() else None,
    }


def sampled(label: Seen) -> tuple[np.ndarray, np.ndarray]:
    """Signed distances and errors of the drawn normals, in degrees, at points of a label's mesh.

    The points are spread evenly over the area, the same ones in every run.
    """
    triangles = np.concatenate([p.vertices[p.faces] for p in label.parts])
    normals = np.concatenate([viewer_normals(p, label.cell)[p.faces] for p in label.parts])
    random = np.random.default_rng(0)
    area = np.cumsum(trimesh.triangles.area(triangles))
    chosen = np.searchsorted(area, (np.arange(SAMPLES) + 0.5) / SAMPLES * area[-1])
    a, b = random.random((2, SAMPLES))
    a, b = np.where(a + b > 1, (1 - a, 1 - b), (a, b))
    weights = np.stack([1 - a - b, a, b], axis=1)
    points = np.einsum("ni,nij->nj", weights, triangles[chosen])
    drawn = np.einsum("ni,nij->nj", weights, normals[chosen])
    return label.distance(points), angle(drawn, true_normals(label.distance, points))


def viewer_normals(surface: Surface, cell: np.ndarray) -> np.ndarray:
    """The normals (n, 3) that Neuroglancer computes for the vertices of a fragment.

    It sums the normals of the faces, each of length 1 however large the face is, and does so in the
    measure of the fragment, in which a cell is a cube (computeVertexNormals in src/mesh/backend.ts,
    and the vertex shader in src/mesh/frontend.ts). That it rounds them to 2 x 8 bits is left out.
    """
    corners = (surface.vertices / cell)[surface.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 1])
    normals = unit(normals)
    sums = [
        np.bincount(surface.faces.ravel(), np.repeat(normals[:, i], 3), len(surface.vertices))
        for i in range(3)
    ]
    return unit(unit(np.stack(sums, axis=1)) / cell)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (n, 3) at length 1; those of length 0 stay so."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)


def angle(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Angles (n,) between vectors (n, 3), in degrees. A vector of length 0 is 90 degrees off."""
    cosine = np.einsum("ij,ij->i", unit(some), unit(others))
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def missed(label: Seen) -> np.ndarray:
    """Distances from points of a label's true surface to its mesh: what is missing counts."""
    points = true_points(label.distance, label.half, TRUE_SAMPLES)
    return distances(points, label.joined.vertices, label.joined.faces)


def pieces(faces: np.ndarray) -> int:
    """Number of pieces of a surface that share no vertex. faces: (m, 3), rows of vertices."""
    begin, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    return len(np.unique(groups(int(faces.max(initial=-1)) + 1, begin, end)[begin]))


def voxel_pieces(labels: np.ndarray) -> int:
    """Number of pieces of all labels, z y x, in which voxels have a face or an edge in common."""
    return len(components(labels, 2)[1]) - 1


def is_watertight(surface: Surface) -> bool:
    """Whether every edge has two faces, which run along it in opposite directions."""
    mesh = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
    return bool(mesh.is_watertight and mesh.is_winding_consistent)


def seam_length(surface: Surface) -> float:
    """Length of the curves in which a surface meets faces between cells."""
    begin, end = surface.faces.ravel(), np.roll(surface.faces, -1, axis=1).ravel()
    edges = np.unique(np.sort(np.stack([begin, end], axis=1), axis=1), axis=0)
    both = surface.on_cell_face[edges]
    along = (both[:, 0] & both[:, 1]).any(axis=1)
    ends = surface.vertices[edges[along]]
    return float(np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1).sum())
