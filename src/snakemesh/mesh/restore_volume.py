"""Giving surfaces the volume and the centroid that smoothing and simplification took from them.

Smoothing shrinks small bodies: a single voxel to 0.2 % of its volume, a body of 50 voxels to 77 %.
Simplification leaves vertices on the surface, and the flat faces between them cut off convex parts.
At a fifteenth of the faces, the median label of pinky40 (a public dense segmentation of
mouse cortex) loses 2 % of its volume, and its centroid moves by 0.09 voxel.

To bring both back, the free vertices are pushed along their normals. The distance is an affine
function of the position of the vertex. It has four coefficients, as many as there are quantities to
restore: the volume and its three first moments.

Everything is x y z. Moments and distances are in voxels (the geometric mean of a voxel's axes).
"""

import numpy as np

from snakemesh.kernels.compiled import njit
from snakemesh.mesh.enclosed import enclosed_moments
from snakemesh.mesh.submeshes import local_meshes
from snakemesh.mesh.vertex_states import FREE

# The correction is of first order. After the first rounds, an owner is finished as soon as its
# volume is off by less than this fraction, or as it has been pushed as far as it may be.
FIRST_ROUNDS = 2
TOLERANCE = 0.002
ROUNDS = 10
# How far all rounds together push, in voxels. A single voxel that has shrunk to a point needs 0.62
# to become a ball of its volume, the radius of that ball.
MAX_PUSH = 0.8
# The same where a seam cuts through: the vertices in the seam stay, and a step there would be seen.
# But a body with at most SMALL_VOLUME voxels in the tile would lose up to half of them.
MAX_PUSH_AT_SEAM = 0.3
SMALL_VOLUME = 100
# How much further or less than its mean the push may be anywhere, in voxels, in each round.
MAX_SLANT = 0.25
# Vertices that lie in a plane or on a line do not say how the push should change across it. This
# fraction of their total spread is added on every axis, so that the push changes little there.
RIDGE = 1e-3


def restore_volume(
    vertices: np.ndarray,
    faces: np.ndarray,
    owners: np.ndarray,
    wanted: np.ndarray,
    step: np.ndarray,
    upper: np.ndarray,
    seams: np.ndarray,
    states: np.ndarray,
) -> None:
    """Move vertices, in place, so that each owner encloses the wanted moments in the tile.

    vertices: (N, 3) int32, from the lower corner of the tile, none of which two owners share.
    faces: (M, 3) int32, whose open edges all lie in seams. owners: (M,) int32, rows of wanted.
    wanted: (O, 4) float64, volume and first moments about the lower corner of the tile. step: (3,)
    float64, length of a step of `vertices` in voxels. upper: (3,) int32, the upper end of the tile.
    seams: (3, 2) bool, whether the lower and the upper face of the tile on an axis is a seam.
    states: (N,) uint8, as `thin_curves` gives them: FREE for a vertex in no plane.

    Vertices in planes that cut stay where they are, and so do vertices without faces. Those on
    other faces of the tile move along them. None leaves the tile, or is pushed by more than
    MAX_PUSH in all, or by MAX_PUSH_AT_SEAM, slants apart, even if moments are still missing then.
    """
    # simplification leaves many vertices without faces
    points, faces, states, rows = _with_faces(vertices, faces, states, np.arange(len(vertices)))
    pushed = np.zeros(len(wanted))
    is_small = (wanted[:, 0] > 0) & (wanted[:, 0] <= SMALL_VOLUME)
    limit = _limits(points, faces, owners, is_small, upper, seams)
    for i in range(ROUNDS):
        found = enclosed_moments(points, faces, owners, step, upper, seams[:, 1], wanted[:, 0])
        if i >= FIRST_ROUNDS:
            unfinished = np.abs(found[:, 0] - wanted[:, 0]) > TOLERANCE * wanted[:, 0]
            unfinished &= np.abs(pushed) < limit
            is_left = unfinished[owners]
            if not is_left.any():
                break
            vertices[rows] = points
            faces, owners = faces[is_left], owners[is_left]
            points, faces, states, rows = _with_faces(points, faces, states, rows)
        _push(points, faces, owners, found, wanted, pushed, limit, step, upper, seams, states)
    vertices[rows] = points


