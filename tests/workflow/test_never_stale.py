"""What an output says is what its configuration and its input say, whichever clone asks.

Each result is compared, byte for byte, with that of a run that knew nothing of the ones before.
"""

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import write_volume

from holding import Hold
from running import (
    begin,
    digests,
    dry_run,
    finish,
    kill_when,
    meshes,
    planned,
    run,
    succeeds,
)
from small_blocks import copy_with_small_blocks

MESHING = {"mesh_block": 6, "mesh_blocks_done": 1, "shard": 1, "multires_index": 1, "cleanup": 1}
PYRAMID = {"pyramid_levels": 1, "pyramid_super_chunk": 2}
DOCUMENTS = {"multires_index": 1, "cleanup": 1}


def summary(repository, configuration):
    """What a dry run has to say after the list of its jobs."""
    said = dry_run(repository, configuration)
    return said[said.index("The plan for") :]


def failing_after(repository, configuration, folder, edit):
    """What a run prints that fails because of an edit, made when planning has seen the input.

    folder: an empty one. No job begins before the edit.
    """
    hold = Hold(folder)
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}src"}
    process = begin(repository, configuration, environment)
    while not Path(configuration["output_directory"], "work", "input.npz").exists():
        assert process.poll() is None
        time.sleep(0.02)
    edit()
    hold.release()
    said, _ = process.communicate()
    assert process.returncode != 0 and "Traceback" not in said
    return said


def test_every_clone_sees_the_same(repository, ours, made, tmp_path):
    """A second clone, and one that has lost what Snakemake remembers."""
    other = copy_with_small_blocks(tmp_path / "clone")
    made(ours())
    document = Path(ours()["output_directory"], "snakemesh.json").read_bytes()
    shutil.copytree(ours()["input_path"], tmp_path / "another.zarr")
    cases = [
        ({}, {}),
        ({"target_reduction": 0.8}, PYRAMID | MESHING),
        ({"num_lods": 1}, MESHING | {"mesh_block": 4}),
        ({"num_lods": None}, {}),  # which is 3 here
        ({"input_path": tmp_path / "another.zarr"}, PYRAMID | MESHING),
        ({"delete_intermediate_scales": False}, PYRAMID | {"cleanup": 1}),
        ({"input_version": "2"}, PYRAMID | MESHING),
    ]
    for changes, expected in cases:
        assert planned(repository, ours(**changes)) == expected, changes
        assert planned(other, ours(**changes)) == expected, changes
    assert planned(other, ours(**changes), "--profile", "lsf") == expected, changes
    # a dry run writes nothing
    assert Path(ours()["output_directory"], "snakemesh.json").read_bytes() == document
    assert "changed  target_reduction was 0.5, is 0.8" in summary(other, ours(target_reduction=0.8))

    changed = ours(target_reduction=0.8)
    assert digests(finish(other, changed)) == digests(
        made(changed | {"output_directory": tmp_path / "fresh"})
    )
    shutil.rmtree(repository / ".snakemake")
    assert planned(repository, changed) == {}
    assert planned(repository, ours()) == PYRAMID | MESHING


def test_another_input_replaces_an_output_only_if_told_to(repository, ours, made, edit, tmp_path):
    """Whatever the target, before anything is written."""
    made(ours())
    output = Path(ours()["output_directory"])
    before = digests(output)
    other = ours(input_path=tmp_path / "other.zarr")
    shutil.copytree(ours()["input_path"], other["input_path"])
    edit(other)
    for arguments in [(), ("-n",), ("verify",), ("pyramid",), ("report", "-n")]:
        done = run(repository, other, *arguments)
        assert done.returncode != 0
        assert done.stderr.splitlines()[-1] == (
            f"snakemesh: config key output_directory: {output} was made from "
            f"{ours()['input_path']}, and input_path is {other['input_path']}; choose another "
            "directory, or set input_changed: true to replace what is there"
        )
    assert digests(output) == before
    assert planned(repository, other | {"input_changed": True}) == PYRAMID | MESHING
    assert planned(repository, ours(input_changed=True)) == {}


def test_the_number_of_lods_is_left_to_the_plan_after_a_run(repository, ours, made):
    """What was made for a given number of LODs is made again, and nothing of it is left."""
    made(ours(num_lods=1))
    chosen = ours(num_lods=None)
    text = summary(repository, chosen)
    assert "num_lods 3, chosen: " in text and "changed  num_lods was 1, is 3" in text
    assert digests(finish(repository, chosen)) == digests(made(ours("fresh")))
    assert planned(repository, chosen) == {}
    assert planned(repository, ours()) == {}
    assert planned(repository, ours(num_lods=1)) == MESHING | {"mesh_block": 4}


def test_labels_edited_between_two_tries(repository, ours, made, edit):
    """Blocks of before and after would give meshes of neither."""
    output = Path(ours()["output_directory"])
    kill_when(
        repository, ours(), lambda: len(list(output.glob("work/mesh/*/*.fragments"))) >= 3, True
    )
    edit(ours())
    assert digests(finish(repository, ours())) == digests(made(ours("fresh")))


