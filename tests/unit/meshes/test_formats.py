"""Meshes in the formats of other programs, opened by readers that share no code with writers."""

import json
import struct

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from snakemesh.errors import UserError
from snakemesh.meshes import glb as glb_module
from snakemesh.meshes import ply as ply_module
from snakemesh.meshes.export import encoded
from snakemesh.meshes.formats import FORMATS
from snakemesh.meshes.part import Part
from vtk_polydata import read_polydata

LARGEST = 2**64 - 1
COLOURS = {7: (255, 0, 128), LARGEST: (10, 188, 255)}
PER_METRE = {"nm": 1e9, "um": 1e6}


def box_part(label, corner, sides, step=0.1):
    box = trimesh.creation.box(sides)
    vertices = np.asarray(box.vertices) + corner
    return Part(label, vertices, np.asarray(box.faces), step, np.array(COLOURS[label], np.uint8))


@pytest.fixture
def parts():
    """Two boxes far apart, of a small and of the largest label."""
    return [
        box_part(7, [10.0, 20.0, 30.0], [2.0, 4.0, 8.0]),
        box_part(LARGEST, [1e6, -2e6, 3e6], [10.0, 10.0, 1.0]),
    ]


def written(parts, form, unit, folder):
    path = folder / f"meshes.{form}"
    path.write_bytes(encoded(parts, form, unit))
    return path


def document_of(data):
    """The JSON of a GLB, and its binary chunk."""
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    size, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON" and size % 4 == 0
    more, kind = struct.unpack_from("<I4s", data, 20 + size)
    assert kind == b"BIN\0" and 28 + size + more == length and more % 4 == 0
    return json.loads(data[20 : 20 + size]), data[28 + size :]


# -- GLB ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", PER_METRE)
def test_a_glb_is_in_metres(parts, unit, tmp_path):
    scene = trimesh.load_scene(written(parts, "glb", unit, tmp_path))
    assert sorted(scene.graph.nodes_geometry) == sorted(str(part.label) for part in parts)
    for part in parts:
        matrix, name = scene.graph[str(part.label)]
        found = scene.geometry[name].copy().apply_transform(matrix)
        ends = np.array([part.vertices.min(axis=0), part.vertices.max(axis=0)])
        np.testing.assert_allclose(found.bounds * PER_METRE[unit], ends, rtol=1e-6)


def test_a_glb_has_colours_and_normals(parts, tmp_path):
    """glTF stores linear colours: sRGB 128 is 0.2158 of the light (IEC 61966-2-1)."""
    path = written(parts, "glb", "nm", tmp_path)
    document, _ = document_of(path.read_bytes())
    assert [material["name"] for material in document["materials"]] == ["7", str(LARGEST)]
    colour = document["materials"][0]["pbrMetallicRoughness"]["baseColorFactor"]
    assert colour == pytest.approx([1, 0, 0.215861, 1], abs=1e-5)
    scene = trimesh.load_scene(path)
    for part in parts:
        normals = scene.geometry[str(part.label)].vertex_normals
        outward = part.vertices - part.vertices.mean(axis=0)
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-6)
        assert (normals * outward).sum(axis=1).min() > 0


def test_what_a_glb_says_of_its_bytes_is_so(parts, tmp_path):
    """Bounds of positions must be exact, or viewers cut meshes away."""
    document, binary = document_of(written(parts, "glb", "nm", tmp_path).read_bytes())
    kinds = {5126: "<f4", 5125: "<u4"}
    assert document["buffers"] == [{"byteLength": len(binary)}]
    for accessor in document["accessors"]:
        view = document["bufferViews"][accessor["bufferView"]]
        width = {"VEC3": 3, "SCALAR": 1}[accessor["type"]]
        assert view["byteLength"] == accessor["count"] * width * 4 and view["byteOffset"] % 4 == 0
        end = view["byteOffset"] + view["byteLength"]
        values = np.frombuffer(binary[view["byteOffset"] : end], kinds[accessor["componentType"]])
        if "min" in accessor:
            ends = values.reshape(-1, 3).min(axis=0), values.reshape(-1, 3).max(axis=0)
            assert [end.tolist() for end in ends] == [accessor["min"], accessor["max"]]


def test_a_glb_is_refused_if_its_length_does_not_fit(parts, monkeypatch):
    monkeypatch.setattr(glb_module, "MOST_BYTES", 1000)
    with pytest.raises(UserError, match="a GLB has at most 1,000: name fewer ids"):
        encoded(parts, "glb", "nm")


