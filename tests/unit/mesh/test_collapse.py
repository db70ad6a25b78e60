from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifold import border, components, directed
from snakemesh.mesh.collapse import MAX_STAR, MOST_FACES, may_collapse
from snakemesh.mesh.stars import NOBODY, block_of, collapse, stars_of

# The cosine of the angle that no face may turn by, and how near to it float32 need not be right.
COSINE, NEAR = 0.25, 1e-4

TETRAHEDRON = [(0, 1, 2), (0, 2, 3), (0, 3, 1), (1, 3, 2)]
OCTAHEDRON = [(i, (i + 1) % 4, 4) for i in range(4)] + [((i + 1) % 4, i, 5) for i in range(4)]


def torus(n, m):
    """The faces of a torus of n times m squares."""

    def at(i, j):
        return i % n * m + j % m

    corners = [
        (at(i, j), at(i + 1, j), at(i + 1, j + 1), at(i, j + 1)) for i in range(n) for j in range(m)
    ]
    return [t for a, b, c, d in corners for t in ((a, b, c), (a, c, d))]


def bipyramid(n):
    """The faces of a ring of n vertices with two tips, n and n + 1."""
    ring = [(i, (i + 1) % n) for i in range(n)]
    return [(a, b, n) for a, b in ring] + [(b, a, n + 1) for a, b in ring]


def subdivided(faces, places):
    """Faces with a new vertex in the face at each of `places`, one after another."""
    faces = list(faces)
    for place in places:
        a, b, c = faces.pop(place % len(faces))
        new = 1 + max(map(max, faces))
        faces += [(a, b, new), (b, c, new), (c, a, new)]
    return faces


CLOSED = st.builds(
    subdivided,
    st.sampled_from([TETRAHEDRON, OCTAHEDRON, torus(3, 3), torus(4, 3), torus(5, 4)]),
    st.lists(st.integers(0, 1000), max_size=12),
)


class Mesh:
    """A mesh as the library has it, and the same as a list of faces."""

    def __init__(self, faces, points=None):
        n = 1 + max(map(max, faces))
        self.stars = stars_of(n, np.array(faces, np.int32))
        self.points = np.zeros((n, 3), np.float32) if points is None else points
        self.planes = np.zeros(n, np.uint8)
        self.planes[[v for edge in border(faces) for v in edge]] = 1 << 7

    def star(self, u):
        """The faces of u, without u."""
        begin, size, room = map(int, block_of(self.stars, u))
        after, before = self.stars.pool[begin : begin + 2 * room].reshape(2, room).tolist()
        assert size == 0 or set(after[size:]) | set(before[size:]) <= {int(NOBODY)}
        return list(zip(after[:size], before[:size], strict=True))

    def faces(self):
        return [(u, *t) for u in range(len(self.points)) for t in self.star(u) if u < min(t)]

    def allows(self, u, v, other=None, force=2):
        u, v = np.uint32(u), np.uint32(v)
        other = NOBODY if other is None else np.uint32(other)
        return may_collapse(self.points, self.planes, self.stars, u, v, other, force)

    def collapse(self, u, v):
        return collapse(self.stars, np.uint32(u), np.uint32(v))


def edges_of(faces):
    return sorted({(min(e), max(e)) for e in directed(faces)})


def collapsed(faces, u, v):
    """The faces after a collapse of u into v, from its definition."""
    return [
        tuple(v if w == u else w for w in face) for face in faces if not (u in face and v in face)
    ]


def is_manifold(faces):
    """Whether faces are an oriented surface, open or closed: no edge has two faces on one side, no
    two faces have the same corners, and those around a vertex form one fan.
    """
    if set(directed(faces).values()) != {1} or len({frozenset(t) for t in faces}) < len(faces):
        return False
    for v in {w for t in faces for w in t}:
        around = [t for t in faces if v in t]
        joined = [
            (i, j)
            for i, s in enumerate(around)
            for j, t in enumerate(around[:i])
            if len({*s} & {*t}) == 2
        ]
        if components(len(around), joined).max() > 0:
            return False
    return True


def topology(faces):
    """Connected pieces, Euler characteristic, and connected pieces of the border."""

    def pieces(edges):
        number = {v: i for i, v in enumerate({v for edge in edges for v in edge})}
        joined = [(number[a], number[b]) for a, b in edges]
        return len(number), len(set(components(len(number), joined))) if number else 0

    edges = edges_of(faces)
    n, n_pieces = pieces(edges)
    return n_pieces, n - len(edges) + len(faces), pieces(border(faces))[1]


def keeps_surface(faces, u, v):
    """Whether a collapse of u into v leaves the surface what it is, by doing it."""
    after = collapsed(faces, u, v)
    return bool(after) and is_manifold(after) and topology(after) == topology(faces)


