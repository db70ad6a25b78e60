"""Exported meshes, opened again by trimesh, against what another reader finds in the output."""

import json
import os
import pty
import shutil
import subprocess
import sys
import termios
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import trimesh
from neuroglancer.segment_colors import hex_string_from_segment_id

from object_store import object_store, upload
from small_blocks import small_lods
from small_output import CORNER_NM, small_run
from small_output import ODD_LABELS as LABELS
from snakemesh.cli.program import main
from snakemesh.multires.documents import multires_info, write_json
from snakemesh.multires.shard import write_unsharded
from snakemesh.tables.properties import NO_PROPERTIES
from snakemesh.tables.segments import write_segments
from snakemesh.verify.checks import to_nm, welded
from snakemesh.verify.reader import read_entries, read_mesh
from snakemesh.view.server import Server, located
from vtk_polydata import read_polydata

# The formats, and how near a volume stays: positions are float32 in the last two.
FORMATS = {"ply": 1e-6, "obj": 1e-6, "vtp": 1e-6, "stl": 1e-4, "glb": 1e-4}


@dataclass(frozen=True)
class Outputs:
    """The output directory of one volume in shards, and one with files for each label."""

    sharded: Path
    unsharded: Path
    volumes: dict[int, float]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """They have what a finished run has: also the table of all segments and the run's document."""
    root = tmp_path_factory.mktemp("outputs")
    plan, sharded = small_run(root, LABELS, CORNER_NM)
    unsharded = root / "unsharded" / "multires"
    unsharded.mkdir(parents=True)
    containers = [str(path) for path in (root / "out" / "work").glob("lod*")]
    with small_lods():
        summaries = [
            write_unsharded(unsharded, shard, containers, plan.grid, plan.sharding).summary
            for shard in range(plan.sharding.num_shards)
        ]
    rows = np.sort(np.concatenate(summaries), order="label")
    info = multires_info(None, plan.grid.scale_nm, plan.grid.base_nm)
    write_json(unsharded / "info", info)
    write_segments(unsharded / "segments.parquet", [rows], NO_PROPERTIES)
    for folder in (sharded, unsharded):
        (folder / "snakemesh.json").write_text("{}")
    table = pq.read_table(sharded / "segments.parquet").to_pydict()
    assert sorted(table["label"]) == np.unique(LABELS)[1:].tolist()
    volumes = dict(zip(table["label"], table["volume"], strict=True))
    return Outputs(root / "out", root / "unsharded", volumes)


def run(*arguments) -> None:
    main(["export", *map(str, arguments)])


def refusal(capsys, *arguments) -> str:
    """The line that refuses to export."""
    with pytest.raises(SystemExit) as stopped:
        run(*arguments)
    line = stopped.value.code
    assert isinstance(line, str) and "\n" not in line, "exit code 1, and one line"
    assert capsys.readouterr().out == ""
    return line


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def opened(path: Path) -> trimesh.Trimesh:
    """A file in its own unit; a GLB, which is in metres, in nm. Vertices in one place are joined.

    trimesh opens it, but for a VTP.
    """
    if path.suffix == ".vtp":
        arrays, _ = read_polydata(path)
        return trimesh.Trimesh(arrays["Points/Points"], arrays["Polys/connectivity"].reshape(-1, 3))
    mesh = trimesh.load(path, force="mesh")
    return mesh.apply_scale(1e9) if path.suffix == ".glb" else mesh


@pytest.mark.parametrize("form", FORMATS)
def test_every_label_is_closed_and_has_its_volume(outputs, form, tmp_path, capsys):
    run(outputs.sharded, "--ids", "all", "--format", form, "--output", tmp_path / "new" / "out")
    said = capsys.readouterr()
    count = f"{len(outputs.volumes)} meshes of LOD 0 in {tmp_path}/new/out/; all watertight\n"
    assert (said.out, said.err) == (count, "")
    found = tmp_path / "new" / "out"
    assert sorted(os.listdir(found)) == sorted(f"{label}.{form}" for label in outputs.volumes)
    for label, volume in outputs.volumes.items():
        mesh = opened(found / f"{label}.{form}")
        assert mesh.is_watertight and mesh.is_winding_consistent
        assert mesh.volume == pytest.approx(volume, rel=FORMATS[form])


