"""snakemesh view gives links to copies on web servers, and takes outputs only."""

import json
import re
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from running import digests
from snakemesh.cli.program import main
from snakemesh.tables.column_colours import ColumnColours
from snakemesh.view.output import read_output
from snakemesh.view.segments import Chosen
from snakemesh.view.site import shared_state, site_state
from snakemesh.view.state import layer_state, viewer_link

URL = "https://host/meshes"
LOCAL = {"format": "zarr2", "path": "/data/seg.zarr/s0"}


@pytest.fixture
def output(tmp_path):
    """Makes an output of one label, of a volume; without a document it is a copy of `multires`."""

    def make(view: dict | None) -> Path:
        columns = {
            "label": pa.array([7], pa.uint64()),
            "name": ["soma"],
            "volume": [1.0],
            "area": [6.0],
        }
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
    assert state["layout"] == ("xy-3d" if volume else "3d") and state["showSlices"] is False
    assert state["position"] == [10, 10, 4]
    assert digests(folder) == before


def test_a_link_to_copies_far_from_0_shows_where_they_are(output, capsys):
    """The viewer draws them coarsely there, but the copy of `info` says so."""
    folder = output({"source": LOCAL, "zero_nm": [80, 0, 0]})
    assert shared(capsys, str(folder), "--url", URL)["position"] == [10, 10, 4]


def test_colours_by_a_column(output, capsys):
    """Of the option, or else of the configuration that made the meshes, wherever they are."""
    folder = output(None)
    served = {"configuration": {"segment_colors": "name"}}
    (folder / "multires" / "snakemesh.json").write_text(json.dumps(served))
    for arguments, colour in (([], "#e69f00"), (["--color-by", "volume"], "#440154")):
        (layer,) = shared(capsys, str(folder), "--url", URL, *arguments)["layers"]
        assert layer["segmentColors"] == {"7": colour}
        assert layer["segmentDefaultColor"] == "#808080"
    main(["view", str(folder), "--url", URL])
    assert "\nColours by name: soma orange; all others grey\n" in capsys.readouterr().out


def with_overview(folder: Path, base_nm: list[int]) -> None:
    """Add what a run writes to show all segments, and the place that their positions count from."""
    multires = folder / "multires"
    for name in ("overview/mesh.vtk.gz", "centroids/info"):
        (multires / name).parent.mkdir()
        (multires / name).touch()
    x, y, z = base_nm
    (multires / "info").write_text(json.dumps({"transform": [1, 0, 0, x, 0, 1, 0, y, 0, 0, 1, z]}))


def test_the_overview_surrounds_a_choice_and_centroids_are_there(output, capsys):
    folder = output(None)
    with_overview(folder, [0, 0, 0])
    for arguments, is_visible in (([], True), (["--ids", "7"], False), (["--all"], False)):
        state = shared(capsys, str(folder), "--url", f"{URL}/multires", *arguments)
        segments, overview, centroids = state["layers"]
        assert overview["source"] == f"vtk://{URL}/multires/overview/mesh.vtk.gz"
        assert centroids["source"] == f"precomputed://{URL}/multires/centroids"
        assert centroids["linkedSegmentationLayer"] == {"segment": segments["name"]}
        assert (overview["visible"], centroids["visible"]) == (is_visible, False)


def test_the_overview_is_where_the_meshes_are(output):
    """Its positions count from the base. A server of meshes far from 0 moves both near it."""
    folder = output({"zero_nm": [1000, 0, 0]})
    with_overview(folder, [1000, -80, 16])
    chosen = Chosen([7], 1, with_others=True)
    far = shared_state(read_output(folder), URL, None, chosen)
    near = site_state(read_output(folder), URL, chosen)
    for state, shift in ((far, [1000, -80, 16]), (near, [0, -80, 16])):
        for layer in state["layers"][1:]:
            matrix = layer["source"]["transform"]["matrix"]
            assert [row[3] for row in matrix] == shift


@pytest.mark.parametrize(
    ("arguments", "is_grey"),
    [([], False), (["--color-by", "name"], False), (["--color-by", "volume"], True)],
)
def test_the_overview_has_the_colours_of_the_configuration_or_none(
    output, capsys, arguments, is_grey
):
    """Its colours are in its file: those of another column would contradict the segments'."""
    folder = output(None)
    with_overview(folder, [0, 0, 0])
    served = {"configuration": {"segment_colors": "name"}}
    (folder / "multires" / "snakemesh.json").write_text(json.dumps(served))
    _, overview, _ = shared(capsys, str(folder), "--url", URL, *arguments)["layers"]
    assert ("red" not in overview["shader"]) == is_grey


