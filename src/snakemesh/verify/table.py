"""What was found in all shards: a table for people, and one of all labels for programs."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from snakemesh.verify import broken
from snakemesh.verify.failures import KINDS, Failures

# A few labels whose surface touches itself along an edge are no failure: they are closed, and every
# viewer draws them. They are a failure if they are more than this part of the labels of an LOD, and
# more than this number.
MOST_CROWDED = 0.01
FEW_CROWDED = 3


@dataclass(frozen=True)
class Verdict:
    """What was found.

    labels: of the volume. left_out: by key of the configuration. rows: shard.ROW, by label. pieces:
    broken.LOD_PIECES, (rows, LODs). voxel_pieces: (rows,), 0 for a label without voxels. lods:
    shard.LOD_SUMS. failures: what is wrong.
    """

    labels: int
    left_out: Mapping[str, int]
    rows: np.ndarray
    pieces: np.ndarray
    voxel_pieces: np.ndarray
    lods: np.ndarray
    failures: Failures

    @property
    def broken(self) -> np.ndarray:
        """Labels in one piece in s0 and in several in their meshes: broken.BROKEN, one per LOD."""
        return broken.broken_labels(self.rows["voxels"], self.voxel_pieces, self.pieces)

    @property
    def is_sound(self) -> bool:
        """Whether nothing fails."""
        return not self.failures.count


def check_manifolds(lods: np.ndarray, failures: Failures) -> None:
    """Add a failure for each LOD with too many labels that are no manifolds. lods: LOD_SUMS."""
    for lod, sums in enumerate(lods):
        crowded, labels = int(sums["crowded"]), int(sums["labels"])
        if crowded > max(FEW_CROWDED, MOST_CROWDED * labels):
            share = f"{crowded:,} of {labels:,} labels have edges with more than two faces"
            failures.add("manifold", f"LOD {lod}: {share}")


def lines(verdict: Verdict, levels: np.ndarray, measured: int = 0) -> Iterator[str]:
    """The table, line by line: labels, a row per LOD and one in all, levels, checks, failures.

    levels: levels.SUMS, of the input's own. measured: how many labels `check_measures` has checked.
    """
    rows, failures = verdict.rows, verdict.failures
    left_out = "".join(f", {n:,} left out by {key}" for key, n in verdict.left_out.items() if n)
    yield f"verify: {verdict.labels:,} labels in the volume{left_out}"
    read = np.count_nonzero(rows["checked"])
    yield f"        {len(rows):,} labels have a mesh, {read:,} of these meshes were read"
    heads = ("labels", "fragments", "faces", "bytes", "not closed", "no manifold", "volume")
    yield "  LOD" + "".join(f"{head:>14}" for head in heads)
    for lod, sums in enumerate(verdict.lods):
        yield f"{lod:>5}" + _cells(sums)
    if len(verdict.lods):
        total = verdict.lods[0].copy()
        for field in total.dtype.names:
            total[field] = verdict.lods[field].sum()
        total["labels"] = read
        total["open"] = np.count_nonzero(rows["open_edges"])
        total["crowded"] = np.count_nonzero(rows["crowded_edges"])
        yield "  all" + _cells(total)
    errors = np.abs(rows["volume_error"][rows["checked"]])
    if len(errors := errors[np.isfinite(errors)]):
        median, most = np.median(errors), errors.max()
        yield f"  volume against voxels at LOD 0: median error {median:.2%}, largest {most:.1%}"
    yield from broken.lines(verdict.broken)
    for sums in levels:
        wrong = f"{sums['foreign']:,} of {sums['voxels']:,} voxels have a label"
        yield f"  level s{sums['level']} of the input: {wrong} that s0 does not have there"
    if measured:
        yield f"  measures and contacts of {measured} small labels were computed again"
    for kind, claim in KINDS.items():
        number = failures.count.get(kind, 0)
        yield f"  {f'FAIL {number:,}' if number else 'ok':>10}  {claim}"
        yield from (f"                {case}" for case in failures.named.get(kind, ()))
        if (more := number - len(failures.named.get(kind, ()))) > 0:
            yield f"                and {more:,} more"


def _cells(sums: np.void) -> str:
    numbers = ("labels", "fragments", "faces", "bytes", "open", "crowded")
    ratio = sums["volume"] / sums["voxel_volume"] if sums["voxel_volume"] else np.nan
    return "".join(f"{int(sums[n]):>14,}" for n in numbers) + f"{ratio:>14.4f}"


def verdicts(rows: np.ndarray) -> dict[str, pa.Array]:
    """What was found of each label, by column. rows: shard.ROW.

    watertight: every surface of the label is closed, at every LOD; manifold: and no edge has more
    than two faces; volume_error: of LOD 0 against the voxels, volume / volume of the voxels - 1.
    They are null for labels whose mesh was not read; volume_error also for surfaces left open.
    """
    unread = ~rows["checked"]
    closed = rows["open_edges"] == 0
    unknown = unread | ~np.isfinite(rows["volume_error"])
    return {
        "label": pa.array(rows["label"]),
        "voxels": pa.array(rows["voxels"]),
        "watertight": pa.array(closed, mask=unread),
        "manifold": pa.array(closed & (rows["crowded_edges"] == 0), mask=unread),
        "volume": pa.array(rows["volume"], mask=unread),
        "volume_error": pa.array(rows["volume_error"], mask=unknown),
        "open_edges": pa.array(rows["open_edges"], mask=unread),
    }


def write_table(path: Path, verdict: Verdict, facts: Mapping[str, str]) -> None:
    """Write `verify.parquet`, a row per label with a mesh, by label.

    facts: become metadata of the table.

    Besides the columns of `verdicts`, `voxel_pieces` says in how many pieces the voxels of s0 lie,
    and `pieces_lod0` and so on, in how many the mesh. They are null where this is not known. The
    member `broken` of the facts sums them up (`broken.as_facts`).
    """
    columns = verdicts(verdict.rows)
    unknown = verdict.voxel_pieces == 0
    columns["voxel_pieces"] = pa.array(verdict.voxel_pieces, mask=unknown)
    for lod in range(verdict.pieces.shape[1]):
        pieces = verdict.pieces["pieces"][:, lod]
        columns[f"pieces_lod{lod}"] = pa.array(pieces, mask=pieces == 0)
    said = {**facts, "broken": json.dumps(broken.as_facts(verdict.broken))}
    table = pa.table(columns).replace_schema_metadata(said)
    pq.write_table(table, path, compression="zstd")
