"""The table of the LODs of all segments, `lods.parquet`: a row per label and LOD.

Format and order are those of `segments.parquet` (`tables.segments`). Only the job that writes it
imports this module: pyarrow takes 0.2 s to import.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from snakemesh.output.atomic import replacing
from snakemesh.tables.measures import LOD_MEASURES
from snakemesh.tables.merge import Run, in_groups, merged

# Labels of a group of rows.
LABELS_OF_A_GROUP = 1 << 15
# Bytes of all summaries that are in memory at a time.
_BYTES_AT_ONCE = 1 << 26


def write_lods(path: str | os.PathLike[str], summaries: Sequence[Run]) -> None:
    """Write the table, whole or not at all. Its folder is made if it does not exist.

    summaries: of all shards, of dtype `measures.lods_dtype`. They are read once, as a stream.
    Raises ValueError if the labels of one do not ascend.
    """
    fields = [("label", "<u8", "Segment"), ("lod", "u1", "Level of detail, 0 is the finest")]
    schema = pa.schema(
        [
            pa.field(name, pa.from_numpy_dtype(np.dtype(kind)), False, {"description": text})
            for name, kind, text in (*fields, *LOD_MEASURES)
        ]
    )
    order = [pq.SortingColumn(0), pq.SortingColumn(1)]
    rows_at_once = _BYTES_AT_ONCE // max((run.dtype.itemsize for run in summaries), default=1)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with (
        replacing(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd", sorting_columns=order) as writer,
    ):
        for rows in in_groups(merged(summaries, rows_at_once), LABELS_OF_A_GROUP):
            columns = list(map(pa.array, _by_label_and_lod(rows)))
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def _by_label_and_lod(rows: np.ndarray) -> Iterator[np.ndarray]:
    """The columns of the table for some rows of a summary: one entry for each LOD of a label."""
    number = np.arange(rows["faces"].shape[1], dtype=np.uint8)
    is_kept = number < rows["lods"][:, None]
    yield rows["label"].repeat(rows["lods"])
    yield np.broadcast_to(number, is_kept.shape)[is_kept]
    for name, *_ in LOD_MEASURES:
        yield rows[name][is_kept]
