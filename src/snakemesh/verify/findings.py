"""What the job of a shard hands to the job that merges: in a file of numpy, without pickles."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from snakemesh.verify.failures import Failures
from snakemesh.verify.labels import places
from snakemesh.verify.shard import Findings
from snakemesh.verify.table import Verdict


def save_findings(path: Path, found: Findings, facts: Mapping[str, Any]) -> None:
    """Write the findings of a shard.

    facts: number of its labels, how many of them each key leaves out.
    """
    facts = {**facts, "failures": asdict(found.failures)}
    text = np.array(json.dumps(facts))
    with open(path, "wb") as file:
        np.savez(file, rows=found.rows, pieces=found.pieces, lods=found.lods, facts=text)


def merged_findings(paths: Sequence[str], in_voxels: np.ndarray) -> Verdict:
    """What all shards have found together.

    in_voxels: voxel_pieces.PIECES, by label. All rows are in memory, 178 bytes a label and 8 more
    for each LOD.
    """
    rows, pieces, lods, failures = [], [], [], Failures()
    left_out: Counter[str] = Counter()
    labels = 0
    for path in paths:
        with np.load(path) as found:
            rows.append(found["rows"])
            pieces.append(found["pieces"])
            lods.append(found["lods"])
            facts = json.loads(str(found["facts"]))
        labels += facts["labels"]
        left_out.update(facts["left_out"])
        failures.merge(facts["failures"])
    merged = np.concatenate(rows)
    sums = lods[0].copy()
    for name in sums.dtype.names:
        sums[name] = sum(part[name] for part in lods)
    order = np.argsort(merged["label"], kind="stable")
    by_label = merged[order]
    at, is_known = places(in_voxels["label"], by_label["label"])
    voxel_pieces = np.zeros(len(by_label), np.uint64)
    voxel_pieces[is_known] = in_voxels["pieces"][at[is_known]]
    by_lod = np.concatenate(pieces)[order]
    return Verdict(labels, dict(left_out), by_label, by_lod, voxel_pieces, sums, failures)
