"""The JSON documents of the folder that is served: `info` and `segment_properties/info`.

Formats: https://github.com/google/neuroglancer/blob/master/src/datasource/precomputed/meshes.md
and segment_properties.md in the same folder.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from snakemesh.job_records import Sharding
from snakemesh.output.atomic import replacing
from snakemesh.output.folder import SEGMENTS
from snakemesh.tables.measures import measures_of
from snakemesh.tables.properties import NO_PROPERTIES, Column, Properties, rows_of


def multires_info(
    sharding: Sharding | None, lod_scale_multiplier: float, base_nm: Sequence[int]
) -> dict[str, Any]:
    """The `info` document of the meshes.

    `sharding` is None if the meshes are unsharded. `lod_scale_multiplier` is the unit, in
    nanometres, of the LOD scales in the manifests. `base_nm`: what positions in manifests are
    relative to, x y z (`OctreeGrid`).
    """
    x, y, z = base_nm
    info: dict[str, Any] = {
        "@type": "neuroglancer_multilod_draco",
        "vertex_quantization_bits": 16,
        "transform": [1, 0, 0, x, 0, 1, 0, y, 0, 0, 1, z],
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
    rows: np.ndarray, of_segments: int, table: Properties = NO_PROPERTIES
) -> dict[str, Any]:
    """The `segment_properties/info` document. A viewer loads all of it before it shows anything.

    rows: the segments that the viewer lists, by ascending label, dtype SUMMARY or WITH_NEIGHBOURS.
    of_segments: the number of all segments; the document says if `rows` are only the largest.
    table: the user's.

    The first property has the names of the labels, if the table has a column `label` or `name`.
    Then come the measures, then the other columns of the table. Rows of the table for other labels
    are left out.
    """
    labels = rows["label"]
    given = rows_of(table.labels, labels)
    names = table.names.take(given)
    properties: list[dict[str, Any]] = []
    for measure in measures_of(rows.dtype):
        if measure.viewer_type is not None:
            found = _number(measure.viewer_name, measure.viewer_type, measure.for_viewer(rows))
            properties.append(found | {"description": measure.viewer_description})
    if len(rows) < of_segments:
        # the format has no description of the whole document
        properties[0]["description"] += (
            f". Only the {len(rows):,} largest of {of_segments:,} segments are listed here; "
            f"{SEGMENTS} has them all"
        )
    if names.null_count < len(names):
        named = {"id": "label", "type": "label", "values": pc.fill_null(names, "").to_pylist()}
        properties.insert(0, named)
    columns = [_given_property(column, given) for column in table.columns]
    return {
        "@type": "neuroglancer_segment_properties",
        "inline": {
            "ids": [str(label) for label in labels.tolist()],
            "properties": properties + columns,
        },
    }


def _given_property(column: Column, rows: pa.Array) -> dict[str, Any]:
    """A column of the user's table as a property. rows: of the table, null for one it has not."""
    values = column.values.take(rows)
    found = None if pa.types.is_large_string(values.type) else _given_number(column.name, values)
    if found is None:
        texts = pc.fill_null(values.cast(pa.large_string()), "").to_pylist()
        found = {"id": column.name, "type": "string", "values": texts}
    return found if column.header == column.name else found | {"description": column.header}


def _given_number(name: str, values: pa.Array) -> dict[str, Any] | None:
    """Numbers, null where there is none, or None where they have to be text.

    The viewer knows numbers of 32 bits alone. Numbers with fractions are measures, and are rounded
    to float32. Whole numbers may be ids: they are numbers only if every one stays exact.
    """
    numbers = values.to_pylist()
    present = [number for number in numbers if number is not None]
    if max(map(abs, present), default=0) > float(np.finfo(np.float32).max):
        return None
    if all(number == int(number) for number in present):
        for data_type in ("uint32", "int32"):
            limits = np.iinfo(data_type)
            # only float32 has a NaN, for labels without a number
            if len(present) == len(numbers) and all(limits.min <= n <= limits.max for n in present):
                return _number(name, data_type, np.array(list(map(int, present)), np.int64))
        if any(int(np.float32(number)) != number for number in present):
            return None
        whole = ["NaN" if number is None else int(number) for number in numbers]
        return {"id": name, "type": "number", "data_type": "float32", "values": whole}
    with_nan = [float("nan") if number is None else float(number) for number in numbers]
    return _number(name, "float32", np.array(with_nan))


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