# -- PLY ----------------------------------------------------------------------------------------


def test_a_ply_keeps_segments_apart(parts, tmp_path):
    path = written(parts, "ply", "um", tmp_path)
    header = path.read_bytes().partition(b"end_header\n")[0].decode().splitlines()
    assert [line for line in header if line.startswith("comment")] == [
        "comment unit um",
        "comment segment 0 label 7",
        f"comment segment 1 label {LARGEST}",
    ]
    mesh = trimesh.load_mesh(path, process=False)
    of_face = mesh.metadata["_ply_raw"]["face"]["data"]["segment"].ravel()
    assert of_face.tolist() == [0] * 12 + [1] * 12
    np.testing.assert_array_equal(mesh.vertices, np.concatenate([p.vertices for p in parts]))
    for number, part in enumerate(parts):
        corners = mesh.faces[of_face == number]
        np.testing.assert_array_equal(mesh.vertices[corners], part.vertices[part.faces])
        assert (mesh.visual.vertex_colors[corners][..., :3] == COLOURS[part.label]).all()


def test_a_ply_is_refused_if_indices_do_not_fit(parts, monkeypatch):
    monkeypatch.setattr(ply_module, "MOST_VERTICES", 15)
    with pytest.raises(UserError, match="found 16 vertices, a PLY has at most 15"):
        encoded(parts, "ply", "nm")


# -- VTP ----------------------------------------------------------------------------------------


def test_a_vtp_has_labels_and_colours_of_faces(parts, tmp_path):
    found, texts = read_polydata(written(parts, "vtp", "um", tmp_path))
    assert texts == {"unit": "um"}
    faces = found["Polys/connectivity"].reshape(-1, 3)
    assert found["Polys/offsets"].tolist() == list(range(3, 75, 3))
    for part in parts:
        corners = faces[found["CellData/label"] == np.uint64(part.label)]
        points = found["Points/Points"][corners]
        np.testing.assert_array_equal(points, part.vertices[part.faces])
        colours = found["CellData/colour"][found["CellData/label"] == np.uint64(part.label)]
        assert (colours == COLOURS[part.label]).all()
        normals = found["PointData/Normals"][corners]
        assert (normals * (points - part.vertices.mean(axis=0))).sum(axis=-1).min() > 0


# -- OBJ ----------------------------------------------------------------------------------------


def test_an_obj_has_objects_and_groups(parts, tmp_path):
    path = written(parts, "obj", "nm", tmp_path)
    words = [line.split() for line in path.read_text().splitlines()]
    names = [word for word in words if word[0] in "#og"]
    labels = [str(part.label) for part in parts]
    assert names == [["#", "unit", "nm"], *([kind, label] for label in labels for kind in "og")]
    scene = trimesh.load_scene(path, split_objects=True, group_material=False, process=False)
    assert sorted(scene.geometry) == sorted(labels)
    for part in parts:
        found = scene.geometry[str(part.label)]
        np.testing.assert_allclose(found.bounds[0], part.vertices.min(axis=0), atol=1e-5)


# -- all ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
@given(vertices=arrays(np.float64, (5, 3), elements=st.integers(-(10**6), 10**6).map(float)))
@settings(max_examples=25, deadline=None)
def test_every_format_has_every_triangle(form, vertices, tmp_path_factory):
    """Also of flat and folded meshes: coordinates are integers, so all formats keep them."""
    faces = np.array([[0, 1, 2], [2, 1, 3], [3, 4, 0]])
    part = Part(7, vertices, faces, 1.0, np.array([1, 2, 3], np.uint8))
    path = written([part], form, "nm", tmp_path_factory.mktemp("form"))
    if form == "vtp":
        found, _ = read_polydata(path)
        corners = found["Points/Points"][found["Polys/connectivity"].reshape(-1, 3)]
    else:
        mesh = trimesh.load(path, force="mesh", process=False)
        corners = mesh.vertices[mesh.faces] * (1e9 if form == "glb" else 1)
    # float32 positions in a GLB are relative to the middle, which may lie between two integers
    np.testing.assert_allclose(corners, vertices[faces], atol=0.5 if form == "glb" else 1e-5)


def test_normals_where_faces_cancel_out():
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    part = Part(7, vertices, np.array([[0, 1, 2], [0, 2, 1]]), 1.0, np.zeros(3, np.uint8))
    np.testing.assert_array_equal(part.normals, [[0, 0, 1]] * 3)
