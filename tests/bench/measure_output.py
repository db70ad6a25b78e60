#!/usr/bin/env python3
"""How whole and how near the meshes of finished outputs are: pieces, distances, bytes by LOD.

usage: python tests/bench/measure_output.py S0 OUTPUT [OUTPUT ...] [--labels 60] [--no-distance]
       [--no-crossing] [--json FILE]

S0 is the zarr array that all the outputs were made from, as a whole and without a table of bodies.
Rows of a table are LODs, with the labels that have the LOD:

whole: labels of which all voxels hang together by faces, edges or corners. broken: those of them
whose mesh is in more than one piece; outside: the share of their volume outside their largest
pieces. pieces of a mesh have an edge in common; surfaces of cavities are no pieces.

distance: root mean square over points spread evenly, in voxels of s0 (geometric mean of their
sides), from the mesh to the true surface, and back from the true surface, so that what is missing
counts. The true surface is that of marching cubes in the voxels of s0, for a sample of whole
labels, which their voxels alone decide. volume: of the meshes of the sample, by that of the voxels:
median, and what 5 % of the labels have less than. This part needs: pip install zmesh.

bytes: served. crossing: faces that run through another face of the same label.
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import zarr
from scipy.ndimage import find_objects

from check_output import read_placement
from classic_pipeline import is_installed, marching_cubes
from crossing_faces import crossing_faces
from snakemesh.verify.checks import edges_of, to_nm, volume_and_centroid, welded
from snakemesh.verify.components import components
from snakemesh.verify.pieces import piece_volumes
from snakemesh.verify.reader import read_entries, read_mesh
from surface_distance import distances, spread

# A label of the sample has at least so many voxels: fewer make no mesh at LOD 3.
LEAST_VOXELS = 8000
# Points on each surface of a label from which distances are measured.
POINTS = 2000


@dataclass(frozen=True)
class Truth:
    """What the voxels say.

    voxels: number of them by label. whole: the labels in one piece. surfaces: of the sample of
    these, vertices and faces, in units of `unit_nm` from the corner of the volume.
    """

    voxels: dict[int, int]
    whole: frozenset[int]
    unit_nm: float
    corner_nm: np.ndarray
    surfaces: dict[int, tuple[np.ndarray, np.ndarray]]


@dataclass
class Lod:
    """Sums over the labels of an LOD. outside, volume: of whole labels, nm3.

    there, back: mean squares of distances, and ratios: of volumes, one per label of the sample.
    """

    labels: int = 0
    faces: int = 0
    bytes: int = 0
    crossing: int = 0
    whole: int = 0
    broken: int = 0
    volume: float = 0
    outside: float = 0
    sample_faces: int = 0
    there: list[float] = field(default_factory=list)
    back: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("s0", type=Path)
    parser.add_argument("outputs", type=Path, nargs="+")
    parser.add_argument("--labels", type=int, default=60, help="size of the sample")
    parser.add_argument("--no-distance", action="store_true")
    parser.add_argument("--no-crossing", action="store_true")
    parser.add_argument("--json", type=Path, help="write all figures to this file too")
    options = parser.parse_args()
    with_distance = not options.no_distance and is_installed()
    if not with_distance:
        print("without distances", "" if options.no_distance else ": no zmesh", file=sys.stderr)
    truth = read_truth(options.s0, options.labels if with_distance else 0)
    print(f"{len(truth.voxels):,} labels, {len(truth.whole):,} of them whole")
    results = {}
    for output in options.outputs:
        lods = measured(output, truth, not options.no_crossing)
        show(str(output), lods)
        results[str(output)] = [asdict(lod) for lod in lods]
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


def read_truth(path: Path, sample: int) -> Truth:
    """The voxels of a volume, all of which are in memory."""
    labels = zarr.open_array(path, mode="r")[:]
    voxel_nm, centre_nm = read_placement(path)
    names, counts = np.unique(labels, return_counts=True)
    voxels = dict(zip(names.tolist(), counts.tolist(), strict=True))
    voxels.pop(0, None)
    _, owners = components(labels, 3)
    names, pieces = np.unique(owners[1:], return_counts=True)
    whole = frozenset(names[pieces == 1].tolist())
    unit_nm = float(np.prod(voxel_nm) ** (1 / 3))
    surfaces = {}
    if sample:
        ranked = sorted((voxels[v], v) for v in whole if voxels[v] >= LEAST_VOXELS)
        n = min(sample, len(ranked))
        chosen = [ranked[(2 * i + 1) * len(ranked) // (2 * n)][1] for i in range(n)]
        boxes = dict(enumerate(find_objects(labels), 1))
        for label in chosen:
            vertices, faces = marching_cubes(labels[boxes[label]] == label)
            corner = [side.start for side in boxes[label][::-1]]
            surfaces[label] = ((vertices + corner) * voxel_nm / unit_nm, faces)
    return Truth(voxels, whole, unit_nm, centre_nm - voxel_nm / 2, surfaces)


def measured(output: Path, truth: Truth, with_crossing: bool) -> list[Lod]:
    """The figures of an output, by LOD."""
    lods: list[Lod] = []
    for label, entry in read_entries(output / "multires").items():
        mesh = read_mesh(entry)
        lods += [Lod() for _ in range(mesh.num_lods - len(lods))]
        for lod in range(mesh.num_lods):
            vertices, faces = welded(mesh, lod)
            sums = lods[lod]
            sums.labels += 1
            sums.faces += len(faces)
            sums.bytes += int(mesh.manifest.sizes[lod].sum())
            if with_crossing:
                sums.crossing += int(crossing_faces(vertices, faces).sum())
            points = (to_nm(mesh, lod, vertices) - truth.corner_nm) / truth.unit_nm
            if label in truth.whole:
                add_pieces(piece_volumes(points, faces, edges_of(faces)), sums)
            if label in truth.surfaces:
                add_distances(points, faces, truth.surfaces[label], sums)
                volume, _ = volume_and_centroid(points, faces)
                sums.ratios.append(volume / truth.voxels[label])
    return lods


def add_pieces(volumes: np.ndarray, sums: Lod) -> None:
    """Add a label in one piece. volumes: of the pieces of its mesh."""
    sums.whole += 1
    sums.broken += len(volumes) > 1
    sums.volume += float(volumes.sum())
    sums.outside += float(volumes.sum() - volumes.max(initial=0))


def add_distances(
    points: np.ndarray, faces: np.ndarray, true: tuple[np.ndarray, np.ndarray], sums: Lod
) -> None:
    """Add a label whose true surface is known: its vertices (n, 3) and faces (m, 3)."""
    there = distances(spread(points, faces, POINTS), *true)
    back = distances(spread(*true, POINTS), points, faces)
    sums.sample_faces += len(faces)
    sums.there.append(float(np.mean(there**2)))
    sums.back.append(float(np.mean(back**2)))


def show(title: str, lods: list[Lod]) -> None:
    """Print the table of an output."""
    print(f"\n{title}\n")
    heads = ("LOD", "labels", "faces", "bytes", "crossing", "whole", "broken", "outside")
    print("| " + " | ".join((*heads, "sample: distance / back", "faces", "volume, 5 %")) + " |")
    print("|---" * (len(heads) + 3) + "|")
    for number, lod in enumerate(lods):
        cells = [
            *(f"{n:,}" for n in (number, lod.labels, lod.faces, lod.bytes)),
            f"{lod.crossing / max(lod.faces, 1):.2%}",
            *(f"{n:,}" for n in (lod.whole, lod.broken)),
            f"{lod.outside / lod.volume if lod.volume else 0:.2%}",
        ]
        if lod.there:
            there, back = (np.sqrt(np.mean(squares)) for squares in (lod.there, lod.back))
            cells += [
                f"{there:.2f} / {back:.2f} ({len(lod.there)} labels)",
                f"{lod.sample_faces:,}",
                f"{np.median(lod.ratios):.3f}, {np.quantile(lod.ratios, 0.05):.3f}",
            ]
        else:
            cells += ["-"] * 3
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
