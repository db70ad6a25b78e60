"""What was made from another input is not replaced unasked, and what counts as another one."""

import itertools
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from formats import Placed, write_zarr
from snakemesh.config.configuration import read_settings
from snakemesh.errors import UserError
from snakemesh.output.folder import OutputFolder
from snakemesh.plan.plan import make_plan
from snakemesh.products.fingerprints import Fingerprints
from snakemesh.products.other_input import refuse_other_input
from snakemesh.products.provenance import run_document, write_document
from snakemesh.survey.input_state import InputState, look_at_input
from snakemesh.survey.inputs import EXAMPLE_PATH, source_levels
from volumes import settings_with, volume

REFUSED = (
    "^config key output_directory: [^\n]*; choose another directory, or set input_changed: true"
)


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")


# The dates of volumes, in ns: no two have the same, however fast they are written.
DATES = itertools.count(10**18, 10**9)


def write_volume(path, label=7) -> None:
    levels = [np.full((32 >> k,) * 3, label, np.uint8) for k in (0, 1)]
    placed = [Placed(a, (8.0 * 2**k,) * 3, (0.0,) * 3, (16,) * 3) for k, a in enumerate(levels)]
    write_zarr(Path(path), placed)
    date(path)


def date(path) -> None:
    """Give the files of a volume a date of their own."""
    now = next(DATES)
    for file in Path(path).rglob("*"):
        os.utime(file, ns=(now, now))


def fingerprints(input_path, output="out", **changes) -> Fingerprints:
    keys = {"input_path": str(input_path), "output_directory": str(output), "cell_size": 32}
    settings = read_settings(keys | {"num_lods": 2} | changes)
    plan = make_plan(settings, source_levels(settings))
    return Fingerprints(plan, look_at_input(plan))


def leave_output(made: Fingerprints, **document) -> OutputFolder:
    """An output directory as an unfinished run leaves it, with a block and a document."""
    folder = OutputFolder(made.plan.settings.output_directory)
    block = Path(folder.container(0, "0_0_0", "0123456789abcdef"))
    block.parent.mkdir(parents=True)
    block.write_bytes(b"fragments")
    Path(folder.work, "lock").touch()
    write_document(folder.run_document, run_document(made) | document)
    return folder


def check(made: Fingerprints) -> None:
    refuse_other_input(made, OutputFolder(made.plan.settings.output_directory))


def edit() -> None:
    chunk = next(path for path in Path("a.zarr/s0").rglob("*") if path.name[0].isdigit())
    os.utime(chunk, ns=(1, 1))


def edit_metadata() -> None:
    document = Path("a.zarr/s0/.zarray")
    document.write_text(json.dumps(json.loads(document.read_text()) | {"fill_value": 5}))


SAME = {
    "again": {},
    "absolute": {"input_path": "{here}/a.zarr"},
    "dots and slashes": {"input_path": "../project//a.zarr/"},
    "a link": {"input_path": "link.zarr"},
    "its finest level": {"input_path": "a.zarr/s0"},
    "another size of voxels": {"voxel_size_nm": [4, 4, 4]},
    "a part": {"roi": [[0, 0, 0], [128, 128, 128]]},
    "not checked any more": {"check_input": False},
    "all levels built": {"use_existing_scales": False},
}


@pytest.mark.parametrize("changes", SAME.values(), ids=SAME)
@pytest.mark.parametrize("is_old", [False, True])
def test_the_same_input(changes, is_old, tmp_path):
    write_volume("a.zarr")
    os.symlink("a.zarr", "link.zarr")
    folder = leave_output(fingerprints("a.zarr"))
    if is_old:
        forget_paths(folder)
    keys = {"input_path": "a.zarr"} | changes
    keys["input_path"] = keys["input_path"].format(here=tmp_path / "project")
    check(fingerprints(**keys))


def forget_paths(folder: OutputFolder) -> None:
    """Make the document one of a version that names the levels only."""
    document = json.loads(Path(folder.run_document).read_text())
    del document["input"]["paths"]
    write_document(folder.run_document, document)


@pytest.mark.parametrize("change", [edit, edit_metadata])
def test_an_edited_input_is_the_same(change):
    write_volume("a.zarr")
    before = fingerprints("a.zarr")
    leave_output(before)
    change()
    after = fingerprints("a.zarr")
    assert (before.chunks, before.group) != (after.chunks, after.group)
    check(after)


def test_the_whole_after_its_finest_level():
    write_volume("a.zarr")
    leave_output(fingerprints("a.zarr/s0"))
    check(fingerprints("a.zarr"))


def test_a_level_that_is_called_otherwise():
    """The path of the group is the same, as the levels are listed anew."""
    write_volume("a.zarr")
    leave_output(fingerprints("a.zarr"))
    os.rename("a.zarr/s0", "a.zarr/0")
    attributes = Path("a.zarr/.zattrs")
    attributes.write_text(attributes.read_text().replace('"s0"', '"0"'))
    check(fingerprints("a.zarr"))


def test_a_link_that_leads_elsewhere_is_an_edit_but_not_under_another_name():
    for name in ("a.zarr", "b.zarr"):
        write_volume(name)
    os.symlink("a.zarr", "link.zarr")
    leave_output(fingerprints("link.zarr"))
    os.unlink("link.zarr")
    os.symlink("b.zarr", "link.zarr")
    check(fingerprints("link.zarr"))
    check(fingerprints("a.zarr"))
    with pytest.raises(UserError, match=f"{REFUSED} to replace what is there$"):
        check(fingerprints("b.zarr"))


