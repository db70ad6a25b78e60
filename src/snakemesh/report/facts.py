"""What there is to report of a finished output, collected once for all pages and pictures."""

import json
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from snakemesh import __version__
from snakemesh.job_records import RESULTS_VERSION
from snakemesh.output.folder import OutputFolder
from snakemesh.output.markers import read_marker
from snakemesh.report.costs import as_json, measured_costs

# Packages that decide what is made, or how fast.
PACKAGES = (
    *("snakemake", "numpy", "numba", "tensorstore", "worldarray", "DracoPy", "pyarrow"),
    *("xxhash", "trimesh", "matplotlib"),
)
LOD_NUMBERS = ("labels", "fragments", "faces", "bytes")
# Of the failures, so many of the latest are shown.
MOST_FAILURES = 20


def collected(planned: Mapping[str, Any], folder: OutputFolder) -> dict[str, Any]:
    """What `planned` says (`plan.expected.planned_facts`), and what the output says."""
    documents = read_marker(planned["documents"]) or {}
    return {
        **{key: value for key, value in planned.items() if key not in ("steps", "shard_markers")},
        "made": datetime.now().astimezone().isoformat(timespec="seconds"),
        "labels": documents.get("labels"),
        "listed": documents.get("listed"),
        "left_out": documents.get("left_out", {}),
        "not_found": documents.get("not_found", {}),
        "lods": lod_sums(planned["shard_markers"], planned["num_lods"]),
        "costs": as_json(measured_costs(planned["steps"])),
        "verification": verification(folder, planned["verified"]),
        "failures": failures(Path(folder.failures)),
        "versions": versions(folder),
    }


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


def verification(folder: OutputFolder, marker: str) -> dict[str, Any] | None:
    """What the last verification has found; None if nothing is known of these meshes."""
    path = Path(folder.verify_table)
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
        "is_sound": Path(marker).exists(),
        # by LOD; a table of an older version does not say it
        "broken": json.loads(said.get("broken", "[]")),
    }


def failures(path: Path) -> dict[str, Any] | None:
    """How many attempts at jobs have failed, by rule, and the latest; None where nobody says.

    path: a line of JSON for each, with `time`, `rule`, `job`, `attempt`, `reason` and `log`.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = [entry for line in lines if isinstance(entry := _parsed(line), dict)]
    by_rule = Counter(str(entry.get("rule", "?")) for entry in found)
    return {"by_rule": dict(by_rule), "latest": found[-MOST_FAILURES:]}


def _parsed(line: str) -> Any:
    """A line of JSON; None for one that a killed run has left half written."""
    try:
        return json.loads(line)
    except ValueError:
        return None


def versions(folder: OutputFolder) -> dict[str, str]:
    """What made the meshes, and what makes the report."""
    served = read_marker(folder.served_document) or {}
    found = {
        "snakemesh that made the meshes": str(served.get("snakemesh", "unknown")),
        "version of results": str(served.get("results_version", RESULTS_VERSION)),
        "snakemesh that made this report": __version__,
        "Python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found | {"machine of the report": f"{platform.node()}, {platform.platform()}"}
