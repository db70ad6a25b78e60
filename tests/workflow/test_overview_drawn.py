"""Neuroglancer shows all segments of a run at once, in a headless browser."""

import json
from functools import partial
from itertools import cycle

import numpy as np
import pyarrow.parquet as pq
import pytest

from neuroglancer_page import (
    PATIENCE,
    assert_sent_once_or_twice,
    chromium,
    drawn,
    errors,
    evaluated,
    needed,
    new_viewer,
    not_found,
    picture,
    serving,
    waiting,
    webdriver,
)
from snakemesh.view.overview_layers import centroid_layer, overview_layer
from snakemesh.view.site import client_folder
from snakemesh.view.state import SEGMENTATION

pytestmark = needed

SIDE = 600
# The width of the picture in nm: so far away that each segment is at its coarsest LOD.
FAR = 1400
# What is darker shows no segment, and how far hues may be apart where the segment is the same.
DARK, HUE = 40, 0.08
# As docs/output.md has it: without transparency, each pixel shows one segment.
OPAQUE = "void main() { emitRGB(vec3(red, green, blue) / 255.0); }"
ORIENTATION = [0.36, 0.28, 0.11, 0.88]


@pytest.fixture
def browser(tmp_path):
    with chromium(tmp_path / "profile") as driver:
        yield driver


@pytest.fixture
def page(multires, browser):
    """A viewer that shows layers, and its server: a function from layers to a picture."""
    viewer = new_viewer(SIDE)
    table = pq.read_table(multires / "segments.parquet").to_pydict()
    ends = [[f(table[f"{a}_{end}"]) for a in "xyz"] for f, end in ((min, "min"), (max, "max"))]
    middle = np.mean(ends, axis=0)
    with serving({"": multires.parent}) as server:
        url = f"http://127.0.0.1:{server.server_port}"

        def shown(*layers, position=middle, scale=FAR):
            with viewer.txn() as state:
                state.layers.clear()
            viewer.set_state(
                viewer.state.to_json()
                | {
                    "layers": list(layers),
                    "layout": {"type": "3d", "orthographicProjection": True},
                    "position": list(map(float, position)),
                    "projectionScale": scale,
                    "projectionOrientation": ORIENTATION,
                }
            )
            if viewer.get_viewer_url() not in browser.current_url:
                browser.get(viewer.get_viewer_url())
            return picture(viewer)

        yield url, shown, server, table


def segmentation(url, labels=()):
    return {
        "type": "segmentation",
        "name": SEGMENTATION,
        "source": f"precomputed://{url}/multires",
        "segments": [str(label) for label in labels],
    }


def hues(pixels):
    return pixels / np.maximum(pixels.max(axis=-1, keepdims=True), 1)


def test_the_overview_looks_like_all_segments(page, browser):
    """It is one file; the segments one by one take two requests or more each."""
    url, shown, server, table = page
    overview = shown(overview_layer(url, (0, 0, 0), 1.0, False) | {"shader": OPAQUE})
    assert {request.path for request in server.asked} == {"/multires/overview/mesh.vtk.gz"}
    assert_sent_once_or_twice(server, "/overview/mesh.vtk.gz")
    server.asked.clear()
    segments = shown(segmentation(url, table["label"]))
    assert len(server.asked) > 2 * len(table["label"])
    is_there = [pixels.max(axis=-1) > DARK for pixels in (overview, segments)]
    assert is_there[1].mean() > 0.1
    assert (is_there[0] != is_there[1]).sum() < 0.02 * is_there[1].sum()
    both = is_there[0] & is_there[1]
    apart = np.abs(hues(overview) - hues(segments)).max(axis=-1)[both]
    assert (apart < HUE).mean() > 0.95
    assert not_found(server) == set() and errors(browser) == []


def test_a_shift_moves_the_overview_and_the_centroids(page, browser):
    url, shown, server, table = page
    at = np.array([0, 0, 0]) + np.mean([table[f"{a}_centroid"] for a in "xyz"], axis=1)
    for layer in (
        lambda shift: overview_layer(url, shift, 1.0, False),
        partial(centroid_layer, url),
    ):
        here = shown(layer((0, 0, 0)), position=at)
        moved = shown(layer((5000, -300, 70)), position=at + [5000, -300, 70])
        assert here.max() > DARK
        assert (np.abs(here - moved).max(axis=-1) > DARK).mean() < 0.01
    assert errors(browser) == []


def test_a_point_leads_to_its_segment(multires, browser):
    """Ctrl and the right button show its numbers and its segment, which a tick makes visible."""
    table = pq.read_table(multires / "segments.parquet").to_pydict()
    largest = int(np.argmax(table["volume"]))
    label = table["label"][largest]
    with serving({"data": multires.parent, "v": client_folder()}) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        browser.set_window_size(1200, 900)
        browser.get(f"{url}/v/index.html")
        evaluated(browser, "return typeof viewer === 'undefined' ? null : true")
        layers = segmentation(f"{url}/data"), centroid_layer(f"{url}/data", (0, 0, 0))
        drawn(
            browser,
            dimensions={axis: [1e-9, "m"] for axis in "xyz"},
            position=[table[f"{axis}_centroid"][largest] for axis in "xyz"],
            layers=list(layers),
            layout={"type": "3d", "orthographicProjection": True},
            projectionScale=FAR / 4,
        )
        canvas = browser.find_element("css selector", ".neuroglancer-rendered-data-panel")
        below = "return viewer.layerSelectedValues.mouseState.pickedAnnotationId ?? null"
        webdriver.ActionChains(browser).move_to_element(canvas).perform()
        steps = cycle((1, -1))

        def found(page):
            """A busy page may not look at what is below the mouse until it moves again."""
            step = next(steps)
            webdriver.ActionChains(page).move_by_offset(step, step).perform()
            return page.execute_script(below)

        assert waiting.WebDriverWait(browser, PATIENCE).until(found) == str(label)
        control = webdriver.Keys.CONTROL
        keys = webdriver.ActionChains(browser).key_down(control).context_click().key_up(control)
        keys.perform()
        tick = "return document.querySelector('.neuroglancer-related-segment-list input')"
        browser.execute_script("arguments[0].click()", evaluated(browser, tick))
        visible = evaluated(
            browser,
            f"const layer = viewer.layerManager.getLayerByName('{SEGMENTATION}').layer;"
            "const ids = layer.displayState.segmentationGroupState.value.visibleSegments;"
            "return ids.size ? Array.from(ids, String) : null",
        )
        assert visible == [str(label)]
        assert errors(browser) == []


def test_the_layers_are_json():
    layers = overview_layer("x", (1, 2, 3), 0.5, False), centroid_layer("x", (0, 0, 0))
    assert json.loads(json.dumps(layers)) == list(layers)
    assert layers[0]["source"]["transform"]["matrix"][0] == [1, 0, 0, 1]
    assert layers[1]["source"] == "precomputed://x/multires/centroids"