def n_faces_at(faces, v):
    return sum(v in face for face in faces)


# -- closed surfaces ----------------------------------------------------------------------------


@settings(deadline=None, max_examples=50)
@given(CLOSED, st.randoms(use_true_random=False))
def test_what_may_collapse_is_what_keeps_the_surface(faces, random):
    assert is_manifold(faces) and not border(faces)
    mesh = Mesh(faces)
    for _ in range(8):
        faces = mesh.faces()
        edges = edges_of(faces)
        allowed = []
        for a, b in edges:
            for u, v in ((a, b), (b, a)):
                may = mesh.allows(u, v)
                small = n_faces_at(faces, u) + n_faces_at(faces, v) - 4 <= MAX_STAR
                assert may == (small and keeps_surface(faces, u, v))
                allowed += [(u, v)] if may else []
        if not allowed:
            break
        assert mesh.collapse(*random.choice(allowed)) == 2


def test_a_tetrahedron_is_refused():
    mesh = Mesh(TETRAHEDRON)
    for u in range(4):
        for v in range(4):
            assert u == v or not mesh.allows(u, v)
    # and one more vertex in a face makes a body that collapses to it
    mesh = Mesh(subdivided(TETRAHEDRON, [2]))
    assert mesh.allows(4, 0) and mesh.collapse(4, 0) == 2
    assert is_manifold(mesh.faces()) and len(mesh.faces()) == 4


def test_the_thinnest_torus_and_the_waist_of_a_body_are_refused():
    mesh = Mesh(torus(3, 3))
    assert not any(mesh.allows(u, v) for u, v in edges_of(torus(3, 3)))
    # a ring of three vertices between two tips: a collapse would close its waist
    mesh = Mesh(bipyramid(3))
    assert not mesh.allows(0, 1) and mesh.allows(3, 0)


def test_a_vertex_gets_no_more_faces_than_the_most():
    # tips of a bipyramid have n faces, vertices of its ring have 4
    for n, may in ((MAX_STAR, True), (MAX_STAR + 1, False), (2 * MAX_STAR, False)):
        mesh = Mesh(bipyramid(n))
        assert mesh.allows(0, n) == may
        assert len(mesh.star(n)) == n


# -- blocks -------------------------------------------------------------------------------------


@settings(deadline=None)
@given(CLOSED, st.randoms(use_true_random=False))
def test_stars_stay_right(faces, random):
    mesh, expected = Mesh(faces), list(faces)
    for _ in range(20):
        edges = [e for e in edges_of(expected) if mesh.allows(*e)]
        if not edges:
            break
        u, v = random.choice(edges)
        n_before = len(expected)
        expected = collapsed(expected, u, v)
        assert mesh.collapse(u, v) == n_before - len(expected)
        check_blocks(mesh, expected)
        assert not mesh.star(u)


def check_blocks(mesh, expected):
    """All blocks are those of these faces, and none reaches into another."""
    assert rolled(mesh.faces()) == rolled(expected)
    used = np.zeros(len(mesh.stars.pool), int)
    for w in range(len(mesh.points)):
        # the faces of w, each turned until w comes first
        around = [t[t.index(w) :] + t[: t.index(w)] for t in expected if w in t]
        assert sorted(mesh.star(w)) == sorted(t[1:] for t in around)
        if around:
            begin, _, room = map(int, block_of(mesh.stars, w))
            used[begin : begin + 2 * room] += 1
    assert used.max() <= 1 and not used[int(mesh.stars.used[0]) :].any()


def test_blocks_move_together_when_the_pool_is_full():
    """A vertex takes faces, so that its block grows, in a pool that holds two of its size more."""
    faces = torus(40, 4)
    mesh, expected = Mesh(faces), list(faces)
    shorter = mesh.stars.pool[: int(mesh.stars.used[0]) + 4 * (MAX_STAR + 8)].copy()
    mesh.stars = mesh.stars._replace(pool=shorter)
    ends = []
    for _ in range(400):
        edges = [e for e in edges_of(expected) if mesh.allows(*e)]
        if not edges:
            break
        # the vertex with the most faces takes them, so that blocks grow often
        most = max(edges, key=lambda e: n_faces_at(expected, e[1]))
        expected = collapsed(expected, *most)
        mesh.collapse(*most)
        ends.append(int(mesh.stars.used[0]))
        check_blocks(mesh, expected)
    assert any(b < a for a, b in pairwise(ends)), "they never moved together"


def rolled(faces):
    """Faces sorted, each turned until its smallest vertex comes first."""
    return sorted(t[t.index(min(t)) :] + t[: t.index(min(t))] for t in faces)


