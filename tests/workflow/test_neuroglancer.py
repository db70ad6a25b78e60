"""Neuroglancer itself draws the meshes of a run, in a headless browser."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from neuroglancer_page import (
    chromium,
    errors,
    evaluated,
    fetched_lods,
    needed,
    neuroglancer,
    new_viewer,
    not_found,
    picture,
    serving,
)
from snakemesh.verify.checks import to_nm, welded
from snakemesh.verify.reader import read_entries, read_mesh

pytestmark = needed

COLOUR = "#00ff00"
FAR, NEAR = 20_000, 500  # width of the picture in nm


@pytest.fixture
def browser(tmp_path):
    with chromium(tmp_path / "profile") as driver:
        yield driver


def test_draws_every_lod_of_a_label(multires, browser):
    entry = max(read_entries(multires).values(), key=lambda entry: entry.manifest.sizes[0].sum())
    top = len(entry.manifest.scales) - 1
    assert top >= 2
    viewer = new_viewer(600)
    covered = []
    with serving({"": multires.parent}) as server:
        with viewer.txn() as state:
            url = f"precomputed://http://127.0.0.1:{server.server_port}/multires"
            state.layers["meshes"] = neuroglancer.SegmentationLayer(
                source=url, segments=[entry.label], segment_colors={entry.label: COLOUR}
            )
            # on the surface: inside of a body, nothing is in view
            mesh = read_mesh(entry)
            points = to_nm(mesh, 0, welded(mesh, 0)[0])
            nearest = np.linalg.norm(points - points.mean(axis=0), axis=1).argmin()
            state.position = points[nearest].tolist()
            state.layout = neuroglancer.DataPanelLayout("3d", orthographic_projection=True)
            state.projection_scale = FAR
        browser.get(viewer.get_viewer_url())
        for scale in (FAR, NEAR):
            with viewer.txn() as state:
                state.projection_scale = scale
            pixels = picture(viewer)
            green = (pixels[..., 1] > 40) & (pixels[..., [0, 2]].max(axis=-1) < pixels[..., 1] / 2)
            covered.append(int(green.sum()))

    far, near = covered
    assert far > 20 and near > 5000
    assert fetched_lods(entry, server.asked) == set(range(top + 1))
    assert not_found(server) == set()
    assert errors(browser) == []


def on_the_octree(multires: Path) -> None:
    """Let the grid of every manifest begin where that of the octree does, without an offset."""
    for path in multires.glob("*.index"):
        words = np.fromfile(path, "<f4")
        first = 7 + int(words.view("<u4")[6])
        offsets = words[first : first + 3 * (first - 7)]
        words[3:6] += offsets[:3]
        offsets[:] = 0
        words.tofile(path)


def test_a_body_in_one_cell_is_centred_and_drawn_as_without(unsharded, browser, tmp_path):
    """Not a pixel differs, at any LOD or where a sliver is in view, but the viewer moves to it."""
    for name in ("without", "centred"):
        shutil.copytree(unsharded, tmp_path / name)
    on_the_octree(tmp_path / "without")
    entries = read_entries(unsharded).values()
    alone = [e for e in entries if max(map(len, e.manifest.cells)) == 1 < len(e.manifest.cells) - 1]
    entry = max(alone, key=lambda e: abs(e.manifest.vertex_offsets[0]).sum())
    mesh = read_mesh(entry)
    points = to_nm(mesh, 0, welded(mesh, 0)[0])
    lower, upper = points.min(axis=0), points.max(axis=0)
    middle = (lower + upper) / 2
    slivers = [
        middle + np.eye(3)[axis] * side * ((upper - lower)[axis] / 2 + NEAR / 2 - 20)
        for axis in (0, 1)
        for side in (-1, 1)
    ]
    views = [(True, scale, middle) for scale in (NEAR, 3 * NEAR, 8 * NEAR)]
    views += [(True, NEAR, position) for position in slivers]
    # in perspective, the viewer measures the distance to the box of the body's cell, so that the
    # LODs of the two differ at widths between these
    views += [(False, scale, middle) for scale in (NEAR, 16 * NEAR)]

    viewer = new_viewer(600)
    moved = {}
    with serving({"": tmp_path}) as server:
        with viewer.txn() as state:
            for name in ("without", "centred"):
                state.layers[name] = neuroglancer.SegmentationLayer(
                    source=f"precomputed://http://127.0.0.1:{server.server_port}/{name}",
                    segments=[entry.label],
                    segment_colors={entry.label: COLOUR},
                )
            state.layout = neuroglancer.DataPanelLayout("3d")
        browser.get(viewer.get_viewer_url())
        for orthographic, scale, position in views:
            pictures = {}
            for name in ("without", "centred"):
                with viewer.txn() as state:
                    state.layout.orthographic_projection = orthographic
                    state.projection_scale, state.position = scale, position
                    for layer in state.layers:
                        layer.visible = layer.name == name
                pictures[name] = picture(viewer)
            assert np.ptp(pictures["without"], axis=(0, 1)).max() > 40  # there is something
            assert np.array_equal(pictures["without"], pictures["centred"]), (scale, position)
        for name in ("without", "centred"):
            with viewer.txn() as state:
                for layer in state.layers:
                    layer.visible = layer.name == name
            picture(viewer)
            moved[name] = evaluated(
                browser,
                f"""
                const found = viewer.layerManager.managedLayers.find(l => l.name === "{name}");
                found.layer.moveToSegment({entry.label}n);
                return Array.from(viewer.navigationState.position.value);
                """,
            )
        asked = [request for request in server.asked if request.path.startswith("/centred/")]

    assert np.abs(moved["centred"] - middle).max() < 0.1
    assert np.abs(moved["without"] - middle).max() > 100
    assert fetched_lods(entry, asked) == set(range(len(entry.manifest.scales)))
    assert errors(browser) == []
