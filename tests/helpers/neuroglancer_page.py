"""Neuroglancer in a headless browser, and the project's own server, which notes every request.

This needs the package neuroglancer (which brings the viewer), selenium, and Chromium with its
driver (apt install chromium chromium-driver). Mark the tests that use it with `needed`.
"""

import base64
import io
import os
import queue
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from snakemesh.verify.reader import Entry
from snakemesh.view.server import GIVEN_UP, Find, Server, located

neuroglancer = pytest.importorskip("neuroglancer", reason="NOT TESTED: neuroglancer is missing")
webdriver = pytest.importorskip("selenium.webdriver", reason="NOT TESTED: selenium is missing")
waiting = pytest.importorskip("selenium.webdriver.support.wait")
exceptions = pytest.importorskip("selenium.common.exceptions")
Image = pytest.importorskip("PIL.Image", reason="NOT TESTED: the package pillow is missing")
BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
needed = pytest.mark.skipif(
    not (BROWSER and DRIVER), reason="NOT TESTED: chromium or chromedriver is missing"
)

PATIENCE = 300  # seconds for one picture, on the slowest machine


class Request(NamedTuple):
    path: str
    span: str | None
    status: int


class Serving(NamedTuple):
    """A running server, and every Request so far."""

    server_port: int
    asked: list[Request]


@contextmanager
def serving(found: dict[str, Path] | Find) -> Iterator[Serving]:
    """A running server of directories, by the first part of a path, or of what a function finds."""
    find = partial(located, found) if isinstance(found, dict) else found
    asked: list[Request] = []

    def note(handler) -> None:
        request = handler.request
        asked.append(Request(request.uri, request.headers.get("Range"), handler.get_status()))

    with Server(find, "127.0.0.1", 0, True, note) as server:
        yield Serving(server.port, asked)


def not_found(server: Serving) -> set[str]:
    """Names of the files that were asked for in vain."""
    return {Path(path).name for path, _, status in answered(server) if status >= 400}


def answered(server: Serving) -> list[Request]:
    """The requests so far, without those that a busy browser has taken back and sends again."""
    return [request for request in server.asked if request.status != GIVEN_UP]


def assert_sent_once_or_twice(server: Serving, end: str) -> None:
    """Assert that the page has asked for a file, and not for each of many things that it draws.

    end: of the path of the file. The page may ask once for its list of layers and once to draw. A
    busy browser breaks off an answer, and asks for the rest of the file (a range that does not
    begin at 0) or, at worst, once more for all of it.
    """
    sent = [request for request in answered(server) if request.path.endswith(end)]
    begun = [r for r in sent if r.span is None or r.span.startswith("bytes=0-")]
    assert 1 <= len(begun) <= 4 and len(sent) <= 8, sent


def fetched_lods(entry: Entry, asked: Iterable[Request]) -> set[int]:
    """The LODs of a label from which the viewer asked for a fragment."""
    begins = {}
    position = entry.begin
    for lod, sizes in enumerate(entry.manifest.sizes):
        for size in sizes.tolist():
            begins.update({position: lod} if size else {})
            position += size
    starts = (
        int(request.span.removeprefix("bytes=").split("-")[0])
        for request in asked
        if request.path.endswith(entry.file.name) and request.span
    )
    return {begins[start] for start in starts if start in begins}


@contextmanager
def chromium(profile: Path) -> Iterator:
    """A headless browser that draws without a graphics card."""
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
        "--disable-gpu-watchdog",  # or a busy machine's process that draws is taken for hung
        "--disable-hang-monitor",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    driver = _started(options)
    driver.set_script_timeout(PATIENCE)
    try:
        yield driver
    finally:
        driver.quit()


def _started(options):
    """The driver of a browser that has started.

    selenium chooses a free port for the driver. Where another program takes the port before the
    driver does, the driver ends, and starts again with another port.
    """
    for left in (2, 1, 0):
        service = webdriver.chrome.service.Service(DRIVER, log_output=os.devnull)
        try:
            return webdriver.Chrome(options=options, service=service)
        except exceptions.WebDriverException:
            if not left:
                raise


def evaluated(browser, script: str) -> object:
    """What a script returns in the page, as soon as that is not null."""
    return waiting.WebDriverWait(browser, PATIENCE).until(lambda page: page.execute_script(script))


def errors(browser) -> list[str]:
    """The errors of the page, without failed requests: the server knows of those."""
    lines = (line["message"] for line in browser.get_log("browser") if line["level"] == "SEVERE")
    return [line for line in lines if "Failed to load resource" not in line]


# The picture as soon as all is there that it shows; taken twice, as late code may still add layers.
DRAWN = """
if (typeof viewer === 'undefined' || viewer.layerManager.managedLayers.length === 0) return null;
if (!viewer.isReady() || !viewer.layerManager.managedLayers[0].isReady()) return null;
viewer.display.draw();
const url = viewer.display.canvas.toDataURL();
const same = window.lastPicture === url;
window.lastPicture = url;
return same && viewer.isReady() ? url.split(',')[1] : null;
"""
# Where a panel is in the picture: top, left, height, width.
PANEL = """
const panel = [...viewer.display.panels][arguments[0]];
const view = panel.renderViewport;
return [panel.canvasRelativeClippedTop, panel.canvasRelativeClippedLeft,
        view.logicalHeight, view.logicalWidth];
"""


def drawn(browser, **changes) -> np.ndarray:
    """The picture, (height, width, 3) int, after changes of parts of the state of a viewer."""
    browser.execute_script(
        "window.lastPicture = null;viewer.state.restoreState(arguments[0]);",
        changes,
    )
    wait = waiting.WebDriverWait(browser, PATIENCE, poll_frequency=0.05)
    shown = wait.until(lambda page: page.execute_script(DRAWN))
    image = Image.open(io.BytesIO(base64.b64decode(shown)))
    return np.asarray(image)[..., :3].astype(int)


def panel(browser, index: int = 0) -> tuple[slice, slice]:
    """Which rows and columns of a picture are a panel of the viewer."""
    top, left, height, width = browser.execute_script(PANEL, index)
    return slice(top, top + height), slice(left, left + width)


def new_viewer(side: int):
    """A viewer of `side` x `side` pixels, in nm, that draws nothing over the data."""
    neuroglancer.set_server_bind_address("127.0.0.1")
    viewer = neuroglancer.Viewer()
    with viewer.config_state.txn() as config:
        config.show_ui_controls = config.show_panel_borders = False
        config.viewer_size = [side, side]
    with viewer.txn() as state:
        state.dimensions = neuroglancer.CoordinateSpace(names="xyz", units="nm", scales=[1, 1, 1])
        state.show_axis_lines = state.show_scale_bar = state.show_default_annotations = False
        state.prefetch = False  # only what is drawn is fetched
    return viewer


def picture(viewer) -> np.ndarray:
    """Red, green and blue of every pixel, as soon as the viewer has loaded all that it draws.

    Returns (height, width, 3) int. Raises queue.Empty or TimeoutError if that takes too long.
    """
    size = tuple(viewer.config_state.state.viewer_size)
    title = os.urandom(8).hex()  # the page's answer has this title once it has this state
    with viewer.txn() as state:
        state.title = title
    replies = queue.SimpleQueue()
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        viewer.async_screenshot(replies.put)
        reply = replies.get(timeout=PATIENCE)
        image = reply.screenshot
        if reply.viewer_state.title == title and (image.width, image.height) == size:
            return np.asarray(Image.open(io.BytesIO(image.image)))[..., :3].astype(int)
    raise TimeoutError("the page has not taken on the state that it was to draw")
