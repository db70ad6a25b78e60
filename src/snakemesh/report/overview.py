"""The first page of the report, as text that Snakemake lays out: reStructuredText.

It holds all numbers. The pictures are results of their own, which Snakemake lists beside it.
Format: https://docutils.sourceforge.io/docs/ref/rst/directives.html#csv-table
"""

import csv
import io
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from snakemesh.label_list import LIST_KEYS, WHY_LEFT_OUT
from snakemesh.output.folder import OutputFolder
from snakemesh.output.markers import read_marker
from snakemesh.report.costs import Cost, as_rows
from snakemesh.report.facts import MOST_FAILURES, failures, verification, versions
from snakemesh.units import duration, file_size, lengths

# What verifies an output; other options are those of the run.
_VERIFY = "snakemake verify"
Lods = Sequence[Mapping[str, int]] | None


def overview(
    planned: Mapping[str, Any], folder: OutputFolder, lods: Lods, costs: Sequence[Cost]
) -> str:
    """The page. planned: `console.expected.planned_facts`. lods: `facts.lod_sums`."""
    documents = read_marker(planned["documents"]) or {}
    checked = verification(Path(folder.verify_table))
    settings = planned["settings"]
    sections = {
        f"Meshes of {planned['name']}": _head(planned, documents, lods, costs, checked),
        "Each level of detail": _lods(lods),
        "Verification": _verification(checked),
        "What was left out": _left_out(documents, settings),
        "The plan": "::\n\n" + textwrap.indent(planned["plan"], "    "),
        "Time and memory": _costs(costs),
        "Failures and retries": _failures(failures(Path(folder.failures))),
        "Configuration": table(
            ("key", "value"), ((k, value(v, k in LIST_KEYS)) for k, v in settings.items())
        ),
        "Versions": table(("what", "version"), versions(folder).items()),
    }
    parts = (f"{plain(title)}\n{'=' * 2 * len(title)}\n\n{x}\n" for title, x in sections.items())
    return "\n".join(parts)


