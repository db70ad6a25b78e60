#!/usr/bin/env python3
"""How soon a browser shows all segments of an output at once, and the centroids of made-up ones.

usage: python tests/bench/bench_overview.py OUTPUT [--labels 1000000] [--latency 0.04] [--runs 3]

Each answer is delayed by the latency, in seconds. A time is from the start of the page, with an
empty cache, to the moment at which the viewer has drawn all that it asked for. Requests are all of
them, and those of the viewer itself. --labels: how many segments are made up, whose centroids lie
anywhere in 1 mm³, and whose volumes follow a power law. CPU seconds are those of the browser, its
start included: on a machine with other work, these say more than the time.
This needs Chromium, its driver, selenium and the package neuroglancer.
"""

import argparse
import asyncio
import base64
import io
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "helpers"))

from neuroglancer_page import Image, Serving, chromium, serving
from snakemesh.overview.annotations import write_annotations
from snakemesh.overview.points import read_points
from snakemesh.segment_colours import segment_colours
from snakemesh.tables.measures import SUMMARY
from snakemesh.tables.properties import NO_PROPERTIES
from snakemesh.tables.segments import ROWS_OF_A_GROUP, write_segments
from snakemesh.view import server
from snakemesh.view.overview_layers import centroid_layer, overview_layer
from snakemesh.view.site import client_folder

SIDE_NM = 1e6
# From a corner of the volume, as a quaternion x y z w.
CORNER = [0.36, 0.28, 0.11, 0.88]
THERE = "return typeof viewer !== 'undefined'"
READY = "return viewer.isReady() && viewer.layerManager.managedLayers.every(l => l.isReady())"
SHOW = "viewer.state.restoreState(arguments[0])"
DRAW = "viewer.display.draw(); return viewer.display.canvas.toDataURL().split(',')[1]"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path)
    parser.add_argument("--labels", type=int, default=1_000_000)
    parser.add_argument("--latency", type=float, default=0.04)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    delay_answers(options.latency)
    table = pq.read_table(options.output / "multires" / "segments.parquet").to_pydict()
    lower = np.array([min(table[f"{axis}_min"]) for axis in "xyz"])
    upper = np.array([max(table[f"{axis}_max"]) for axis in "xyz"])
    for _ in range(options.runs):
        overview = partial(overview_layer, opacity=1.0, is_plain=False)
        show("overview", options.output, overview, (lower, upper))
        show("centroids", options.output, centroid_layer, (lower, upper))
    with tempfile.TemporaryDirectory() as name:
        make_up(Path(name), options.labels)
        ends = np.zeros(3), np.full(3, SIDE_NM)
        for _ in range(options.runs):
            show("made-up centroids", Path(name), centroid_layer, ends)


def delay_answers(seconds: float) -> None:
    """Let the server of the project answer each request later; several at once are not slower."""
    prepare = server.Handler.prepare

    async def late(handler: server.Handler) -> None:
        await asyncio.sleep(seconds)
        prepare(handler)

    server.Handler.prepare = late


def make_up(folder: Path, count: int) -> None:
    """Write the centroids of made-up segments, as a run does."""
    rng = np.random.default_rng(0)
    rows = np.zeros(count, SUMMARY)
    rows["label"] = np.sort(rng.choice(1 << 31, count, replace=False)) + 1
    rows["volume"] = (rng.pareto(1, count) + 1) * 1e6
    rows["centroid"] = rng.uniform(0, SIDE_NM, (count, 3))
    rows["lower"] = rows["centroid"] - 50
    rows["upper"] = rows["centroid"] + 50
    path = folder / "multires" / "segments.parquet"
    write_segments(path, np.array_split(rows, -(-count // ROWS_OF_A_GROUP)), NO_PROPERTIES)
    points = read_points(path, NO_PROPERTIES, (0, 0, 0), segment_colours, count)
    write_annotations(path.with_name("centroids"), points)


def show(name: str, folder: Path, layer: Any, ends: tuple[np.ndarray, np.ndarray]) -> None:
    """Print how long a new browser takes to draw a layer of a folder, and what it asks for."""
    found = {"data": folder, "v": client_folder()}
    with serving(found) as site, tempfile.TemporaryDirectory() as profile:
        url = f"http://127.0.0.1:{site.server_port}"
        with chromium(Path(profile)) as browser:
            begin = time.perf_counter()
            browser.get(f"{url}/v/index.html")
            wait(browser, THERE)
            state = {
                "dimensions": {axis: [1e-9, "m"] for axis in "xyz"},
                "position": ((ends[0] + ends[1]) / 2).tolist(),
                "projectionScale": 2 * float((ends[1] - ends[0]).max()),
                "projectionOrientation": CORNER,
                "layers": [layer(f"{url}/data", (0, 0, 0))],
                "layout": "3d",
            }
            browser.execute_script(SHOW, state)
            wait(browser, READY)
            picture = browser.execute_script(DRAW)
            seconds = time.perf_counter() - begin
            driver = psutil.Process(browser.service.process.pid)
            times = [process.cpu_times() for process in driver.children(recursive=True)]
    cpu = sum(t.user + t.system for t in times)
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))))[..., :3]
    share = (pixels.max(axis=-1) > 40).mean()
    print(
        f"{name:<18} {seconds:5.1f} s, {cpu:.1f} CPU s, {asked(site)}, {share:.0%} of the picture",
        flush=True,
    )


def wait(browser: Any, script: str) -> None:
    """Wait until a script in the page returns true."""
    while not browser.execute_script(script):
        time.sleep(0.02)


def asked(site: Serving) -> str:
    """The numbers of requests."""
    of_data = [r for r in site.asked if r.path.startswith("/data/")]
    return f"{len(site.asked)} requests, {len(site.asked) - len(of_data)} of them of the viewer"


if __name__ == "__main__":
    main()
