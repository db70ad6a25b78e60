"""snakemesh view shows a run in the viewer that the package neuroglancer brings."""

import json
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import zarr
from conftest import write_volume

import in_process
from neuroglancer_page import (
    DRAWN,
    PATIENCE,
    assert_sent_once_or_twice,
    chromium,
    drawn,
    errors,
    evaluated,
    fetched_lods,
    needed,
    not_found,
    panel,
    serving,
    waiting,
)
from running import digests
from snakemesh.products.fingerprints import Fingerprints
from snakemesh.products.provenance import run_document, write_document
from snakemesh.survey.input_state import InputState
from snakemesh.verify.checks import to_nm, welded
from snakemesh.verify.reader import read_entries, read_mesh
from snakemesh.view.look import chosen_segments
from snakemesh.view.output import Output, read_output
from snakemesh.view.segments import Chosen, Selection
from snakemesh.view.site import Site, client_folder, page_link, site_state

PIXEL_NM = 4
# The labels in the viewer's list, from its top.
LISTED = """
const entries = document.querySelectorAll('.neuroglancer-preview-list [data-id]');
return [...entries].map(entry => entry.dataset.id);
"""


def outline_distance(a: np.ndarray, b: np.ndarray) -> float:
    """The largest distance in pixels from a point of one outline to the other, of two masks."""

    def outline(mask: np.ndarray) -> np.ndarray:
        inner = mask.copy()
        for axis in (0, 1):
            for step in (1, -1):
                inner &= np.roll(mask, step, axis)
        return np.argwhere(mask & ~inner)

    first, second = outline(a), outline(b)
    distances = np.linalg.norm(first[:, None] - second[None], axis=-1)
    return max(distances.min(axis=0).max(), distances.min(axis=1).max())


@pytest.fixture(scope="module")
def far(volume, tmp_path_factory) -> Output:
    """The finished output of the same volume, 1 m away on two axes, and its own s0 as a level."""
    folder = tmp_path_factory.mktemp("far")
    centre = (1e9 + 37.3, -1e9 + 20, 3000.0)
    write_volume(folder / "volume.zarr", volume.labels, volume.voxel_nm, centre, (32, 24, 16))
    config = {"input_path": str(folder / "volume.zarr"), "num_lods": 2, "cell_size": 32}
    plan = in_process.planned(config | {"output_directory": str(folder / "out")})
    in_process.build_pyramid(plan)
    root = folder / "far"
    shutil.copytree(in_process.mesh(plan), root / "multires")
    document = run_document(Fingerprints(plan, InputState(plan, {})))
    write_document(str(root / "snakemesh.json"), document)
    return read_output(root)


@needed
def test_meshes_and_voxels_coincide_and_the_named_segment_is_centred(multires, far, tmp_path):
    """The silhouette of a mesh is that of its voxels: the union of its cross-sections.

    This holds at 1 m too, where the viewer would draw both several voxels beside their place.
    """
    with chromium(tmp_path / "profile") as browser:
        browser.set_window_size(700, 700)
        near = read_output(multires.parent)
        assert far.zero_nm().any() and not near.zero_nm().any()
        for output in (near, far):
            assert_coincide(browser, output)


def assert_coincide(browser, output: Output) -> None:
    """Draw the largest mesh of an output and its voxels, and compare the pictures."""
    entries = read_entries(output.root / "multires")
    entry = max(entries.values(), key=lambda entry: entry.manifest.sizes[0].sum())
    mesh = read_mesh(entry)
    points = to_nm(mesh, 0, welded(mesh, 0)[0])
    ends = points.min(axis=0), points.max(axis=0)
    points = points - output.zero_nm()
    state: dict = {}
    site = Site(output.root, client_folder(), state, "secret")
    with serving(site.find) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        state |= site_state(output, f"{url}/secret", Chosen([entry.label], 1, np.array([ends])))
        state["projectionScale"] *= 30  # from afar at first
        browser.get(page_link(url, "secret"))
        evaluated(browser, DRAWN)
        known = json.loads(browser.execute_script("return JSON.stringify(viewer.state.toJSON())"))
        middle = np.multiply(known["position"], output.voxel_nm())
        np.testing.assert_allclose(middle, (points.min(0) + points.max(0)) / 2, atol=1)
        assert [size for size, _ in known["dimensions"].values()] == pytest.approx(
            [8e-9, 8e-9, 20e-9]
        )
        layer = known["layers"][0] | {
            "segmentColors": {str(entry.label): "#00ff00"},
            "selectedAlpha": 1,
            "meshRenderScale": 1,  # pixels; LOD 0 is wanted
        }
        plain = {
            "layers": [layer],
            "showAxisLines": False,
            "showScaleBar": False,
            "showDefaultAnnotations": False,
            "showSlices": False,
            "selectedLayer": {"visible": False},
            "crossSectionScale": PIXEL_NM / 8,
            "crossSectionBackgroundColor": "#000000",
            "projectionBackgroundColor": "#000000",
        }

        assert 0 not in fetched_lods(entry, server.asked)
        browser.execute_script("viewer.state.reset()")
        drawn(browser, **(known | plain))

        def green(**view) -> np.ndarray:
            picture = drawn(browser, **view)
            picture = picture[panel(browser)]
            # faces seen from the side are dark, on black
            return picture[..., 1] > 5

        sections = np.zeros(1, bool)
        x, y, _ = known["position"]
        first, last = (int(points[:, 2].min() / 20), int(points[:, 2].max() / 20))
        for z in range(first, last + 1):
            sections = sections | green(layout="xy", position=[x, y, z + 0.5])
        # in 3D, a scale is that of the height of the panel
        scale = sections.shape[0] * PIXEL_NM / 8
        silhouette = green(
            layout={"type": "3d", "orthographicProjection": True},
            projectionOrientation=[0, 0, 0, 1],
            position=known["position"],
            projectionScale=scale,
        )
        assert 0 in fetched_lods(entry, server.asked)
        assert silhouette.sum() > 2000
        assert outline_distance(sections, silhouette) <= 2
        rows, columns = np.nonzero(silhouette)
        height, width = silhouette.shape
        assert abs((rows.min() + rows.max() + 1) / 2 - height / 2) <= 2
        assert abs((columns.min() + columns.max() + 1) / 2 - width / 2) <= 2

        # the viewer looks for the metadata of an array where those of the group are
        assert not_found(server) <= {".zarray", ".zattrs", "favicon.ico"}
        assert errors(browser) == []


