"""Coarser levels as others write them: used only if they are right, else built anew, and said."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from formats import Placed, coarser, voted
from formats import write_zarr as write_right
from in_process import build_pyramid, level_labels, planned
from snakemesh.console.summary import plan_summary
from snakemesh.errors import UserError
from surfaces import voronoi

# 37, 61 and 50 voxels: two axes are odd. Labels need 32 bits.
LABELS = voronoi((37, 61, 50), 20, 1, (8, 8, 8)) * np.uint32(70_001)
CUBE = Placed(LABELS, (8, 8, 8), (1000, 2000, 3000), (16, 16, 16))
S1, S2 = (coarser(CUBE, (2,) * 3), coarser(CUBE, (4,) * 3))


def write(path, s1=S1, **options):
    """A pyramid of three levels, of which s1 may be odd."""
    return write_right(path, [CUBE, s1, S2], **options)


def changed(path, change):
    """Change the multiscales of a group. change: gets the list of datasets."""
    document = json.loads((path / ".zattrs").read_text())
    change(document["multiscales"][0]["datasets"])
    (path / ".zattrs").write_text(json.dumps(document))
    return str(path)


def changed_array(path, **entries):
    """Change the document of s1."""
    document = path / "s1/.zarray"
    document.write_text(json.dumps(json.loads(document.read_text()) | entries))
    return str(path)


def without_translations(datasets):
    for dataset in datasets:
        del dataset["coordinateTransformations"][1]


def moved(datasets):
    datasets[1]["coordinateTransformations"][1]["translation"] = [1004, 2004, 3004]


def stripped(path):
    write(path)
    (path / "s1/.zarray").unlink()
    return str(path)


def interrupted(path):
    """The second half of the chunks was never written."""
    write(path)
    late = [chunk for chunk in (path / "s1").iterdir() if chunk.name[0].isdigit()]
    for chunk in sorted(late)[len(late) // 2 :]:
        chunk.unlink()
    return str(path)


def averaged():
    """Mean of the numbers of labels, as resizing an image does it."""
    ends = [(0, n % 2) for n in LABELS.shape]
    padded = np.pad(LABELS.astype("f8"), ends, mode="edge")
    split = [size for n in padded.shape for size in (n // 2, 2)]
    return replace(S1, labels=padded.reshape(split).mean(axis=(1, 3, 5)).round().astype("u4"))


def of_others():
    """The level of another version of s0, in which bodies were merged and renumbered."""
    return replace(S1, labels=np.where(S1.labels % 2, S1.labels, S1.labels + 2))


FLOORED = tuple(slice(n // 2) for n in LABELS.shape)
# What writes a pyramid whose s1 cannot be used.
ODD = {
    "floored": lambda p: write(p, replace(S1, labels=S1.labels[FLOORED])),
    "narrower": lambda p: write(p, replace(S1, labels=S1.labels.astype("u2"))),
    "narrower, signed": lambda p: write(p, replace(S1, labels=S1.labels.astype("i2"))),
    "float": lambda p: write(p, replace(S1, labels=S1.labels.astype("f4"))),
    "moved": lambda p: changed(Path(write(p)), moved),
    "absent": stripped,
    "of an unknown codec": lambda p: changed_array(Path(write(p)), compressor={"id": "lz4"}),
    "of two axes": lambda p: changed_array(Path(write(p)), shape=[19, 31], chunks=[16, 16]),
}
# Their metadata are fine: their voxels are wrong.
WRONG = {
    "interrupted": interrupted,
    "averaged": lambda p: write(p, averaged()),
    "of others": lambda p: write(p, of_others()),
}


def plan_of(path, output, **config):
    keys = {"input_path": path, "output_directory": str(output), "num_lods": 3, "cell_size": 32}
    return planned(keys | {"multires_strategy": "downsample"} | config)


def check(plan, is_built):
    """Which levels are built, that the plan says why, and that all show what s0 shows."""
    assert [level.is_built for level in plan.levels] == [False, *is_built]
    said = plan_summary(plan, None)
    for k, built in enumerate(is_built, 1):
        assert (f"/seg/s{k} is not used: " in said) == built
    build_pyramid(plan)
    for k, factor in ((1, 2), (2, 4)):
        np.testing.assert_array_equal(level_labels(plan, k), voted(LABELS, (factor,) * 3))


@pytest.mark.parametrize("name", {**ODD, **WRONG})
def test_a_level_that_cannot_be_used_is_built_anew(name, tmp_path):
    path = {**ODD, **WRONG}[name](tmp_path / "seg")
    check(plan_of(path, tmp_path / "out"), [True, False])


def test_levels_without_a_translation_are_built_anew(tmp_path):
    """As ome-zarr-py before 2026 and bioformats2raw write them: sizes alone.

    Nobody can tell whether their voxels are centred on a cube of s0, or on its first voxel.
    """
    write(tmp_path / "seg")
    plan = plan_of(changed(tmp_path / "seg", without_translations), tmp_path / "out")
    check(plan, [True, True])
    assert plan.source.translation == (0, 0, 0)


@pytest.mark.parametrize("s1", [S1, replace(S1, labels=S1.labels.astype("u8"))])
def test_a_right_level_is_used(s1, tmp_path):
    check(plan_of(write(tmp_path / "seg", s1), tmp_path / "out"), [False, False])


def test_levels_that_are_not_needed_may_be_anything(tmp_path):
    """The fourth level is listed and absent, and one has another factor than a run needs."""
    third = replace(CUBE, labels=LABELS[::3, ::3, ::3], voxel_nm=(24,) * 3)
    path = write_right(tmp_path / "seg", [CUBE, S1, S2, third])

    def list_more(datasets):
        size = {"type": "scale", "scale": [64.0] * 3}
        datasets.append({"path": "s4", "coordinateTransformations": [size]})

    check(plan_of(changed(tmp_path / "seg", list_more), tmp_path / "out"), [False, False])
    assert plan_of(path, tmp_path / "out", num_lods=1).num_lods == 1


@pytest.mark.parametrize("name", ["absent", "of an unknown codec", "of two axes"])
def test_a_finest_level_that_cannot_be_used_is_refused(name, tmp_path):
    """Else s1 would be meshed as if it were all that there is."""

    def reverse(datasets):
        datasets[0]["path"], datasets[1]["path"] = datasets[1]["path"], datasets[0]["path"]

    ODD[name](tmp_path / "seg")
    path = changed(tmp_path / "seg", reverse)
    with pytest.raises(UserError, match="^config key input_path: [^\n]*/seg[^\n]*s1[^\n]*$"):
        plan_of(path, tmp_path / "out")


@pytest.mark.parametrize("name", WRONG)
def test_levels_are_trusted_on_request(name, tmp_path):
    plan = plan_of(WRONG[name](tmp_path / "seg"), tmp_path / "out", use_existing_scales="trust")
    assert [level.is_built for level in plan.levels] == [False, False, False]


@pytest.mark.parametrize("name", ["floored", "averaged", "absent"])
def test_nothing_is_asked_of_levels_that_are_not_wanted(name, tmp_path):
    path = {**ODD, **WRONG}[name](tmp_path / "seg")
    plan = plan_of(path, tmp_path / "out", use_existing_scales=False)
    assert [level.is_built for level in plan.levels] == [False, True, True]
    assert "is not used" not in plan_summary(plan, None)
