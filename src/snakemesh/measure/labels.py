"""The measures of every label, from what the jobs of all blocks have found."""

from collections.abc import Sequence

import numpy as np

from snakemesh.measure.thickness import mean_and_95_percent, summed
from snakemesh.tables.measures import MEASURED
from snakemesh.tables.merge import Run, merged
from snakemesh.verify.voxel_pieces import pieces_of_volume

# Bytes of the rows of all blocks that are in memory at a time.
_BYTES_AT_ONCE = 1 << 26
_VALUES = (MEASURED.names or ())[1:]


def measured_labels(
    pieces: Sequence[str],
    thickness: Sequence[Run],
    side_nm: float,
    curvature: Sequence[np.ndarray] = (),
) -> np.ndarray:
    """MEASURED of all labels, ascending.

    pieces: files of `verify.voxel_pieces`, ordered by their boxes, z slowest. thickness: of each
    block its rows of `thickness.RIDGES`. side_nm: of a voxel along its shortest axis. curvature: of
    each shard, CURVATURE. What nobody has found of a label is 0 or NaN. Raises ValueError if there
    are boxes, and they do not fill the volume.
    """
    parts = [_unknown(np.empty(0, np.uint64))]
    if pieces:
        counted = pieces_of_volume(pieces)
        parts.append(_unknown(counted["label"]))
        parts[-1]["components"] = counted["pieces"]
    rows_at_once = _BYTES_AT_ONCE // max((run.dtype.itemsize for run in thickness), default=1)
    for labels, voxels in map(summed, merged(thickness, rows_at_once)):
        part = _unknown(labels)
        mean, most = mean_and_95_percent(voxels)
        part["thickness"], part["thickness_95"] = mean * side_nm, most * side_nm
        parts.append(part)
    for rows in curvature:
        parts.append(_unknown(rows["label"]))
        for name in ("curvature", "curvature_sd"):
            parts[-1][name] = rows[name]
    return _joined(np.concatenate(parts))


def _unknown(labels: np.ndarray) -> np.ndarray:
    """MEASURED of labels of which nothing is known: 0 and NaN."""
    rows = np.zeros(len(labels), MEASURED)
    for name in _VALUES:
        rows[name] = np.nan if MEASURED[name].kind == "f" else 0
    rows["label"] = labels
    return rows


def _joined(rows: np.ndarray) -> np.ndarray:
    """One row per label: each value is known in one row at most."""
    rows = rows[np.argsort(rows["label"], kind="stable")]
    first = np.flatnonzero(np.diff(rows["label"], prepend=~rows["label"][:1]))
    found = rows[first]
    for name in _VALUES:
        found[name] = np.fmax.reduceat(rows[name], first)
    return found
