"""All checks of the labels of one shard, against the voxels and against the format."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from snakemesh.job_records import VerifyJob
from snakemesh.verify.bodies import Body, wrong_body
from snakemesh.verify.broken import LOD_PIECES, as_lod_pieces
from snakemesh.verify.checks import (
    KIND_OF,
    area,
    edges_of,
    problems,
    to_nm,
    volume_and_centroid,
    welded,
)
from snakemesh.verify.failures import Failures
from snakemesh.verify.pieces import piece_volumes
from snakemesh.verify.reader import (
    Entry,
    FormatError,
    Mesh,
    read_info,
    read_mesh,
    shard_entry,
    shard_labels,
    shard_of,
    shard_path,
    transform_of,
    unsharded_entry,
    unsharded_labels,
)

# A row per label that has a mesh. checked: whether its mesh was read; all that follows is of LOD 0,
# but for the edges, which are of all LODs. volume_error: volume / volume of the voxels - 1.
# centroid: of the voxels, x y z in nm. border: voxels at the border of the volume. axes: whole axes
# of the ellipsoid of the voxels, nm, the longest first. sphericity: area of a ball / area.
ROW = np.dtype(
    [
        ("label", "<u8"),
        ("voxels", "<u8"),
        ("checked", "?"),
        ("lods", "u1"),
        ("faces", "<u8"),
        ("volume", "<f8"),
        ("area", "<f8"),
        ("lower", "<f8", (3,)),
        ("upper", "<f8", (3,)),
        ("open_edges", "<u8"),
        ("crowded_edges", "<u8"),
        ("volume_error", "<f8"),
        ("centroid", "<f8", (3,)),
        ("border", "<u8"),
        ("axes", "<f8", (3,)),
        ("sphericity", "<f8"),
    ]
)
# How large the scale of an LOD may be: it is the error of the LOD, here in voxels of its level, or
# in values of `max_error` if that is larger.
MOST_ERROR = 4
# How far the grid of a label may be from that of the volume, in voxels of s0.
MOST_OFF_GRID = 0.01
# Sums over the labels of an LOD. open, crowded: labels with open edges, and with edges of more than
# two faces; voxel_volume: of s0, of the labels whose volume is known.
LOD_SUMS = np.dtype(
    [
        *((name, "<u8") for name in ("labels", "fragments", "faces", "bytes", "open", "crowded")),
        *((name, "<f8") for name in ("volume", "voxel_volume")),
    ]
)


@dataclass
class Findings:
    """What was found in a shard.

    rows: ROW, of every label that has a mesh. pieces: LOD_PIECES, (rows, LODs). lods: LOD_SUMS, one
    per LOD. failures: what is wrong.
    """

    rows: np.ndarray
    pieces: np.ndarray
    lods: np.ndarray
    failures: Failures = field(default_factory=Failures)


def verify_shard(
    directory: Path, shard: int, job: VerifyJob, counts: np.ndarray, expected: np.ndarray
) -> Findings:
    """Check the labels of a shard.

    directory: what is served. counts: the labels of the shard as the voxels have them, COUNT by
    label. expected: which of them must have a mesh, bool of the same shape.
    """
    lods = job.grid.num_lods
    found = Findings(np.empty(0, ROW), np.empty((0, lods), LOD_PIECES), np.zeros(lods, LOD_SUMS))
    try:
        entries = _entries(directory, shard, job)
    except FormatError as error:
        found.failures.add("files", str(error))
        return found
    _check_labels(entries, counts, expected, found.failures)
    rows = np.zeros(len(entries), ROW)
    rows["label"] = sorted(entries)
    at = {label: i for i, label in enumerate(counts["label"].tolist())}
    found.rows, found.pieces = rows, np.zeros((len(rows), lods), LOD_PIECES)
    for row, pieces in zip(rows, found.pieces, strict=True):
        label = int(row["label"])
        count = counts[at[label]] if label in at else None
        if count is not None:
            row["voxels"], row["centroid"] = count["voxels"], _centre_of(count, job)
            row["border"], row["axes"] = count["border"], _axes_of(count, job)
        try:
            entry = entries[label]
            if isinstance(entry, FormatError):
                raise entry
            _check_mesh(read_mesh(entry), count, job, row, pieces, found)
            row["checked"] = True
        except FormatError as error:
            found.failures.add("fragments", f"label {label}: {error}")
    return found


def _entries(directory: Path, shard: int, job: VerifyJob) -> dict[int, Entry | FormatError]:
    """The labels of a shard. Raises FormatError where its index cannot be read."""
    info = read_info(directory)
    spec, transform = info.get("sharding"), transform_of(info)
    if job.sharded != (spec is not None):
        found = "describes shards, expected none" if spec else "does not describe shards"
        raise FormatError(f"{directory / 'info'} {found}")

    def entry(read: Callable[..., Entry], *arguments: Any) -> Entry | FormatError:
        try:
            return read(*arguments, transform)
        except FormatError as error:
            return error

    if spec is not None:
        path = shard_path(directory, shard, spec)
        labels = shard_labels(path, shard, spec)
        return {label: entry(shard_entry, path, spec, label, *at) for label, *at in labels}
    return {
        label: entry(unsharded_entry, directory, label)
        for label in unsharded_labels(directory)
        # the share of this job
        if shard_of(label, job.sharding) == shard
    }


def _check_labels(
    entries: Mapping[int, object], counts: np.ndarray, expected: np.ndarray, failures: Failures
) -> None:
    wanted = dict(zip(counts["label"].tolist(), expected.tolist(), strict=True))
    for label in sorted(label for label, is_wanted in wanted.items() if is_wanted):
        if label not in entries:
            failures.add("labels", f"label {label} of the volume has no mesh")
    for label in sorted(entries):
        if label not in wanted:
            failures.add("labels", f"label {label} has a mesh and no voxel")
        elif not wanted[label]:
            failures.add("labels", f"label {label} is to be left out, and has a mesh")


def _check_mesh(
    mesh: Mesh,
    count: np.void | None,
    job: VerifyJob,
    row: np.void,
    pieces: np.ndarray,
    found: Findings,
) -> None:
    """Check a label, fill its row and its pieces (LODs,), and add to the sums.

    count: of its voxels; None without any.
    """
    add, name, lods = found.failures.add, f"label {mesh.label}", job.grid.num_lods
    if not 0 < mesh.num_lods <= lods:
        add("tree", f"{name} has {mesh.num_lods} LODs, expected 1 to {lods}")
    _check_grid(mesh, job, found.failures)
    for rule, number in problems(mesh).items():
        if number:
            add(KIND_OF[rule], f"{name}: {rule.replace('_', ' ')}, {number} times")
    row["lods"] = mesh.num_lods
    for lod in range(min(mesh.num_lods, lods)):
        pieces[lod] = _check_lod(mesh, lod, count, job, row, found)


def _check_lod(
    mesh: Mesh,
    lod: int,
    count: np.void | None,
    job: VerifyJob,
    row: np.void,
    found: Findings,
) -> tuple[int, float]:
    """Check an LOD of a label, and add to its row and to the sums. Returns its LOD_PIECES."""
    sums, name = found.lods[lod], f"label {mesh.label}"
    vertices, faces = welded(mesh, lod)
    points = to_nm(mesh, lod, vertices)
    edges = edges_of(faces)
    opened, crowded = len(edges.open), edges.crowded
    row["open_edges"] += opened
    row["crowded_edges"] += crowded
    sums["labels"] += 1
    sums["fragments"] += len(mesh.fragments[lod])
    sums["faces"] += len(faces)
    sums["bytes"] += int(mesh.manifest.sizes[lod].sum())
    sums["open"] += opened > 0
    sums["crowded"] += crowded > 0
    if opened:
        found.failures.add("closed", f"{name} has {opened} open edges at LOD {lod}")
    if not len(faces):
        return 0, 0.0
    volume, centroid = volume_and_centroid(points, faces)
    if lod == 0:
        row["faces"], row["volume"], row["area"] = len(faces), volume, area(points, faces)
        row["sphericity"] = np.cbrt(36 * np.pi * volume**2) / row["area"]
        row["lower"], row["upper"] = points.min(axis=0), points.max(axis=0)
        row["volume_error"] = np.nan
    if opened:
        return 0, 0.0
    if count is not None:
        voxel_volume = float(count["voxels"]) * np.prod(job.voxel_nm)
        sums["volume"] += volume
        sums["voxel_volume"] += voxel_volume
        if lod == 0:
            row["volume_error"] = volume / voxel_volume - 1
            body = Body(float(count["voxels"]), row["centroid"], np.array(job.voxel_nm))
            for wrong in wrong_body(body, points, faces, volume, centroid, job.max_error):
                found.failures.add("volumes", f"{name} {wrong}")
    return as_lod_pieces(piece_volumes(points, faces, edges))


def _centre_of(count: np.void, job: VerifyJob) -> np.ndarray:
    """The mean of the centres of a label's voxels, x y z in nm."""
    centre: np.ndarray = count["centre"] / float(count["voxels"]) * job.voxel_nm
    return centre + job.grid.origin_nm