@pytest.mark.parametrize(
    ("area", "opacity"), [(6 * 80.0**2, 0.4), (100 * 6 * 80.0**2, 0.004)], ids=["sparse", "dense"]
)
def test_the_overview_is_faint_where_surfaces_are_many(output, capsys, area, opacity):
    folder = output(None)
    with_overview(folder, [0, 0, 0])
    table = pq.read_table(folder / "multires" / "segments.parquet").to_pydict()
    table |= {"area": [area], "label": pa.array([7], pa.uint64())}
    table |= {f"{axis}_min": [0.0] for axis in "xyz"}
    pq.write_table(pa.table(table), folder / "multires" / "segments.parquet")
    _, overview, _ = shared(capsys, str(folder), "--url", URL)["layers"]
    assert f"default={opacity})" in overview["shader"]


def test_selected_segments_have_a_colour_before_the_largest(monkeypatch):
    monkeypatch.setattr("snakemesh.view.state.MOST_SELECTED", 3)
    labels, rgb = np.arange(1, 10).astype(np.uint64), np.full((9, 3), 255, np.uint8)
    chosen = Chosen(
        [2, 99], 2, colours=ColumnColours("kind", labels, rgb, labels.astype(float), "")
    )
    (layer,) = layer_state(None, None, chosen, "")["layers"]
    assert layer["segmentColors"] == dict.fromkeys(["2", "9", "8"], "#ffffff")


def test_a_link_has_the_colours_of_selected_segments_only():
    layer = {"segments": ["7", "9"], "segmentColors": {"7": "#ff0000", "8": "#00ff00"}}
    state = {"layers": [layer, {"name": "other"}]}
    _, text = viewer_link(state).split("#!")
    first, other = json.loads(unquote(text))["layers"]
    assert first == layer | {"segmentColors": {"7": "#ff0000"}}
    assert other == {"name": "other"}


def test_a_copy_of_the_meshes_alone(output, capsys):
    (layer,) = shared(capsys, str(output(None)), "--url", URL)["layers"]
    assert layer["source"] == [f"precomputed://{URL}/multires"]


@pytest.mark.parametrize("screen", [True, False])
@pytest.mark.parametrize(
    ("words", "session", "opens"),
    [([], {}, True), (["--no-browser"], {}, False), ([], {"SSH_CONNECTION": "a 1 b 2"}, False)],
    ids=["at the machine", "not wanted", "through SSH"],
)
def test_when_the_browser_opens(output, monkeypatch, words, session, opens, screen):
    """Only on the screen of this machine: a login node has none, or shows it far away."""
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("snakemesh.view.server.Server.wait", lambda server: None)
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (session | ({"DISPLAY": ":0"} if screen else {})).items():
        monkeypatch.setenv(name, value)
    main(["view", str(output({"source": LOCAL})), "--port", "0", *words])
    assert len(opened) == (opens and screen)


@pytest.mark.parametrize(
    ("view_document", "arguments", "says"),
    [
        ({"source": None}, ["--url", URL, "--volume", URL], "other labels or in another place"),
        (None, ["--url", URL, "--volume", URL], "a version before this one"),
        ({"source": LOCAL}, ["--volume", URL], "--volume needs --url"),
        ({"source": LOCAL}, ["--url", "/data/meshes"], "is not an address with https://"),
        ({"source": LOCAL}, ["--url", "ftp://host/meshes"], "is not an address with https://"),
        ({"source": LOCAL}, ["--url", URL, "--ids", "8"], "these labels are not in"),
        ({"source": LOCAL}, ["--url", URL, "--ids", "7, ,8"], "is not a list such as 17,4711"),
        ({"source": LOCAL}, ["--url", URL, "--ids", str(2**64)], "at most 5000 labels of 64 bits"),
        ({"source": LOCAL}, ["--url", URL, "--ids", "7,left axon"], "these names are not in"),
        ({"source": LOCAL}, ["--url", URL, "--color-by", "kind"], "has no column 'kind' to colour"),
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
