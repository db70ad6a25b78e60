#!/usr/bin/env python3
"""Draw axons at every LOD: of finished outputs, and next to marching cubes.

usage: python docs/draw_axons.py S0 --output NAME=FOLDER [...] [--name axons] [--labels LABEL ...]

This makes docs/pictures/axons.png, or another picture there with --name.

Each row of the picture shows the same axons at LOD 0 to 3:

- marching cubes (zmesh) in the voxels of the level, which a vote makes;
- marching cubes in s0, simplified (pyfqmr) to as many faces as the last output has at the LOD:
  this is how igneous makes LODs;
- the outputs, in the order that they are given. The first one says which labels are axons.

A label without an LOD is drawn at its coarsest one, as the viewer does. S0 is the zarr array that
the outputs were made from. Nothing here needs a browser. It needs: pip install zmesh pyfqmr.
"""

import argparse
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import zarr
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/bench"))

from check_output import read_placement
from classic_pipeline import marching_cubes, simplified
from snakemesh.drawing.views import sides
from snakemesh.pyramid.downsample import downsample
from snakemesh.report.meshes import show
from snakemesh.report.style import new_figure
from snakemesh.verify.checks import edges_of, to_nm, welded
from snakemesh.verify.pieces import piece_volumes
from snakemesh.verify.reader import read_entries, read_mesh

PICTURES = Path(__file__).resolve().parent / "pictures"
LODS = 4
COLOURS_OF_A_FILE = 96
COLOURS = ((232, 176, 74), (90, 169, 230), (228, 104, 124), (108, 192, 139), (181, 139, 224))
# An axon has at least so many voxels.
LEAST_VOXELS = 40_000

Mesh = tuple[np.ndarray, np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("s0", type=Path)
    parser.add_argument("--name", default="axons", help="of the picture")
    parser.add_argument("--output", nargs="+", required=True, help="NAME=FOLDER, oldest first")
    parser.add_argument("--labels", nargs="+", type=int)
    options = parser.parse_args()
    outputs = dict(entry.rsplit("=", 1) for entry in options.output)
    labels = options.labels or slender(Path(next(iter(outputs.values()))), len(COLOURS))
    rows = {name: of_output(Path(folder), labels) for name, folder in outputs.items()}
    voxels = zarr.open_array(options.s0, mode="r")[:]
    placement = read_placement(options.s0)
    counts = [[len(faces) for _, faces in meshes] for meshes in rows[list(outputs)[-1]]]
    classic = {
        "marching cubes of the level": of_levels(voxels, placement, labels),
        "marching cubes of s0, simplified": list(of_s0(voxels, placement, labels, counts)),
    }
    write(PICTURES / f"{options.name}.png", classic | rows)


def slender(output: Path, most: int) -> list[int]:
    """The labels that are long for their volume and whose meshes are in one piece at LOD 0."""
    table = pq.read_table(output / "multires/segments.parquet")
    extent = [table[f"{axis}_max"].to_numpy() - table[f"{axis}_min"].to_numpy() for axis in "xyz"]
    voxels = table["voxels"].to_numpy().astype(float)
    length = np.linalg.norm(extent, axis=0)
    rank = np.where(voxels < LEAST_VOXELS, 0, length**3 / voxels)
    entries, found = read_entries(output / "multires"), []
    for label in table["label"].to_numpy()[np.argsort(-rank)].tolist():
        vertices, faces = welded(read_mesh(entries[label]), 0)
        if len(piece_volumes(vertices.astype(float), faces, edges_of(faces))) == 1:
            found.append(label)
        if len(found) == most:
            break
    return found


def of_output(output: Path, labels: Sequence[int]) -> list[list[Mesh]]:
    """The meshes of an output by LOD and label, in nm."""
    entries = read_entries(output / "multires")
    meshes = [read_mesh(entries[label]) for label in labels]
    found = []
    for lod in range(LODS):
        row = []
        for mesh in meshes:
            shown = min(lod, mesh.num_lods - 1)
            vertices, faces = welded(mesh, shown)
            row.append((to_nm(mesh, shown, vertices), faces))
        found.append(row)
    return found


def of_levels(
    voxels: np.ndarray, placement: tuple[np.ndarray, np.ndarray], labels: Sequence[int]
) -> list[list[Mesh]]:
    """Marching cubes in the voxels of each level, by level and label."""
    levels = [voxels, *downsample(voxels, [(2, 2, 2)] * (LODS - 1), "mode")]
    return [
        [surface(level == label, placement, 2**k) for label in labels]
        for k, level in enumerate(levels)
    ]


def of_s0(
    voxels: np.ndarray,
    placement: tuple[np.ndarray, np.ndarray],
    labels: Sequence[int],
    counts: Sequence[Sequence[int]],
) -> Iterator[list[Mesh]]:
    """Marching cubes in s0, simplified to `counts` faces, by LOD and label."""
    whole = [surface(voxels == label, placement, 1) for label in labels]
    for row in counts:
        few = []
        for (vertices, faces), n in zip(whole, row, strict=True):
            # its limits of errors are numbers without a unit, and too small for nm
            points, kept = simplified(vertices / placement[0].max(), faces, n)
            few.append((points * placement[0].max(), kept))
        yield few


def surface(inside: np.ndarray, placement: tuple[np.ndarray, np.ndarray], factor: int) -> Mesh:
    """Marching cubes in an array z y x, in nm. placement: of s0, by `read_placement`."""
    voxel_nm, centre_nm = placement
    if not inside.any():
        return np.empty((0, 3)), np.empty((0, 3), int)
    vertices, faces = marching_cubes(inside)
    return centre_nm - voxel_nm / 2 + vertices * voxel_nm * factor, faces


def write(path: Path, rows: dict[str, Sequence[Sequence[Mesh]]]) -> None:
    """Write a picture: a row of plots for each name, a plot for each LOD."""
    axes = sides()[0]
    (*_, last) = rows.values()
    points = np.concatenate([vertices for vertices, _ in last[0]]) @ axes.T
    low, high = points.min(axis=0)[:2], points.max(axis=0)[:2]
    figure, plots = new_figure((2 * LODS, 2.2 * len(rows)), LODS, len(rows))
    shown = [(name, lod, meshes) for name, lods in rows.items() for lod, meshes in enumerate(lods)]
    for plot, (name, lod, meshes) in zip(plots, shown, strict=True):
        colours = zip(meshes, COLOURS, strict=False)
        drawn = [(vertices, faces, c) for (vertices, faces), c in colours if len(faces)]
        show(plot, axes, drawn, low, high)
        faces = sum(len(faces) for _, faces in meshes)
        plot.set_title(f"{name}\nLOD {lod}: {faces:,} faces", fontsize=7)
    content = io.BytesIO()
    figure.savefig(content, format="png")
    sheet = Image.open(content).convert("RGB")
    sheet.quantize(COLOURS_OF_A_FILE, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}  {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
