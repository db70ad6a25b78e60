"""The code of docs/how-to.md does what the page says."""

import json
import re
import runpy
import shlex
import sys
from pathlib import Path
from types import ModuleType

import h5py
import nibabel
import numpy as np
import pytest
import trimesh
import zarr
from PIL import Image

from small_output import BODIES, small_output
from snakemesh.cli.program import main
from snakemesh.config.configuration import read_settings
from snakemesh.config.settings import Settings
from snakemesh.plan.plan import make_plan
from snakemesh.survey.inputs import source_levels
from snakemesh.tables.properties import read_properties
from vtk_polydata import read_polydata

PAGE = (Path(__file__).resolve().parents[2] / "docs/how-to.md").read_text()
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n\n(.+?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
VOLUME = np.arange(150 * 20 * 30, dtype=np.uint32).reshape(150, 20, 30)  # z y x
SHELL = (".venv/", "aws ")


def blocks(section: str) -> list[str]:
    """The code blocks of a section."""
    found = re.findall(r"(?:^    .+\n)+", SECTIONS[section], re.MULTILINE)
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in found]


def python(section: str) -> list[str]:
    return [b for b in blocks(section) if not b.startswith((*SHELL, '"', "id,"))]


def run(code: str, folder: Path) -> None:
    (folder / "how_to.py").write_text(code)
    runpy.run_path(str(folder / "how_to.py"))


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    return small_output(tmp_path_factory.mktemp("output"))


def exported(section: str, output: Path) -> None:
    """Run the `snakemesh` commands of a section on a small output."""
    known = {"results/example": str(output.parent), "volume > 1e9": "volume > 1e6"}
    known |= {"3000x2000": "300x200"}
    lines = [line for block in blocks(section) for line in block.splitlines()]
    for words in map(shlex.split, (line for line in lines if line.startswith(".venv"))):
        if words[0] == ".venv/bin/snakemesh":
            main([known.get(word, word) for word in words[1:]])


def settings_of(command: str) -> Settings:
    """The configuration of a command of the page."""
    words = shlex.split(command)
    config = dict(word.split("=", 1) for word in words[words.index("--config") + 1 :])
    return read_settings({k: json.loads(v) if v[0] == "[" else v for k, v in config.items()})


def assert_readable(command: str) -> None:
    """The run of the page finds the volume and the size of its voxels."""
    settings = settings_of(command)
    plan = make_plan(settings, source_levels(settings))
    assert plan.source.shape == VOLUME.shape
    assert list(plan.source.voxel_size) == [40, 4, 4]


def test_a_tiff_becomes_zarr(here):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite("labels.tif", VOLUME)
    first, _, command = blocks("Start from TIFF")
    run(first, here)
    assert np.array_equal(zarr.open_array("labels.zarr")[:], VOLUME)
    assert_readable(command)


def test_slices_become_zarr(here):
    tifffile = pytest.importorskip("tifffile")
    (here / "slices").mkdir()
    for z, plane in enumerate(VOLUME):
        tifffile.imwrite(f"slices/{z:04}.tif", plane, compression="zlib")
    first, other, _ = blocks("Start from TIFF")
    copying = [line for line in first.splitlines() if "tifffile.memmap" not in line]
    run("\n".join([other, *copying]), here)
    assert np.array_equal(zarr.open_array("labels.zarr")[:], VOLUME)


def test_hdf5_becomes_zarr(here):
    with h5py.File("labels.h5", "w") as file:
        file["labels"] = VOLUME
    (code,) = python("Start from HDF5")
    run(code, here)
    assert np.array_equal(zarr.open_array("labels.zarr")[:], VOLUME)


def test_nifti_becomes_zarr(here, capsys):
    image = nibabel.Nifti1Image(VOLUME.T, np.diag([4e-6, 4e-6, 40e-6, 1]), dtype=np.uint32)
    nibabel.save(image, "labels.nii.gz")
    (code,) = python("Start from NIfTI")
    run(code, here)
    assert np.array_equal(zarr.open_array("labels.zarr")[:], VOLUME)
    assert json.loads(capsys.readouterr().out) == pytest.approx([40, 4, 4])


