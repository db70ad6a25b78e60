import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
import zarr

from snakemesh.config.configuration import read_settings
from snakemesh.errors import UserError
from snakemesh.example import volume as example
from snakemesh.output.folder import OWN_FOLDERS
from snakemesh.output.lock import acquire
from snakemesh.plan.plan import make_plan
from snakemesh.survey.inputs import EXAMPLE_OUTPUT, EXAMPLE_PATH, check_tables, source_levels
from volumes import settings_with

CONFIGURATION = Path(__file__).resolve().parents[3] / "config" / "config.yaml"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write_labels(path, dtype="uint8"):
    zarr.create_array(path, data=np.ones((4, 5, 6), dtype), chunks=(4, 4, 4), zarr_format=2)
    return str(path)


def settings_for(input_path, output_directory="out", voxel_size_nm=(40, 8, 8), **changes):
    return settings_with(
        input_path=input_path,
        output_directory=output_directory,
        voxel_size_nm=voxel_size_nm,
        **changes,
    )


# -- the example ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("voxel_size_nm", "translation_nm"),
    [(None, None), ((30, 10, 10), None), ((30, 10, 10), (15, 1005, -5))],
)
def test_the_example_is_planned_alike_before_and_after_it_is_made(voxel_size_nm, translation_nm):
    """Every job makes the plan again, the first ones before the example exists."""
    settings = settings_for(
        EXAMPLE_PATH, voxel_size_nm=voxel_size_nm, translation_nm=translation_nm
    )
    before = source_levels(settings)
    example._write_group(Path(EXAMPLE_PATH), np.zeros(example.EXAMPLE_SHAPE, example.EXAMPLE_DTYPE))
    after = source_levels(settings)
    assert before == after
    assert repr(make_plan(settings, before)) == repr(make_plan(settings, after))


def test_the_example_is_that_of_the_configuration():
    config = f"input_path: {EXAMPLE_PATH}\n"
    assert config in CONFIGURATION.read_text()


@pytest.mark.parametrize("output", ["results/example", "./results//example/", "{here}/link"])
def test_only_the_example_goes_where_the_example_goes(tmp_path, output):
    """Somebody who gives only an input_path has this output_directory from config/config.yaml."""
    assert f"output_directory: {EXAMPLE_OUTPUT}\n" in CONFIGURATION.read_text()
    os.symlink("results/example", "link")
    output = output.format(here=tmp_path)
    path = write_labels("seg.zarr")
    with pytest.raises(UserError, match="^config key output_directory: [^\n]* of the example, for"):
        source_levels(settings_for(path, output))
    with pytest.raises(UserError, match="^config key output_directory: [^\n]* of the example, for"):
        source_levels(settings_for("https://host/seg.zarr", output))
    source_levels(settings_for(path, f"{output}2"))
    source_levels(settings_for(EXAMPLE_PATH, output))
    source_levels(settings_for(EXAMPLE_PATH, "elsewhere"))
    write_labels(EXAMPLE_PATH)
    source_levels(settings_for(str(tmp_path / EXAMPLE_PATH), output))


# -- where the output may go ------------------------------------------------------------------


def test_labels_beside_the_output():
    path = write_labels("seg.zarr")
    (level,) = source_levels(settings_for(path, "seg.zarr.meshes"))
    assert level.shape == (4, 5, 6)


@pytest.mark.parametrize("output", ["seg.zarr", "seg.zarr/meshes", "./seg.zarr/../seg.zarr/a/b"])
def test_output_in_the_input_is_refused(output):
    path = write_labels("seg.zarr")
    with pytest.raises(UserError, match="^config key output_directory: [^\n]*inside the input"):
        source_levels(settings_for(path, output))
    os.symlink("seg.zarr", "link")
    with pytest.raises(UserError, match="^config key output_directory: "):
        source_levels(settings_for("link", output))
    with pytest.raises(UserError, match="^config key output_directory: "):
        source_levels(settings_for(path, output.replace("seg.zarr", "link")))


@pytest.mark.parametrize("folder", OWN_FOLDERS)
def test_input_in_what_a_run_writes_is_refused(folder):
    path = write_labels(f"out/{folder}/seg.zarr")
    with pytest.raises(UserError, match=f"^config key output_directory: .*out/{folder}, which"):
        source_levels(settings_for(path))
    assert source_levels(settings_for(path, "elsewhere"))


def test_a_link_to_the_source_in_a_kept_pyramid_is_refused():
    write_labels("seg.zarr/s0")
    os.makedirs("out/_intermediate_scales.zarr")
    os.symlink("../../seg.zarr/s0", "out/_intermediate_scales.zarr/s0")
    with pytest.raises(UserError, match="^config key output_directory: "):
        source_levels(settings_for("out/_intermediate_scales.zarr/s0"))


@pytest.mark.parametrize("folder", OWN_FOLDERS)
@pytest.mark.parametrize("key", ["segment_properties_csv", "target_ids", "exclude_ids"])
def test_a_table_in_what_a_run_writes_is_refused(key, folder):
    path = write_labels("seg.zarr")
    table = Path("out", folder, "table.csv")
    table.parent.mkdir(parents=True)
    table.write_text("id,type\n1,axon\n")
    with pytest.raises(UserError, match=f"^config key output_directory: .*out/{folder}, which"):
        source_levels(settings_for(path, **{key: str(table)}))
    assert source_levels(settings_for(path, "elsewhere", **{key: str(table)}))


