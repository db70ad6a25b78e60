import errno
import json
import os
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
import worldarray as wa
import zarr

from snakemesh.errors import UserError
from snakemesh.plan.levels_group import pyramid_group
from snakemesh.plan.plan import make_plan
from snakemesh.pyramid.group import create_group
from snakemesh.source.read import read_source
from volumes import settings_with

SHAPE, VOXEL_SIZE, TRANSLATION = (50, 70, 90), (20.0, 8.0, 8.0), (1010.0, 4.0, -36.0)
LABELS = np.arange(np.prod(SHAPE), dtype=np.uint32).reshape(SHAPE)
# For each level its factor over s0, its voxel size and the centre of its voxel 0, in nm.
LEVELS = {
    "s0": ((1, 1, 1), [20, 8, 8], [1010, 4, -36]),
    "s1": ((1, 2, 2), [20, 16, 16], [1010, 8, -32]),
    "s2": ((2, 4, 4), [40, 32, 32], [1020, 16, -24]),
    "s3": ((4, 8, 8), [80, 64, 64], [1040, 32, -8]),
}


def make_source(path, names=("s0",), version=2, labels=LABELS):
    for name in names:
        factor, voxel_size, translation = LEVELS[name]
        level = labels[tuple(slice(None, None, f) for f in factor)]
        array = wa.create(
            f"{path}/{name}",
            level.shape,
            level.dtype,
            voxel_size,
            translation,
            axes=("z", "y", "x"),
            chunks=(32, 32, 32),
            format=f"zarr{version}",
        )
        array.write_index((0, 0, 0), level.shape, level)
    return str(path)


@pytest.fixture(params=[2, 3])
def source(request, tmp_path):
    return make_source(tmp_path / "seg.zarr", version=request.param)


def group_of(source, tmp_path, **changes):
    settings = settings_with(
        input_path=source, output_directory=str(tmp_path / "out"), **{"num_lods": 3, **changes}
    )
    return pyramid_group(make_plan(settings, read_source(source)))


def contents(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file()
    }


def listed(path):
    """(name, scale, translation) of the levels in a group's metadata, as zarr-python reads it."""
    attributes = zarr.open_group(path, mode="r").attrs
    (scales,) = attributes.get("ome", attributes)["multiscales"]
    assert [axis["name"] for axis in scales["axes"]] == ["z", "y", "x"]
    assert {(axis["type"], axis["unit"]) for axis in scales["axes"]} == {("space", "nanometer")}
    found = []
    for dataset in scales["datasets"]:
        scale, translation = dataset["coordinateTransformations"]
        found.append((dataset["path"], scale["scale"], translation["translation"]))
    return found


def expected(*names):
    return [(name, *LEVELS[name][1:]) for name in names]


# -- a new group ------------------------------------------------------------------------------


def test_zarr_python_opens_it(source, tmp_path):
    group = group_of(source, tmp_path)
    create_group(group)
    assert listed(group.path) == expected("s0", "s1", "s2")
    opened = zarr.open_group(group.path, mode="r")
    assert opened.metadata.zarr_format == int(group.format[-1])
    assert sorted(opened.array_keys()) == ["s0", "s1", "s2"]
    for name, shape in (("s1", (50, 35, 45)), ("s2", (25, 18, 23))):
        assert (opened[name].shape, opened[name].chunks) == (shape, (32, 32, 32))
        assert opened[name].dtype == np.uint32
        assert opened[name].fill_value == 0
        assert not opened[name][...].any()
    np.testing.assert_array_equal(opened["s0"][...], LABELS)


def test_what_is_written_is_read(source, tmp_path):
    """The arrays are filled as jobs do it: each opens those that are there and writes to them."""
    group = group_of(source, tmp_path)
    create_group(group)
    voxels = LABELS[:, ::2, ::2]
    wa.open(f"{group.path}/s1", mode="r+").ts[...].write(voxels).result()
    np.testing.assert_array_equal(zarr.open_group(group.path, mode="r")["s1"][...], voxels)
    levels = read_source(group.path)
    assert [level.voxel_size for level in levels] == [tuple(LEVELS[f"s{k}"][1]) for k in range(3)]
    assert [level.translation for level in levels] == [tuple(LEVELS[f"s{k}"][2]) for k in range(3)]


def test_a_link_for_each_level_of_the_source(tmp_path):
    source = make_source(tmp_path / "seg.zarr", ("s0", "s2"))
    group = group_of(source, tmp_path, num_lods=4)
    create_group(group)
    root = Path(group.path)
    links = {entry.name: os.readlink(entry) for entry in root.iterdir() if entry.is_symlink()}
    assert links == {"s0": f"{source}/s0", "s2": f"{source}/s2"}
    assert listed(root) == expected("s0", "s1", "s2", "s3")


