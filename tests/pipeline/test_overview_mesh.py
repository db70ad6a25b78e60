"""The overview of a small volume, next to what another reader finds in its meshes."""

from types import SimpleNamespace

import numpy as np
import pytest
from neuroglancer.segment_colors import hex_string_from_segment_id

from small_output import ODD_LABELS as LABELS
from small_output import small_run
from snakemesh.errors import UserError
from snakemesh.meshes.mesh_folder import open_meshes
from snakemesh.overview import mesh
from snakemesh.overview.mesh import write_overview
from snakemesh.segment_colours import segment_colours
from snakemesh.verify.checks import to_nm
from snakemesh.verify.reader import read_entries, read_mesh
from vtk_text import read_vtk

FAR_NM = 10**9


@pytest.fixture(scope="module", params=[1000, FAR_NM], ids=["near", "far"])
def run(request, tmp_path_factory):
    """The meshes, the grid, and the labels with the largest first."""
    root = tmp_path_factory.mktemp("overview")
    plan, multires = small_run(root, LABELS, (request.param, 2000, 3000))
    names, counts = np.unique(LABELS, return_counts=True)
    labels = names[np.argsort(-counts)]
    return SimpleNamespace(multires=multires, grid=plan.grid, labels=labels[labels != 0])


def write(run, path) -> int:
    folder, count = open_meshes(str(run.multires)), len(run.labels)
    return write_overview(path, folder, run.labels, count, run.grid, segment_colours)


def label_of(attributes: dict) -> np.ndarray:
    """The labels of vertices, from numbers of six digits each."""
    parts = [values.astype(np.uint64) for values in attributes.values()]
    return sum(part * np.uint64(10 ** (6 * i)) for i, part in enumerate(reversed(parts)))


def test_every_segment_at_its_coarsest_lod_in_its_colour(run, tmp_path):
    assert write(run, tmp_path / "new" / "mesh.vtk.gz") == len(run.labels)
    title, vertices, faces, attributes = read_vtk(tmp_path / "new" / "mesh.vtk.gz")
    assert title == f"{len(run.labels)} of {len(run.labels)} segments, x y z in nm"
    colours = np.column_stack([attributes.pop(name) for name in ("red", "green", "blue")])
    assert list(attributes) == ["label_1", "label_2", "label_3", "label_4"]
    labels = label_of(attributes)
    entries = read_entries(run.multires)
    assert np.unique(labels).tolist() == sorted(entries)
    assert {read_mesh(entry).num_lods for entry in entries.values()} == {1, 3}
    for label, entry in entries.items():
        found = read_mesh(entry)
        coarsest = found.fragments[found.num_lods - 1]
        own = vertices[labels == label]
        expected = np.concatenate(
            [to_nm(found, found.num_lods - 1, f.cell * 65535 + f.positions) for f in coarsest]
        )
        assert len(own) == len(expected)
        np.testing.assert_allclose(own, expected - run.grid.base_nm, rtol=0, atol=0.51)
        assert (labels[faces] == label).all(axis=1).sum() == sum(len(f.faces) for f in coarsest)
        (colour,) = np.unique(colours[labels == label], axis=0).astype(np.uint8)
        assert f"#{colour.tobytes().hex()}" == hex_string_from_segment_id(0, label)


def test_near_its_base_a_volume_that_is_far_away(run, tmp_path):
    """A viewer has 32-bit floats."""
    write(run, tmp_path / "mesh.vtk.gz")
    _, vertices, *_ = read_vtk(tmp_path / "mesh.vtk.gz")
    assert np.abs(vertices).max() < 100_000
    assert (max(run.grid.base_nm) == 0) == (max(run.grid.origin_nm) < FAR_NM / 2)


@pytest.mark.parametrize("most", [30_000, 8000])
def test_the_largest_segments_where_not_all_fit(run, tmp_path, monkeypatch, most):
    write(run, tmp_path / "all.vtk.gz")
    assert (tmp_path / "all.vtk.gz").stat().st_size > most
    monkeypatch.setattr(mesh, "MAX_BYTES", most)
    count = write(run, tmp_path / "mesh.vtk.gz")
    assert 0 < count < len(run.labels)
    assert most / 2 < (tmp_path / "mesh.vtk.gz").stat().st_size <= most
    title, _, _, attributes = read_vtk(tmp_path / "mesh.vtk.gz")
    assert title.startswith(f"{count} of {len(run.labels)} segments")
    shown = label_of({k: v for k, v in attributes.items() if k.startswith("label")})
    assert set(shown) == set(run.labels[:count])


def test_no_manifest_is_read_in_vain(run, tmp_path, monkeypatch):
    """A volume may have a billion segments; those beyond the limit are not looked at."""
    monkeypatch.setattr(mesh, "MAX_LABELS", 5)
    assert write(run, tmp_path / "mesh.vtk.gz") == 5
    sizes, lods = mesh._coarsest(open_meshes(str(run.multires)), places(run), limit=3000)
    assert len(sizes) == len(lods) < len(run.labels)
    assert sizes[:-1].sum() <= 3000 < sizes.sum()


def places(run):
    ascending = np.sort(run.labels)
    found = mesh.places_of(open_meshes(str(run.multires)), ascending)
    return found[np.searchsorted(ascending, run.labels)]


def test_the_same_bytes_again(run, tmp_path):
    made = []
    for name in ("a", "b"):
        write(run, tmp_path / name)
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]


def test_a_damaged_mesh_leaves_no_file(run, tmp_path):
    (shard, *_) = sorted(run.multires.glob("*.shard"))
    whole = shard.read_bytes()
    zeros = 2 * len(whole) // 3
    try:
        shard.write_bytes(whole[:100] + bytes(zeros) + whole[100 + zeros :])
        with pytest.raises(UserError, match="damaged"):
            write(run, tmp_path / "mesh.vtk.gz")
    finally:
        shard.write_bytes(whole)
    assert list(tmp_path.iterdir()) == []
