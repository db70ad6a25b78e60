"""The first reduction: a vertex cluster becomes one vertex where that hardly changes the surface.

A dense surface keeps about a third of its faces, and this is ten times as fast as the
simplification that follows. The vertex that replaces a cluster lies where it fits the quads around
the cluster best: where the sum, over the quads, of area times squared distance to the quad's plane
is least (`quadrics` does the same with faces). If the mean squared distance there is too large, the
vertices of the cluster stay as they are.

Tiles that see the same surface merge it alike: sums follow the order of the quads, and positions
are measured from the first vertex of a cluster, its leader.
"""

import numpy as np

from snakemesh.kernels.compiled import njit
from snakemesh.mesh.cell_cases import VOXEL_STEPS
from snakemesh.mesh.quadrics import best_move
from snakemesh.mesh.smoothing import corners

# How far the merged vertex may be from the planes of the quads, in voxels, root mean square. On
# real tissue 0.15 leaves 38 % of the faces (0.1: 49 %, no limit: 34 %), and after simplification
# the surface is as far from the dense one as without this step.
MAX_ERROR = 0.15
_VOXEL = np.float32(1 / VOXEL_STEPS)


def merge_vertices(
    vertices: np.ndarray, quads: np.ndarray, clusters: np.ndarray, leaders: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Merge the vertices of a dense surface that may become one.

    vertices: (N, 3) int32, in 1/4096 voxel. quads: (M, 4) int32. clusters: (N,) int32, the
    cluster of each vertex, less than 0 if it has none. leaders: (C,) int32, the first vertex of
    each cluster. `vertex_clusters.clusters_of` finds both.

    Returns the vertices that are left, (K, 3) int32, in the same order, and the new row of every
    vertex, (N,) int32.
    """
    places = _means(vertices, clusters, leaders)
    quadrics = np.zeros((len(leaders), 10), dtype=np.float32)
    _add_quads(vertices, quads, clusters, leaders, quadrics)
    is_merged = _fit(quadrics, places)
    kept, rows = _merged(vertices, clusters, leaders, places, is_merged)
    return kept, rows


@njit(cache=True, nogil=True)
def _means(vertices, clusters, leaders):
    """The mean position in each cluster from its leader, in voxels, (C, 3) float32."""
    sizes = np.zeros(len(leaders), dtype=np.uint8)
    means = np.zeros((len(leaders), 3), dtype=np.float32)
    for v in range(len(vertices)):
        if clusters[v] >= 0:
            g = np.uint32(clusters[v])
            leader = np.uint32(leaders[g])
            sizes[g] += 1
            for i in range(3):
                # whole numbers up to here, which are exact
                means[g, i] += np.float32(vertices[v, i] - vertices[leader, i])
    for g in range(len(leaders)):
        scale = _VOXEL / np.float32(sizes[g])
        for i in range(3):
            means[g, i] *= scale
    return means


@njit(cache=True, nogil=True, allocates=False)
def _add_quads(vertices, quads, clusters, leaders, quadrics):
    """Add every quad to the quadrics of its corners' clusters, about their leaders.

    quadrics: (C, 10) float32, zero: A (xx, yy, zz, xy, xz, yz), b and c of x^T A x - 2 b^T x + c.
    """
    for q in range(len(quads)):
        a, b, c, d = corners(quads, q)
        if clusters[a] < 0 and clusters[b] < 0 and clusters[c] < 0 and clusters[d] < 0:
            continue
        bx, by, bz = _difference(vertices, a, b)
        cx, cy, cz = _difference(vertices, a, c)
        dx, dy, dz = _difference(vertices, a, d)
        # the cross product of the diagonals is twice the area
        ux, uy, uz = dx - bx, dy - by, dz - bz
        x, y, z = cy * uz - cz * uy, cz * ux - cx * uz, cx * uy - cy * ux
        area = np.sqrt(x * x + y * y + z * z)
        if area == 0:
            continue
        nx, ny, nz = x / area, y / area, z / area
        quarter = np.float32(0.25)
        mx, my, mz = (bx + cx + dx) * quarter, (by + cy + dy) * quarter, (bz + cz + dz) * quarter
        xx, yy, zz, xy, xz, yz = x * nx, y * ny, z * nz, x * ny, x * nz, y * nz
        for cluster in (clusters[a], clusters[b], clusters[c], clusters[d]):
            if cluster >= 0:
                g = np.uint32(cluster)
                px, py, pz = _difference(vertices, a, np.uint32(leaders[g]))
                e = nx * (mx - px) + ny * (my - py) + nz * (mz - pz)
                quadrics[g, 0] += xx
                quadrics[g, 1] += yy
                quadrics[g, 2] += zz
                quadrics[g, 3] += xy
                quadrics[g, 4] += xz
                quadrics[g, 5] += yz
                quadrics[g, 6] += x * e
                quadrics[g, 7] += y * e
                quadrics[g, 8] += z * e
                quadrics[g, 9] += area * e * e


@njit(cache=True, nogil=True, forceinline=True, allocates=False)
def _difference(vertices, u, v):
    """The way from u to v in voxels: exact, as both are near to each other."""
    return (
        np.float32(vertices[v, 0] - vertices[u, 0]) * _VOXEL,
        np.float32(vertices[v, 1] - vertices[u, 1]) * _VOXEL,
        np.float32(vertices[v, 2] - vertices[u, 2]) * _VOXEL,
    )


@njit(cache=True, nogil=True)
def _fit(quadrics, places):
    """Move each place, in place, to where it fits best. Returns where that is good enough."""
    is_merged = np.empty(len(places), dtype=np.bool_)
    for g in range(len(places)):
        xx, yy, zz, xy, xz, yz, p, q, r, c = quadrics[g]
        x, y, z = places[g]
        dx, dy, dz = best_move(
            quadrics[g],
            p - (xx * x + xy * y + xz * z),
            q - (xy * x + yy * y + yz * z),
            r - (xz * x + yz * y + zz * z),
        )
        x, y, z = x + dx, y + dy, z + dz
        cost = x * (xx * x - 2 * p) + y * (yy * y - 2 * q) + z * (zz * z - 2 * r)
        cost += 2 * (xy * x * y + xz * x * z + yz * y * z) + c
        # the trace of A is the sum of the areas
        is_merged[g] = cost <= MAX_ERROR * MAX_ERROR * (xx + yy + zz)
        places[g, 0], places[g, 1], places[g, 2] = x, y, z
    return is_merged


@njit(cache=True, nogil=True)
def _merged(vertices, clusters, leaders, places, is_merged):
    """What `merge_vertices` returns."""
    rows = np.empty(len(vertices), dtype=np.int32)
    kept = np.empty((len(vertices), 3), dtype=np.int32)
    n = 0
    for v in range(len(vertices)):
        g = clusters[v]
        if g >= 0 and is_merged[g] and leaders[g] != v:
            rows[v] = rows[leaders[g]]
            continue
        rows[v] = n
        for i in range(3):
            kept[n, i] = vertices[v, i]
        if g >= 0 and is_merged[g]:
            for i in range(3):
                kept[n, i] += np.int32(np.floor(places[g, i] * VOXEL_STEPS + 0.5))
        n += 1
    return kept[:n], rows
