#!/usr/bin/env python3
"""Make the pictures of the documents: the viewer draws them in a browser without a screen.

usage: python docs/make_pictures.py [--tissue VOLUME] [--only NAME ...] [--work DIR]

The workflow meshes the example, the stand-ins of tests/bench/stand_ins.py and, if it is given, a
volume of real tissue. The one in docs/pictures is a cutout of pinky40 of 256 voxels along each
side. Without --tissue, its pictures stay as they are. Volumes and meshes are kept in DIR
(results/pictures by default). This needs what the tests need, and Chromium with its driver.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image, ImageDraw, ImageFont

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/helpers"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/bench"))

from neuroglancer_page import chromium, drawn, evaluated, panel, serving
from snakemesh.verify.reader import Entry, read_entries, read_mesh
from snakemesh.view.output import read_output
from snakemesh.view.segments import Selection, from_table
from snakemesh.view.site import Site, client_folder, page_link, site_state
from stand_ins import STAND_INS, write_stand_in

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs/pictures"
PANEL_SIDE = 760  # pixels of the browser's panel, about
ROOM = 1.6  # what is near looks larger
GAP = 8
COLOURS_OF_A_FILE = 224
COLOURS = (
    *("#e8b04a", "#5aa9e6", "#e4687c", "#6cc08b", "#b58be0"),
    *("#f28f5b", "#52c7c0", "#d9d36a", "#f29fc4", "#8fa3f0"),
)
DARK = "#3b4252"
# Rotations of the camera, x y z w
ABOVE = [0.62, 0.2, 0.25, 0.7]
FRONT = [0.29, 0.33, 0.06, 0.9]
SLENDER_VOXELS = 1500  # a neurite has at least so many
PLAIN = {
    "showAxisLines": False,
    "showScaleBar": False,
    "showDefaultAnnotations": False,
    "showSlices": False,
    "selectedLayer": {"visible": False},
    "crossSectionBackgroundColor": "#000000",
    "projectionBackgroundColor": "#000000",
}


class Segments:
    """The table of all segments of an output. Positions are in nm.

    label: (n,) int. extent: (n, 3), x y z. lower, upper: (3,), of all of them.
    """

    def __init__(self, output: Path) -> None:
        table = pq.read_table(output / "multires/segments.parquet")
        self.label = table["label"].to_numpy()
        self.voxels = table["voxels"].to_numpy()
        lower = np.stack([table[f"{axis}_min"].to_numpy() for axis in "xyz"], -1)
        upper = np.stack([table[f"{axis}_max"].to_numpy() for axis in "xyz"], -1)
        self.lower, self.upper, self.extent = lower.min(0), upper.max(0), upper - lower

    def slender(self, most: int) -> list[int]:
        """The longest neurites; what is thick counts less."""
        length = np.linalg.norm(self.extent, axis=1)
        thickness = np.sqrt(self.voxels / length)
        rank = np.where(self.voxels < SLENDER_VOXELS, 0, length / np.maximum(thickness, 1))
        return self.label[np.argsort(-rank)][:most].tolist()

    def largest(self, most: int) -> list[int]:
        """The labels of the most voxels."""
        return self.label[np.argsort(-self.voxels.astype(float))][:most].tolist()


class Scene:
    """The viewer on one output. known: the state that snakemesh view makes."""

    def __init__(self, browser, known: dict[str, Any]) -> None:
        self.known, self._browser = known, browser

    def draw(self, side: int, layer: dict[str, Any], **changes: Any) -> np.ndarray:
        """A tile (side, side, 3) uint8, with changes of the state and of its layer."""
        segments = self.known["layers"][0]["segments"]
        colours = {label: COLOURS[k % len(COLOURS)] for k, label in enumerate(segments)}
        given = {"meshRenderScale": 1, "segmentColors": colours, "tab": "source"}
        layers = [self.known["layers"][0] | given | layer]
        self._browser.execute_script("viewer.state.reset()")
        picture = drawn(self._browser, **(self.known | PLAIN | {"layers": layers} | changes))
        picture = picture[panel(self._browser)].astype(np.uint8)
        height, width = picture.shape[:2]
        edge = min(height, width)
        top, left = (height - edge) // 2, (width - edge) // 2
        square = Image.fromarray(picture[top : top + edge, left : left + edge])
        return np.asarray(square.resize((side, side), Image.Resampling.LANCZOS))

    def meshes(self, side: int, zoom: float, turn: Sequence[float], **layer: Any) -> np.ndarray:
        """A tile of the selected meshes. zoom: with 1, it is ROOM times as high as their box."""
        scale = self.known["projectionScale"] / zoom
        return self.draw(
            side, layer, layout="3d", projectionOrientation=list(turn), projectionScale=scale
        )


def meshed(work: Path, volume: str | Path, **keys: Any) -> Path:
    """The output directory of a run of the workflow, which makes only what is missing."""
    named = [Path(volume).parent.name, Path(volume).stem, *(f"{k}-{v}" for k, v in keys.items())]
    output = work / "_".join(named)
    values = {"input_path": volume, "output_directory": output, "delete_intermediate_scales": False}
    config = [f"{key}={value}" for key, value in (values | keys).items()]
    command = [sys.executable, "-m", "snakemake", "--cores", "all", "--quiet", "all", "--config"]
    subprocess.run([*command, *config], cwd=ROOT, check=True)
    return output


@contextmanager
def scene(output: Path, labels: Sequence[int]) -> Iterator[Scene]:
    """The viewer with these labels selected and in view."""
    found = read_output(output)
    state: dict[str, Any] = {}
    site = Site(found.root, client_folder(), state, "secret")
    chosen = from_table(output / "multires/segments.parquet", Selection(labels))
    with (
        tempfile.TemporaryDirectory() as profile,
        chromium(Path(profile)) as browser,
        serving(site.find) as server,
    ):
        browser.set_window_size(PANEL_SIDE, PANEL_SIDE + 150)
        url = f"http://127.0.0.1:{server.server_port}"
        state |= site_state(found, f"{url}/secret", chosen)
        extent = np.ptp(chosen.boxes_nm, axis=(0, 1)).max()
        state["projectionScale"] = ROOM * extent / min(found.voxel_nm())
        browser.get(page_link(url, "secret"))
        evaluated(browser, "return typeof viewer !== 'undefined' || null")
        drawn(browser)
        yield Scene(browser, state)


def save(name: str, tiles: Sequence[np.ndarray], captions: Sequence[str] = ()) -> None:
    """Write tiles side by side as docs/pictures/<name>.png, with a line of text under each."""
    side = tiles[0].shape[0]
    font = ImageFont.load_default(size=side / 24)
    width = len(tiles) * (side + GAP) - GAP
    sheet = Image.new("RGB", (width, side + (side // 13 if captions else 0)), "white")
    pen = ImageDraw.Draw(sheet)
    for k, tile in enumerate(tiles):
        sheet.paste(Image.fromarray(tile), (k * (side + GAP), 0))
        if captions:
            middle = (k * (side + GAP) + side // 2, side + side // 70)
            pen.text(middle, captions[k], "#202020", font, anchor="ma")
    path = PICTURES / f"{name}.png"
    sheet.quantize(COLOURS_OF_A_FILE, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}  {path.stat().st_size / 1e3:.0f} KB", flush=True)


def section_and_meshes(name: str, output: Path, labels: list[int], zoom: float, turn: list) -> None:
    """A cross-section in the colours of all segments, and the meshes of some."""
    table = Segments(output)
    others = [label for label in table.label.tolist() if label not in set(labels)]
    colours = {str(v): COLOURS[k % len(COLOURS)] for k, v in enumerate([*labels, *others])}
    colours[str(table.largest(1)[0])] = DARK  # glia around all others
    with scene(output, labels) as view:
        voxel_nm = np.array([size for size, _ in view.known["dimensions"].values()]) * 1e9
        width = (table.upper - table.lower)[:2].min() / voxel_nm.min()
        section = view.draw(
            640,
            {"selectedAlpha": 1, "notSelectedAlpha": 1, "segmentColors": colours},
            layout="xy",
            crossSectionScale=0.98 * width / (PANEL_SIDE - 44),
            position=((table.upper + table.lower) / 2 / voxel_nm).tolist(),
        )
        meshes = view.meshes(640, zoom, turn)
    save(name, [section, meshes])


def example(output: Path) -> None:
    """The example: a cell body with its dendrites, and axons."""
    table = Segments(output)
    axons = table.slender(48)[16:]  # the most slender ones are cut along by a face of the volume
    labels = list(dict.fromkeys([*table.largest(1), *axons]))
    section_and_meshes("example", output, labels, 1.1, FRONT)


def tissue_picture(output: Path) -> None:
    """Real tissue: dendrites and axons."""
    table = Segments(output)
    labels = list(dict.fromkeys([*table.largest(8)[3:], *table.slender(16)]))
    section_and_meshes("tissue", output, labels, 1.4, FRONT)


def figures(entry: Entry, lod: int) -> str:
    """What is said of a label at an LOD."""
    faces = sum(len(fragment.faces) for fragment in read_mesh(entry).fragments[lod])
    return f"{faces:,} faces, {entry.manifest.sizes[lod].sum() / 1e3:,.1f} kB"


def pixels_of(lod: int, entry: Entry, output: Path, view: Scene, zoom: float) -> float:
    """The render scale, in pixels, with which the viewer takes this LOD of a label."""
    info = json.loads((output / "multires/info").read_text())
    voxel_nm = min(size for size, _ in view.known["dimensions"].values()) * 1e9
    pixel_nm = view.known["projectionScale"] / zoom * voxel_nm / PANEL_SIDE
    scales = [*entry.manifest.scales, 2 * entry.manifest.scales[-1]]
    between = np.sqrt(scales[lod] * scales[lod + 1])
    return float(info["lod_scale_multiplier"] * between / pixel_nm)


def dendrite(output: Path) -> int:
    """The label of a dendrite with spines in the cutout of pinky40."""
    return Segments(output).largest(6)[5]


def lods(output: Path, zoom: float) -> None:
    """One neurite at each LOD."""
    label = dendrite(output)
    entry = read_entries(output / "multires")[label]
    with scene(output, [label]) as view:
        tiles = [
            view.meshes(460, zoom, ABOVE, meshRenderScale=pixels_of(lod, entry, output, view, zoom))
            for lod in range(len(entry.manifest.cells))
        ]
    save("lods", tiles, [f"LOD {lod}: {figures(entry, lod)}" for lod in range(len(tiles))])


def reductions(work: Path, volume: Path, values: Sequence[float], zoom: float) -> None:
    """A part of one neurite with different values of target_reduction."""
    tiles, captions = [], []
    for value in values:
        output = meshed(work, volume, cell_size=256, num_lods=1, target_reduction=value)
        label = dendrite(output)
        with scene(output, [label]) as view:
            tiles.append(view.meshes(460, zoom, ABOVE))
        entry = read_entries(output / "multires")[label]
        captions.append(f"target_reduction {value}: {figures(entry, 0)}")
    save("reduction", tiles, captions)


def kinds(work: Path) -> None:
    """The stand-ins for other kinds of data."""
    zooms = {"organelles": 0.95, "nuclei": 1.2, "atlas": 1.4}
    tiles = []
    for kind in STAND_INS:
        output = meshed(work, write_stand_in(kind, work), cell_size=128, num_lods=3)
        with scene(output, Segments(output).largest(400)) as view:
            tiles.append(view.meshes(460, zooms[kind], FRONT))
    save("kinds", tiles, list(STAND_INS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tissue", type=Path, help="a volume of real tissue")
    parser.add_argument("--work", type=Path, default=ROOT / "results/pictures")
    parser.add_argument("--only", nargs="+", help="the names of the pictures to make")
    options = parser.parse_args()
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    makers: dict[str, Callable[[], None]] = {
        "example": lambda: example(meshed(work, "example/segmentation.zarr")),
        "kinds": lambda: kinds(work),
    }
    if options.tissue is not None:
        tissue = options.tissue.resolve()
        fine = partial(meshed, work, tissue, cell_size=64, num_lods=4)
        makers |= {
            "tissue": lambda: tissue_picture(fine()),
            "lods": lambda: lods(fine(), 1.55),
            "reduction": lambda: reductions(work, tissue, (0.5, 0.933, 0.99), 2.6),
        }
    for name in options.only or makers:
        makers[name]()


if __name__ == "__main__":
    main()
