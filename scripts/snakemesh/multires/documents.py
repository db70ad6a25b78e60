"""The JSON documents of the folder that is served: `info` and `segment_properties/info`.

Formats: https://github.com/google/neuroglancer/blob/master/src/datasource/precomputed/meshes.md
and segment_properties.md in the same folder.
"""

import json
import os
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snakemesh.job_records import Sharding
from snakemesh.multires.shard_layout import SUMMARY
from snakemesh.output.atomic import replacing

if TYPE_CHECKING:
    import pyarrow as pa

# The measures of every label: the name in the viewer's queries (`volume>1e9`), the data type and
# the description. The viewer shows them in this order. Each name is in segment_table.MEASURE_NAMES,
# so that no column of a CSV can have it.
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
    """The `info` document of the meshes.

    `sharding` is None if the meshes are unsharded. `lod_scale_multiplier` is the unit, in
    nanometres, of the LOD scales in the manifests.
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

    Nothing is compressed. The fragments are already Draco, and the minishard indices, 24 bytes a
    label, are only a few thousandths of a shard.
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
    summaries: Sequence[np.ndarray], csv_path: str | os.PathLike[str] | None
) -> dict[str, Any]:
    """The `segment_properties/info` document: every label that has a mesh, in ascending order.

    `summaries` are the arrays of dtype SUMMARY of all shards, each of shape (labels,). `csv_path`
    is the user's table (see `read_segment_table`), or None.
    The first property is the name of the label: what the CSV's column `label` or `name` holds, or
    else its number. Then come the measures, then the other columns of the CSV. Rows of the CSV
    for labels without a mesh are left out.
    Raises UserError if the CSV cannot be read, and ValueError if a label is in two summaries.
    """
    rows = np.concatenate([np.empty(0, SUMMARY), *summaries])
    rows = rows[np.argsort(rows["label"], kind="stable")]
    labels = rows["label"]
    if np.any(labels[1:] == labels[:-1]):
        twice = labels[1:][labels[1:] == labels[:-1]][0]
        raise ValueError(f"label {twice} is in the summaries of two shards")
    ids = [str(label) for label in labels.tolist()]
    names = ids
    columns: list[dict[str, Any]] = []
    if csv_path is not None:
        names, columns = _table_properties(csv_path, labels, ids)
    bounds = np.concatenate([rows["lower"], rows["upper"]], axis=1)
    measures = [rows["volume"], rows["area"], rows["faces"], *bounds.T]
    properties: list[dict[str, Any]] = [{"id": "label", "type": "label", "values": names}]
    for (name, data_type, description), values in zip(_MEASURES, measures, strict=True):
        properties.append(_number(name, data_type, values) | {"description": description})
    return {
        "@type": "neuroglancer_segment_properties",
        "inline": {"ids": ids, "properties": properties + columns},
    }


def _table_properties(
    path: str | os.PathLike[str], labels: np.ndarray, ids: list[str]
) -> tuple[list[str], list[dict[str, Any]]]:
    """The names of `labels`, and the other columns of the user's table as properties of them."""
    # pyarrow is not imported where there is no table
    from snakemesh.segment_table import read_segment_table

    table = read_segment_table(path)
    order = np.argsort(table.labels)
    at = np.searchsorted(table.labels, labels, sorter=order)
    rows = np.append(order, -1)[at]
    rows[np.append(table.labels, 0)[rows] != labels] = -1
    given = [""] * len(ids) if table.names is None else _take(table.names, rows)
    names = [name or label for name, label in zip(given, ids, strict=True)]
    properties = []
    for column in table.columns:
        texts = _take(column.values, rows)
        found = _number_column(column.name, texts) if column.is_number else None
        if found is None:
            found = {"id": column.name, "type": "string", "values": texts}
        if column.header != column.name:
            found["description"] = column.header
        properties.append(found)
    return names, properties


def _take(texts: "pa.Array", rows: np.ndarray) -> list[str]:
    """The texts of the rows; "" for row -1, which stands for a label that has no row."""
    found = np.full(len(rows), "", object)
    found[rows >= 0] = texts.take(rows[rows >= 0]).to_pylist()
    listed: list[str] = found.tolist()
    return listed


def _number_column(name: str, texts: list[str]) -> dict[str, Any] | None:
    """A column of numbers, "" where there is none, or None where it has to stay text.

    The viewer knows numbers of 32 bits alone. Numbers with fractions are measures, and are rounded
    to float32. Whole numbers may be ids: they are numbers only if every one stays exact.
    """
    numbers = [Decimal(text) if text else None for text in texts]
    present = [number for number in numbers if number is not None]
    if all(number == number.to_integral_value() for number in present):
        for data_type in ("uint32", "int32"):
            limits = np.iinfo(data_type)
            # only float32 has a NaN, for labels without a number
            if len(present) == len(texts) and all(limits.min <= n <= limits.max for n in present):
                return _number(name, data_type, np.array(list(map(int, present)), np.int64))
        if any(Decimal(float(np.float32(number))) != number for number in present):
            return None
        whole = ["NaN" if number is None else int(number) for number in numbers]
        return {"id": name, "type": "number", "data_type": "float32", "values": whole}
    values = [float("nan") if number is None else float(number) for number in numbers]
    return _number(name, "float32", np.array(values, np.float64))


def _number(name: str, data_type: str, values: np.ndarray) -> dict[str, Any]:
    """A number property, without a description."""
    if data_type == "float32":
        # The text of a float32 is the shortest decimal that means the same 32-bit number.
        texts = values.astype(np.float32).astype(str).tolist()
        # JSON has no NaN. The viewer converts each value to a number, and the text "NaN" to NaN.
        # NaN is also what the viewer itself uses for a label without a value.
        listed = ["NaN" if text == "nan" else float(text) for text in texts]
    else:
        listed = values.astype(data_type).tolist()
    return {"id": name, "type": "number", "data_type": data_type, "values": listed}


def write_json(path: str | os.PathLike[str], doc: dict[str, Any]) -> None:
    """Write a document as JSON, whole or not at all. Its folder is made if it does not exist.

    Equal documents whose keys are in the same order give equal bytes. Raises ValueError if the
    document contains NaN or infinity.
    """
    text = json.dumps(doc, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
