#!/usr/bin/env python3
"""How near meshes come to surfaces that are known, next to the classic pipeline.

usage: python tests/bench/bench_quality.py [--bodies NAME ...] [--anisotropy 1 5] [--lods 4]
       [--cell-size 64] [--json FILE] [--tissue [VOLUME]] [key=value ...]

Bodies whose surface is a formula are put into voxels and meshed as the workflow does, with its
defaults but for the key `cell_size` and the keys that are given. Every LOD is compared with the
formula. A second figure, after a stroke, is that of marching cubes, Taubin's filter and quadric
simplification of the same level's voxels, with the same number of faces. To compare two versions,
run the script of each with --json.

distance: from points spread evenly over the mesh to the true surface, in voxels of s0 (geometric
mean of their axes); and from points of the true surface to the mesh, so that what is missing
counts. normals: angle at these points between the true normal and the one that the
viewer draws, interpolated between vertices. volume: by that of the formula. pieces: that hang
together after vertices at equal positions are joined; of the classic mesh before it is simplified,
which deletes small ones; of voxels, by faces or edges. watertight: labels
that are so by trimesh, joined as well. The last lines compare vertices on the faces between cells
with all others.

With --tissue, a real segmentation is meshed instead, an OME-Zarr group with s0, or the example
volume. measure_output.py says what is printed.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "helpers"))

from classic_pipeline import HOW_TO_INSTALL, classic_mesh, is_installed
from formats import Placed, write_zarr
from in_process import build_pyramid, level_labels, mesh, planned
from known_bodies import BODIES, Body, Volume, volume_of
from snakemesh.plan.plan import Plan
from snakemesh.verify.checks import to_nm, welded
from snakemesh.verify.reader import STEPS, Mesh, read_meshes
from surface_figures import Seen, Surface, figures, pieces, seam_figures, voxel_pieces
from tissue import show_tissue

ROWS = {
    "distance_rms": ("distance, rms", "{:.3f}"),
    "distance_95": ("distance, 95 %", "{:.3f}"),
    "missing_rms": ("  from the true surface, rms", "{:.3f}"),
    "normals": ("normals, mean °", "{:.1f}"),
    "volume": ("volume / true", "{:.3f}"),
    "voxel_volume": ("  of the level's voxels", "{:.3f}"),
    "faces": ("faces", "{:,}"),
    "pieces": ("pieces", "{}"),
    "voxel_pieces": ("  of the level's voxels", "{}"),
    "watertight": ("watertight labels", "{}"),
    "seam_vertices": ("vertices on cell faces", "{:.0%}"),
    "seam_density": ("  their density / elsewhere", "{:.1f}"),
    "seam_normals": ("  their normals, mean °", "{:.1f}"),
    "other_normals": ("  normals elsewhere, mean °", "{:.1f}"),
}


@dataclass(frozen=True)
class Run:
    """A meshed body: its plan, its labels' meshes, and how it lies in its volume."""

    body: Body
    volume: Volume
    plan: Plan
    meshes: dict[int, Mesh]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bodies", nargs="+", choices=BODIES, default=list(BODIES))
    parser.add_argument("--anisotropy", nargs="+", type=float, default=[1, 5])
    parser.add_argument(
        "--tissue", type=Path, nargs="?", const=Path(), help="a volume; the example without a value"
    )
    parser.add_argument("--lods", type=int, default=4)
    parser.add_argument("--cell-size", type=int, default=64)
    parser.add_argument("--json", type=Path, help="write all figures to this file too")
    parser.add_argument("config", nargs="*", help="further configuration, key=value")
    arguments = parser.parse_args()
    config = {"num_lods": arguments.lods, "cell_size": arguments.cell_size}
    for entry in arguments.config:
        key, _, value = entry.partition("=")
        config[key] = json.loads(value)
    with_classic = is_installed()
    if not with_classic:
        print(HOW_TO_INSTALL)
    if arguments.tissue is not None:
        show_tissue(arguments.tissue if arguments.tissue.name else None, config)
        return
    results = {}
    for name in arguments.bodies:
        for anisotropy in arguments.anisotropy:
            columns = measured(name, anisotropy, config, with_classic)
            title = f"{name}, voxels 1:1:{anisotropy:g}"
            show(title, columns)
            results[title] = columns
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