def _axes_of(count: np.void, job: VerifyJob) -> np.ndarray:
    """Whole axes of the solid ellipsoid that has the second moments of a label's voxels, nm."""
    xx, yy, zz, xy, xz, yz = count["second"] / float(count["voxels"])
    second = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    mean = count["centre"] / float(count["voxels"])
    covariance = (second - np.outer(mean, mean)) * np.outer(job.voxel_nm, job.voxel_nm)
    variances = np.linalg.eigvalsh(covariance)[::-1]
    axes: np.ndarray = np.sqrt(20 * np.maximum(variances, 0))
    return axes


def _check_grid(mesh: Mesh, job: VerifyJob, failures: Failures) -> None:
    """Cells must be those of the volume, and scales possible ones.

    A grid may be shifted for a single cell.
    """
    scales = mesh.manifest.scales
    if not np.allclose(mesh.manifest.cell_nm, job.grid.cell_nm, rtol=1e-6):
        cells = f"{mesh.manifest.cell_nm.tolist()} nm, expected {list(job.grid.cell_nm)}"
        failures.add("cells", f"label {mesh.label} has cells of {cells}")
    for lod in range(mesh.num_lods):
        corner = to_nm(mesh, lod, np.zeros(3))
        if np.any(np.abs(corner - job.grid.origin_nm) > MOST_OFF_GRID * np.array(job.voxel_nm)):
            begins = f"{corner.tolist()} nm at LOD {lod}, expected {list(job.grid.origin_nm)}"
            failures.add("cells", f"label {mesh.label} has a grid that begins at {begins}")
    most = MOST_ERROR * max(1.0, job.max_error) * np.array(job.grid.lod_voxels)[: len(scales)]
    found = f"label {mesh.label} has LOD scales of {scales.tolist()}"
    if not np.all((scales[: len(most)] > 0) & (scales[: len(most)] <= most)):
        failures.add("tree", f"{found}, expected numbers above 0 and at most {most.tolist()}")
