import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemesh.mesh.quadrics import (
    MAX_MOVE,
    MOST_AREA,
    RIDGE,
    bring_along,
    collapse_error,
    dense_quadrics,
    settle,
)
from snakemesh.mesh.stars import SIZE, stars_of


def planes_at(points, faces, v):
    """The planes of the faces of a vertex: normals (n, 3), a point of each (n, 3), and twice the
    area of each face (n,). points: (N, 3) float64.
    """
    corners = points[[face for face in faces if v in face]]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(normals, axis=1)
    return normals / areas[:, None], corners[:, 0], areas


def cost(planes, place):
    """The sum of twice the area times the square of the distance to the planes."""
    normals, on, areas = planes
    return (areas * np.einsum("ij,ij->i", normals, place - on) ** 2).sum()


def joined(*planes):
    return tuple(np.concatenate(parts) for parts in zip(*planes, strict=True))


def random_mesh(seed, n_faces):
    """Points (10, 3), float64, of which each float32 is exact, and faces of three of them."""
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 21, (10, 3)) / 4.0
    faces = [rng.permutation(10)[:3].tolist() for _ in range(n_faces)]
    crossed = [np.cross(*(points[f[1:]] - points[f[0]])) for f in faces]
    return points, [f for f, c in zip(faces, crossed, strict=True) if c.any()]


def quadrics_of(points, faces):
    """The points as float32, and the quadrics of their vertices."""
    single = points.astype(np.float32)
    return single, dense_quadrics(single, stars_of(len(single), np.array(faces, np.int32)))


def error_at(planes, place):
    """What `collapse_error` is, by definition."""
    area = min(planes[2].sum(), float(MOST_AREA))
    return cost(planes, place) / area


# -- errors -------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.integers(0, 1 << 30), st.integers(1, 20))
def test_the_quadric_is_the_sum_over_the_planes(seed, n_faces):
    points, faces = random_mesh(seed, n_faces)
    if not faces:
        return
    single, quadrics = quadrics_of(points, faces)
    for u in {v for face in faces for v in face}:
        planes = planes_at(points, faces, u)
        assert quadrics[u, 10] == pytest.approx(planes[2].sum(), rel=1e-5)
        for v in range(len(points)):
            found = collapse_error(quadrics, single, u, v)
            assert found == pytest.approx(error_at(planes, points[v]), rel=1e-4, abs=1e-4)


@settings(deadline=None)
@given(st.integers(0, 1 << 30), st.integers(4, 20), st.permutations(range(10)))
def test_a_vertex_that_is_brought_along_adds_its_planes(seed, n_faces, order):
    points, faces = random_mesh(seed, n_faces)
    single, quadrics = quadrics_of(points, faces)
    used = [v for v in order if any(v in face for face in faces)]
    if len(used) < 3:
        return
    u, v, w = used[:3]
    # twice, so that one brings along what it took over
    bring_along(quadrics, single, u, v)
    once = joined(*(planes_at(points, faces, a) for a in (u, v)))
    for at in range(10):
        found = collapse_error(quadrics, single, v, at)
        assert found == pytest.approx(error_at(once, points[at]), rel=1e-3, abs=1e-3)
    bring_along(quadrics, single, v, w)
    twice = joined(once, planes_at(points, faces, w))
    assert quadrics[w, 10] == pytest.approx(twice[2].sum(), rel=1e-5)
    for at in range(10):
        found = collapse_error(quadrics, single, w, at)
        assert found == pytest.approx(error_at(twice, points[at]), rel=1e-3, abs=1e-3)


def test_the_error_is_a_mean_square_distance():
    # one small face in z = 0, and a point 0.5 above it
    points = np.array([[0, 0, 0], [2, 0, 0], [0, 2, 0], [7, 3, 0.5]])
    single, quadrics = quadrics_of(points, [(0, 1, 2)])
    assert collapse_error(quadrics, single, 0, 3) == pytest.approx(0.25)
    assert collapse_error(quadrics, single, 0, 1) == 0
    # beyond MOST_AREA, the error grows with the face
    large = points * [[10], [10], [10], [1]]
    single, quadrics = quadrics_of(large, [(0, 1, 2)])
    assert collapse_error(quadrics, single, 0, 3) == pytest.approx(0.25 * 400 / MOST_AREA)


def test_a_face_without_area_adds_nothing():
    points = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 1, 1]], float)
    single, quadrics = quadrics_of(points, [(0, 1, 2)])
    assert not quadrics.any()
    assert collapse_error(quadrics, single, 0, 3) == 0


