"""Commands that read a damaged output: the result is the same, or there is one line and no file."""

import contextlib
import json
import os
import shutil
from pathlib import Path

import pytest

from damaging import flip
from running import digests
from snakemesh.cli.program import main
from snakemesh.meshes import mesh_folder, stored_meshes, webknossos
from snakemesh.output.markers import read_marker
from snakemesh.view.look import remarks
from snakemesh.view.output import read_output
from snakemesh.view.segments import Chosen

DAMAGES = {
    "gone": Path.unlink,
    "empty": lambda path: os.truncate(path, 0),
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "flipped": flip,
}
FILES = [
    *("info", "segments.parquet", "contacts.parquet", "lods.parquet", "snakemesh.json"),
    *("segment_properties/info", "overview/mesh.vtk.gz", "centroids/info", "../snakemesh.json"),
]


def commands(output: Path, into: Path) -> dict[str, list[str]]:
    """Words of a command by its name; each writes below `into`, or prints."""
    chosen = ["--where", "volume > 0", "--color-by", "voxels"]
    return {
        "scene": ["export", str(output), *chosen, "--scene", str(into / "all.ply")],
        "webknossos": [
            *("export", str(output), "--ids", "all", "--format", "webknossos"),
            *("--output", str(into / "webknossos")),
        ],
        "shot": [
            *("shot", str(output), "--output", str(into / "a.png"), "--size", "100x100"),
            *("--lod", "1", *chosen),
        ],
        "link": ["view", str(output), "--url", "https://example.org/a", *chosen],
    }


def result(words: list[str], into: Path, capsys) -> tuple[object, str, str]:
    """The files that a command writes with what it prints, and what it says where it fails."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir()
    failed: object = ""
    try:
        main(words)
    except SystemExit as ended:
        failed = ended.code
    printed = capsys.readouterr()
    if isinstance(failed, int):
        failed = printed.err.splitlines()[-1]
    return digests(into), printed.out, str(failed)


@pytest.mark.parametrize("command", ["scene", "webknossos", "shot", "link"])
def test_the_same_or_one_line(multires, tmp_path, capsys, command):
    output, into = tmp_path / "out", tmp_path / "made"
    shutil.copytree(multires.parent, output, symlinks=True)
    words = commands(output, into)[command]
    expected = result(words, into, capsys)
    assert not expected[2]
    for name in FILES:
        path = output / "multires" / name
        for kind, damage in DAMAGES.items():
            shutil.copy2(path, tmp_path / "whole")
            damage(path)
            found = result(words, into, capsys)
            shutil.copy2(tmp_path / "whole", path)
            if found[2]:
                says = str(output) in found[2] or "--url needs finished meshes" in found[2]
                assert says and "\n" not in found[2], (name, kind, found[2])
                assert not found[0], (name, kind)
            else:
                assert found == expected, (name, kind)
    assert result(words, into, capsys) == expected


@pytest.mark.parametrize("command", ["scene", "shot", "link"])
def test_a_damaged_copy_of_the_meshes_alone(multires, tmp_path, capsys, command):
    """It has no records: damage that the file itself shows is one line."""
    into = tmp_path / "made"
    shutil.copytree(multires, tmp_path / "out" / "multires")
    words = commands(tmp_path / "out", into)[command]
    for name in ("info", "segments.parquet", "segment_properties/info"):
        path = tmp_path / "out" / "multires" / name
        for kind in ("empty", "cut"):
            shutil.copy2(path, tmp_path / "whole")
            DAMAGES[kind](path)
            *_, failed = result(words, into, capsys)
            shutil.copy2(tmp_path / "whole", path)
            assert "\n" not in failed and "Traceback" not in failed
            assert failed or name == "segment_properties/info"


def test_a_view_says_what_is_damaged(multires, tmp_path):
    """It goes on: all the rest can be looked at."""
    output = tmp_path / "out"
    shutil.copytree(multires.parent, output, symlinks=True)
    mends = "; the command of the run mends it"
    assert not [line for line in remarks(read_output(output), Chosen([], 0)) if mends in line]
    for name in ("overview/mesh.vtk.gz", "centroids/info", "contacts.parquet"):
        (output / "multires" / name).unlink()
    said = [line for line in remarks(read_output(output), Chosen([], 0)) if mends in line]
    assert len(said) == 3 and f"{output}/multires/overview/mesh.vtk.gz is gone{mends}" in said
    (output / "snakemesh.json").write_text("{")
    said = remarks(read_output(output), Chosen([], 0))
    assert f"{output}/snakemesh.json is gone or damaged{mends}" in said
    assert not any("not finished" in line for line in said)


def test_an_output_without_records_can_be_looked_at(multires, tmp_path, capsys):
    """Markers of older versions have none."""
    output, into = tmp_path / "out", tmp_path / "made"
    shutil.copytree(multires.parent, output, symlinks=True)
    (marker,) = output.glob("work/documents.*.done")
    for records in ({}, {"files": {}}, {"files": {"info": read_marker(marker)["files"]["info"]}}):
        marker.write_text(json.dumps(records))
        assert read_output(output).damage() == []
        for words in commands(output, into).values():
            assert not result(words, into, capsys)[2]


def test_meshes_that_a_run_has_not_finished_are_not_exported(multires, tmp_path, capsys):
    """Shards of the new run may lie beside an `info` of the old one."""
    output, into = tmp_path / "out", tmp_path / "made"
    shutil.copytree(multires.parent, output, symlinks=True)
    document = json.loads((output / "snakemesh.json").read_text())
    document["products"]["documents"] = "0" * 16
    (output / "snakemesh.json").write_text(json.dumps(document))
    for source in (output, output / "multires"):
        words = ["export", str(source), "--ids", "all", "--output", str(into / "a")]
        files, _, failed = result(words, into, capsys)
        assert failed == f"the meshes of {output} are not finished; run the workflow first"
        assert not files


@pytest.mark.parametrize("command", ["scene", "webknossos", "shot"])
def test_a_run_that_begins_meanwhile(multires, tmp_path, capsys, monkeypatch, command):
    """What was read may be of two runs. A picture is not written then."""
    output, into = tmp_path / "out", tmp_path / "made"
    shutil.copytree(multires.parent, output, symlinks=True)
    document = json.loads((output / "snakemesh.json").read_text())
    document["products"]["documents"] = "0" * 16
    read = mesh_folder.finish_read

    def begins(*arguments):
        (output / "snakemesh.json").write_text(json.dumps(document))
        return read(*arguments)

    for module in (stored_meshes, webknossos):
        monkeypatch.setattr(module, "finish_read", begins)
    files, _, failed = result(commands(output, into)[command], into, capsys)
    assert f"a run has changed {output} meanwhile: give the same command again" in failed
    assert bool(files) == (command != "shot")


def test_nothing_is_exported_into_the_meshes(multires, tmp_path, capsys):
    """WEBKNOSSOS needs other scales, under the same names."""
    output = tmp_path / "out"
    shutil.copytree(multires.parent, output, symlinks=True)
    (tmp_path / "link").symlink_to(output / "multires")
    before = digests(output)
    for into in (output / "multires", output / "multires" / "a", tmp_path / "link"):
        for words in (["--format", "webknossos"], ["--format", "ply"]):
            words = ["export", str(output), "--ids", "all", *words, "--overwrite"]
            with pytest.raises(SystemExit, match="is among the meshes of .*multires, expected"):
                main([*words, "--output", str(into)])
    with contextlib.suppress(SystemExit):
        main(["export", str(output), "--ids", "all", "--scene", f"{output}/multires/a.glb"])
    assert digests(output) == before