def test_labels_edited_while_a_run_goes_on(repository, ours, made, edit, tmp_path):
    """The jobs that read them fail, and say so; the same command again redoes what they touch."""
    said = failing_after(repository, ours(), tmp_path, lambda: edit(ours()))
    assert "has changed while the run was going on; give the same command again" in said
    assert digests(finish(repository, ours())) == digests(made(ours("fresh")))


def test_a_table_of_properties_edited_while_a_run_goes_on(repository, ours, place, table, tmp_path):
    """Products are named after the content that planning has seen: that of no other is in them."""
    csv = place / "table.csv"
    configuration = ours(segment_properties_csv=csv)
    output = Path(configuration["output_directory"])
    shutil.copy(table, csv)
    changed = table.read_text().replace("axon", "dendrite")
    said = failing_after(repository, configuration, tmp_path, lambda: csv.write_text(changed))
    assert f"{csv} has changed while the run was going on; give the same command again" in said
    finish(repository, configuration)
    names = pq.read_table(output / "multires" / "segments.parquet")["name"].to_pylist()
    assert "dendrite" in names and "axon" not in names
    shutil.copy(table, csv)
    assert "changed  the table of segment_properties_csv" in summary(repository, configuration)
    assert planned(repository, configuration) == DOCUMENTS
    finish(repository, configuration)
    names = pq.read_table(output / "multires" / "segments.parquet")["name"].to_pylist()
    assert "axon" in names


@pytest.mark.parametrize("kept", [True, False])
def test_labels_edited_after_a_run(repository, ours, made, edit, kept):
    """LOD 0 and the others must show the same, and only what the edit touches is made again."""
    configuration = ours(delete_intermediate_scales=not kept, keep_fragments=kept)
    made(configuration)
    edit(configuration)
    plan = planned(repository, configuration)
    # one of the four blocks of LOD 0, and one of the two super-chunks
    expected = {"mesh_block": 3, "pyramid_super_chunk": 1} if kept else MESHING | PYRAMID
    assert {rule: plan[rule] for rule in expected} == expected
    text = summary(repository, configuration)
    assert "changed  the chunks of the input" in text
    if kept:
        assert ": 1 super-chunk, 3 blocks, 1 shard" in text
    assert digests(finish(repository, configuration)) == digests(made(ours("fresh")))
    assert planned(repository, configuration) == {}


def test_a_chunk_that_is_touched_but_not_changed(repository, ours, made):
    configuration = ours(keep_fragments=True)
    before = digests(made(configuration))
    os.utime(configuration["input_path"] / "s0" / "0.0.0")
    assert planned(repository, configuration)["mesh_block"] == 3
    assert digests(finish(repository, configuration)) == before
    logs = Path(configuration["output_directory"], "logs", "mesh_block").rglob("*.log")
    assert sum("unchanged 1" in log.read_text() for log in logs) == 3
    assert len(list(Path(configuration["output_directory"]).glob("work/mesh/*/*.fragments"))) == 6


def test_an_input_that_is_not_checked(repository, ours, edit):
    configuration = ours(check_input=False)
    finish(repository, configuration)
    edit(configuration)
    assert planned(repository, configuration) == {}
    assert "only its metadata are checked" in summary(repository, configuration)
    again = configuration | {"input_version": "second"}
    assert planned(repository, again) == PYRAMID | MESHING
    document = json.loads((configuration["input_path"] / "s0" / ".zarray").read_text())
    document["fill_value"] = 5
    (configuration["input_path"] / "s0" / ".zarray").write_text(json.dumps(document))
    assert planned(repository, configuration) == PYRAMID | MESHING


def test_labels_that_are_nowhere_are_the_last_word(repository, ours):
    *_, missing, left_out, log = succeeds(repository, ours(target_ids=[5, 7])).splitlines()
    named = "snakemesh: config key target_ids: the meshed volume has no voxel of label 5"
    assert (missing, left_out) == (named, "snakemesh: labels left out: 46 not in target_ids")
    assert log.startswith("Complete log(s): ")


def test_a_layer_without_labels_and_axes_without_a_unit(repository, config, tmp_path):
    labels = np.zeros((20, 20, 20), np.uint8)
    write_volume(tmp_path / "empty.zarr", labels, (8, 8, 8), (4, 4, 4), (10, 10, 10))
    attributes = tmp_path / "empty.zarr" / ".zattrs"
    attributes.write_text(attributes.read_text().replace('"unit": "nanometer"', '"x": 0'))
    configuration = config(tmp_path / "out") | {"input_path": tmp_path / "empty.zarr"}
    assert "name no unit: nanometres are assumed" in summary(repository, configuration)
    said = succeeds(repository, configuration)
    assert "the meshed volume has no labels: the layer is empty" in said


def test_meshes_do_not_depend_on_where_things_lie(ours, made, multires):
    """The document beside them says what they were made from, the meshes are the same."""
    assert meshes(made(ours())) == meshes(multires)
