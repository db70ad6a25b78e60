#!/usr/bin/env python3
"""Cracks between cells of different LODs, as Neuroglancer draws them.

usage: python tests/bench/bench_cracks.py OUTPUT [OUTPUT ...] [--label LABEL] [--side 800]
       [--scales errors voxels arriving] [--pictures DIR]

Draws one label in perspective in a headless browser, at zooms at which the viewer mixes two LODs
and from several sides. The body is coloured by LOD, and faces that are seen from inside the body
are marked. A pixel is a crack if the picture shows the inside of the body or the background there,
while each of the LODs alone shows the outside.

--label: the one of the most bytes, unless given. --scales: which scales the viewer is given:
errors: those of the output. voxels: the voxel size of each LOD. arriving: LOD 0 should be shown
everywhere, and half of its cells have not arrived yet.

For each scale and LOD, the sum over all pictures: cracks: such pixels. borders: pixels beside a
pixel of another LOD, which one LOD in front of another makes too. widest: the side of the largest
square of crack pixels. alone: pixels of single LODs that show the inside, which is what faces that
cross each other take.
This needs Chromium, its driver, selenium and the package neuroglancer.
"""

import argparse
import itertools
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "helpers"))

import neuroglancer_page
from bench_viewer import CORNER, PATIENCE
from neuroglancer_page import Image, chromium, neuroglancer, new_viewer, picture, serving
from snakemesh.verify.reader import Entry, Manifest, read_data, read_entries, read_info

# Views as quaternions x y z w: from corners, and nearly along the axes.
SIDES = (CORNER, [0.03, 0.05, 0.02, 0.99], [0.68, 0.08, 0.05, 0.73], [-0.3, 0.6, -0.2, 0.71])
# Pixels of the middle of the view, by the ones at which an LOD appears. It appears later than that,
# because the nearest corner of a cell decides.
ZOOMS = (1.0, 1.4, 2.0)
# Scales that no picture reaches.
NEVER, ALWAYS = 2.0**100, 2.0**-60
# Members of `info` that say where the other labels are.
NOT_OF_A_LABEL = ("sharding", "segment_properties")
Draw = Callable[[str, list[float], float], np.ndarray]
# Colours: red where the inside is seen, green says the LOD, blue where there is a body.
RED, GREEN, BLUE = 255, 20, 128
HOOK = f"""
const before = WebGL2RenderingContext.prototype.shaderSource;
WebGL2RenderingContext.prototype.shaderSource = function (shader, text) {{
  const color = `vec4(gl_FrontFacing ? 0.0 : {RED}.0,
    (round(log2(uFragmentShape.x / CELL)) + 1.0) * {GREEN}.0, {BLUE}.0, 255.0) / 255.0`;
  before.call(this, shader, text.replace('emit(vColor,', `emit(${{color}},`));
}};
"""


