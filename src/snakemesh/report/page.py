"""The page that holds everything: key figures, pictures, tables. It is a part of an HTML document.

Snakemake's report shows it twice: as its first page, and as a result of its own. So it needs no
other file, and its styles are those of one element. The first page is made for a few lines, in the
middle of the window: without the styles at the end, it would be narrow and its top out of reach.
"""

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from snakemesh.label_list import LIST_KEYS
from snakemesh.report.costs import as_rows, from_json
from snakemesh.units import duration, file_size, lengths

_STYLE = """
.sm{font-family:system-ui,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;color:#22303c;
background:#fff;max-width:1280px;margin:0 auto;padding:8px 28px 40px;line-height:1.5;font-size:15px}
.sm h1{font-size:27px;font-weight:700;margin:18px 0 2px;color:#22303c}
.sm h2{font-size:19px;font-weight:700;margin:38px 0 8px;padding-bottom:5px;
border-bottom:2px solid #e3e8ec;color:#22303c}
.sm p{margin:6px 0;max-width:95ch}.sm .quiet{color:#5f6f7c;font-size:13.5px}
.sm .tiles{display:flex;flex-wrap:wrap;gap:12px;margin:18px 0}
.sm .tile{flex:1 1 150px;border:1px solid #e3e8ec;border-radius:8px;padding:10px 14px}
.sm .tile b{display:block;font-size:22px;font-weight:700;white-space:nowrap}
.sm .tile span{color:#5f6f7c;font-size:13px}
.sm .good b{color:#23794c}.sm .bad b{color:#b3261e}
.sm img{max-width:100%;height:auto;display:block;margin:10px 0 4px}
.sm pre{background:#f5f7f9;border:1px solid #e3e8ec;border-radius:8px;padding:12px 14px;
overflow-x:auto;font-size:12.5px;line-height:1.45;color:#22303c;white-space:pre}
.sm table{border-collapse:collapse;margin:10px 0;font-size:13.5px}
.sm th{text-align:left;font-weight:600;border-bottom:2px solid #c8d1d8;padding:4px 14px 4px 0}
.sm td{border-bottom:1px solid #e3e8ec;padding:4px 14px 4px 0;vertical-align:top}
.sm td.n,.sm th.n{text-align:right;font-variant-numeric:tabular-nums}
.sm .wide{overflow-x:auto}
.overflow-auto:has(.sm){align-items:flex-start}.prose:has(.sm){max-width:none}
.flex:has(>.py-2 .sm){flex-direction:column}
"""
_WHY_LEFT_OUT = {
    "target_ids": "not in target_ids",
    "exclude_ids": "in exclude_ids",
    "min_voxels": "fewer voxels than min_voxels",
}


def page(facts: Mapping[str, Any], parts: Mapping[str, str]) -> str:
    """The page. facts: `facts.collected`. parts: pictures by name, as HTML (`picture`)."""
    sections = (
        _head(facts),
        parts["scene"],
        _section("Each level of detail", parts["lods"], parts["detail"], _lod_table(facts["lods"])),
        _section("The largest segments", parts["bodies"]),
        _section("A slice", parts["slice"]),
        _section("Sizes", parts["sizes"]),
        _section("Errors", parts["errors"], _verification(facts["verification"])),
        _section("What was left out", _left_out(facts)),
        _section("The plan", f"<pre>{html.escape(facts['plan'])}</pre>"),
        _section("Time and memory", parts["costs"], _cost_table(facts["costs"])),
        _section("Failures and retries", _failures(facts["failures"])),
        _section("Configuration", _table(("key", "value"), _settings(facts["settings"]))),
        _section("Versions", _table(("what", "version"), facts["versions"].items())),
    )
    body = "\n".join(sections)
    start = "<!doctype html><meta charset='utf-8'><title>snakemesh</title>"
    return f"{start}\n<style>{_STYLE}</style>\n<div class='sm'>\n{body}\n</div>\n"


def picture(path: str | Path, caption: str) -> str:
    """A picture within a page, and what is to be said of it."""
    data = base64.b64encode(Path(path).read_bytes()).decode()
    text = html.escape(" ".join(caption.split()))
    return f"<img alt='{text}' src='data:image/png;base64,{data}'><p class='quiet'>{text}</p>"


def _head(facts: Mapping[str, Any]) -> str:
    size = lengths([n * v for n, v in zip(facts["shape"], facts["voxel_nm"], strict=True)])
    voxels = " x ".join(f"{n:,}" for n in facts["shape"])
    labels, lods = facts["labels"], facts["lods"]
    seconds = sum(cost.total_s for cost in from_json(facts["costs"]))
    tiles = [
        ("unknown" if labels is None else f"{labels:,}", "segments with a mesh", ""),
        (f"{lods[0]['faces']:,}" if lods else "unknown", "triangles at LOD 0", ""),
        (str(facts["num_lods"]), "levels of detail", ""),
        (file_size(sum(n["bytes"] for n in lods)) if lods else "unknown", "of meshes", ""),
        (duration(seconds) if seconds else "unknown", "of computing, all jobs", ""),
        _verdict(facts["verification"]),
    ]
    boxes = "".join(
        f"<div class='tile {kind}'><b>{html.escape(value)}</b>"
        f"<span>{html.escape(name)}</span></div>"
        for value, name, kind in tiles
    )
    return (
        f"<h1>Meshes of {html.escape(str(facts['input']))}</h1>"
        f"<p class='quiet'>{voxels} voxels of {lengths(facts['voxel_nm'])} (z y x), {size}. "
        f"This page was made on {facts['made'].replace('T', ' at ')}.</p>"
        f"<div class='tiles'>{boxes}</div>"
    )


