"""Check finished meshes against the voxels they were made from, and print what was found.

    python tests/bench/check_output.py results/multires /data/segmentation.zarr/s0

This prints one line for each claim, with its figures. The exit code is 1 if a claim does not hold.
The volume must be a zarr array in an OME-NGFF group, in nanometres, and meshed as a whole. The
checks are those of `snakemake verify`, which share nothing with what writes meshes; what is
measured here besides is how good the meshes are.
"""

import argparse
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import zarr

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "helpers"))

from snakemesh.verify.checks import edges_of, problems, to_nm, volume_and_centroid, welded
from snakemesh.verify.reader import STEPS, Mesh, read_entries, read_mesh
from snakemesh.verify.voxels import count_piece, summed

# Labels with this many voxels or more are large enough to compare their volume at every LOD.
LARGE = 2000
# The fraction of its volume that the median label must hold at least, by LOD.
LEAST_VOLUME = (0.99, 0.96, 0.95, 0.90)
MOST_VOLUME_ERROR = 0.01
# Classes of labels by their number of voxels: where each begins, and by how much the volume of its
# median label may be off at LOD 0.
CLASSES = {1: 0.2, 2: 0.2, 10: 0.02, 30: 0.02, 100: 0.02, 300: 0.02, LARGE: 0.02}
# Limits for centroids, in voxels. Simplification moves each body's centroid in its own direction
# (offset); a wrong placement moves them all in one direction (shift).
MOST_OFFSET = 0.05
MOST_SHIFT = 0.02


@dataclass(frozen=True)
class Bodies:
    """What the voxels say: labels ascending, voxels per label, centroids (n, 3) x y z in nm.

    voxel_nm, size_nm: (3,) x y z, of a voxel and of the volume.
    """

    labels: np.ndarray
    voxels: np.ndarray
    centroids: np.ndarray
    voxel_nm: np.ndarray
    size_nm: np.ndarray


@dataclass
class Found:
    """What the meshes say. A list of an LOD holds one figure per label that has the LOD."""

    rules: Counter = field(default_factory=Counter)
    open_edges: Counter = field(default_factory=Counter)
    crowded_edges: Counter = field(default_factory=Counter)
    manifold: Counter = field(default_factory=Counter)
    labels: Counter = field(default_factory=Counter)
    faces: Counter = field(default_factory=Counter)
    vertices: Counter = field(default_factory=Counter)
    between_cells: Counter = field(default_factory=Counter)
    bytes: Counter = field(default_factory=Counter)
    volumes: dict[int, list] = field(default_factory=lambda: defaultdict(list))
    sizes: dict[int, list] = field(default_factory=lambda: defaultdict(list))
    offsets: list = field(default_factory=list)


def main() -> int:
    """Check the meshes named on the command line. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("multires", type=Path, help="the directory with the meshes' info")
    parser.add_argument("source", type=Path, help="the zarr array that was meshed")
    arguments = parser.parse_args()
    start = time.perf_counter()
    bodies = read_bodies(arguments.source)
    seconds_voxels = time.perf_counter() - start
    entries = read_entries(arguments.multires)
    rows = {label: row for row, label in enumerate(bodies.labels.tolist())}
    found = Found()
    for label, entry in entries.items():
        measure(read_mesh(entry), bodies, rows.get(label), found)
    seconds_meshes = time.perf_counter() - start - seconds_voxels
    holds = report(found, bodies, set(entries))
    print(f"      voxels {seconds_voxels:.0f} s, meshes {seconds_meshes:.0f} s")
    return 0 if holds else 1


def measure(mesh: Mesh, bodies: Bodies, row: int | None, found: Found) -> None:
    """Add a label's mesh to what was found. row: its row in the bodies, None if it has none."""
    found.rules.update(problems(mesh))
    for lod in range(mesh.num_lods):
        vertices, faces = welded(mesh, lod)
        edges = edges_of(faces)
        opened, crowded = len(edges.open), edges.crowded
        found.open_edges[lod] += opened
        found.crowded_edges[lod] += crowded
        found.manifold[lod] += not opened and not crowded
        found.labels[lod] += 1
        found.faces[lod] += len(faces)
        found.vertices[lod] += len(vertices)
        found.between_cells[lod] += between_cells(mesh, lod, vertices, bodies.size_nm)
        found.bytes[lod] += int(mesh.manifest.sizes[lod].sum())
        if row is None or opened or not len(faces):
            continue
        volume, centroid = volume_and_centroid(to_nm(mesh, lod, vertices), faces)
        ratio = volume / (bodies.voxels[row] * np.prod(bodies.voxel_nm))
        found.volumes[lod].append(ratio)
        found.sizes[lod].append(bodies.voxels[row])
        if lod == 0:
            found.offsets.append((centroid - bodies.centroids[row]) / bodies.voxel_nm)


def between_cells(mesh: Mesh, lod: int, vertices: np.ndarray, size_nm: np.ndarray) -> int:
    """How many vertices (n, 3) on the lattice of an LOD lie on faces between two cells.

    The outer faces of the octree are none: surfaces that would stick out of it are moved onto them.
    """
    n_cells = np.ceil(size_nm / (mesh.manifest.cell_nm * 2**lod) - 1e-6)
    inside = (vertices > 0) & (vertices < n_cells * STEPS)
    return int(((vertices % STEPS == 0) & inside).any(axis=1).sum())