@pytest.mark.parametrize("lod", [0, 1, 2])
def test_every_lod_is_that_of_another_reader(outputs, lod, tmp_path):
    """Vertices and faces are the same at every LOD, so they lie where the viewer draws them."""
    entries = read_entries(outputs.sharded / "multires")
    meshes = {label: read_mesh(entry) for label, entry in entries.items()}
    has = {label: mesh for label, mesh in meshes.items() if lod < mesh.num_lods}
    assert len(has) > 10
    ids = ",".join(map(str, has))
    run(outputs.sharded, "--ids", ids, "--lod", lod, "--format", "obj", "--output", tmp_path)
    for label, mesh in has.items():
        vertices, faces = welded(mesh, lod)
        found = trimesh.load(tmp_path / f"{label}.obj", process=False)
        origin, step = (to_nm(mesh, lod, np.full((1, 3), n)) for n in (0, 1))
        steps = (found.vertices - origin) / (step - origin)
        assert np.abs(steps - np.rint(steps)).max() < 0.01
        assert triangles(np.rint(steps)[found.faces]) == triangles(vertices[faces])


def triangles(corners: np.ndarray) -> list:
    """Triangles (n, 3, 3) in steps of the lattice, sorted; each begins at its least corner."""
    turned = np.stack([np.roll(corners.astype(int), r, axis=1) for r in range(3)])
    return sorted(map(min, zip(*turned.reshape(3, -1, 9).tolist(), strict=True)))


def test_labels_without_the_lod_are_left_out_and_counted(outputs, tmp_path, capsys):
    run(outputs.sharded, "--ids", "all", "--lod", 1, "--output", tmp_path)
    assert "; 1 label has no mesh at this LOD\n" in capsys.readouterr().out
    assert len(contents(tmp_path)) == len(outputs.volumes) - 1


def test_micrometres(outputs, tmp_path):
    for unit in ("nm", "um"):
        run(outputs.sharded, "--ids", "1,2", "--unit", unit, "--output", tmp_path / unit)
    for name in ("1.ply", "2.ply"):
        nm, um = opened(tmp_path / "nm" / name), opened(tmp_path / "um" / name)
        assert np.allclose(um.bounds * 1000, nm.bounds, rtol=1e-6)
        assert um.volume * 1e9 == pytest.approx(nm.volume, rel=1e-5)
        assert um.is_watertight


def test_one_scene(outputs, tmp_path):
    """The labels stay apart in all formats but STL."""
    ids = [1, 2, 2**63 + 3]
    arguments = (outputs.sharded, "--ids", ",".join(map(str, ids)))
    for form in FORMATS:
        run(*arguments, "--scene", tmp_path / f"all.{form}")
    scene = trimesh.load(tmp_path / "all.glb")
    assert sorted(map(int, scene.graph.nodes_geometry)) == ids
    for label in ids:
        volume = outputs.volumes[label]
        assert scene.geometry[str(label)].volume == pytest.approx(volume, rel=FORMATS["glb"])
    volume = sum(outputs.volumes[label] for label in ids)
    for form in FORMATS:
        mesh = opened(tmp_path / f"all.{form}")
        assert mesh.volume == pytest.approx(volume, rel=FORMATS[form])
    text = (tmp_path / "all.obj").read_text()
    assert [f"\no {label}\ng {label}\n" in text for label in ids] == [True] * 3
    arrays, _ = read_polydata(tmp_path / "all.vtp")
    assert np.unique(arrays["CellData/label"]).tolist() == ids
    comments = b"".join(b"comment segment %d label %d\n" % pair for pair in enumerate(ids))
    assert comments in (tmp_path / "all.ply").read_bytes()


def test_every_label_has_the_colour_of_the_viewer(outputs, tmp_path):
    run(outputs.sharded, "--ids", "all", "--scene", tmp_path / "all.vtp")
    arrays, texts = read_polydata(tmp_path / "all.vtp")
    assert texts == {"unit": "nm"}
    for label in outputs.volumes:
        (colour,) = np.unique(arrays["CellData/colour"][arrays["CellData/label"] == label], axis=0)
        assert f"#{colour.tobytes().hex()}" == hex_string_from_segment_id(0, label)


