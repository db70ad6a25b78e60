"""Real tissue in bench_quality.py: broken labels and distances, next to marching cubes."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import zarr

from classic_pipeline import is_installed, marching_cubes_of_all
from in_process import build_pyramid, mesh, planned
from measure_output import Lod, add_pieces, measured, read_truth, show
from snakemesh.example.volume import write_example
from snakemesh.plan.plan import Plan
from snakemesh.pyramid.downsample import downsample
from snakemesh.verify.checks import edges_of
from snakemesh.verify.pieces import piece_volumes
from snakemesh.verify.reader import read_entries

SAMPLE = 60


def show_tissue(volume: Path | None, config: dict) -> None:
    """Mesh a volume as the workflow does, and print how whole and how near its meshes are.

    volume: an OME-Zarr group in nm with an array s0; None for the example volume.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if volume is None:
            volume = folder / "example.zarr"
            write_example(str(volume))
        paths = {"input_path": str(volume.resolve()), "output_directory": str(folder / "output")}
        plan = planned(paths | config)
        build_pyramid(plan)
        mesh(plan)
        truth = read_truth(volume / "s0", SAMPLE if is_installed() else 0)
        print(f"\n{len(truth.voxels):,} labels, {len(truth.whole):,} of them whole")
        show(f"{volume.name}, ours", measured(folder / "output", truth, True))
        if is_installed():
            entries = read_entries(folder / "output" / "multires")
            lods = {label: len(entry.manifest.cells) for label, entry in entries.items()}
            sums = classic(plan, zarr.open_array(volume / "s0", mode="r")[:], truth.whole, lods)
            show(f"{volume.name}, marching cubes of the level", list(sums))


def classic(
    plan: Plan, voxels: np.ndarray, whole: frozenset[int], lods: dict[int, int]
) -> Iterator[Lod]:
    """Marching cubes in each level, not simplified: the labels that have the LOD in ours.

    voxels: of s0, z y x. whole: the labels in one piece. lods: how many each label has in ours.
    """
    factors = [level.factor for level in plan.levels[: plan.num_lods]]
    steps = [
        tuple(b // a for a, b in zip(*pair, strict=True))
        for pair in zip(factors, factors[1:], strict=False)
    ]
    levels = [voxels, *downsample(voxels, steps, "mode")]
    for lod, level in enumerate(levels):
        sums = Lod()
        shown = {label for label, n in lods.items() if n > lod}
        for label, points, faces in marching_cubes_of_all(level):
            if label in shown:
                sums.labels += 1
                sums.faces += len(faces)
                if label in whole:
                    add_pieces(piece_volumes(points, faces, edges_of(faces)), sums)
        yield sums
