#!/usr/bin/env python3
"""What Neuroglancer fetches to show all of some outputs, and how its pictures differ.

usage: python tests/bench/bench_viewer.py OUTPUT [OUTPUT ...] [--pixels 2.4 4.8 9.6] [--side 400]
       [--labels 40] [--pictures DIR]

The outputs must be of the same volume. Each picture shows labels, all of them or those of the most
bytes but the largest one, seen from a corner of the volume, in a headless browser that has nothing
in its cache. --pixels: voxels of s0 (geometric mean of the sides) that a pixel of the screen
covers. changed: pixels of which a channel differs from the picture of the first output by more than
32, 64 and 96 of 255; other: those that show another label. Both are shares of the pixels that show
a label.
This needs Chromium, its driver, selenium and the package neuroglancer.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "helpers"))

import neuroglancer_page
from neuroglancer_page import Image, chromium, neuroglancer, new_viewer, picture, serving
from snakemesh.verify.reader import read_entries

# Seconds for a picture: a view of everything takes ten thousand requests.
PATIENCE = 900
LIMITS = (32, 64, 96)
# From a corner of the volume, as a quaternion x y z w.
CORNER = [0.36, 0.28, 0.11, 0.88]
# What is not darker shows a label.
BACKGROUND = 20
# How much of the brightest channel another one may change where the label is the same.
HUE = 0.25


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("outputs", type=Path, nargs="+")
    parser.add_argument("--pixels", type=float, nargs="+", default=[2.4, 4.8, 9.6])
    parser.add_argument("--side", type=int, default=400, help="of a picture, in pixels")
    parser.add_argument("--labels", type=int, help="how many labels are shown")
    parser.add_argument("--pictures", type=Path, help="keep the pictures in this folder")
    options = parser.parse_args()
    neuroglancer_page.PATIENCE = PATIENCE
    print(f"{'voxels a pixel':<15}{'output':<24}{'requests':>9}{'kB':>9}  changed")
    for voxels in options.pixels:
        first = None
        for output in options.outputs:
            pixels, requests, size = shown(output, voxels, options.side, options.labels)
            first = pixels if first is None else first
            if options.pictures:
                options.pictures.mkdir(parents=True, exist_ok=True)
                name = options.pictures / f"{output.name}_{voxels}.png"
                Image.fromarray(pixels.astype(np.uint8)).save(name)
            print(
                f"{voxels:<15}{output.name:<24}{requests:>9,}{size / 1e3:>9,.0f}  "
                + changed(first, pixels),
                flush=True,
            )


def shown(output: Path, voxels: float, side: int, count: int | None) -> tuple[np.ndarray, int, int]:
    """A picture of labels, and the requests and bytes of meshes that it took."""
    view = json.loads((output / "snakemesh.json").read_text())["view"]
    nm_per_pixel = voxels * view["lod_scale_multiplier"]
    entries = read_entries(output / "multires")
    labels = sorted(entries, key=lambda label: -int(entries[label].manifest.sizes[0].sum()))
    labels = labels if count is None else labels[1 : 1 + count]
    table = [entry.manifest for entry in entries.values()]
    lower = np.min([m.origin_nm + m.cells[0].min(axis=0) * m.cell_nm for m in table], axis=0)
    upper = np.max([m.origin_nm + (m.cells[0].max(axis=0) + 1) * m.cell_nm for m in table], axis=0)
    viewer = new_viewer(side)
    with serving({"": output}) as server, tempfile.TemporaryDirectory() as profile:
        with viewer.txn() as state:
            url = f"precomputed://http://127.0.0.1:{server.server_port}/multires"
            state.layers["meshes"] = neuroglancer.SegmentationLayer(source=url, segments=labels)
            state.position = ((lower + upper) / 2).tolist()
            state.layout = neuroglancer.DataPanelLayout("3d", orthographic_projection=True)
            state.projection_orientation = CORNER
            state.projection_scale = nm_per_pixel * side
        with chromium(Path(profile)) as browser:
            browser.get(viewer.get_viewer_url())
            pixels = picture(viewer)
        spans = {(r.path, r.span) for r in server.asked if r.path.endswith(".shard") and r.span}
    return pixels, len(spans), sum(length(span) for _, span in spans)


def length(span: str) -> int:
    """The bytes that a header `Range: bytes=first-last` asks for."""
    first, last = span.removeprefix("bytes=").split("-")
    return int(last) - int(first) + 1


def changed(first: np.ndarray, second: np.ndarray) -> str:
    """The shares of the pixels that differ."""
    either = np.maximum(first, second).max(axis=-1) > BACKGROUND
    differences = np.abs(first - second).max(axis=-1)[either]
    shares = [f"{(differences > limit).mean():.2%}" for limit in LIMITS]
    hue, other_hue = (
        p[either] / np.maximum(p[either].max(axis=-1, keepdims=True), 1) for p in (first, second)
    )
    other = (np.abs(hue - other_hue).max(axis=-1) > HUE).mean()
    return f"{' '.join(shares)}, other {other:.2%}"


if __name__ == "__main__":
    main()
