"""The documents of a mesh directory: `info` and `segment_properties/info`.

Formats: https://github.com/google/neuroglancer/blob/master/src/datasource/precomputed/meshes.md
and segment_properties.md beside it.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from snakemesh.job_records import Sharding
from snakemesh.multires.shard_layout import SUMMARY
from snakemesh.output.atomic import replacing
from snakemesh.segment_table import SegmentTable, read_segment_table

# Name in the viewer's queries (`volume>1e9`), data type and what it says, in the order shown.
_MEASURES = (
    ("volume", "float32", "Volume in cubic nanometres"),
    ("area", "float32", "Surface area in square nanometres"),
    ("faces", "uint32", "Triangles at the finest level of detail"),
    ("x_min", "float32", "Lower end of the bounding box in x, nanometres"),
    ("y_min", "float32", "Lower end of the bounding box in y, nanometres"),
    ("z_min", "float32", "Lower end of the bounding box in z, nanometres"),
    ("x_max", "float32", "Upper end of the bounding box in x, nanometres"),
    ("y_max", "float32", "Upper end of the bounding box in y, nanometres"),
    ("z_max", "float32", "Upper end of the bounding box in z, nanometres"),
)


def multires_info(sharding: Sharding | None, lod_scale_multiplier: float) -> dict[str, Any]:
    """The `info` document of the meshes; without `sharding`, of the unsharded kind.

    `lod_scale_multiplier` is the nanometres that the LOD scales of the manifests count.
    """
    info: dict[str, Any] = {
        "@type": "neuroglancer_multilod_draco",
        "vertex_quantization_bits": 16,
        "transform": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0],
        "lod_scale_multiplier": lod_scale_multiplier,
        "segment_properties": "segment_properties",
    }
    if sharding is not None:
        info["sharding"] = sharding_info(sharding)
    return info


def sharding_info(sharding: Sharding) -> dict[str, str | int]:
    """The `sharding` member of an `info` document.

    Nothing is compressed: fragments are Draco already, and the minishard indices are 24 bytes a
    label, a few thousandths of a shard.
    """
    return {
        "@type": "neuroglancer_uint64_sharded_v1",
        "preshift_bits": sharding.preshift_bits,
        "hash": "murmurhash3_x86_128",
        "minishard_bits": sharding.minishard_bits,
        "shard_bits": sharding.shard_bits,
        "minishard_index_encoding": "raw",
        "data_encoding": "raw",
    }


def segment_properties(
    summaries: Sequence[np.ndarray], csv_path: str | os.PathLike | None
) -> dict[str, Any]:
    """The `segment_properties/info` document: every label that has a mesh, in ascending order.

    `summaries` are the SUMMARY arrays of all shards. Each label is named by its number, or by the
    CSV's column `label` or `name`; its measures and the CSV's other columns follow. Rows of labels
    without a mesh are left out. Raises UserError for a CSV that is not one, ValueError for a label
    in two summaries.
    """
    rows = np.concatenate([np.empty(0, SUMMARY), *summaries])
    rows = rows[np.argsort(rows["label"], kind="stable")]
    labels = rows["label"]
    if np.any(labels[1:] == labels[:-1]):
        twice = labels[1:][labels[1:] == labels[:-1]][0]
        raise ValueError(f"label {twice} is in the summaries of two shards")
    ids = [str(label) for label in labels.tolist()]
    names, columns = ids, []
    if csv_path is not None:
        table = read_segment_table(csv_path)
        names, columns = _csv_properties(table, labels, ids)
    bounds = np.concatenate([rows["lower"], rows["upper"]], axis=1)
    measures = [rows["volume"], rows["area"], rows["faces"], *bounds.T]
    properties = [{"id": "label", "type": "label", "values": names}]
    for (name, data_type, description), values in zip(_MEASURES, measures, strict=True):
        properties.append(_number(name, data_type, values) | {"description": description})
    return {
        "@type": "neuroglancer_segment_properties",
        "inline": {"ids": ids, "properties": properties + columns},
    }


def _csv_properties(
    table: SegmentTable, labels: np.ndarray, ids: list[str]
) -> tuple[list[str], list[dict[str, Any]]]:
    """The name of each label, and the other columns of the CSV, for `labels`."""
    row_of = {label: row for row, label in enumerate(table.labels)}
    rows = [row_of.get(label, -1) for label in labels.tolist()]
    given = [""] * len(ids) if table.names is None else _take(table.names, rows)
    names = [name or label for name, label in zip(given, ids, strict=True)]
    properties = []
    for column in table.columns:
        texts = _take(column.values, rows)
        if column.is_number:
            numbers = np.array([float(text or "nan") for text in texts], np.float64)
            found = _number(column.name, _data_type(numbers), numbers)
        else:
            found = {"id": column.name, "type": "string", "values": texts}
        if column.header != column.name:
            found["description"] = column.header
        properties.append(found)
    return names, properties


def _take(texts: list[str], rows: list[int]) -> list[str]:
    return [texts[row] if row >= 0 else "" for row in rows]


def _data_type(numbers: np.ndarray) -> str:
    """The narrowest of the viewer's 32-bit types that holds all of `numbers` exactly, or float32.

    Only float32 has a NaN for labels without a number.
    """
    for data_type in ("uint32", "int32"):
        limits = np.iinfo(data_type)
        if np.all((numbers >= limits.min) & (numbers <= limits.max) & (numbers % 1 == 0)):
            return data_type
    return "float32"


def _number(name: str, data_type: str, values: np.ndarray) -> dict[str, Any]:
    if data_type == "float32":
        # Through text, for the shortest decimals that mean the same 32-bit number.
        texts = values.astype(np.float32).astype(str).tolist()
        # JSON has no NaN; the viewer converts each value to a number, and this text to NaN, which
        # is what it puts itself where a label has no value.
        listed = ["NaN" if text == "nan" else float(text) for text in texts]
    else:
        listed = values.astype(data_type).tolist()
    return {"id": name, "type": "number", "data_type": data_type, "values": listed}


def write_json(path: str | os.PathLike, doc: dict[str, Any]) -> None:
    """Write a document whole or not at all, making its folder; equal documents give equal bytes."""
    text = json.dumps(doc, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