@needed
def test_the_first_view_is_filled_and_whole(multires, tmp_path):
    """A section beside meshes that reach near the border of the panel, but not over it.

    The overview is drawn too, and fetched as one file.
    """
    output = read_output(multires.parent)
    chosen = chosen_segments(output, Selection())
    state: dict = {}
    site = Site(output.root, client_folder(), state, "secret")
    with chromium(tmp_path / "profile") as browser, serving(site.find) as server:
        browser.set_window_size(1400, 900)
        url = f"http://127.0.0.1:{server.server_port}"
        state |= site_state(output, f"{url}/secret", chosen)
        browser.get(page_link(url, "secret"))
        evaluated(browser, DRAWN)
        picture = drawn(browser, showAxisLines=False, showDefaultAnnotations=False)
        section, meshes = (picture[panel(browser, i)] for i in (0, 1))
        assert (section.max(axis=-1) - section.min(axis=-1) > 60).mean() > 0.05  # in colour
        rows, columns = np.nonzero(meshes.sum(axis=-1) > 30)
        height, width = meshes.shape[:2]
        assert min(*rows, *columns, *(height - 1 - rows), *(width - 1 - columns)) > 5
        assert max(np.ptp(rows) / height, np.ptp(columns) / width) > 0.6
        assert_sent_once_or_twice(server, "/overview/mesh.vtk.gz")
        volumes = pq.read_table(multires / "segments.parquet").sort_by([("volume", "descending")])
        largest = [str(label.as_py()) for label in volumes["label"][:3]]
        # a busy page fills its list late
        wait = waiting.WebDriverWait(browser, PATIENCE)
        wait.until(lambda page: page.execute_script(LISTED)[:3] == largest)
        segments, *others = state["layers"]
        alone = state | {"layers": [segments | {"segments": []}, *others]}
        browser.execute_script("viewer.state.reset()")
        faint = drawn(browser, **alone, showDefaultAnnotations=False)[panel(browser, 1)]
        assert (faint.sum(axis=-1) > 10).mean() > 0.05
        assert errors(browser) == []


def test_what_lies_far_away_is_served_as_if_it_were_near_0(far, tmp_path):
    """Meshes and levels alike, before the run has ended too; on disk, `info` stays true."""
    root = tmp_path / "far"
    shutil.copytree(far.root, root)
    site = Site(root, tmp_path, {}, "secret")
    true = json.loads((root / "multires" / "info").read_text())
    assert true["transform"] == [1, 0, 0, 0, 0, 1, 0, -(10**9), 0, 0, 1, 10**9]
    for expected in (true, {k: v for k, v in true.items() if k != "segment_properties"}):
        served = json.loads(site.find("/secret/multires/info"))
        assert served == expected | {"transform": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]}
        (root / "work").mkdir(exist_ok=True)  # no marker in it: a run has not ended
    group = json.loads(site.find("/secret/volume/.zattrs"))["multiscales"][0]
    _, translation = group["datasets"][0]["coordinateTransformations"]
    assert translation["translation"] == pytest.approx([37.3, 20, 3000])


@contextmanager
def running(output: Path, *arguments: str, command: str = "view"):
    """The running program, and its lines up to the last one before it serves."""
    line = [sys.executable, "-m", "snakemesh", command, str(output), "--port", "0", *arguments]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as program:
        try:
            lines = []
            while not lines or "Ctrl-C" not in lines[-1]:
                lines.append(program.stdout.readline())
                assert lines[-1], lines
            yield lines
        finally:
            program.terminate()