def test_colours_by_a_column(outputs, tmp_path, capsys):
    """Of the command, or of the configuration that the meshes were made with."""
    multires = shutil.copytree(outputs.sharded / "multires", tmp_path / "copy")
    table = pq.read_table(multires / "segments.parquet")
    kinds = ["axon" if label % 2 else None for label in table["label"].to_pylist()]
    pq.write_table(table.append_column("kind", [kinds]), multires / "segments.parquet")

    def found(*arguments):
        run(multires, "--ids", "1,2", "--scene", tmp_path / "a.vtp", "--overwrite", *arguments)
        arrays, _ = read_polydata(tmp_path / "a.vtp")
        labels, colours = arrays["CellData/label"], arrays["CellData/colour"]
        return [tuple(map(int, colours[labels == label][0])) for label in (1, 2)]

    of_the_viewer = found()
    orange, grey = (0xE6, 0x9F, 0x00), (0x80, 0x80, 0x80)
    assert found("--color-by", "kind") == [orange, grey] != of_the_viewer
    assert "Colours by kind: axon orange; all others grey" in capsys.readouterr().out
    document = {"configuration": {"segment_colors": "kind"}}
    (multires / "snakemesh.json").write_text(json.dumps(document))
    assert found() == [orange, grey]
    run(multires, "--ids", "1", "--format", "stl", "--output", tmp_path / "no colours")


def test_columns_that_cannot_colour(outputs, tmp_path, capsys):
    def said(source, *arguments):
        out = ("--output", tmp_path / "out")
        return refusal(capsys, source, "--ids", "1", "--color-by", *arguments, *out)

    assert said(outputs.sharded, "size").startswith(f"{outputs.sharded}/multires/segments.parquet")
    line = said(outputs.sharded, "volume", "--format", "obj")
    assert line == "--color-by: a .obj has no colours, expected ply, glb, vtp"
    with served(outputs.sharded) as url:
        assert "segments.parquet on this machine" in said(url, "volume")
    assert not (tmp_path / "out").exists()


def test_labels_by_a_condition(outputs, tmp_path, capsys):
    """From the table of segments, wherever the output is; labels without the LOD are counted."""
    large = sorted(label for label, volume in outputs.volumes.items() if volume > 9e6)
    assert 1 < len(large) < len(outputs.volumes)
    with served(outputs.sharded) as url:
        for number, place in enumerate((outputs.sharded, url)):
            run(place, "--where", "volume > 9e6", "--output", tmp_path / str(number))
            assert sorted(os.listdir(tmp_path / str(number))) == sorted(f"{n}.ply" for n in large)
    capsys.readouterr()
    arguments = (outputs.sharded, "--where", "label == 999 or label < 3", "--lod", 1)
    run(*arguments, "--output", tmp_path / "lod")
    assert sorted(os.listdir(tmp_path / "lod")) == ["1.ply", "2.ply"]
    assert "1 label has no mesh at this LOD" in capsys.readouterr().out