# -- settle -------------------------------------------------------------------------------------


def noisy_plane(seed, height):
    """A vertex 0 that stands for faces near a tilted plane: points, quadrics, planes of the faces.

    Each face is parallel to the plane, at a height above it of `height`, give or take 0.2. The
    vertex lies in it. So the place of least squares is known.
    """
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=3)
    normal /= np.linalg.norm(normal)
    x = np.cross(normal, [1, 0, 0] if abs(normal[0]) < 0.5 else [0, 1, 0])
    x /= np.linalg.norm(x)
    y = np.cross(normal, x)
    heights = height + rng.uniform(-0.2, 0.2, 30)
    sizes = rng.uniform(0.5, 1.5, 30)
    points, faces = [np.zeros(3)], []
    for h, size in zip(heights, sizes, strict=True):
        at = rng.uniform(-3, 3, 2) @ [x, y] + h * normal
        points += [at, at + size * x, at + size * y]
        faces.append((len(points) - 3, len(points) - 2, len(points) - 1))
    points = np.array(points)
    single, quadrics = quadrics_of(points, faces)
    for a, _, _ in faces:
        bring_along(quadrics, single, a, 0)
    return single, quadrics, normal, np.average(heights, weights=sizes**2)


def only(v, n_vertices):
    """Stars of which all but that of v are gone."""
    stars = stars_of(n_vertices, np.zeros((0, 3), np.int32))
    stars.blocks[v, SIZE] = 1
    return stars


def settled(points, quadrics, is_free=True):
    """Where vertex 0 is after `settle`; all others are gone, and stay."""
    after = points.copy()
    settle(np.full(len(points), is_free), only(0, len(points)), after, quadrics)
    np.testing.assert_array_equal(after[1:], points[1:])
    return after[0].astype(np.float64)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("height", [0.3, -0.25, 0.0])
def test_a_vertex_settles_on_the_plane_of_least_squares(seed, height):
    points, quadrics, normal, mean = noisy_plane(seed, height)
    # but for the part that holds it in place, and straight up
    np.testing.assert_allclose(settled(points, quadrics), normal * mean / (1 + RIDGE), atol=2e-4)


@pytest.mark.parametrize("height", [3.0, -3.0])
def test_a_vertex_moves_no_further_than_the_most(height):
    points, quadrics, normal, _ = noisy_plane(1, height)
    np.testing.assert_allclose(
        settled(points, quadrics), normal * np.sign(height) * MAX_MOVE, atol=1e-3
    )


@settings(deadline=None)
@given(st.integers(0, 1 << 30), st.integers(1, 20))
def test_a_vertex_settles_where_its_quadric_and_ridge_are_least(seed, n_faces):
    points, faces = random_mesh(seed, n_faces)
    if not faces:
        return
    single, quadrics = quadrics_of(points, faces)
    for u in {v for face in faces for v in face}:
        # of faces that it does not touch: those of another vertex
        w = (u + 1) % 10
        if not any(w in face for face in faces):
            continue
        quadrics_u = quadrics.copy()
        bring_along(quadrics_u, single, w, u)
        normals, on, areas = joined(*(planes_at(points, faces, a) for a in (u, w)))
        matrix = np.einsum("n,ni,nj->ij", areas, normals, normals)
        matrix += float(RIDGE) * np.trace(matrix) * np.eye(3)
        heights = np.einsum("ij,ij->i", normals, on - points[u])
        move = np.linalg.solve(matrix, (areas * heights) @ normals)
        move *= min(1, MAX_MOVE / max(np.linalg.norm(move), 1e-9))
        after = single.copy()
        settle(np.ones(len(points), bool), only(u, len(points)), after, quadrics_u)
        np.testing.assert_allclose(after[u] - points[u], move, atol=5e-3)


def test_only_vertices_that_are_free_and_left_settle():
    points, quadrics, _, _ = noisy_plane(2, 0.4)
    assert settled(points, quadrics).any()
    assert not settled(points, quadrics, is_free=False).any()
    gone = points.copy()
    nobody = stars_of(len(points), np.zeros((0, 3), np.int32))
    settle(np.ones(len(points), bool), nobody, gone, quadrics)
    np.testing.assert_array_equal(gone, points)


def test_a_vertex_that_stands_for_nothing_stays():
    points = np.ones((2, 3), np.float32)
    assert (settled(points, np.zeros((2, 11), np.float32)) == 1).all()