def plain(text: object) -> str:
    """Text escaped for reStructuredText: every character stands for itself."""
    return re.sub(r"([^\w\s]|_)", r"\\\1", " ".join(str(text).split()))


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table with at least one row."""
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n").writerows(
        [plain(cell) or "\\ " for cell in row] for row in (heads, *rows)
    )
    return ".. csv-table::\n   :header-rows: 1\n\n" + textwrap.indent(lines.getvalue(), "   ")


def _head(
    planned: Mapping[str, Any],
    documents: Mapping[str, Any],
    lods: Lods,
    costs: Sequence[Cost],
    checked: Mapping[str, Any] | None,
) -> str:
    voxel_nm, shape, labels = planned["voxel_nm"], planned["shape"], documents.get("labels")
    seconds = sum(cost.seconds.sum() * cost.scale for cost in costs)
    verdict = f"not verified: run {_VERIFY}"
    if checked is not None:
        verdict = f"{checked['failures']:,} failures" if checked["failures"] else "verified"
    rows = [
        ("voxels, z y x", " x ".join(f"{n:,}" for n in shape)),
        ("size of a voxel", lengths(voxel_nm)),
        ("size of the volume", lengths([n * v for n, v in zip(shape, voxel_nm, strict=True)])),
        ("segments with a mesh", "unknown" if labels is None else f"{labels:,}"),
        ("triangles at LOD 0", f"{lods[0]['faces']:,}" if lods else "unknown"),
        ("levels of detail", planned["num_lods"]),
        ("meshes", file_size(sum(n["bytes"] for n in lods)) if lods else "unknown"),
        ("time of all jobs together", duration(seconds) if costs else "unknown"),
        ("verification", verdict),
        ("to open them in the viewer", planned["view"]),
        ("this page was made", datetime.now().astimezone().isoformat(" ", timespec="seconds")),
    ]
    return table(("", ""), rows)


def _lods(lods: Lods) -> str:
    if lods is None:
        return "Not known: an older version made some shards, and did not count."
    rows = [
        (
            f"LOD {lod}",
            *(f"{sums[name]:,}" for name in ("labels", "fragments", "faces", "bytes")),
            f"{sums['bytes'] / max(sums['faces'], 1):.2f}",
        )
        for lod, sums in enumerate(lods)
    ]
    heads = ("", "segments", "fragments", "triangles", "bytes", "bytes a triangle")
    return table(heads, rows)


def _verification(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return (
            f"These meshes were not verified. ``{_VERIFY}`` reads them back and compares them with "
            "the voxels. The errors of volumes in the pictures are those of segments.parquet."
        )
    result = "nothing failed"
    if found["failures"]:
        result = f"{found['failures']:,} checks failed (verify.parquet has more)"
    said = (
        f"Verified: {found['read']:,} of {found['labels']:,} meshes were read back, "
        f"{found['watertight']:,} of them are watertight; {result}.\n\n"
    )
    if not found["broken"]:
        return said
    heads = (
        *("LOD", "labels that are one piece in s0", "of these in several pieces"),
        "part of their volume outside the largest piece",
    )
    rows = [
        (number, f"{lod['whole']:,}", f"{lod['broken']:,}", f"{lod['outside']:.2%}")
        for number, lod in enumerate(found["broken"])
    ]
    return said + table(heads, rows)


def _left_out(documents: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    rows = [
        (f"{n:,}", WHY_LEFT_OUT.get(key, key), value(settings.get(key), long=True))
        for key, n in documents.get("left_out", {}).items()
        if n
    ]
    said = [
        table(("labels", "why", "value of the key"), rows)
        if rows
        else "No label of the volume was left out."
    ]
    not_found = documents.get("not_found", {})
    if not_found.get("labels"):
        named = ", ".join(not_found["smallest"])
        said.append(
            f"{not_found['labels']:,} labels of target_ids have no voxel here: {named}, ..."
        )
    labels, listed = documents.get("labels"), documents.get("listed")
    if labels is not None and listed is not None and listed < labels:
        said.append(f"The viewer lists the {listed:,} largest of {labels:,} segments.")
    return "\n\n".join(said)


def _costs(costs: Sequence[Cost]) -> str:
    rows = [
        (
            row["step"],
            f"{row['jobs']:,}"
            + ("" if row["measured"] == row["jobs"] else f" ({row['measured']:,} measured)"),
            *(duration(row[f"{name}_s"]) for name in ("total", "expected_total", "longest_job")),
            duration(row["time_asked_s"]),
            "too short" if row["peak_mb"] is None else f"{row['peak_mb']:,} MB",
            f"{row['memory_asked_mb']:,} MB",
        )
        for row in as_rows(costs)
    ]
    if not rows:
        return "Not known: there are no benchmarks of the jobs that made this."
    heads = ("step", "jobs", "all jobs", "expected", "longest job", "asked for")
    return table((*heads, "peak of memory", "asked for"), rows)


def _failures(found: Sequence[Mapping[str, Any]] | None) -> str:
    if found is None:
        return "Not known: the output has no logs/failures.jsonl."
    if not found:
        return "No job has failed."
    counts = Counter(str(entry.get("rule", "?")) for entry in found)
    keys = ("time", "rule", "job", "attempt", "reason", "log")
    latest = [[entry.get(key, "") for key in keys] for entry in found[-MOST_FAILURES:]]
    return (
        table(("rule", "failed attempts"), counts.items())
        + "\nThe latest:\n\n"
        + table(keys, latest)
    )


def value(found: object, long: bool = False) -> str:
    """A value of the configuration, as in the file. long: a list of labels is shortened."""
    if found is None:
        return "null"
    if isinstance(found, bool):
        return str(found).lower()
    if isinstance(found, list | tuple) and long and len(found) > 10:
        return f"{', '.join(map(str, found[:10]))}, ... ({len(found):,} labels)"
    return str(found)
