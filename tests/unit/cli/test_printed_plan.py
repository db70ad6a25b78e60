"""`snakemesh plan`: which configuration it plans, and what it says of a wrong one."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from snakemake.cli import parse_config

from formats import Placed, write_zarr
from snakemesh.cli.plan import key_value
from snakemesh.cli.program import main
from snakemesh.errors import UserError

LABELS = np.pad(np.full((8, 8, 8), 7, np.uint32), 4)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The working directory, with a volume and without a configuration."""
    write_zarr(tmp_path / "seg.zarr", [Placed(LABELS, (8.0,) * 3, (0.0,) * 3, (16,) * 3)])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def configured(folder) -> Path:
    """The same with a configuration of the example and of one LOD."""
    (folder / "config").mkdir()
    keys = "input_path: example/segmentation.zarr\noutput_directory: results/example\nnum_lods: 1\n"
    (folder / "config/config.yaml").write_text(keys)
    return folder


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def said(capsys, *words: str) -> str:
    """What the command prints where it succeeds."""
    main(["plan", *words])
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def refused(capsys, *words: str) -> str:
    """The line of the command where it fails, which a shell sees as exit code 1."""
    with pytest.raises(SystemExit) as ended:
        main(["plan", *words])
    assert capsys.readouterr().out == ""
    line = ended.value.code
    assert isinstance(line, str) and line.startswith("snakemesh: ") and "\n" not in line
    return line.removeprefix("snakemesh: ")


def test_a_volume_is_planned_for_a_new_output_and_nothing_is_written(folder, capsys):
    before = files(folder)
    text = said(capsys, "input_path=seg.zarr")
    assert text.startswith("The plan for seg.zarr (sizes are z y x")
    assert "level s0 16 x 16 x 16 voxels of 8 x 8 x 8 nm" in text
    assert "in meshes at the end, " in text
    assert "to run" not in text
    assert files(folder) == before


def test_the_times_are_those_of_this_machine(folder, capsys, monkeypatch):
    monkeypatch.setattr("snakemesh.run.plan_in_words.kept_ratio", lambda: None)
    usual = re.search(r"about (\d+) CPU seconds", said(capsys, "input_path=seg.zarr"))
    monkeypatch.setattr("snakemesh.run.plan_in_words.kept_ratio", lambda: 10.0)
    slow = re.search(r"about (\d+) CPU seconds", said(capsys, "input_path=seg.zarr"))
    assert 9 <= int(slow[1]) / int(usual[1]) <= 15


def test_the_configuration_of_the_working_directory_is_planned(configured, capsys):
    text = said(capsys)
    assert text.startswith("The plan for example/segmentation.zarr")
    assert "in results/example at the end, " in text
    assert "LOD 0" in text and "LOD 1" not in text


def test_keys_of_the_command_line_replace_those_of_files(configured, capsys):
    """And those of a file that is named replace those of the working directory."""
    (configured / "own.json").write_text('{"num_lods": 2, "cell_size": 32}')
    named = said(capsys, "--configfile", "own.json", "input_path=seg.zarr")
    assert "LOD 1" in named and "32 x 32 x 32" in named and "in meshes at the end, " in named
    typed = said(
        capsys,
        "--configfile",
        "own.json",
        "input_path=seg.zarr",
        "num_lods=1",
        "output_directory=o",
    )
    assert "LOD 1" not in typed and "32 x 32 x 32" in typed and "in o at the end, " in typed


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("roi=[[0,0,0],[64,64,64]]", "level s0 8 x 8 x 8"),
        ("num_lods=null", "num_lods 3, chosen"),
        ("input_version=2024_01", "level s0 16 x 16 x 16"),
        ("keep_fragments=true", "level s0 16 x 16 x 16"),
        ("target_ids=[7]", "labels   1 label in target_ids"),
    ],
)
def test_values_are_typed_as_after_config(folder, capsys, text, shown):
    assert shown in said(capsys, "input_path=seg.zarr", text)


VALUES = [
    *("", "3", "-0.5", "1e3", "2024_01", "nan", "True", "true", "null", "'a'", "2024-01-01"),
    *("[1, b]", "[a", "{t: 3}", "a: b", "a=b", "-", "- 1", "\t", "line\nline"),
    *("~/seg.zarr", "s3://bucket/seg"),
]


@pytest.mark.parametrize("key", ["index", "roi_nm", "a-b"])
@given(st.sampled_from(VALUES) | st.text(max_size=8))
def test_a_value_is_what_snakemake_reads(key, value):
    try:
        expected = parse_config([f"{key}={value}"])
    except (AssertionError, AttributeError):  # Snakemake takes no value that YAML calls empty
        return
    assert repr(key_value(f"{key}={value}")) == repr(expected)


@pytest.mark.parametrize("text", ["num_lods", "7=7", "=7", "a=1", "two words=1", "", "num_lods-=1"])
def test_what_is_no_key_is_refused_by_both(text):
    with pytest.raises(ValueError):
        parse_config([text])
    with pytest.raises(UserError, match="expected KEY=VALUE"):
        key_value(text)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "there is no config/config.yaml here; give input_path="),
        (["num_lods"], "found num_lods, expected KEY=VALUE, such as num_lods=5"),
        (["7=7"], "found 7=7, expected KEY=VALUE"),
        (["num_lods=3"], "config: the key input_path is missing"),
        (["input_path=seg.zarr", "num_lod=3"], "config: unknown key 'num_lod', did you mean"),
        (["input_path=seg.zarr", "cell_size=100"], "config key cell_size: found 100, expected"),
        (["input_path=nowhere.zarr"], "config key input_path: "),
        (["--configfile", "nowhere.yaml"], "nowhere.yaml cannot be read: No such file"),
        (["--configfile", "seg.zarr"], "seg.zarr cannot be read: Is a directory"),
        (["--configfile", "bad.yaml"], "bad.yaml cannot be read: "),
        (["--configfile", "list.yaml"], "list.yaml cannot be read: "),
    ],
)
def test_what_is_wrong_is_said_in_a_line(folder, capsys, words, expected):
    (folder / "bad.yaml").write_text("input_path: [\n\tx")
    (folder / "list.yaml").write_text("- input_path")
    assert refused(capsys, *words).startswith(expected)


def test_the_output_of_another_input_is_refused(folder, capsys):
    (folder / "meshes/multires").mkdir(parents=True)
    document = {"input": {"paths": ["/data/other.zarr"]}}
    for name in ("snakemesh.json", "multires/snakemesh.json"):
        (folder / "meshes" / name).write_text(json.dumps(document))
    (folder / "meshes/multires/info").write_text("{}")
    line = refused(capsys, "input_path=seg.zarr")
    assert line.startswith("config key output_directory: meshes was made from /data/other.zarr")
