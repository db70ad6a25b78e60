"""`snakemake --report`: its numbers against files, its pictures against the voxels."""

import base64
import csv
import json
import re
import shutil
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from running import finish, planned, run, succeeds
from small_blocks import copy_with_small_blocks
from snakemesh.report.plane import pale
from snakemesh.verify.reader import read_meshes

FILES = {
    *(f"{name}.png" for name in ("scene", "lods", "bodies", "slice")),
    *(f"{name}.png" for name in ("sizes", "errors", "detail", "costs")),
    *("detail.csv", "costs.csv", "overview.rst"),
}


@dataclass(frozen=True)
class Reported:
    """A run with its report: configuration, output, the folder of the report's files, the HTML."""

    keys: dict
    output: Path
    folder: Path
    html: Path


@pytest.fixture(scope="module")
def reported(repository, config, tmp_path_factory):
    """One command makes the output, verifies it and makes the report."""
    output = tmp_path_factory.mktemp("reported") / "out"
    keys = config(output, verify=True, min_voxels=5)
    html = output.parent / "report.html"
    succeeds(repository, keys, "--report", str(html), "--report-after-run")
    (folder,) = (output / "report").iterdir()
    return Reported(keys, output, folder, html)


def variable(html: Path, name: str):
    """What Snakemake's report gives to its own script."""
    start = re.compile(rf'<script id="[a-z-]+">\s+var {name} = ')
    script = start.split(html.read_text(encoding="utf-8"))[1]
    return json.JSONDecoder().raw_decode(script)[0]