CONDITIONS = {
    "volume >": "is not a condition such as",
    "size > 3": "'size' in 'size > 3' is not a column, expected one of",
    "volume > 'a'": "'volume > 'a'' cannot be computed",
    "volume > 1e99": "--where: no segment of",
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_wrong_conditions(outputs, condition, tmp_path, capsys):
    line = refusal(capsys, outputs.sharded, "--where", condition, "--output", tmp_path / "out")
    assert CONDITIONS[condition] in line
    assert not (tmp_path / "out").exists()


def test_a_condition_needs_the_table(outputs, tmp_path, capsys):
    multires = shutil.copytree(outputs.sharded / "multires", tmp_path / "copy")
    (multires / "segments.parquet").unlink()
    line = refusal(capsys, multires, "--where", "volume > 1", "--output", tmp_path / "out")
    assert line.startswith("--where needs ") and "segments.parquet" in line
    (multires / "segments.parquet").write_bytes(b"PAR1")
    line = refusal(capsys, multires, "--where", "volume > 1", "--output", tmp_path / "out")
    assert f"{multires}/segments.parquet" in line and not (tmp_path / "out").exists()


# -- where the meshes are ---------------------------------------------------------------------


@contextmanager
def served(folder):
    with Server(partial(located, {"": folder}), "127.0.0.1", 0, cors=True) as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture(scope="module")
def bucket(outputs):
    """The outputs in an S3-compatible store."""
    with object_store():
        objects = {
            str(path.relative_to(output.parent)): path
            for output in (outputs.sharded, outputs.unsharded)
            for path in (output / "multires").rglob("*")
            if path.is_file()
        }
        upload("meshes", objects)
        yield "s3://meshes"


@pytest.mark.parametrize("kind", ["sharded", "unsharded"])
@pytest.mark.parametrize("ids", ["all", f"{2**63 + 3},1"])
def test_it_is_the_same_from_everywhere(outputs, bucket, kind, ids, tmp_path):
    local, name = outputs.sharded.parent, getattr(outputs, kind).name
    run(outputs.sharded, "--ids", ids, "--output", tmp_path / "expected")
    expected = contents(tmp_path / "expected")
    assert len(expected) == (2 if ids != "all" else len(outputs.volumes))
    with served(local) as url:
        places = [
            f"{root}/{name}{end}" for root in (local, url, bucket) for end in ("", "/multires/")
        ]
        for n, place in enumerate([*places, f"precomputed://{url}/{name}/multires"]):
            run(place, "--ids", ids, "--output", tmp_path / str(n))
            assert contents(tmp_path / str(n)) == expected, place


def test_ids_of_a_table(outputs, tmp_path):
    (tmp_path / "ids.csv").write_text(f"name,id\na,{2**63 + 3}\nb,1\nc,1\n")
    pq.write_table(pa.table({"label": pa.array([1, 2**63 + 3], pa.uint64())}), tmp_path / "ids.pq")
    for table in ("ids.csv", "ids.pq"):
        output = tmp_path / f"out.{table}"
        run(outputs.sharded, "--ids", tmp_path / table, "--output", output)
        assert sorted(os.listdir(output)) == ["1.ply", f"{2**63 + 3}.ply"]


# -- mistakes ---------------------------------------------------------------------------------

MISTAKES = {
    "1,77,78": "has no mesh of 77, 78",
    "0": "found 0, expected ids from 1 to 18446744073709551615",
    "18446744073709551616": "found 18446744073709551616, expected ids from 1",
    "9" * 5000: "expected ids from 1",
    "nowhere.csv": "found 'nowhere.csv', expected ids such as",
    "": "found '', expected ids such as",
    ",": "found ',', expected ids such as",
    "-1": "expected ids such as",
}


@pytest.mark.parametrize("kind", ["sharded", "unsharded"])
@pytest.mark.parametrize("ids", MISTAKES, ids=lambda ids: ids[:20])
def test_wrong_ids(outputs, kind, ids, tmp_path, capsys):
    line = refusal(capsys, getattr(outputs, kind), f"--ids={ids}", "--output", tmp_path / "out")
    expected = MISTAKES[ids]
    if kind == "unsharded":  # each label has its own file, the first one missing is named
        expected = expected.replace("77, 78", "77")
    assert expected in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("lost", ["1", "1.index"])
def test_all_labels_are_not_those_that_are_left(outputs, tmp_path, capsys, lost):
    copy = shutil.copytree(outputs.unsharded, tmp_path / "copy")
    (copy / "multires" / lost).unlink()
    line = refusal(capsys, copy, "--ids", "all", "--output", tmp_path / "out")
    assert "has no mesh of 1" in line or "ends before the mesh of 1" in line


def test_a_table_without_ids(outputs, tmp_path, capsys):
    (tmp_path / "none.csv").write_text("id\n")
    line = refusal(capsys, outputs.sharded, "--ids", tmp_path / "none.csv")
    assert line == f"--ids: {tmp_path}/none.csv lists no ids"
    (tmp_path / "bad.csv").write_text("id\n1\nx\n")
    line = refusal(capsys, outputs.sharded, "--ids", tmp_path / "bad.csv")
    assert line.startswith(f"--ids: {tmp_path}/bad.csv, line 3 has the label 'x'")


def test_an_lod_that_is_not_there(outputs, tmp_path, capsys):
    """Nothing is written, although another label has it."""
    arguments = ("--output", tmp_path / "out")
    line = refusal(capsys, outputs.sharded, "--ids", "1,999", "--lod", 1, *arguments)
    assert line == "--lod: label 999 has no mesh at LOD 1, it has 1 LOD: --lod 0"
    line = refusal(capsys, outputs.sharded, "--ids", "1", "--lod", 3, *arguments)
    assert line == "--lod: label 1 has no mesh at LOD 3, it has 3 LODs: --lod 0 to 2"
    line = refusal(capsys, outputs.sharded, "--ids", "1", "--lod", -1, *arguments)
    assert line == "--lod: found -1, expected 0 or more"
    assert not (tmp_path / "out").exists()
    line = refusal(capsys, outputs.sharded, "--ids", "all", "--lod", 3, *arguments)
    assert line.startswith("--lod: no label of ") and line.endswith(" has a mesh at LOD 3")


def test_files_that_exist_stay(outputs, tmp_path, capsys):
    (tmp_path / "2.ply").write_text("mine")
    arguments = (outputs.sharded, "--ids", "1,2", "--output", tmp_path)
    line = refusal(capsys, *arguments)
    assert line.startswith(f"{tmp_path}/2.ply exists; --overwrite")
    assert contents(tmp_path) == {"2.ply": b"mine"}
    run(*arguments, "--overwrite")
    capsys.readouterr()
    assert opened(tmp_path / "2.ply").is_watertight and len(contents(tmp_path)) == 2
    before = contents(tmp_path)
    scene = (outputs.sharded, "--ids", "1", "--scene", tmp_path / "2.ply")
    assert "2.ply exists" in refusal(capsys, *scene)
    assert contents(tmp_path) == before


def test_the_name_of_a_scene_says_its_format(outputs, tmp_path, capsys):
    arguments = (outputs.sharded, "--ids", "1", "--scene")
    assert "ends in .ply or .obj" in refusal(capsys, *arguments, tmp_path / "a.blend")
    line = refusal(capsys, *arguments, tmp_path / "a.glb", "--format", "stl")
    assert line.endswith("expected a file whose name ends in .stl")


def test_a_folder_that_cannot_be_made(outputs, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    line = refusal(capsys, outputs.sharded, "--ids", "1", "--output", tmp_path / "file" / "out")
    assert line == f"{tmp_path}/file/out cannot be written: Not a directory"


def test_what_is_no_output(outputs, tmp_path, capsys):
    def said(place):
        return refusal(capsys, place, "--ids", "1")

    assert said(tmp_path).startswith(f"found no meshes at {tmp_path}: neither info nor")
    assert said(tmp_path / "nowhere").startswith("found no meshes at")
    assert said("http://127.0.0.1:1/x").startswith("http://127.0.0.1:1/x cannot be read: ")
    with served(tmp_path) as url:
        assert said(url).startswith(f"found no meshes at {url}: ")
    for document in ("", "[]", "{}", '{"@type": "neuroglancer_multiscale_volume"}'):
        (tmp_path / "info").write_text(document)
        assert said(tmp_path).startswith(f"{tmp_path}/info does not describe meshes: ")
    info = json.loads((outputs.sharded / "multires" / "info").read_text())
    for change in ({"hash": "identity"}, {"minishard_bits": 99}, {"data_encoding": "zstd"}):
        odd = info | {"sharding": info["sharding"] | change}
        (tmp_path / "info").write_text(json.dumps(odd))
        assert said(tmp_path).startswith(f"{tmp_path}/info does not describe meshes: ")


def test_damage_is_one_line_and_leaves_no_half_file(outputs, tmp_path, capsys):
    """A flipped byte, an end that is gone, a shard that is gone: never a part without a word."""

    def said(ids="all"):
        return refusal(capsys, tmp_path / "bad", "--ids", ids, "--overwrite", "--output", out)

    out = tmp_path / "out"
    multires = shutil.copytree(outputs.sharded / "multires", tmp_path / "bad" / "multires")
    entry = max(read_entries(multires).values(), key=lambda e: e.manifest.sizes[0].sum())
    whole = entry.file.read_bytes()

    entry.file.write_bytes(whole[: entry.begin] + b"xxxxx" + whole[entry.begin + 5 :])
    assert f"has a damaged fragment of label {entry.label} in cell" in said(str(entry.label))
    entry.file.write_bytes(whole[: len(whole) // 2])
    assert f"{entry.file} cannot be read" in said()
    entry.file.write_bytes(b"")
    assert f"{entry.file} cannot be read" in said()
    entry.file.unlink()
    assert said() == f"{entry.file} is gone, and the labels in it"
    assert said(str(entry.label)) == f"{entry.file} is gone, and the labels in it"
    assert not out.exists() or all(name.endswith(".ply") for name in os.listdir(out))


# -- what is said -----------------------------------------------------------------------------


def test_a_bar_on_a_terminal_only(outputs, tmp_path):
    line = [sys.executable, "-m", "snakemesh", "export", outputs.sharded]
    line += ["--ids", "all", "--output"]
    quiet = subprocess.run([*line, tmp_path / "a"], capture_output=True, text=True, check=True)
    assert quiet.stderr == "" and quiet.stdout.count("\n") == 1
    terminal, side = pty.openpty()
    termios.tcsetwinsize(side, (24, 80))
    subprocess.run([*line, tmp_path / "b"], stderr=side, stdout=subprocess.PIPE, check=True)
    os.close(side)
    assert b"100%" in os.read(terminal, 1 << 16)
    os.close(terminal)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