def _with_faces(
    vertices: np.ndarray, faces: np.ndarray, states: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The vertices that have faces, in the order of the faces; the faces with the new numbers of
    these vertices; and what `states` and `rows` say of them.
    """
    local, mine, _ = local_meshes(len(vertices), faces, np.array([0, len(faces)]))
    return vertices[mine], local.view(np.int32), states[mine], rows[mine]


@njit(cache=True, nogil=True)
def _push(vertices, faces, owners, found, wanted, pushed, limit, step, upper, seams, states):
    """One round of `restore_volume`. pushed, limit: (O,), how far owners are and may be."""
    gradient, owner_of = _gradients(vertices, faces, owners, step)
    weight = np.zeros(len(vertices), dtype=np.float64)
    for v in range(len(vertices)):
        if owner_of[v] >= 0:
            weight[v] = _free_weight(gradient[v], vertices[v], upper, seams, states[v])
    middle, slope = _affine_push(vertices, weight, owner_of, found, wanted, step)
    distance = np.zeros(len(vertices), dtype=np.float64)
    slanted = np.ones(len(wanted), dtype=np.bool_)
    for v in range(len(vertices)):
        if weight[v] > 0:
            o = owner_of[v]
            for i in range(3):
                distance[v] += slope[o, i] * (vertices[v, i] * step[i] - middle[o, i])
            slanted[o] &= abs(distance[v]) <= MAX_SLANT
    for o in range(len(wanted)):
        before = pushed[o]
        pushed[o] = min(max(before + slope[o, 3], -limit[o]), limit[o])
        slope[o, 3] = pushed[o] - before
    for v in range(len(vertices)):
        if weight[v] > 0:
            o = owner_of[v]
            push = slope[o, 3]
            if slanted[o]:
                push += distance[v]
            for i in range(3):
                steps = push * gradient[v, i] / (weight[v] * step[i])
                moved = vertices[v, i] + int(np.floor(steps + 0.5))
                vertices[v, i] = min(max(moved, 0), upper[i])


@njit(cache=True, nogil=True)
def _limits(vertices, faces, owners, is_small, upper, seams):
    """How far each owner may be pushed, (O,) float64. is_small: (O,) bool."""
    limit = np.full(len(is_small), MAX_PUSH)
    for f in range(len(faces)):
        if is_small[owners[f]]:
            continue
        for v in faces[f]:
            for i in range(3):
                at_lower, at_upper = vertices[v, i] == 0, vertices[v, i] == upper[i]
                if (at_lower and seams[i, 0]) or (at_upper and seams[i, 1]):
                    limit[owners[f]] = MAX_PUSH_AT_SEAM
    return limit


@njit(cache=True, nogil=True, allocates=False)
def _free_weight(gradient, vertex, upper, seams, state):
    """Length of the gradient of a vertex, (3,), after what the faces of the tile do not allow.

    It is 0 in a plane that cuts. On another face of the tile the part across it is taken away, in
    place.
    """
    if state != FREE:
        return 0.0
    for i in range(3):
        if vertex[i] == 0 or vertex[i] == upper[i]:
            if seams[i, 0 if vertex[i] == 0 else 1]:
                return 0.0
            gradient[i] = 0.0
    return np.sqrt(gradient[0] ** 2 + gradient[1] ** 2 + gradient[2] ** 2)


@njit(cache=True, nogil=True)
def _gradients(vertices, faces, owners, step):
    """How the volume grows with the position of each vertex, (N, 3), and its owner, (N,) int32.

    The gradient is a sixth of the sum of the cross products of the edges of the vertex's faces. It
    points along the normal. The owner of a vertex without faces is -1.
    """
    gradient = np.zeros(vertices.shape, dtype=np.float64)
    owner_of = np.full(len(vertices), -1, dtype=np.int32)
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ux, uy, uz = _edge(vertices, a, b, step)
        wx, wy, wz = _edge(vertices, a, c, step)
        for v in (a, b, c):
            gradient[v, 0] += (uy * wz - uz * wy) / 6.0
            gradient[v, 1] += (uz * wx - ux * wz) / 6.0
            gradient[v, 2] += (ux * wy - uy * wx) / 6.0
            owner_of[v] = owners[f]
    return gradient, owner_of


@njit(cache=True, nogil=True)
def _affine_push(vertices, weight, owner_of, found, wanted, step):
    """The push of each owner that restores its moments: middle (O, 3) and slope (O, 4).

    weight: (N,) length of the gradient, 0 for vertices that do not move. The middle is the weighted
    mean of an owner's vertices. At the position d from it, the push is s(d) = p + q . d, where q is
    slope[:3] and p is slope[3]. With the weights w, this push changes the volume by sum(w) p, and
    the moments about the middle by sum(w d d^T) q.
    """
    n = len(wanted)
    mass = np.zeros(n, dtype=np.float64)
    middle = np.zeros((n, 3), dtype=np.float64)
    for v in range(len(vertices)):
        if weight[v] > 0:
            o = owner_of[v]
            mass[o] += weight[v]
            for i in range(3):
                middle[o, i] += weight[v] * vertices[v, i] * step[i]
    for o in range(n):
        if mass[o] > 0:
            for i in range(3):
                middle[o, i] /= mass[o]
    spread = np.zeros((n, 3, 3), dtype=np.float64)
    d = np.zeros(3, dtype=np.float64)
    for v in range(len(vertices)):
        if weight[v] > 0:
            o = owner_of[v]
            for i in range(3):
                d[i] = vertices[v, i] * step[i] - middle[o, i]
            for i in range(3):
                for j in range(3):
                    spread[o, i, j] += weight[v] * d[i] * d[j]
    slope = np.zeros((n, 4), dtype=np.float64)
    for o in range(n):
        if mass[o] > 0:
            missing = wanted[o, 0] - found[o, 0]
            slope[o, 3] = _even_push(found[o, 0], missing, mass[o])
            ridge = RIDGE * (spread[o, 0, 0] + spread[o, 1, 1] + spread[o, 2, 2])
            for i in range(3):
                spread[o, i, i] += ridge
                d[i] = (wanted[o, 1 + i] - found[o, 1 + i]) - middle[o, i] * missing
            if ridge > 0:
                slope[o, 0], slope[o, 1], slope[o, 2] = _solved(spread[o], d)
    return middle, slope


@njit(cache=True, nogil=True, allocates=False)
def _even_push(volume, missing, area):
    """How far to push all of a surface, so that `missing` is added to its volume.

    For a small change this is missing / area. Area grows with the volume, so a large change needs
    less: a ball that is to grow by the factor 1 + t needs 3 volume / area (cbrt(1 + t) - 1). This
    is close to volume / area t / (1 + t / 3), which never overshoots a ball, a tube or a sheet.
    One round takes half of the volume away at most, so that no surface is turned inside out.
    """
    if volume <= 0:
        return missing / area
    growth = max(missing / volume, -0.5)
    return volume / area * growth / (1 + growth / 3)


@njit(cache=True, nogil=True, allocates=False)
def _solved(m, d):
    """The solution x of m x = d for a symmetric m (3, 3).

    By Cramer's rule: it gives the same bits everywhere, which a linear algebra library does not.
    """
    a = m[1, 1] * m[2, 2] - m[1, 2] * m[1, 2]
    b = m[0, 2] * m[1, 2] - m[0, 1] * m[2, 2]
    c = m[0, 1] * m[1, 2] - m[0, 2] * m[1, 1]
    e = m[0, 0] * m[2, 2] - m[0, 2] * m[0, 2]
    f = m[0, 1] * m[0, 2] - m[0, 0] * m[1, 2]
    g = m[0, 0] * m[1, 1] - m[0, 1] * m[0, 1]
    scale = 1.0 / (m[0, 0] * a + m[0, 1] * b + m[0, 2] * c)
    return (
        scale * (a * d[0] + b * d[1] + c * d[2]),
        scale * (b * d[0] + e * d[1] + f * d[2]),
        scale * (c * d[0] + f * d[1] + g * d[2]),
    )


@njit(cache=True, nogil=True, allocates=False)
def _edge(vertices, a, b, step):
    """The edge from vertex a to vertex b, in voxels."""
    return (
        (vertices[b, 0] - vertices[a, 0]) * step[0],
        (vertices[b, 1] - vertices[a, 1]) * step[1],
        (vertices[b, 2] - vertices[a, 2]) * step[2],
    )
