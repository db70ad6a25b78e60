"""Mean curvature of the surfaces of labels, from their finished meshes at LOD 0.

Mean curvature is half the sum of the two principal curvatures, positive where a surface is convex:
1/r on a ball of radius r, 1/(2 r) on the wall of a rod. Its integral over a mesh is half the sum,
over the edges, of length times angle. The angle is that between the normals of the two faces, and
negative at a concave edge (Steiner's formula; for meshes of smooth surfaces: D. Cohen-Steiner and
J.-M. Morvan, Restricted Delaunay triangulations and normal cycle, Symposium on Computational
Geometry 2003). So the mean over a surface is that integral divided by the area.

For the standard deviation, each vertex takes half of the integral of each of its edges and a third
of the area of each of its faces. Vertices of a simplified mesh lie a little beside the surface,
which is most of the curvature at a single vertex. So each vertex then shares both sums equally with
its neighbours, _SHARINGS times, which changes no total. The curvature at a vertex is the quotient.

Surfaces are closed where the volume ends. Faces there are no surface of a body, and count nothing.
"""

from dataclasses import dataclass

import numpy as np

from snakemesh.measure_job import CurvatureJob
from snakemesh.meshes.mesh_folder import meshes_without_info
from snakemesh.meshes.stored_meshes import fragment_bytes, places_of, stored_meshes
from snakemesh.meshes.whole_mesh import WholeMesh, whole_mesh
from snakemesh.multires.documents import multires_info
from snakemesh.tables.measures import CURVATURE

# How often vertices share. The deviation on a ball of 40 voxels radius should be 0. It is 173 % of
# the mean without sharing, 9 % after 4 times, and 4 % after 8. More would hide true differences.
_SHARINGS = 8
# Where the volume ends, smoothing rounds the rims of surfaces. This many voxels from an end, all
# vertices lie on the wall of a rod.
_ROUNDED = 2


@dataclass(frozen=True)
class Ends:
    """Where the volume ends, x y z in nm: (3,) each. reach: how near to an end counts as there."""

    lower: np.ndarray
    upper: np.ndarray
    reach: np.ndarray

    def at(self, points: np.ndarray) -> np.ndarray:
        """The ends at which points (n, 3) lie, as the bits of uint8 (n,)."""
        near = [points <= self.lower + self.reach, points >= self.upper - self.reach]
        return np.packbits(np.concatenate(near, axis=1), axis=1)[:, 0]


def measure_shard(directory: str, labels: np.ndarray, job: CurvatureJob) -> np.ndarray:
    """CURVATURE of the labels of a shard, uint64 (n,), ascending. directory: what is served.

    The mesh of one label is in memory at a time. Raises UserError if one is damaged or missing.
    """
    shard, grid = job.shard, job.shard.grid
    info = multires_info(shard.sharding if shard.sharded else None, grid.scale_nm, grid.base_nm)
    folder = meshes_without_info(directory, info)
    reach = _ROUNDED * np.array(shard.voxel_nm)
    ends = Ends(np.array(grid.origin_nm), np.array(job.upper_nm), reach)
    found = np.zeros(len(labels), CURVATURE)
    found["label"] = labels
    stored = stored_meshes(folder, places_of(folder, labels))
    for row, (mesh, data) in zip(found, fragment_bytes(folder, stored, 0), strict=True):
        whole = whole_mesh(folder, mesh, 0, data)
        row["curvature"], row["curvature_sd"] = curvature(whole, ends)
    return found


def curvature(mesh: WholeMesh, ends: Ends) -> tuple[float, float]:
    """Mean and standard deviation of the mean curvature of a surface, weighted by area.

    mesh: its faces are counterclockwise seen from outside. An edge that has not exactly two faces,
    one in each direction, counts as flat, and so do the edges of a face without area. Such edges
    are rare.
    """
    points, at = mesh.vertices, ends.at(mesh.vertices)
    faces = mesh.faces[np.bitwise_and.reduce(at[mesh.faces], axis=1) == 0]
    a, b, c = (points[corner] for corner in faces.T)
    normals = np.cross(b - a, c - a)
    # a face of the lattice has more than half a square, or else nothing but what rounding made
    normals[_lengths(normals) < mesh.step_nm**2 / 2] = 0
    areas = np.bincount(faces.ravel(), np.repeat(_lengths(normals) / 6, 3), len(points))
    edges, owners = _edges(faces)
    along = points[edges[1]] - points[edges[0]]
    one, other = normals[owners]
    sines = np.einsum("ij,ij->i", np.cross(one, other), along)
    angles = np.arctan2(sines, np.einsum("ij,ij->i", one, other) * _lengths(along))
    # half for the formula, and half for each end
    parts = _lengths(along) * angles / 4
    integrals = _at_ends(edges, parts, parts, len(points))
    integrals, areas = (_shared(values, edges) for values in (integrals, areas))
    counts = areas > 0
    integrals, areas = integrals[counts], areas[counts]
    if not len(areas):
        return np.nan, np.nan
    total = areas.sum()
    mean = integrals.sum() / total
    variance = ((integrals / areas - mean) ** 2 * areas).sum() / total
    return float(mean), float(np.sqrt(variance))


def _edges(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The edges with two faces that run along it in opposite directions.

    Returns the ends of each edge, in the direction of its first face, and its faces: (2, n) each,
    rows of points and of `faces`.
    """
    begin, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    key = np.minimum(begin, end) * (faces.max(initial=0) + 1) + np.maximum(begin, end)
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    starts = starts[np.diff(starts, append=len(order)) == 2]
    sides = np.stack([order[starts], order[starts + 1]])
    sides = sides[:, begin[sides[0]] == end[sides[1]]]
    return np.stack([begin[sides[0]], end[sides[0]]]), sides // 3


def _shared(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Values of vertices (n,) after each has shared its value with its neighbours, some times."""
    n = len(values)
    sharers = 1 + np.bincount(edges.ravel(), minlength=n)
    for _ in range(_SHARINGS):
        parts = values / sharers
        values = parts + _at_ends(edges, parts[edges[1]], parts[edges[0]], n)
    return values


def _at_ends(edges: np.ndarray, first: np.ndarray, second: np.ndarray, n: int) -> np.ndarray:
    """Sums at vertices (n,) of what each edge gives to its first and its second end."""
    found: np.ndarray = np.bincount(edges[0], first, n) + np.bincount(edges[1], second, n)
    return found


def _lengths(vectors: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.linalg.norm(vectors, axis=1)
    return found
