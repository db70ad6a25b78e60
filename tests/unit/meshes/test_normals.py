"""Normals of vertices."""

import numpy as np
import trimesh

from snakemesh.meshes.normals import vertex_normals


def test_normals_of_a_ball_are_outward():
    ball = trimesh.creation.icosphere(subdivisions=4, radius=7)
    vertices, faces = np.array(ball.vertices), np.array(ball.faces)
    found = vertex_normals(vertices + 1e6, faces)
    np.testing.assert_allclose(found, vertices / 7, atol=0.01)


def test_faces_back_to_back_and_vertices_without_a_face_have_a_normal_too():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [9, 9, 9]], float)
    found = vertex_normals(vertices, np.array([[0, 1, 2], [0, 2, 1]]))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)
