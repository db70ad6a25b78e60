"""What an output says of itself: its markers, its verification, its failures, its versions."""

import json
import platform
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from snakemesh import __version__
from snakemesh.job_records import RESULTS_VERSION
from snakemesh.output.folder import OutputFolder
from snakemesh.output.markers import read_marker

# Packages that decide what is made, or how fast.
PACKAGES = (
    *("snakemake", "numpy", "numba", "tensorstore", "worldarray", "DracoPy", "pyarrow"),
    *("xxhash", "trimesh", "matplotlib"),
)
LOD_NUMBERS = ("labels", "fragments", "faces", "bytes")
# The number of failures that are listed, the latest.
MOST_FAILURES = 20


def lod_sums(markers: Sequence[str], num_lods: int) -> list[dict[str, int]] | None:
    """LOD_NUMBERS of each LOD, over all shards; None if not all of their markers say them."""
    sums = [Counter(dict.fromkeys(LOD_NUMBERS, 0)) for _ in range(num_lods)]
    for marker in markers:
        found = (read_marker(marker) or {}).get("lods")
        if not isinstance(found, list) or len(found) != num_lods:
            return None
        for total, shard in zip(sums, found, strict=True):
            total.update(shard)
    return [dict(total) for total in sums]


def verification(path: Path) -> dict[str, Any] | None:
    """What `verify.parquet` says; None if it is not there."""
    if not path.exists():
        return None
    table = pq.ParquetFile(path)
    said = {k.decode(): v.decode() for k, v in (table.schema_arrow.metadata or {}).items()}
    watertight = table.read(["watertight"])["watertight"]
    return {
        "failures": int(said.get("failures", 0)),
        "labels": len(watertight),
        "read": len(watertight) - watertight.null_count,
        "watertight": int((watertight.fill_null(False).to_numpy()).sum()),
        # by LOD; a table of an older version does not say it
        "broken": json.loads(said.get("broken", "[]")),
    }


def failures(path: Path) -> list[dict[str, Any]] | None:
    """The attempts at jobs that have failed; None if it is not known.

    path: a line of JSON for each, with `time`, `rule`, `job`, `attempt`, `reason` and `log`. A
    killed run may have left the last one half written.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def versions(folder: OutputFolder) -> dict[str, str]:
    """What made the meshes, and what makes the report."""
    served = read_marker(folder.served_document) or {}
    return {
        "snakemesh that made the meshes": str(served.get("snakemesh", "unknown")),
        "version of results": str(served.get("results_version", RESULTS_VERSION)),
        "snakemesh that made this report": __version__,
        "Python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
        "machine of the report": f"{platform.node()}, {platform.platform()}",
    }