# -- borders ------------------------------------------------------------------------------------


@settings(deadline=None)
@given(CLOSED, st.data())
def test_what_may_collapse_along_a_border_keeps_the_surface(faces, data):
    holes = data.draw(st.lists(st.integers(0, 1000), min_size=1, max_size=6))
    for hole in holes:
        left = faces[: hole % len(faces)] + faces[hole % len(faces) + 1 :]
        faces = left if is_manifold(left) else faces
    mesh = Mesh(faces)
    for _ in range(5):
        faces = mesh.faces()
        edges = sorted(border(faces))
        if len(faces) < 2 or not edges:
            break
        after = dict(edges)
        before = {b: a for a, b in edges}
        allowed = []
        for u, v in edges:
            for w, to, other in ((u, v, before[u]), (v, u, after[v])):
                may = mesh.allows(w, to, other)
                if n_faces_at(faces, w) + n_faces_at(faces, to) <= MAX_STAR:
                    assert may == keeps_surface(faces, w, to)
                allowed += [(w, to)] if may else []
        if not allowed:
            break
        assert mesh.collapse(*data.draw(st.sampled_from(allowed))) == 1


# -- what is refused unless forced --------------------------------------------------------------


def turns(points, faces, u, v):
    """The cosine of the angle that each face turns by; -1 of those that lose their area."""
    found = []
    for face in faces:
        if u in face and v not in face:
            old, new = (
                np.cross(p[1] - p[0], p[2] - p[0])
                for p in (points[list(face)], points[[v if w == u else w for w in face]])
            )
            lengths = np.linalg.norm(old) * np.linalg.norm(new)
            found.append(old @ new / lengths if lengths > 0 else -1.0)
    return np.array(found)


@settings(deadline=None)
@given(CLOSED, st.integers(0, 1 << 30))
def test_no_face_turns_far_unless_forced(faces, seed):
    rng = np.random.default_rng(seed)
    n = 1 + max(map(max, faces))
    points = rng.integers(-20, 21, (n, 3)).astype(np.float64)
    mesh = Mesh(faces, points.astype(np.float32))
    for a, b in edges_of(faces):
        for u, v in ((a, b), (b, a)):
            cosines = turns(points, faces, u, v)
            if (np.abs(cosines - COSINE) > NEAR).all():
                small = n_faces_at(faces, u) + n_faces_at(faces, v) - 4 <= MOST_FACES
                expected = mesh.allows(u, v) and small and (cosines > COSINE).all()
                assert mesh.allows(u, v, force=0) == expected


@pytest.mark.parametrize(("held", "may"), [((5, 1, 3), False), ((5, 1), True), ((0, 1, 2), True)])
def test_no_new_edge_joins_two_curves_in_a_plane_unless_forced(held, may):
    # six around 6, seen from above; a collapse of 6 into 1 joins 1 to 3, 4 and 5
    angle = np.arange(6) * np.pi / 3
    points = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    points = np.concatenate([points, [[0.1, 0.1, 0]]]).astype(np.float32)
    mesh = Mesh([(i, (i + 1) % 6, 6) for i in range(6)], points)
    mesh.planes[:] = 0
    mesh.planes[list(held)] = 4
    if held == (5, 1):
        mesh.planes[5] = 8  # another plane
    assert mesh.allows(6, 1, force=0) == may
    assert mesh.allows(6, 1)


# -- hubs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [5, MAX_STAR - 2, MAX_STAR, MAX_STAR + 3, 2 * MAX_STAR])
def test_what_is_joined_beyond_the_faces_of_a_star_is_refused(n):
    # A flat fan of n faces around 0. In the border, u lies between 0 and 2, which have an edge.
    u = n + 2
    faces = [(0, i, i + 1) for i in range(1, n + 1)] + [(1, 0, u), (2, 1, u)]
    assert is_manifold(faces) and {(0, u), (u, 2)} <= border(faces)
    assert not keeps_surface(faces, u, 0)
    assert not Mesh(faces).allows(u, 0, other=2)


@pytest.mark.parametrize("n", [MAX_STAR - 1, MAX_STAR, MAX_STAR + 1])
def test_a_vertex_of_a_border_gets_no_more_faces_than_the_most(n):
    # A flat fan of n faces around 0, and u in its border with two faces: n + 1 + 2 - 2 are left.
    u, last = n + 2, n + 3
    faces = [(0, i, i + 1) for i in range(1, n + 1)] + [(1, 0, u), (last, 1, u)]
    assert is_manifold(faces) and keeps_surface(faces, u, 0)
    assert n_faces_at(collapsed(faces, u, 0), 0) == n + 1
    assert Mesh(faces).allows(u, 0, other=last) == (n + 1 <= MAX_STAR)
