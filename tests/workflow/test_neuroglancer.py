"""Neuroglancer itself, in a headless browser, draws what a run wrote.

Needs the package neuroglancer (which brings the viewer), selenium, and Chromium with its driver
(apt install chromium chromium-driver).
"""

import io
import os
import shutil
import threading

import numpy as np
import pytest

import serve
from reading import Entry, read_entries

neuroglancer = pytest.importorskip("neuroglancer", reason="the package neuroglancer is missing")
webdriver = pytest.importorskip("selenium.webdriver", reason="the package selenium is missing")
Image = pytest.importorskip("PIL.Image", reason="the package pillow is missing")
BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (BROWSER and DRIVER), reason="chromium or chromedriver is missing"
)

SIZE = (600, 600)
COLOUR = "#00ff00"
FAR, NEAR = 20_000, 500  # nm that the picture is wide


class RecordingHandler(serve.Handler):
    """The product's own server, which also notes what it was asked for."""

    def _answer(self, with_body: bool) -> None:
        self.server.asked.append((self.path, self.headers.get("Range")))
        super()._answer(with_body)


@pytest.fixture
def server(multires):
    server = serve.Server(("127.0.0.1", 0), {"": multires.parent})
    server.RequestHandlerClass, server.asked = RecordingHandler, []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def browser(tmp_path):
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader",
        "--ignore-gpu-blocklist",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={tmp_path / 'profile'}",
    ):
        options.add_argument(argument)
    service = webdriver.chrome.service.Service(DRIVER, log_output=os.devnull)
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


def fetched_lods(entry: Entry, asked: list[tuple[str, str | None]]) -> set[int]:
    """The LODs of a label of which the viewer asked for a fragment."""
    begins = {}
    position = entry.begin
    for lod, sizes in enumerate(entry.manifest.sizes):
        for size in sizes.tolist():
            begins.update({position: lod} if size else {})
            position += size
    starts = (
        int(span.removeprefix("bytes=").split("-")[0])
        for path, span in asked
        if path.endswith(entry.file.name) and span
    )
    return {begins[start] for start in starts if start in begins}


def test_draws_every_lod_of_a_label(multires, server, browser):
    entry = max(read_entries(multires).values(), key=lambda entry: entry.manifest.sizes[0].sum())
    top = len(entry.manifest.scales) - 1
    assert top >= 2
    neuroglancer.set_server_bind_address("127.0.0.1")
    viewer = neuroglancer.Viewer()
    with viewer.txn() as state:
        state.dimensions = neuroglancer.CoordinateSpace(names="xyz", units="nm", scales=[1, 1, 1])
        url = f"precomputed://http://127.0.0.1:{server.server_port}/multires"
        state.layers["meshes"] = neuroglancer.SegmentationLayer(
            source=url, segments=[entry.label], segment_colors={entry.label: COLOUR}
        )
        middle = entry.manifest.origin_nm + entry.manifest.cell_nm / 2
        state.position = middle.tolist()
        state.layout = neuroglancer.DataPanelLayout("3d", orthographic_projection=True)
        state.show_axis_lines = False
        state.show_default_annotations = False
        state.projection_scale = FAR
    browser.get(viewer.get_viewer_url())

    covered = []
    for scale in (FAR, NEAR):
        with viewer.txn() as state:
            state.projection_scale = scale
        picture = viewer.screenshot(size=SIZE).screenshot
        pixels = np.asarray(Image.open(io.BytesIO(picture.image)))[..., :3].astype(int)
        green = (pixels[..., 1] > 40) & (pixels[..., [0, 2]].max(axis=-1) < pixels[..., 1] / 2)
        covered.append(int(green.sum()))

    far, near = covered
    assert far > 20 and near > 5000
    assert fetched_lods(entry, server.asked) == set(range(top + 1))
    wrong = [line for line in browser.get_log("browser") if line["level"] == "SEVERE"]
    assert not [line for line in wrong if "favicon" not in line["message"]]