def test_input_in_the_output_directory_is_fine_elsewhere():
    path = write_labels("out/seg.zarr")
    assert source_levels(settings_for(path))


# -- properties of labels ----------------------------------------------------------------------


def test_a_csv_is_read_before_anything_runs():
    Path("good.csv").write_text("id,type\n1,axon\n")
    Path("bad.csv").write_text("id,type\none,axon\n")
    check_tables(settings_for("seg.zarr", segment_properties_csv="good.csv"))
    for name in ("bad.csv", "missing.csv"):
        with pytest.raises(UserError, match=f"segment_properties_csv: [^\n]*{name}[^\n]*$"):
            check_tables(settings_for("seg.zarr", segment_properties_csv=name))


def test_the_column_of_colours_is_known_before_anything_runs():
    """By its heading or its name in `segments.parquet`; the measures are columns, too."""
    Path("types.csv").write_text("id,Cell type\n1,axon\n")
    table = {"segment_properties_csv": "types.csv"}
    for column, keys in (("Cell type", table), ("Cell_type", table), ("volume", {}), ("name", {})):
        check_tables(settings_for("seg.zarr", segment_colors=column, **keys))
    for column, keys in (("Cell type", {}), ("type", table), ("watertight", {})):
        with pytest.raises(UserError, match=f"key segment_colors: found '{column}', [^\n]*label"):
            check_tables(settings_for("seg.zarr", segment_colors=column, **keys))


def test_what_a_user_writes_is_what_is_read():
    path = write_labels("seg.zarr")
    config = {"input_path": path, "output_directory": "out", "voxel_size_nm": [40, 8, 8]}
    (level,) = source_levels(read_settings(config))
    assert (level.voxel_size, level.translation) == ((40, 8, 8), (20, 4, 4))
    (level,) = source_levels(read_settings(config | {"translation_nm": [1020, -4, 0]}))
    assert (level.voxel_size, level.translation) == ((40, 8, 8), (1020, -4, 0))
    assert dataclasses.replace(level) == level


@pytest.mark.parametrize("folder", ["multires", "_intermediate_scales.zarr"])
def test_what_another_program_left_is_not_ours_to_tidy(tmp_path, folder):
    output = tmp_path / "out"
    theirs = output / folder / "17"
    theirs.parent.mkdir(parents=True)
    settings = settings_with(input_path=EXAMPLE_PATH, output_directory=str(output))
    source_levels(settings)  # an empty folder is accepted
    theirs.write_text("a mesh")
    with pytest.raises(UserError, match="output_directory.*was not made by snakemesh") as error:
        source_levels(settings)
    assert "\n" not in str(error.value)
    acquire(output, print, print)
    source_levels(settings)


@pytest.mark.parametrize("left", ["snakemesh.json", "multires/snakemesh.json"])
def test_an_output_without_its_work_is_ours(tmp_path, left):
    """Somebody has removed `work/`: the next run makes again what is missing."""
    shard = tmp_path / "out" / "multires" / "0.shard"
    shard.parent.mkdir(parents=True)
    shard.touch()
    (tmp_path / "out" / left).write_text("{}")
    source_levels(settings_with(input_path=EXAMPLE_PATH, output_directory=str(tmp_path / "out")))


@pytest.mark.parametrize("folder", [*OWN_FOLDERS])
@pytest.mark.parametrize("what", ["file", "dangling link"])
def test_folders_of_a_run_that_are_none(tmp_path, folder, what):
    output = tmp_path / "out"
    output.mkdir()
    path = output / folder
    path.write_text("mine") if what == "file" else path.symlink_to(tmp_path / "nothing")
    settings = settings_with(input_path=EXAMPLE_PATH, output_directory=str(output))
    with pytest.raises(
        UserError, match=f"^config key output_directory: [^\n]*{folder} (is|exists) "
    ):
        source_levels(settings)


def test_an_output_that_cannot_be_looked_at(tmp_path, monkeypatch):
    def forbidden(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_dir", forbidden)
    settings = settings_with(input_path=EXAMPLE_PATH, output_directory=str(tmp_path))
    with pytest.raises(UserError, match="output_directory: .* cannot be accessed .Permission"):
        source_levels(settings)


@pytest.mark.parametrize("what", ["file", "link", "dangling link"])
@pytest.mark.parametrize(
    "name",
    [
        "_intermediate_scales.zarr",
        "multires/overview",
        "multires/centroids",
        "multires/segment_properties",
    ],
)
def test_a_folder_of_ours_that_is_no_folder(tmp_path, name, what):
    """It is refused before any job starts: Snakemake removes outputs, even behind a link."""
    output = tmp_path / "out"
    acquire(output, print, print)
    path = output / name
    path.parent.mkdir(exist_ok=True)
    if what == "file":
        path.write_text("mine")
    else:
        path.symlink_to(tmp_path if what == "link" else tmp_path / "nothing")
    settings = settings_with(input_path=EXAMPLE_PATH, output_directory=str(output))
    with pytest.raises(UserError, match=f"output_directory.*{name} is a link or a file"):
        source_levels(settings)