def test_the_program_serves_the_viewer_and_what_was_asked_for(multires):
    before = digests(multires.parent)
    with running(multires.parent, "--where", "label == 7") as lines:
        text = "".join(lines)
        port = re.search(r"ssh -L (\d+):127\.0\.0\.1:\1 \S+@", text)[1]
        url = f"http://127.0.0.1:{port}"
        secret = re.search(rf"  {url}/v/([\w-]{{16}})/#!{url}/\1/state.json\n", text)[1]

        def body(path: str) -> bytes:
            with urllib.request.urlopen(url + path) as answer:
                assert answer.headers["Access-Control-Allow-Origin"] is None
                return answer.read()

        state = json.loads(body(f"/{secret}/state.json"))
        assert state["layers"][0]["segments"] == ["7"]
        assert b"neuroglancer" in body(f"/v/{secret}/")
        assert body(f"/{secret}/multires/info") == (multires / "info").read_bytes()
        hidden = (f"/{secret}/snakemesh.json", f"/{secret}/work/lock", f"/{secret}/x/../work/lock")
        for path in (*hidden, "/v/", "/state.json", "/multires/info", "/guess/multires/info"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                body(path)
    assert digests(multires.parent) == before


def test_a_viewer_elsewhere_reads_what_the_link_names(multires):
    """Pages of other sites may read it, but neither guess where it is nor read anything else."""
    with running(multires.parent, "--ids", "7", command="serve") as lines:
        text = "".join(lines)
        volume, meshes = re.findall(r"^  (?:zarr2|zarr3|precomputed)://(http://.*)$", text, re.M)
        (link,) = re.findall(r"^  https://neuroglancer-demo\.appspot\.com/#!(\S+)$", text, re.M)
        layer = json.loads(urllib.parse.unquote(link))["layers"][0]
        assert layer["segments"] == ["7"]
        assert [source.partition("://")[2] for source in layer["source"]] == [volume, meshes]
        for url in (f"{meshes}/info", f"{volume}/.zattrs"):
            with urllib.request.urlopen(url) as answer:
                assert answer.headers["Access-Control-Allow-Origin"] == "*"
                assert json.loads(answer.read())
        base = meshes.removesuffix("/multires")
        for url in (f"{base}/snakemesh.json", f"{base}/work/lock", f"{base[:-17]}/multires/info"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(url)


def test_unfinished_meshes_are_not_served_before_their_shard_is(multires, tmp_path):
    """Of an output without the last markers, an info like the finished one and the shards."""
    output = tmp_path / "out"
    shutil.copytree(multires.parent, output, symlinks=True)
    site = Site(output, tmp_path, {}, "secret")
    (shard,) = [f"/multires/{path.name}" for path in multires.glob("*.shard")]
    for marker in output.glob("work/documents.*.done"):
        marker.unlink()
    finished = json.loads((multires / "info").read_text())
    assert (
        json.loads(site.find("/secret/multires/info"))
        | {"segment_properties": "segment_properties"}
        == finished
    )
    assert site.find("/secret/multires/segments.parquet") is None
    assert site.find(f"/secret{shard}") == output / shard[1:]
    assert read_output(output).summaries()[0]["label"].size
    for marker in output.glob("work/shards/*.done"):
        marker.unlink()
    assert site.find(f"/secret{shard}") is None


def test_levels_are_shown_when_all_their_super_chunks_are_there(tmp_path):
    """The document lists two levels of a stage of two super-chunks, and the source's own."""
    root = tmp_path / "out"
    pyramid = root / "_intermediate_scales.zarr"
    for path in (tmp_path / "source", pyramid / "s1", pyramid / "s2"):
        zarr.create_array(path, shape=(4, 4, 4), dtype="uint64", zarr_format=2)
    level = {"voxel_size_nm": [1.0] * 3, "translation_nm": [0.5] * 3}
    levels = [level | {"name": "s0", "path": str(tmp_path / "source"), "stage": None}]
    levels += [level | {"name": f"s{k}", "path": None, "stage": 0} for k in (1, 2)]
    view = {"levels": levels, "super_chunks": [2], "format": "zarr2"}
    document = {"products": {"levels": "abc"}, "view": view}
    (root / "snakemesh.json").write_text(json.dumps(document))

    def shown() -> list[str]:
        group = json.loads(Site(root, tmp_path, {}, "secret").find("/secret/volume/.zattrs"))
        return [dataset["path"] for dataset in group["multiscales"][0]["datasets"]]

    assert shown() == ["s0"]
    markers = root / "work/pyramid"
    (markers / "stage0").mkdir(parents=True)
    for name, expected in (("levels.abc", 1), ("stage0/0_0_0.x", 1), ("stage0/0_0_1.y", 3)):
        (markers / f"{name}.done").write_text("{}")
        assert len(shown()) == expected