@pytest.mark.parametrize("address", ["https://host/seg", "precomputed://gs://bucket/seg"])
def test_an_address_with_a_slash_at_its_end(address):
    (level,) = volume()
    level = replace(level, path=f"{address.removeprefix('precomputed://')}/", name="8_8_8")

    def at(text):
        plan = make_plan(settings_with(input_path=text, output_directory="out"), (level,))
        return Fingerprints(plan, InputState(plan, {}))

    leave_output(at(address))
    check(at(f"{address}/"))


def test_a_volume_that_was_moved_with_its_dates():
    write_volume("a.zarr")
    leave_output(fingerprints("a.zarr"))
    os.rename("a.zarr", "b.zarr")
    check(fingerprints("b.zarr"))
    with pytest.raises(UserError, match=REFUSED):
        check(fingerprints("b.zarr", check_input=False))
    with pytest.raises(UserError, match=REFUSED):
        check(fingerprints("b.zarr/s1"))


@pytest.mark.parametrize("path", ["a.zarr", EXAMPLE_PATH])
def test_a_folder_that_was_moved_with_input_and_output(path, tmp_path, monkeypatch):
    """Unless another volume has been put there, or the output lies elsewhere."""
    if path != EXAMPLE_PATH:
        write_volume(path)
    leave_output(fingerprints(path, check_input=False))
    os.rename(tmp_path / "project", tmp_path / "moved")
    monkeypatch.chdir(tmp_path / "moved")
    check(fingerprints(path, check_input=False))
    with pytest.raises(UserError, match=REFUSED):
        check(fingerprints(path, tmp_path / "moved" / "out", check_input=False))


def test_another_input(tmp_path):
    """It has the same metadata, as segmentations of one image have."""
    write_volume("a.zarr")
    write_volume("b.zarr", 8)
    folder = leave_output(fingerprints("a.zarr"))
    for path, shown in (("b.zarr", "b.zarr"), ("a.zarr/s1", "a.zarr/s1")):
        with pytest.raises(UserError) as error:
            check(fingerprints(path))
        assert str(error.value) == (
            f"config key output_directory: out was made from {tmp_path}/project/a.zarr, and "
            f"input_path is {tmp_path}/project/{shown}; choose another directory, or set "
            "input_changed: true to replace what is there"
        )
        check(fingerprints(path, input_changed=True))
        check(fingerprints(path, "elsewhere"))
    forget_paths(folder)
    with pytest.raises(UserError, match=REFUSED):
        check(fingerprints("b.zarr"))


def test_a_copy_with_other_dates():
    write_volume("a.zarr")
    leave_output(fingerprints("a.zarr"))
    shutil.copytree("a.zarr", "b.zarr")
    date("b.zarr")
    with pytest.raises(UserError, match=REFUSED):
        check(fingerprints("b.zarr"))


def test_two_empty_volumes():
    """No chunk is stored, so that none has another date."""
    for name in ("a.zarr", "b.zarr"):
        write_volume(name, 0)
        for path in Path(name).rglob("*"):
            if path.name[0].isdigit():
                path.unlink()
    leave_output(fingerprints("a.zarr"))
    with pytest.raises(UserError, match=REFUSED):
        check(fingerprints("b.zarr"))


@pytest.mark.parametrize(
    "text",
    [
        None,
        *("", "[", "[]", "3", "{}", "[" * 100_000, '{"input": 3}', '{"input": {"paths": []}}'),
        *('{"input": {"levels": 3}}', '{"input": {"levels": [3, {}]}}'),
        '{"input": {"levels": [{"path": 3, "name": null}]}}',
    ],
)
def test_an_output_that_does_not_say_what_it_was_made_from(text):
    write_volume("a.zarr")
    made = fingerprints("a.zarr")
    document = Path(leave_output(made).run_document)
    document.unlink()
    if text is not None:
        document.write_text(text)
    with pytest.raises(UserError, match=REFUSED.replace("[^\n]*", "out does not say which [^\n]*")):
        check(made)
    check(fingerprints("a.zarr", input_changed=True))


def test_finished_meshes_of_this_input_count_more_than_the_document():
    """A run of another input was begun, and has replaced nothing yet."""
    write_volume("a.zarr")
    write_volume("b.zarr", 8)
    ours = fingerprints("a.zarr")
    folder = leave_output(fingerprints("b.zarr"))
    with pytest.raises(UserError, match=REFUSED):
        check(ours)
    Path(folder.documents_marker(ours.documents)).write_text("{}")
    check(ours)


def test_an_output_without_meshes_and_levels():
    """A run that was stopped at once leaves a document, logs and empty folders."""
    write_volume("a.zarr")
    write_volume("b.zarr", 8)
    folder = leave_output(fingerprints("a.zarr"))
    Path(folder.log("mesh_block/0_0_0")).parent.mkdir(parents=True)
    Path(folder.log("mesh_block/0_0_0")).write_text("")
    (block,) = Path(folder.blocks).rglob("*.fragments")
    block.unlink()
    check(fingerprints("b.zarr"))
    for name in ("multires/info", "_intermediate_scales.zarr/.zgroup", "work/shards/0.x.done"):
        product = Path(folder.root, name)
        product.parent.mkdir(parents=True, exist_ok=True)
        product.write_text("{}")
        with pytest.raises(UserError, match=REFUSED):
            check(fingerprints("b.zarr"))
        product.unlink()
