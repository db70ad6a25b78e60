"""Checks that a mesh is a manifold, and counts of connected pieces, all in plain Python."""

from collections import Counter
from itertools import product

import numpy as np


def directed(faces):
    """How many faces run along each directed edge. faces: triples of vertices."""
    return Counter((face[i - 1], face[i]) for face in faces for i in range(3))


def border(faces):
    """The directed edges without one in the opposite direction."""
    edges = directed(faces)
    return {(a, b) for a, b in edges if (b, a) not in edges}


def components(n, pairs):
    """The number of each of n things' connected piece, (n,) int. pairs: joined things."""
    parent = list(range(n))

    def root(i):
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    for a, b in pairs:
        parent[root(a)] = root(b)
    numbers = {}
    return np.array([numbers.setdefault(root(i), len(numbers)) for i in range(n)], int)


def assert_manifold(faces):
    """Assert that polygons are a closed, oriented surface without singular edges or vertices.

    faces: (M, k), rows of vertices, or a list of such rows of any length. Every edge has two faces,
    which run along it in opposite directions, and the faces around a vertex form one fan.
    """
    edge_faces, after = {}, {}  # after: by vertex and face, the vertex that follows in the face
    for f, face in enumerate(faces.tolist() if isinstance(faces, np.ndarray) else faces):
        assert len(set(face)) == len(face)
        for a, b in zip(face, face[1:] + face[:1], strict=True):
            assert (a, b) not in edge_faces
            edge_faces[a, b] = f
            after.setdefault(a, {})[f] = b
    assert all((b, a) in edge_faces for a, b in edge_faces)
    for vertex, following in after.items():
        # from face to face around the vertex, which leads back to the first one
        first = face = next(iter(following))
        fan = 1
        while (face := edge_faces[following[face], vertex]) != first:
            fan += 1
        assert fan == len(following)


def voxel_pieces(inside, max_steps):
    """The connected pieces of the true voxels of an array: their numbers, -1 elsewhere.

    max_steps: 1 joins voxels that share a face, 2 those that share an edge, 3 a corner.
    """
    places = np.argwhere(inside).tolist()
    number = {tuple(p): i for i, p in enumerate(places)}
    steps = [s for s in product((-1, 0, 1), repeat=3) if 0 < np.abs(s).sum() <= max_steps]
    pairs = [
        (i, number[q])
        for p, i in number.items()
        for s in steps
        if (q := tuple(np.add(p, s).tolist())) in number
    ]
    pieces = np.full(inside.shape, -1)
    pieces[inside] = components(len(places), pairs)
    return pieces
