import json
from dataclasses import replace

from snakemesh.console.remarks import (
    remarks_after,
    remarks_before,
    result_lines,
    target_remarks,
    view_command,
)
from snakemesh.output.folder import OutputFolder
from snakemesh.output.markers import read_marker
from snakemesh.plan.plan import make_plan
from snakemesh.products.fingerprints import Fingerprints
from snakemesh.products.provenance import (
    changes,
    run_document,
    served_document,
    write_document,
)
from snakemesh.survey.input_state import InputState
from volumes import settings_with, volume

(LEVEL,) = volume()


def fingerprints(level=LEVEL, **keys):
    plan = make_plan(settings_with(**keys), (level,))
    return Fingerprints(plan, InputState(plan, {}))


def test_a_document_comes_back_as_it_was_written(tmp_path):
    path = str(tmp_path / "out" / "snakemesh.json")
    document = run_document(fingerprints(target_ids=[2**63 + 1]))
    write_document(path, document)
    assert read_marker(path) == json.loads(json.dumps(document))
    assert read_marker(path)["configuration"]["target_ids"] == [2**63 + 1]
    assert read_marker(str(tmp_path / "nowhere")) is None
    (tmp_path / "broken").write_text("[")
    assert read_marker(str(tmp_path / "broken")) is None


def test_changes_are_named():
    before = json.loads(json.dumps(run_document(fingerprints())))
    assert changes(before, run_document(fingerprints())) == []
    other = replace(LEVEL, document="another")
    assert changes(before, run_document(fingerprints(other, num_lods=2, sharded=False))) == [
        "num_lods was 4, is 2",
        "sharded was true, is false",
        "the metadata of /data/seg/s0",
    ]
    assert changes({}, run_document(fingerprints()))[-1].startswith("snakemesh ")


def test_the_short_document_is_the_same_wherever_the_output_lies():
    here, there = fingerprints(), fingerprints(output_directory="/elsewhere", keep_fragments=True)
    assert served_document(here) == served_document(there)
    assert served_document(here)["configuration"]["num_lods"] == 4
    assert served_document(here) != served_document(fingerprints(num_lods=2))


def test_what_is_said_before_a_run(tmp_path):
    folder = OutputFolder(str(tmp_path))
    assert [line.split()[0] for line in remarks_before(fingerprints(), folder, {})] == ["input"]
    unitless = replace(LEVEL, has_unit=False)
    damage = {str(n): f"{n}.shard is gone" for n in range(8)}
    write_document(folder.run_document, run_document(fingerprints()))
    lines = remarks_before(fingerprints(unitless, num_lods=2), folder, damage)
    assert [line.split()[0] for line in lines] == [
        *("input", "units"),
        *["damaged"] * 5,
        "and",
        "changed",
    ]
    assert lines[2] == "  damaged  0.shard is gone: made again"
    lines = remarks_before(fingerprints(unitless, num_lods=2), folder, damage, ["other"])
    assert lines[2] == "  damaged  0.shard is gone: not made again by this target"
    assert lines[7] == "           and 3 more"


def test_a_volume_that_the_viewer_draws_beside_its_place(tmp_path):
    folder = OutputFolder(str(tmp_path))
    there = replace(LEVEL, translation=(3e7, 4.0, 4.0))
    assert len(remarks_before(fingerprints(there), folder, {})) == 1
    (_, line) = remarks_before(fingerprints(replace(there, translation=(4.0, -1e9, 4))), folder, {})
    assert line.startswith("  far away 125,000,000 voxels from 0: Neuroglancer")
    assert "about 8 voxels off" in line


def test_an_older_output_is_named(tmp_path):
    folder = OutputFolder(str(tmp_path))
    (tmp_path / "multires").mkdir()
    (tmp_path / "multires" / "info").write_text("{}")
    assert remarks_before(fingerprints(), folder, {})[-1].startswith("  older    ")


def test_what_is_said_after_a_run():
    nothing = {"labels": 0, "smallest": []}
    assert remarks_after(None) == remarks_after({"labels": 3, "not_found": nothing}) == []
    for n, shown in ((2, "0, 1"), (1000, "0, 1, 2, 3, 4, ... (1,000 labels)")):
        missing = {"labels": n, "smallest": [str(i) for i in range(min(n, 6))]}
        assert remarks_after({"labels": 1, "not_found": missing}) == [
            f"config key target_ids: the meshed volume has no voxel of label {shown}"
        ]
    left_out = {"target_ids": 0, "exclude_ids": 3, "min_voxels": 1200}
    assert remarks_after({"labels": 1, "left_out": left_out}) == [
        "labels left out: 3 in exclude_ids, 1,200 with fewer voxels than min_voxels"
    ]
    assert remarks_after({"labels": 1, "left_out": dict.fromkeys(left_out, 0)}) == []
    assert remarks_after({"labels": 0}) == ["the meshed volume has no labels: the layer is empty"]


def test_a_target_that_was_meant():
    assert target_remarks(["verifi", "out/multires/info", "x"]) == [
        "there is no target verifi, did you mean verify?"
    ]


def test_a_run_says_where_its_result_is():
    folder = OutputFolder("out")
    assert result_lines(None, folder) == []
    whole = result_lines({"labels": 2523, "listed": 2523}, folder)
    assert whole == [
        "  meshes   out/multires, the folder to serve",
        "  table    out/multires/segments.parquet of all 2,523 segments",
    ]
    part = result_lines({"labels": 2523, "listed": 10}, folder)
    assert part == [
        *whole,
        "  listed   the 10 largest segments in the viewer (config key max_properties)",
    ]


def test_the_command_that_shows_the_result(monkeypatch, tmp_path):
    """It can be pasted: from the clone or another folder, with the environment active or not."""
    clone, here = tmp_path / "clone", tmp_path / "here"
    here.mkdir()
    (clone / ".venv" / "bin").mkdir(parents=True)
    own = clone / ".venv" / "bin" / "snakemesh"
    own.touch(mode=0o755)
    monkeypatch.setattr("sys.executable", str(own.with_name("python")))
    monkeypatch.setenv("PATH", str(here))
    folder = OutputFolder("my results")
    monkeypatch.chdir(clone)
    assert view_command(folder) == ".venv/bin/snakemesh view 'my results'"
    monkeypatch.chdir(here)
    assert view_command(folder) == f"{own} view 'my results'"
    monkeypatch.setenv("PATH", str(own.parent))
    assert view_command(folder) == "snakemesh view 'my results'"