def measured(name: str, anisotropy: float, config: dict, with_classic: bool) -> list[dict]:
    """The figures of a body, one dictionary per LOD: of ours, and of the classic pipeline."""
    with tempfile.TemporaryDirectory() as folder:
        run = meshed(BODIES[name](), anisotropy, Path(folder), config)
        columns = []
        for lod in range(run.plan.num_lods):
            seen = {label: found for label in run.meshes if (found := ours(run, label, lod))}
            found = list(seen.values())
            column = {"ours": figures(found) | voxel_figures(run, lod) | seam_figures(found)}
            if with_classic:
                column["classic"] = figures(classic(run, lod, seen))
            columns.append(column)
    return columns


def meshed(body: Body, anisotropy: float, folder: Path, config: dict) -> Run:
    """Put a body into voxels and mesh it as the workflow does."""
    volume = volume_of(body, anisotropy)
    placed = Placed(volume.labels, volume.voxel_nm, (0, 0, 0), (64, 64, 64))
    source = write_zarr(folder / "source.zarr", [placed])
    paths = {"input_path": source, "output_directory": str(folder / "output")}
    plan = planned(paths | config)
    build_pyramid(plan)
    return Run(body, volume, plan, {m.label: m for m in read_meshes(mesh(plan))})


def ours(run: Run, label: int, lod: int) -> Seen | None:
    """What the viewer gets of a label at an LOD; None if the label does not have the LOD."""
    found = run.meshes[label]
    if lod >= found.num_lods:
        return None
    cell_nm = found.manifest.cell_nm * 2**lod
    corner = found.manifest.origin_nm + found.manifest.vertex_offsets[lod]
    surfaces = [
        Surface(
            in_units(run, corner + cell_nm * (f.cell + f.positions / STEPS)),
            f.faces,
            ((f.positions == 0) | (f.positions == STEPS)),
        )
        for f in found.fragments[lod]
    ]
    vertices, faces = welded(found, lod)
    joined = in_units(run, to_nm(found, lod, vertices))
    return seen_as(run, label, surfaces, Surface(joined, faces, vertices % STEPS == 0), cell_nm)


def classic(run: Run, lod: int, seen: dict[int, Seen]) -> list[Seen]:
    """The labels that have this LOD in ours, by the classic pipeline and with as many faces."""
    labels = level_labels(run.plan, lod)
    level = run.plan.levels[lod]
    voxel_nm = np.array(level.voxel_size[::-1])
    corner = np.array(level.translation[::-1]) - voxel_nm / 2
    found = []
    for label, mine in seen.items():
        n_faces = len(mine.joined.faces)
        points, faces, dense = classic_mesh(labels == label, voxel_nm, corner, n_faces)
        whole = Surface(in_units(run, points), faces, np.zeros(points.shape, bool))
        found.append(replace(seen_as(run, label, [whole], whole, mine.cell), pieces=pieces(dense)))
    return found


def voxel_figures(run: Run, lod: int) -> dict:
    """Volume of a level's voxels by the true one, and pieces of voxels that have faces in common.

    No mesh can be expected to do better than the voxels that it is made from.
    """
    labels = level_labels(run.plan, lod)
    voxel = np.prod(run.plan.levels[lod].voxel_size) / run.volume.unit_nm**3
    return {
        "voxel_volume": float(np.count_nonzero(labels) * voxel / sum(run.body.volumes)),
        "voxel_pieces": voxel_pieces(labels),
    }


def seen_as(run: Run, label: int, parts: list[Surface], joined: Surface, cell: np.ndarray) -> Seen:
    distance, volume = run.body.distances[label - 1], run.body.volumes[label - 1]
    return Seen(parts, joined, cell, distance, volume, run.body.half)


def in_units(run: Run, points_nm: np.ndarray) -> np.ndarray:
    """Positions (n, 3), given in nm, in units from the middle of the body."""
    return (points_nm - run.volume.middle_nm) / run.volume.unit_nm


def show(title: str, columns: list[dict]) -> None:
    """Print the table of a body."""
    print(f"\n{title:<28}" + "".join(f"{f'LOD {lod}':>20}" for lod in range(len(columns))))
    for key, (name, form) in ROWS.items():
        cells = []
        for column in columns:
            values = (which[key] for which in column.values() if key in which)
            cells.append(" / ".join("-" if v is None else form.format(v) for v in values))
        print(f"{name:<28}" + "".join(f"{cell:>20}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