def rows_of(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def test_the_html_holds_all_files_in_sections(reported):
    results = variable(reported.html, "results")
    assert {Path(path).name for path in results} == FILES
    for path, result in results.items():
        content = base64.b64decode(result["data_uri"].split(",")[1])
        assert content == (reported.folder / Path(path).name).read_bytes()
        assert result["caption"] and result["labels"]["what"]
    sections = variable(reported.html, "categories")
    assert set(sections) == {"Overview", "Meshes", "Numbers", "Run"}


def test_the_page_hides_statistics_of_the_jobs_that_drew_it(reported):
    """The style finds the entry by its icon, so the page must have this icon, just once."""
    html = reported.html.read_text(encoding="utf-8")
    (icon,) = re.findall(r'li:has\(> a > svg > path\[d\^="([^"]+)"\]\) \{ display: none \}', html)
    chart = re.search(r'"?chart"?: \[?\s*.*?"(M[^"]+)"', html)[1]
    assert chart.startswith(icon) and html.count(f'"{icon}') == 2  # in the style, and the icon
    assert "#rulegraph { display: none }" in html


def test_the_first_page_says_what_a_supervisor_asks(reported, volume):
    text = unescape(re.sub(r"<[^>]+>", " ", variable(reported.html, "workflow_desc")))
    labels = len(np.unique(volume.labels)) - 2  # without background and the body of one voxel
    for said in (
        f"Meshes of {volume.path.parent.name}/volume ",
        f"to open them in the viewer snakemesh view {reported.output}",
        "The plan for",
        "verification verified",
        f"Verified: {labels} of {labels} meshes were read back, {labels} of them are watertight",
        "1 with fewer voxels than min_voxels 5",
        "No job has failed.",
        "snakemesh that made the meshes",
        "target_reduction 0.5",
    ):
        assert said in " ".join(text.split())


def test_faces_and_bytes_are_those_of_the_files(reported):
    expected = np.zeros((3, 4), int)
    for mesh in read_meshes(reported.output / "multires"):
        for lod, nodes in enumerate(mesh.fragments):
            faces = sum(len(fragment.faces) for fragment in nodes)
            expected[lod] += [1, len(nodes), faces, int(mesh.manifest.sizes[lod].sum())]
    found = rows_of(reported.folder / "detail.csv")
    names = ("labels", "fragments", "faces", "bytes")
    assert [[int(row[name]) for name in names] for row in found] == expected.tolist()


def test_times_and_memory_are_those_of_the_benchmarks(reported):
    """Every job that is no marker's has its benchmark, and is counted once."""
    found = {row["step"]: row for row in rows_of(reported.folder / "costs.csv")}
    folders = {
        "pyramid_super_chunk, s1, s2": "pyramid_super_chunk/stage0/*.tsv",
        **{f"mesh_block, LOD {lod}": f"mesh_block/lod{lod}/*.tsv" for lod in range(3)},
        "shard": "shard/*.tsv",
        "multires_index": "multires_index.*.tsv",
        "verify_voxels": "verify_voxels/*.tsv",
        "verify_shard": "verify_shard/*.tsv",
    }
    assert set(found) == set(folders)
    for step, pattern in folders.items():
        paths = (reported.output / "benchmarks").glob(pattern)
        measured = [row for path in paths for row in rows_of(path, "\t")]
        row = found[step]
        assert int(row["jobs"]) == int(row["measured"]) == len(measured) > 0
        seconds = [float(each["s"]) for each in measured]
        assert float(row["total_s"]) == pytest.approx(sum(seconds), abs=0.006)
        assert float(row["longest_job_s"]) == pytest.approx(max(seconds), abs=0.006)
        peaks = [float(each["max_rss"]) for each in measured if each["max_rss"][0].isdigit()]
        if peaks:
            assert float(row["peak_mb"]) == pytest.approx(max(peaks), abs=0.51)


def opened(path: Path) -> tuple[np.ndarray, list]:
    """A picture, RGB from 0 to 255, and its facts."""
    picture = Image.open(path)
    return np.asarray(picture.convert("RGB")).astype(int), json.loads(picture.text["facts"])


@pytest.mark.parametrize("name", ["scene", "lods", "bodies", "slice"])
def test_pictures_are_not_blank(reported, name):
    picture, facts = opened(reported.folder / f"{name}.png")
    assert facts
    for panel in facts:
        left, top, right, bottom = np.rint(panel["pixels"]).astype(int)
        inside = picture[top:bottom, left:right]
        assert (inside.min(axis=-1) < 250).mean() > 0.02
        assert len(np.unique(inside.reshape(-1, 3), axis=0)) > 20


def test_every_lod_is_drawn(reported):
    _, facts = opened(reported.folder / "lods.png")
    assert [panel["lods"] for panel in facts] == [[0], [1], [2]] * 2
    assert len({panel["labels"][0] for panel in facts}) == 1


def test_the_silhouettes_are_those_of_the_voxels(reported, volume):
    """Each voxel of a body is drawn, and nothing that is farther than a voxel from all of them."""
    picture, facts = opened(reported.folder / "bodies.png")
    sizes = dict(zip(*np.unique(volume.labels, return_counts=True), strict=True))
    largest = sorted(sizes.keys() - {0}, key=lambda label: -sizes[label])[:6]
    assert {panel["labels"][0] for panel in facts} == set(map(int, largest))
    voxel, corner = np.array(volume.voxel_nm[::-1]), np.array(volume.corner_nm[::-1])
    for panel in facts:
        left, top, right, bottom = np.rint(panel["pixels"]).astype(int)
        nm = (panel["x"][1] - panel["x"][0]) / (right - left)
        # the bar and the note are grey or black, and the body is not
        inside = picture[top:bottom, left:right]
        drawn = np.ptp(inside, axis=-1) > 8
        at = np.argwhere(volume.labels == panel["labels"][0])[:, ::-1]
        # voxels whose neighbours on all sides are of the body, which no smoothing uncovers
        known = set(map(tuple, at.tolist()))
        steps = [tuple(step) for step in np.vstack([np.eye(3, dtype=int), -np.eye(3, dtype=int)])]
        inner = [v for v in known if all(tuple(np.add(v, s)) in known for s in steps)]

        def pixels(voxels, panel=panel, nm=nm):
            points = corner + (np.array(voxels) + 0.5) * voxel
            right_down = points @ np.array(panel["axes"])[:2].T
            return (right_down - [panel["x"][0], panel["y"][0]]) / nm

        right_down = pixels(inner).astype(int)
        assert drawn[right_down[:, 1], right_down[:, 0]].all()
        rows, columns = np.nonzero(drawn)
        chosen = np.random.default_rng(0).choice(len(rows), 300)
        shown = np.stack([columns[chosen], rows[chosen]], axis=1) + 0.5
        centres = pixels(at)
        nearest = [np.linalg.norm(centres - pixel, axis=1).min() for pixel in shown]
        assert max(nearest) * nm < voxel.max()


def test_the_slice_shows_the_voxels_where_they_are(reported, volume):
    picture, facts = opened(reported.folder / "slice.png")
    panel = facts[0]
    z = int((panel["z"] - volume.corner_nm[0]) // volume.voxel_nm[0])
    labels = volume.labels[z]
    left, top, right, bottom = panel["pixels"]
    expected = np.rint(pale(labels) * 255)
    alike = 0
    for y, x in np.ndindex(labels.shape):
        nm = np.array(volume.corner_nm)[:0:-1] + (np.array([x, y]) + 0.5) * volume.voxel_nm[:0:-1]
        (x0, x1), (y0, y1) = panel["x"], panel["y"]
        column = left + (nm[0] - x0) / (x1 - x0) * (right - left)
        row = top + (nm[1] - y0) / (y1 - y0) * (bottom - top)
        alike += np.abs(picture[int(row), int(column)] - expected[y, x]).max() < 3
    # the others are under lines: those of the outlines, and the frame
    assert alike > 0.75 * labels.size


def test_a_slice_shows_bodies_and_labels_without_a_mesh(repository, config, volume, tmp_path):
    """Of a volume of supervoxels, in files of labels, some of which are left out."""
    labels = np.unique(volume.labels)[1:]
    bodies = labels // np.uint64(2) + np.uint64(1)
    np.save(tmp_path / "bodies.npy", np.stack([labels, bodies], 1))
    keys = config(tmp_path / "out", label_map=tmp_path / "bodies.npy", sharded=False, num_lods=1)
    succeeds(repository, keys | {"min_voxels": 2000}, "report")
    (folder,) = (tmp_path / "out" / "report").iterdir()
    picture, facts = opened(folder / "slice.png")
    z = int((facts[0]["z"] - volume.corner_nm[0]) // volume.voxel_nm[0])
    at = np.searchsorted(labels, volume.labels[z])
    shown = np.where(volume.labels[z] == 0, 0, bodies[np.minimum(at, len(labels) - 1)])
    expected = np.rint(pale(shown) * 255).reshape(-1, 3)
    left, top, right, bottom = np.rint(facts[0]["pixels"]).astype(int)
    found = np.unique(picture[top:bottom, left:right].reshape(-1, 3), axis=0)
    colours = np.unique(expected, axis=0)
    assert len(colours) > 5
    assert all(np.abs(found - colour).max(axis=1).min() < 3 for colour in colours)


def test_another_clone_packs_what_is_there(reported, tmp_path):
    """Nothing of what Snakemake remembers in a clone is needed, and nothing is run."""
    other = copy_with_small_blocks(tmp_path / "clone")
    before = (reported.folder / "overview.rst").stat().st_mtime_ns
    # from the folder that the catalogue of workflows starts in
    succeeds(other, reported.keys, "--directory", ".test", "--report", "other.html")
    assert (reported.folder / "overview.rst").stat().st_mtime_ns == before
    data = [
        {Path(path).name: result["data_uri"] for path, result in variable(html, "results").items()}
        for html in (reported.html, other / ".test" / "other.html")
    ]
    assert data[0] == data[1]
    # a report is no part of a run, and asking for one makes it anew
    assert planned(other, reported.keys) == {}
    rules = ("facts", "files")
    assert planned(other, reported.keys, "report") == {f"report_{name}": 1 for name in rules} | {
        "report": 1
    }


def test_a_stale_report_is_not_served(repository, reported, tmp_path):
    shutil.copytree(reported.output, tmp_path / "out")
    keys = reported.keys | {"output_directory": tmp_path / "out", "verify": False}
    html = tmp_path / "stale.html"
    assert run(repository, keys, "--report", str(html)).returncode == 0
    html.unlink()
    changed = keys | {"num_lods": 1}
    for _ in range(2):
        done = run(repository, changed, "--report", str(html))
        assert done.returncode == 1 and not html.exists()
        (said,) = [line for line in done.stderr.splitlines() if line.startswith("snakemesh:")]
        assert "has no report of this configuration" in said
        # nor is it left where the meshes are new
        finish(repository, changed)
        assert list((tmp_path / "out" / "report").iterdir()) == []