@dataclass(frozen=True)
class Picture:
    """What each pixel shows, (height, width).

    lods: the LOD, -1 where there is no body. is_outside: whether it shows the outside of the body.
    """

    lods: np.ndarray
    is_outside: np.ndarray

    @classmethod
    def of(cls, pixels: np.ndarray) -> "Picture":
        """pixels: (height, width, 3), of the colours that HOOK gives."""
        is_body = pixels[..., 2] == BLUE
        if not is_body.any() or pixels[~is_body].any():
            raise ValueError("HOOK does not fit the shader of this version of Neuroglancer")
        lods = np.where(is_body, np.rint(pixels[..., 1] / GREEN).astype(int) - 1, -1)
        return cls(lods, is_body & (pixels[..., 0] < RED // 2))


@dataclass(frozen=True)
class Found:
    """Sums over pictures, but for `widest`."""

    cracks: int = 0
    borders: int = 0
    widest: int = 0
    alone: int = 0
    body: int = 0

    def with_view(self, mixed: Picture, alone: list[Picture]) -> "Found":
        """With another view. alone: the same, drawn with each LOD of the mixed picture alone."""
        is_body = mixed.lods >= 0
        outside = np.logical_and.reduce([p.is_outside for p in alone])
        cracks = outside & ~mixed.is_outside
        return Found(
            self.cracks + int(cracks.sum()),
            self.borders + borders(mixed.lods),
            max(self.widest, widest(cracks)),
            self.alone + sum(int((p.lods >= 0).sum() - p.is_outside.sum()) for p in alone),
            self.body + int(is_body.sum()),
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("outputs", type=Path, nargs="+")
    parser.add_argument("--label", type=int)
    parser.add_argument("--side", type=int, default=800, help="of a picture, in pixels")
    parser.add_argument("--scales", nargs="+", choices=list(LAYERS), default=list(LAYERS))
    parser.add_argument("--pictures", type=Path, help="keep the pictures in this folder")
    options = parser.parse_args()
    neuroglancer_page.PATIENCE = PATIENCE
    print(f"{'output':<20}{'scales':<9}{'LOD':>4}{'cracks':>8}", end="")
    print(f"{'borders':>9}{'widest':>8}{'alone':>7}{'body':>12}")
    for output in options.outputs:
        entry = entry_of(output, options.label)
        for name in options.scales:
            for lod, found in measured(output, entry, name, options.side, options.pictures):
                print(f"{output.name:<20}{name:<9}{lod:>4}{found.cracks:>8,}", end="")
                print(f"{found.borders:>9,}{found.widest:>8}{found.alone:>7,}{found.body:>12,}")
                sys.stdout.flush()


def entry_of(output: Path, label: int | None) -> Entry:
    """A label of an output; None: the one of the most bytes."""
    entries = read_entries(output / "multires")
    largest = max(entries, key=lambda label: int(entries[label].manifest.sizes[0].sum()))
    return entries[largest if label is None else label]


def measured(
    output: Path, entry: Entry, name: str, side: int, pictures: Path | None
) -> Iterator[tuple[int, Found]]:
    """LODs, and what is found at the zooms at which each one appears. name: of LAYERS."""
    voxel_nm = json.loads((output / "snakemesh.json").read_text())["view"]["lod_scale_multiplier"]
    layer, lods = LAYERS[name](entry.manifest)
    appears = (entry.manifest if name == "arriving" else layer).scales
    n_lods = len(entry.manifest.sizes)
    with tempfile.TemporaryDirectory() as folder:
        write_alone(Path(folder) / "mixed", entry, layer)
        for lod in range(n_lods):
            write_alone(Path(folder) / f"{lod}", entry, only(entry.manifest, lod))
        with views(Path(folder), entry, side) as draw:
            for lod in lods:
                found = Found()
                for zoom, turned in itertools.product(ZOOMS, SIDES):
                    # the viewer compares scales with half a pixel
                    nm_per_pixel = 2 * zoom * appears[lod] * voxel_nm
                    mixed = draw("mixed", turned, nm_per_pixel)
                    if pictures:
                        pictures.mkdir(parents=True, exist_ok=True)
                        title = f"{output.name}_{name}_{lod}_{zoom}_{SIDES.index(turned)}.png"
                        Image.fromarray(mixed.astype(np.uint8)).save(pictures / title)
                    shown = Picture.of(mixed)
                    there = np.unique(shown.lods[shown.lods >= 0])
                    alone = [Picture.of(draw(f"{k}", turned, nm_per_pixel)) for k in there]
                    found = found.with_view(shown, alone)
                yield lod, found


@contextmanager
def views(folder: Path, entry: Entry, side: int) -> Iterator[Draw]:
    """A function that draws a layer, a directory in `folder`, from a side at so many nm a pixel."""
    manifest = entry.manifest
    cells = manifest.cells[0]
    corners = np.array([cells.min(axis=0), cells.max(axis=0) + 1]) * manifest.cell_nm
    centre = (manifest.origin_nm + corners.mean(axis=0)).tolist()
    viewer = new_viewer(side)

    def draw(layer: str, turned: list[float], nm_per_pixel: float) -> np.ndarray:
        url = f"precomputed://http://127.0.0.1:{server.server_port}/{layer}"
        with viewer.txn() as state:
            state.layers["mesh"] = neuroglancer.SegmentationLayer(
                source=url, segments=[entry.label]
            )
            state.layout = neuroglancer.DataPanelLayout("3d", orthographic_projection=False)
            state.position = centre
            state.projection_orientation = turned
            state.projection_scale = nm_per_pixel * side
        return picture(viewer)

    with serving({"": folder}) as server, chromium(folder / "profile") as browser:
        script = HOOK.replace("CELL", f"{manifest.cell_nm[0]:f}")
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
        browser.get(viewer.get_viewer_url())
        yield draw


def by_error(manifest: Manifest) -> tuple[Manifest, range]:
    """As it is."""
    return manifest, range(1, len(manifest.sizes))


def by_voxel(manifest: Manifest) -> tuple[Manifest, range]:
    """With the size of its voxels as the scale of each LOD."""
    scales = 2.0 ** np.arange(len(manifest.sizes))
    return replace(manifest, scales=scales), range(1, len(scales))


def arriving(manifest: Manifest) -> tuple[Manifest, range]:
    """Without every second cell of LOD 0: the viewer draws LOD 1 there."""
    is_there = manifest.cells[0].sum(axis=1) % 2 == 0
    cells, sizes = (
        (values[0][is_there], *values[1:]) for values in (manifest.cells, manifest.sizes)
    )
    scales = only(manifest, 0).scales
    return replace(manifest, cells=cells, sizes=sizes, scales=scales), range(1, 2)


def only(manifest: Manifest, lod: int) -> Manifest:
    """With scales at which the viewer draws one LOD alone."""
    scales = [2.0**k * (NEVER if k > lod else ALWAYS) for k in range(len(manifest.sizes))]
    return replace(manifest, scales=np.array(scales))


# What the option --scales may name.
LAYERS = {"errors": by_error, "voxels": by_voxel, "arriving": arriving}


def write_alone(directory: Path, entry: Entry, manifest: Manifest) -> None:
    """Write a label as an unsharded directory of its own, with another manifest.

    manifest: it may lack cells of the entry's.
    """
    directory.mkdir()
    info = read_info(entry.file.parent)
    kept = {key: value for key, value in info.items() if key not in NOT_OF_A_LABEL}
    (directory / "info").write_text(json.dumps(kept))
    (directory / f"{entry.label}").write_bytes(b"".join(fragments(entry, manifest)))
    numbers = [len(manifest.scales)], [len(cells) for cells in manifest.cells]
    floats = manifest.cell_nm, manifest.origin_nm, manifest.scales, manifest.vertex_offsets
    first, second, third, fourth = (np.ravel(values).astype("<f4").tobytes() for values in floats)
    count, counts = (np.array(values, "<u4").tobytes() for values in numbers)
    nodes = [
        np.vstack([cells.T, sizes]).astype("<u4").tobytes()
        for cells, sizes in zip(manifest.cells, manifest.sizes, strict=True)
    ]
    data = b"".join([first, second, count, third, fourth, counts, *nodes])
    (directory / f"{entry.label}.index").write_bytes(data)


def fragments(entry: Entry, manifest: Manifest) -> Iterator[bytes]:
    """The bytes of the fragments of an entry whose cells a manifest lists."""
    data, at = read_data(entry), 0
    whole = entry.manifest
    for cells, sizes, kept in zip(whole.cells, whole.sizes, manifest.cells, strict=True):
        wanted = set(map(tuple, kept.tolist()))
        for cell, size in zip(cells.tolist(), sizes.tolist(), strict=True):
            if tuple(cell) in wanted:
                yield data[at : at + size]
            at += size


def borders(lods: np.ndarray) -> int:
    """How many pixels have another LOD to the right or below. lods: as in `Picture`."""
    found = np.zeros(lods.shape, bool)
    found[:, :-1] |= (lods[:, :-1] != lods[:, 1:]) & (lods[:, :-1] >= 0) & (lods[:, 1:] >= 0)
    found[:-1] |= (lods[:-1] != lods[1:]) & (lods[:-1] >= 0) & (lods[1:] >= 0)
    return int(found.sum())


def widest(cracks: np.ndarray) -> int:
    """The side of the largest square of pixels that are all set."""
    side = 0
    while cracks.any():
        side += 1
        cracks = cracks[1:, 1:] & cracks[1:, :-1] & cracks[:-1, 1:] & cracks[:-1, :-1]
    return side


if __name__ == "__main__":
    main()