def no_links(error):
    def symlink(target, path):
        raise OSError(error, os.strerror(error), target, None, path)

    return symlink


@pytest.mark.parametrize("name", ["EPERM", "EOPNOTSUPP", "EROFS"])
def test_a_filesystem_without_links(source, tmp_path, monkeypatch, name):
    """What is not there is not listed. The voxels are kept, and links are made once they can be."""
    monkeypatch.setattr(os, "symlink", no_links(getattr(errno, name)))
    group = group_of(source, tmp_path)
    before = filled(group)
    assert listed(group.path) == expected("s1", "s2")
    opened = zarr.open_group(group.path, mode="r")
    assert sorted(opened.array_keys()) == ["s1", "s2"]
    create_group(group)
    assert contents(group.path) == before
    monkeypatch.undo()
    create_group(group)
    assert listed(group.path) == expected("s0", "s1", "s2")
    assert (opened["s1"][...] == 1).all()


@pytest.mark.parametrize("name", ["ENOSPC", "EDQUOT", "EIO"])
def test_a_link_that_fails_for_another_reason(source, tmp_path, monkeypatch, name):
    monkeypatch.setattr(os, "symlink", no_links(getattr(errno, name)))
    with pytest.raises(OSError, match=os.strerror(getattr(errno, name))):
        create_group(group_of(source, tmp_path))


def test_what_a_killed_job_left_of_a_document_is_removed(source, tmp_path):
    group = group_of(source, tmp_path)
    create_group(group)
    before = contents(group.path)
    for folder in ("", "s1"):
        Path(group.path, folder, f".zarr.json.{uuid4().hex}.tmp").touch()
    create_group(group)
    assert contents(group.path) == before


def test_finest_first_beyond_ten_levels(source, tmp_path):
    group = group_of(source, tmp_path, num_lods=12)
    create_group(group)
    assert [name for name, *_ in listed(group.path)] == [f"s{k}" for k in range(12)]


def test_a_part_of_the_volume(source, tmp_path):
    group = group_of(source, tmp_path, roi=[[1160, 80, 0], [1480, 400, 160]])
    create_group(group)
    # the ROI begins at voxel 8 10 5; the largest factor is 2 4 4, so the part begins at 8 8 4
    assert listed(group.path) == [
        ("s0", *LEVELS["s0"][1:]),
        ("s1", [20, 16, 16], [1010 + 8 * 20, 8 + 8 * 8, -32 + 4 * 8]),
        ("s2", [40, 32, 32], [1020 + 8 * 20, 16 + 8 * 8, -24 + 4 * 8]),
    ]


def test_a_source_with_more_axes_is_not_linked(tmp_path):
    path = str(tmp_path / "seg.zarr")
    wa.create(
        f"{path}/s0",
        (1, 1, *SHAPE),
        "uint32",
        VOXEL_SIZE,
        TRANSLATION,
        axes=("t", "c", "z", "y", "x"),
        chunks=(1, 1, 32, 32, 32),
        format="zarr2",
    )
    group = group_of(path, tmp_path)
    create_group(group)
    assert listed(group.path) == expected("s1", "s2")
    assert not os.path.lexists(f"{group.path}/s0")
    create_group(group)


def test_a_source_whose_own_sizes_are_outdated_is_linked(source, tmp_path):
    """The OME-NGFF metadata of the group count."""
    path = Path(source, "s0", ".zattrs")
    path.write_text(json.dumps({"resolution": [1, 1, 1], "offset": [5, 5, 5]}))
    group = group_of(source, tmp_path)
    create_group(group)
    assert listed(group.path) == expected("s0", "s1", "s2")


# -- a group that is there already ------------------------------------------------------------


def filled(group):
    """Make a group, fill its arrays with 1, and return its contents."""
    create_group(group)
    for level in group.built:
        ones = np.ones(level.shape, np.uint32)
        wa.open(f"{group.path}/{level.name}", mode="r+").ts[...].write(ones).result()
    return contents(group.path)


def test_the_same_group_is_adopted_with_its_voxels(source, tmp_path):
    group = group_of(source, tmp_path)
    before = filled(group)
    create_group(group)
    assert contents(group.path) == before


@pytest.mark.parametrize(
    "missing", ["s1/.zarray", "s1/zarr.json", "s0", ".zattrs", "zarr.json", "all"]
)
def test_a_group_that_a_killed_job_began_is_completed(source, tmp_path, missing):
    group = group_of(source, tmp_path)
    create_group(group)
    before = contents(group.path)
    for path in Path(group.path).iterdir() if missing == "all" else [Path(group.path, missing)]:
        if path.is_file() or path.is_symlink():
            path.unlink()
    create_group(group)
    assert contents(group.path) == before
    assert listed(group.path) == expected("s0", "s1", "s2")