def report(found: Found, bodies: Bodies, labels: set[int]) -> bool:
    """Print what was found, claim by claim. Returns whether all claims hold."""
    expected = set(bodies.labels.tolist())
    error = np.median(np.abs(np.array(found.volumes[0]) - 1))
    offset = np.median(np.abs(found.offsets), axis=0)
    shift = np.median(found.offsets, axis=0)
    classes = [by_class(found, lod) for lod in sorted(found.volumes)]
    large = {lod: float(np.median(c[LARGE])) for lod, c in enumerate(classes) if LARGE in c}
    held = all(abs(np.median(v) - 1) <= CLASSES[least] for least, v in classes[0].items())
    enough = all(large[lod] >= least for lod, least in enumerate(LEAST_VOLUME) if lod in large)
    claims = [
        (
            f"labels: {len(labels)} found, {len(expected)} expected, "
            f"{len(expected - labels)} missing, {len(labels - expected)} unknown",
            labels == expected,
        ),
        (f"open edges by LOD: {by_lod(found.open_edges)}", not found.open_edges.total()),
        (
            f"median |volume / voxels - 1| at LOD 0: {error:.4f}, at most {MOST_VOLUME_ERROR}",
            error <= MOST_VOLUME_ERROR,
        ),
        (
            f"median volume / voxels by LOD, labels of {LARGE} voxels and more: "
            + ", ".join(f"{v:.4f} ({len(classes[lod][LARGE])})" for lod, v in large.items())
            + f"; at least {LEAST_VOLUME}",
            enough,
        ),
        (
            "median volume / voxels at LOD 0 in each class of size is off by at most "
            + ", ".join(map(str, CLASSES.values())),
            held,
        ),
        (
            f"median |centroid offset| at LOD 0, voxels x y z: {np.round(offset, 4).tolist()}, "
            f"at most {MOST_OFFSET}",
            bool(np.all(offset <= MOST_OFFSET)),
        ),
        (
            f"median centroid offset at LOD 0, voxels x y z: {np.round(shift, 4).tolist()}, "
            f"at most {MOST_SHIFT} either way",
            bool(np.all(np.abs(shift) <= MOST_SHIFT)),
        ),
    ]
    for rule, number in found.rules.items():
        claims.append((f"{rule.replace('_', ' ')}: {number}", number == 0))
    for claim, holds in claims:
        print("ok   " if holds else "FAIL ", claim)
    print(f"      labels by LOD: {by_lod(found.labels)}")
    print(f"      faces by LOD: {by_lod(found.faces)}")
    print(f"      bytes by LOD: {by_lod(found.bytes)}")
    for lod, n in sorted(found.vertices.items()):
        share = found.between_cells[lod] / n
        print(f"      vertices at LOD {lod}: {n:,}, {share:.1%} of them on faces between cells")
    print(f"      manifold labels by LOD: {by_lod(found.manifold)}")
    print(f"      edges with more than two faces by LOD: {by_lod(found.crowded_edges)}")
    print("      volume / voxels by size, 5 % / median / 95 % (labels):")
    for lod, ratios in enumerate(classes):
        print(f"        LOD {lod}: " + ", ".join(spread(n, v) for n, v in ratios.items()))
    return all(holds for _, holds in claims)


def by_class(found: Found, lod: int) -> dict[int, np.ndarray]:
    """Volume / voxels of the labels of an LOD, by the first number of voxels of their class."""
    starts = np.array(list(CLASSES))
    of = np.searchsorted(starts, found.sizes[lod], side="right") - 1
    ratios = np.array(found.volumes[lod])
    return {int(starts[i]): ratios[of == i] for i in np.unique(of)}


def spread(least: int, ratios: np.ndarray) -> str:
    """What `report` prints of a class."""
    low, median, high = np.percentile(ratios, [5, 50, 95])
    return f"{least}+: {low:.3f} / {median:.3f} / {high:.3f} ({len(ratios)})"


def by_lod(counts: Counter) -> str:
    """A counter's numbers in the order of the LODs."""
    return ", ".join(f"{counts[lod]:,}" for lod in sorted(counts))


def read_bodies(path: Path) -> Bodies:
    """Voxels and centroid of every label, placed by the group's metadata. Reads in slabs."""
    array = zarr.open_array(path, mode="r")
    voxel_nm, centre_nm = read_placement(path)
    depth = array.chunks[0]
    slabs = range(0, array.shape[0], depth)
    counts = [count_piece(array[z : z + depth], (z, 0, 0), array.shape) for z in slabs]
    found = summed(np.concatenate(counts))
    centres = found["centre"] / found["voxels"][:, None]  # from the corner of the volume
    size_nm = np.array(array.shape[::-1]) * voxel_nm
    centroids = centre_nm + (centres - 0.5) * voxel_nm
    return Bodies(found["label"], found["voxels"], centroids, voxel_nm, size_nm)


def read_placement(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Voxel size and centre of voxel 0, x y z in nm, from the OME-NGFF metadata of the group."""
    attributes = zarr.open_group(path.parent, mode="r").attrs.asdict()
    scales = attributes.get("ome", attributes)["multiscales"][0]
    if any(axis.get("unit", "nanometer") != "nanometer" for axis in scales["axes"]):
        raise ValueError(f"{path.parent} is not in nanometres: {scales['axes']}")
    (dataset,) = (d for d in scales["datasets"] if d["path"] == path.name)
    size, centre = np.ones(3), np.zeros(3)
    for transform in dataset["coordinateTransformations"]:
        if transform["type"] == "scale":
            size = np.array(transform["scale"][-3:][::-1], float)
        else:
            centre = np.array(transform["translation"][-3:][::-1], float)
    return size, centre


if __name__ == "__main__":
    sys.exit(main())