def test_five_neurons_are_five():
    (command,) = blocks("Mesh five neurons")
    assert len(settings_of(command).target_ids) == 5


def test_a_figure_and_its_colours(output, here):
    for section, name in (
        ("Colour by type", "by-volume.png"),
        ("A figure for a paper", "figure.png"),
    ):
        exported(section, output)
        with Image.open(name) as picture:
            assert len(picture.convert("RGB").getcolors(1 << 24)) > 100


def test_the_table_of_types_is_one(here):
    table = blocks("Colour by type")[0]
    (here / "types.csv").write_text(table)
    assert read_properties("types.csv").labels.tolist() == [17, 23]


def test_a_site_is_written(output, here):
    exported("Send a link", output)
    assert Path("site/index.html").is_file() and list(Path("site").rglob("*.shard"))


def test_blender_finds_what_the_page_names(output, here):
    exported("Blender", output)
    (code,) = python("Blender")
    compile(code, "Blender", "exec")
    scene = trimesh.load_scene("cells.glb")
    assert "metres" in scene.graph.nodes and '"metres"' in code
    assert len(scene.geometry) > 10


def test_paraview_finds_what_the_page_names(output, here):
    exported("ParaView", output)
    (code,) = python("ParaView")
    compile(code, "ParaView", "exec")
    arrays, texts = read_polydata(here / "cells.vtp")
    assert texts == {"unit": "um"}
    assert {"CellData/label", "CellData/colour"} <= set(arrays)


class Viewer:
    """Stands in for napari's viewer; takes the arguments of version 0.9."""

    added: list[tuple] = []

    def __init__(self, ndisplay):
        assert ndisplay == 3

    def add_surface(self, data, vertex_colors, units):
        self.added.append((*data, vertex_colors))
        assert len(units) == 3


def test_napari_gets_surfaces_in_order_z_y_x(output, here, monkeypatch):
    exported("napari", output)
    napari = ModuleType("napari")
    napari.Viewer, napari.run = Viewer, lambda: None
    monkeypatch.setitem(sys.modules, "napari", napari)
    (code,) = python("napari")
    run(code, here)
    ((vertices, faces, colours),) = Viewer.added
    mesh = trimesh.load_mesh("cells.ply", process=False)
    assert np.array_equal(vertices, mesh.vertices[:, ::-1]) and np.array_equal(faces, mesh.faces)
    assert colours.shape == vertices.shape and 0.5 < colours.max() <= 1


def test_webknossos_finds_what_the_page_names(output, here):
    exported("WEBKNOSSOS", output)
    assert json.loads(Path("for-webknossos/info").read_text())["lod_scale_multiplier"] == 1
    (quoted,) = (block for block in blocks("WEBKNOSSOS") if block.startswith('"'))
    (mesh,) = json.loads(f"{{{quoted}}}")["attachments"]["meshes"]
    assert mesh["path"].endswith("/for-webknossos")


def test_python_measures_a_mesh(output, here, capsys):
    exported("Python", output)
    assert len(list(Path("meshes").iterdir())) == len(BODIES)
    capsys.readouterr()
    (code,) = python("Python")
    run(code, here)
    assert capsys.readouterr().out.startswith("True ")


def test_every_block_is_run_or_named_as_not_run():
    """A block of Python in a section that no test here knows would be a promise nobody keeps."""
    tested = {
        *("Start from TIFF", "Start from HDF5", "Start from NIfTI"),
        *("Blender", "ParaView", "napari", "WEBKNOSSOS", "Python"),
    }
    assert {section for section in SECTIONS if python(section)} <= tested
    untested = {name for name, text in SECTIONS.items() if "No test runs" in " ".join(text.split())}
    assert untested == {"Blender", "ParaView", "napari"}
