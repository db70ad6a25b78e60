"""snakemesh view gives links to copies on web servers, and takes outputs only."""

import json
import re
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from running import digests
from snakemesh.cli.program import main
from snakemesh.view.output import read_output

URL = "https://host/meshes"
LOCAL = {"format": "zarr2", "path": "/data/seg.zarr/s0"}


@pytest.fixture
def output(tmp_path):
    """Makes an output of one label, of a volume; without a document it is a copy of `multires`."""

    def make(view: dict | None) -> Path:
        columns = {"label": pa.array([7], pa.uint64()), "volume": [1.0]}
        columns |= {f"{axis}_{end}": [80.0] for axis in "xyz" for end in ("min", "max")}
        (tmp_path / "multires").mkdir()
        pq.write_table(pa.table(columns), tmp_path / "multires" / "segments.parquet")
        (tmp_path / "multires" / "info").write_text("{}")
        if view is not None:
            document = {"products": {}, "view": {"voxel_size_nm": [20, 8, 8], "levels": []} | view}
            (tmp_path / "snakemesh.json").write_text(json.dumps(document))
        return tmp_path

    return make


def shared(capsys, *arguments: str) -> dict:
    """The state in the link that is printed."""
    main(["view", *arguments])
    said = capsys.readouterr().out
    (state,) = re.findall(
        r"^  https://neuroglancer-demo\.appspot\.com/#!(\S+)$", said, re.MULTILINE
    )
    return json.loads(unquote(state))


@pytest.mark.parametrize(
    ("source", "arguments", "volume"),
    [
        (LOCAL, [], []),
        (LOCAL, ["--volume", "https://host/seg.zarr/"], ["zarr2://https://host/seg.zarr"]),
        ({"format": "n5", "path": "s3://bucket/seg"}, [], ["n5://s3://bucket/seg"]),
        (
            {"format": "precomputed", "path": "precomputed://gs://bucket/seg"},
            ["--volume", "gs://mirror/seg"],
            ["precomputed://gs://mirror/seg"],
        ),
    ],
)
@pytest.mark.parametrize("url", [URL, f"{URL}/", f"{URL}/multires", f"{URL}/multires/"])
def test_a_link_to_copies(output, capsys, source, arguments, volume, url):
    folder = output({"source": source})
    before = digests(folder)
    state = shared(capsys, str(folder), "--url", url, *arguments)
    (layer,) = state["layers"]
    assert layer["source"] == [*volume, f"precomputed://{URL}/multires"]
    assert layer["segments"] == ["7"]
    assert state["position"] == [10, 10, 4]
    assert digests(folder) == before


def test_a_copy_of_the_meshes_alone(output, capsys):
    (layer,) = shared(capsys, str(output(None)), "--url", URL)["layers"]
    assert layer["source"] == [f"precomputed://{URL}/multires"]


@pytest.mark.parametrize(
    ("view_document", "arguments", "says"),
    [
        ({"source": None}, ["--url", URL, "--volume", URL], "other labels or in another place"),
        (None, ["--url", URL, "--volume", URL], "a version before this one"),
        ({"source": LOCAL}, ["--volume", URL], "--volume needs --url"),
        ({"source": LOCAL}, ["--url", "/data/meshes"], "is not an address with https://"),
        ({"source": LOCAL}, ["--url", "ftp://host/meshes"], "is not an address with https://"),
        ({"source": LOCAL}, ["--url", URL, "--ids", "8"], "these labels are not in"),
    ],
)
def test_what_cannot_be_shared(output, capsys, view_document, arguments, says):
    folder = output(view_document)
    with pytest.raises(SystemExit) as end:
        main(["view", str(folder), *arguments])
    assert end.value.code == 2
    assert says in capsys.readouterr().err.splitlines()[-1]


def test_meshes_that_are_not_finished(output, capsys):
    folder = output({"source": LOCAL})
    (folder / "work").mkdir()
    with pytest.raises(SystemExit):
        main(["view", str(folder), "--url", URL])
    assert "--url needs finished meshes" in capsys.readouterr().err


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"picture.png": "mine"},
        {"snakemesh.json": "["},
        {"snakemesh.json": "{}"},
        # multires itself, whose document is not that of a run
        {
            "info": "{}",
            "snakemesh.json": '{"snakemesh": "0.5.0", "configuration": {}, "input": []}',
        },
    ],
)
def test_a_folder_that_is_no_output(tmp_path, capsys, files):
    """It is said in a line, and nothing is written."""
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(SystemExit) as end:
        main(["view", str(tmp_path), "--port", "0"])
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"error: {tmp_path} is not an output directory of snakemesh: expected " in line
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == files


@pytest.mark.parametrize("key", ["products", "view"])
def test_a_run_that_has_just_begun_is_an_output(tmp_path, key):
    (tmp_path / "snakemesh.json").write_text(json.dumps({key: {}}))
    assert read_output(tmp_path).is_one()
