"""Label volumes with known answers, and checks of surfaces that do not use the library's own."""

import DracoPy
import numpy as np
import trimesh

from snakemesh.mesh.surface import VOXEL_STEPS, extract_surfaces
from snakemesh.multires.octree import CELL_STEPS, OCTANT_PLANE


def noise(shape, n_labels, seed):
    """Every voxel is at random one of `n_labels` labels or background. No surface is worse."""
    return np.random.default_rng(seed).integers(0, n_labels + 1, shape).astype(np.uint32)


def voronoi(shape, n_labels, seed, voxel_size=(1, 1, 1)):
    """A dense volume: every voxel has the label of the nearest of `n_labels` random points.

    Every fifth point stands for background. Returns z y x, uint32.
    """
    rng = np.random.default_rng(seed)
    axes = np.meshgrid(*map(np.arange, shape), indexing="ij", sparse=True)
    nearest = np.full(shape, np.inf)
    labels = np.zeros(shape, np.uint32)
    for label, point in enumerate(rng.random((n_labels, 3)) * shape, 1):
        distance = sum((s * (a - p)) ** 2 for s, a, p in zip(voxel_size, axes, point, strict=True))
        labels[distance < nearest] = label if label % 5 else 0
        np.minimum(nearest, distance, out=nearest)
    return labels


def ball(shape, centre, radius):
    """A volume with label 1 in a ball; centre and radius in voxels. z y x, uint32."""
    axes = np.meshgrid(*map(np.arange, shape), indexing="ij", sparse=True)
    distance = sum((a - c) ** 2 for a, c in zip(axes, centre, strict=True))
    return (distance <= radius**2).astype(np.uint32)


def dense(labels, n_iter, voxel):
    """Vertices (N, 3), faces (M, 3) and owners (M,) of all dense surfaces.

    voxel: steps that a voxel is wide in the returned vertices.
    """
    (surfaces,) = extract_surfaces(labels, (0, 0, 0), n_iter)
    owners = np.repeat(np.arange(len(surfaces.labels)), np.diff(surfaces.face_starts))
    return surfaces.vertices // (VOXEL_STEPS // voxel), surfaces.faces, owners.astype(np.int32)


def weld(triangles):
    """Vertices (N, 3) and faces (M, 3) of triangles (M, 3, 3). Equal corners become one vertex."""
    flat = triangles.reshape(-1, 3).astype(np.int64)
    offset = flat - flat.min(axis=0)
    assert offset.max() < 1 << 21
    _, first, number = np.unique(
        offset @ [1 << 42, 1 << 21, 1], return_index=True, return_inverse=True
    )
    return flat[first], number.reshape(-1, 3)


def unbalanced(faces):
    """Edges (E, 2) that faces do not run along equally often in both directions.

    faces: (M, 3). The smaller vertex of an edge comes first.
    """
    begin, end = faces.ravel().astype(np.int64), np.roll(faces, -1, axis=1).ravel()
    n = int(faces.max(initial=0)) + 1
    edges, number = np.unique(
        np.minimum(begin, end) * n + np.maximum(begin, end), return_inverse=True
    )
    net = np.bincount(number, weights=np.sign(end - begin), minlength=len(edges))
    return np.stack([edges // n, edges % n], axis=1)[net != 0]


def open_edges(triangles):
    """Ends (E, 2, 3) of the open edges of triangles (M, 3, 3)."""
    if len(triangles) == 0:
        return np.zeros((0, 2, 3), np.int64)
    vertices, faces = weld(triangles)
    return vertices[unbalanced(faces)]


def canonical(triangles):
    """Triangles (M, 3, 3) in a form that does not depend on their order or first corners.

    Returns rows (M, 3) with one number per corner.
    """
    assert np.abs(triangles).max(initial=0) < 1 << 20
    corners = (triangles.astype(np.int64) + (1 << 20)) @ [1 << 42, 1 << 21, 1]
    turned = np.concatenate([np.roll(corners, i, axis=1) for i in range(3)])
    rank = np.empty(len(turned), np.int64)
    rank[np.lexsort(turned.T[::-1])] = np.arange(len(turned))
    first = np.sort(rank.reshape(3, -1).min(axis=0))
    return turned[np.argsort(rank)][first]


def solid(triangles, unit=(1, 1, 1)):
    """A welded trimesh of triangles (M, 3, 3), with positions multiplied by `unit`."""
    vertices, faces = weld(triangles)
    return trimesh.Trimesh(vertices * np.array(unit, float), faces, process=False)


def fragments(records, blobs):
    """Yields each record with the positions (N, 3) and faces (M, 3) that DracoPy decodes."""
    for record, blob in zip(records, blobs, strict=True):
        mesh = DracoPy.decode(blob)
        yield record, mesh.points.astype(np.int64), mesh.faces


def decoded(records, blobs):
    """The triangles (M, 3, 3) of each label, on the lattice of the LOD."""
    found = {}
    for record, points, faces in fragments(records, blobs):
        corners = (points + record["cell"].astype(np.int64) * CELL_STEPS)[faces]
        found.setdefault(int(record["label"]), []).append(corners)
    return {label: np.concatenate(pieces) for label, pieces in found.items()}


def assert_sound(records, blobs, lod):
    """Assert what the format asks of fragments.

    There is one per label and cell, its positions are in range, and above LOD 0 no triangle
    crosses the middle of its cell, 2^15.
    """
    places = [(r["label"], *r["cell"]) for r in records]
    assert len(set(places)) == len(places)
    for record, points, faces in fragments(records, blobs):
        assert points.min() >= 0 and points.max() <= CELL_STEPS
        assert len(faces) == record["faces"] > 0
        if lod:
            low, high = points[faces].min(axis=1), points[faces].max(axis=1)
            assert ((low >= OCTANT_PLANE) | (high <= OCTANT_PLANE)).all()