@pytest.mark.parametrize(
    "changes",
    [
        {"roi": [[1160, 80, 0], [1480, 400, 160]]},
        {"num_lods": 2},
        {"voxel_size_nm": [30, 8, 8]},
    ],
)
def test_another_group_is_replaced_and_the_source_is_not_touched(source, tmp_path, changes):
    before = contents(source)
    filled(group_of(source, tmp_path))
    settings = settings_with(
        input_path=source, output_directory=str(tmp_path / "out"), **{"num_lods": 3, **changes}
    )
    levels = read_source(source, settings.voxel_size_nm)
    group = pyramid_group(make_plan(settings, levels))
    create_group(group)
    names = [level.name for level in (*group.linked, *group.built)]
    opened = zarr.open_group(group.path, mode="r")
    assert [name for name, *_ in listed(group.path)] == names
    assert sorted(opened.array_keys()) == names
    assert not any(opened[name][...].any() for name in names[1:])
    assert contents(source) == before


@pytest.mark.parametrize("change", [{"dtype": "uint64"}, {"chunks": (64, 64, 64)}])
def test_other_arrays_are_replaced(source, tmp_path, change):
    group = group_of(source, tmp_path)
    before = contents(source)
    filled(group)
    create_group(replace(group, **change))
    found = zarr.open_group(group.path, mode="r")["s1"]
    assert not found[...].any()
    assert (str(found.dtype), found.chunks) != ("uint32", (32, 32, 32))
    assert contents(source) == before


def test_another_format_replaces_it(tmp_path):
    sources = {v: make_source(tmp_path / f"{v}.zarr", version=v) for v in (2, 3)}
    for version in (2, 3, 2):
        group = group_of(sources[version], tmp_path)
        create_group(group)
        assert zarr.open_group(group.path, mode="r").metadata.zarr_format == version
        assert listed(group.path) == expected("s0", "s1", "s2")


def test_a_link_to_another_source_is_replaced(source, tmp_path):
    filled(group_of(source, tmp_path))
    version = int(group_of(source, tmp_path).format[-1])
    other = make_source(tmp_path / "other.zarr", version=version, labels=LABELS + 1)
    group = group_of(other, tmp_path)
    create_group(group)
    assert os.readlink(f"{group.path}/s0") == f"{other}/s0"
    assert not zarr.open_group(group.path, mode="r")["s1"][...].any()
    np.testing.assert_array_equal(wa.open_tensorstore(f"{source}/s0").read().result(), LABELS)


@pytest.mark.parametrize("use_existing_scales", [True, False])
def test_a_level_that_was_built_is_now_the_source_s_own_or_back(tmp_path, use_existing_scales):
    source = make_source(tmp_path / "seg.zarr", ("s0", "s1"))
    before = contents(source)
    filled(group_of(source, tmp_path, use_existing_scales=not use_existing_scales))
    group = group_of(source, tmp_path, use_existing_scales=use_existing_scales)
    create_group(group)
    assert Path(group.path, "s1").is_symlink() == use_existing_scales
    assert listed(group.path) == expected("s0", "s1", "s2")
    assert contents(source) == before


def test_a_stale_entry_in_the_metadata_is_not_kept(tmp_path):
    group = group_of(make_source(tmp_path / "seg.zarr"), tmp_path)
    create_group(group)
    document = Path(group.path, ".zattrs")
    attributes = json.loads(document.read_text())
    datasets = attributes["multiscales"][0]["datasets"]
    datasets.append(datasets[-1] | {"path": "s3"})
    document.write_text(json.dumps(attributes))
    create_group(group)
    assert listed(group.path) == expected("s0", "s1", "s2")


# -- what is not ours -------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["file", "link to another group", "dangling link"])
def test_what_stands_in_the_way_is_left(source, tmp_path, what):
    group = group_of(source, tmp_path)
    before = contents(source)
    root = Path(group.path)
    root.parent.mkdir()
    if what == "file":
        root.write_text("mine")
    else:
        root.symlink_to(source if what == "link to another group" else tmp_path / "nothing")
    with pytest.raises(UserError, match="^[^\n]*_intermediate_scales.zarr is not a folder"):
        create_group(group)
    assert contents(source) == before
    assert root.is_symlink() or root.read_text() == "mine"


def test_a_link_to_the_very_group_that_is_wanted_is_left(source, tmp_path):
    """What a link leads to belongs to somebody else, even if it is the same."""
    group = group_of(source, tmp_path)
    before = filled(group)
    root = Path(group.path)
    root.rename(tmp_path / "theirs.zarr")
    root.symlink_to(tmp_path / "theirs.zarr")
    with pytest.raises(UserError, match="^[^\n]*_intermediate_scales.zarr is not a folder[^\n]*$"):
        create_group(group)
    assert root.is_symlink() and contents(tmp_path / "theirs.zarr") == before
