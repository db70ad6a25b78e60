"""Mean curvature of a surface, from the corners beyond its edges."""

from pathlib import Path

import numpy as np

from snakemesh.job_records import VerifyJob
from snakemesh.verify.checks import edges_of, to_nm, welded
from snakemesh.verify.reader import (
    STEPS,
    FormatError,
    Mesh,
    read_info,
    read_mesh,
    shard_entry,
    shard_labels,
    shard_of,
    shard_path,
    transform_of,
    unsharded_entry,
)

# Faces whose corners all lie this many voxels from an end of the volume, or nearer, do not count.
_AT_END = 2
# Faces are folded onto each other if their normals are farther apart than this angle.
_FOLDED = np.pi - 1e-3


def read_label(directory: Path, label: int) -> Mesh:
    """A label with its decoded fragments. Raises FormatError if it is not there."""
    info = read_info(directory)
    spec, transform = info.get("sharding"), transform_of(info)
    if spec is None:
        return read_mesh(unsharded_entry(directory, label, transform))
    shard = shard_of(label, spec)
    path = shard_path(directory, shard, spec)
    for found, start, size in shard_labels(path, shard, spec):
        if found == label:
            return read_mesh(shard_entry(path, spec, label, start, size, transform))
    raise FormatError(f"{path} has no mesh of label {label}")


def mean_curvature(mesh: Mesh, job: VerifyJob) -> tuple[float, float]:
    """The mean curvature of a mesh at LOD 0 in 1/nm, above 0 where convex; NaN without a surface.

    Also returns how far the writer's may be off: it computes from places in nm, and rounding
    decides whether an edge is convex at which one face is folded onto the other.

    It is half the sum, over the edges, of length times angle, divided by the area. An edge is
    convex if the far corner of one face lies below the other face. An edge that has not exactly two
    faces counts as flat, and so do the edges of a face without area.
    """
    vertices, faces = welded(mesh, 0)
    if not len(faces):
        return np.nan, 0.0
    points, voxel = to_nm(mesh, 0, vertices), np.array(job.voxel_nm)
    lower = np.array(job.grid.origin_nm)
    upper = lower + voxel * job.reads.shape[::-1]
    at = np.hstack([points <= lower + _AT_END * voxel, points >= upper - _AT_END * voxel])
    faces = faces[~at[faces].all(axis=1).any(axis=1)]
    # from a corner of the mesh, so that nothing is lost in a volume far from 0
    points = (vertices - vertices[0]) * mesh.manifest.cell_nm / STEPS @ mesh.transform[:, :3].T
    a, b, c = (points[corner] for corner in faces.T)
    normals = np.cross(b - a, c - a)
    a, b, c = (vertices[corner] for corner in faces.T)
    normals[~np.cross(b - a, c - a).any(axis=1)] = 0
    edges = edges_of(faces)
    is_pair = (np.diff(edges.starts, append=len(edges.ends)) == 2) & (edges.balance == 0)
    first = edges.starts[is_pair]
    one, other = normals[edges.faces[first]], normals[edges.faces[first + 1]]
    begin, end = edges.ends[first].T
    far = points[faces[edges.faces[first + 1]].sum(axis=1) - begin - end]
    is_convex = np.einsum("ij,ij->i", far - points[begin], one) < 0
    sines = np.linalg.norm(np.cross(one, other), axis=1)
    angles = np.where(is_convex, 1, -1) * np.arctan2(sines, np.einsum("ij,ij->i", one, other))
    lengths = np.linalg.norm(points[end] - points[begin], axis=1)
    area = np.linalg.norm(normals, axis=1).sum() / 2
    if not area:
        return np.nan, 0.0
    folded = lengths[np.abs(angles) > _FOLDED].sum() * np.pi
    shortest, corner = min(job.voxel_nm), max(map(abs, job.grid.origin_nm))
    rounding = 1e-9 / shortest + 4 * float(np.spacing(corner)) / shortest**2
    return float((lengths * angles).sum() / 2 / area), float(folded / area + rounding)