def _verdict(found: Mapping[str, Any] | None) -> tuple[str, str, str]:
    if found is None:
        return "not verified", "the target verify does it", ""
    if found["failures"]:
        return f"{found['failures']:,} failures", "found by verification", "bad"
    return "verified", f"{found['read']:,} of {found['labels']:,} meshes read back", "good"


def _section(title: str, *parts: str) -> str:
    return f"<h2>{title}</h2>\n" + "\n".join(parts)


def _table(
    heads: Sequence[str], rows: Iterable[Sequence[object]], numbers: Sequence[int] = ()
) -> str:
    """A table. numbers: the columns that are aligned on the right."""
    kind = [" class='n'" if i in numbers else "" for i in range(len(heads))]
    top = "".join(f"<th{k}>{html.escape(head)}</th>" for k, head in zip(kind, heads, strict=True))
    lines = (
        "".join(f"<td{k}>{html.escape(str(cell))}</td>" for k, cell in zip(kind, row, strict=True))
        for row in rows
    )
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<div class='wide'><table><tr>{top}</tr>{body}</table></div>"


def _lod_table(lods: Sequence[Mapping[str, int]] | None) -> str:
    if lods is None:
        return ""
    rows = [
        (
            f"LOD {lod}",
            *(f"{sums[name]:,}" for name in ("labels", "fragments", "faces", "bytes")),
            f"{sums['bytes'] / max(sums['faces'], 1):.2f}",
        )
        for lod, sums in enumerate(lods)
    ]
    heads = ("", "segments", "fragments", "triangles", "bytes", "bytes a triangle")
    return _table(heads, rows, range(1, 6))


def _verification(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return (
            "<p>These meshes were not verified: the target verify reads them back and compares "
            "them with the voxels. The errors here are those of segments.parquet.</p>"
        )
    read = f"{found['read']:,} of {found['labels']:,} meshes were read back"
    result = (
        "nothing failed"
        if not found["failures"]
        else f"{found['failures']:,} checks failed (verify.parquet has more)"
    )
    said = f"<p>Verified: {read}, {found['watertight']:,} of them are watertight; {result}.</p>"
    return said + _broken(found["broken"])


def _broken(lods: Sequence[Mapping[str, Any]]) -> str:
    """A table of the labels that are whole in s0 and broken at an LOD."""
    if not lods:
        return ""
    heads = (
        *("LOD", "labels that are one piece in s0", "of these in several pieces"),
        "part of their volume outside the largest piece",
    )
    rows = [
        (number, f"{lod['whole']:,}", f"{lod['broken']:,}", f"{lod['outside']:.2%}")
        for number, lod in enumerate(lods)
    ]
    return _table(heads, rows, (0, 1, 2, 3))


def _left_out(facts: Mapping[str, Any]) -> str:
    rows = [
        (f"{n:,}", _WHY_LEFT_OUT.get(key, key), _value(facts["settings"].get(key)))
        for key, n in facts["left_out"].items()
        if n
    ]
    said = [
        _table(("labels", "why", "value of the key"), rows, (0,))
        if rows
        else "<p>No label of the volume was left out.</p>"
    ]
    missing = facts["not_found"].get("labels", 0)
    if missing:
        named = ", ".join(facts["not_found"]["smallest"])
        said.append(f"<p>{missing:,} labels of target_ids have no voxel here: {named}, ...</p>")
    labels, listed = facts["labels"], facts["listed"]
    if labels is not None and listed is not None and listed < labels:
        said.append(
            f"<p>The viewer lists the {listed:,} largest of {labels:,} segments (max_properties)."
            "</p>"
        )
    return "".join(said)


def _cost_table(costs: Sequence[Mapping[str, Any]]) -> str:
    if not costs:
        return ""
    rows = [
        (
            row["step"],
            f"{row['jobs']:,}" + _some(row),
            duration(row["total_s"]),
            duration(row["expected_total_s"]),
            duration(row["longest_job_s"]),
            duration(row["time_asked_s"]),
            "too short" if row["peak_mb"] is None else f"{row['peak_mb']:,} MB",
            f"{row['memory_asked_mb']:,} MB",
        )
        for row in as_rows(from_json(costs))
    ]
    heads = ("step", "jobs", "all jobs", "expected", "longest job", "asked for")
    return _table((*heads, "peak of memory", "asked for"), rows, range(1, 8))


def _some(row: Mapping[str, Any]) -> str:
    return "" if row["measured"] == row["jobs"] else f" ({row['measured']:,} measured)"


def _failures(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return (
            "<p>Not known: the output has no logs/failures.jsonl, which every run of this version "
            "leaves.</p>"
        )
    if not found["by_rule"]:
        return "<p>No job has failed.</p>"
    counts = _table(("rule", "failed attempts"), found["by_rule"].items(), (1,))
    keys = ("time", "rule", "job", "attempt", "reason", "log")
    latest = [[entry.get(key, "") for key in keys] for entry in found["latest"]]
    return f"{counts}<p>The latest:</p>{_table(keys, latest)}"


def _settings(settings: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for key, value in settings.items():
        yield key, _value(value, long=key in LIST_KEYS)


def _value(value: object, long: bool = False) -> str:
    """A value of the configuration, as in the file. long: a list of labels is shortened."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and long and len(value) > 10:
        return f"{', '.join(map(str, value[:10]))}, ... ({len(value):,} labels)"
    return str(value)
