"""What the job of a shard hands to the job that merges: in a file of numpy, without pickles."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from snakemesh.verify.failures import Failures
from snakemesh.verify.table import Verdict


def save_findings(path: Path, rows: np.ndarray, lods: np.ndarray, facts: Mapping[str, Any]) -> None:
    """Write the findings of a shard.

    rows, lods: shard.ROW and shard.LOD_SUMS. facts: number of its labels, how many of them each key
    leaves out, failures.
    """
    with open(path, "wb") as file:
        np.savez(file, rows=rows, lods=lods, facts=np.array(json.dumps(facts)))


def merged_findings(paths: Sequence[str]) -> Verdict:
    """What all shards have found together. All rows are in memory, 138 bytes a label."""
    rows, lods, failures = [], [], Failures()
    left_out: Counter[str] = Counter()
    labels = 0
    for path in paths:
        with np.load(path) as found:
            rows.append(found["rows"])
            lods.append(found["lods"])
            facts = json.loads(str(found["facts"]))
        labels += facts["labels"]
        left_out.update(facts["left_out"])
        failures.merge(facts["failures"])
    merged = np.concatenate(rows)
    sums = lods[0].copy()
    for name in sums.dtype.names:
        sums[name] = sum(part[name] for part in lods)
    by_label = merged[np.argsort(merged["label"], kind="stable")]
    return Verdict(labels, dict(left_out), by_label, sums, failures)
