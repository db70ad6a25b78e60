"""What was found of each label, in the table of all segments: two columns at its end."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from snakemesh.verify.labels import places
from snakemesh.verify.table import verdicts

# Descriptions of the columns by name. A user's table may not have columns of these names
# (`tables.properties.VERDICT_NAMES`).
COLUMNS = {
    "watertight": "Whether every surface is closed, at every level of detail",
    "volume_error": "Volume at the finest level of detail / volume of the voxels - 1",
}


def add_verdicts(path: Path, temporary: Path, rows: np.ndarray) -> None:
    """Copy the table of all segments with the columns `watertight` and `volume_error`.

    path: the table, which may have these columns of an earlier verification. temporary: the copy.
    rows: shard.ROW, by label. Both columns are null for labels whose mesh was not read, and
    `volume_error` for surfaces that are left open. A group of rows is in memory at a time.
    """
    file = pq.ParquetFile(path)
    found = verdicts(rows)
    columns = [found[name] for name in COLUMNS]
    fields = [
        pa.field(name, found[name].type, metadata={"description": text})
        for name, text in COLUMNS.items()
    ]
    old = [field for field in file.schema_arrow if field.name not in COLUMNS]
    schema = pa.schema([*old, *fields])
    texts = [field.name for field in old if pa.types.is_string(field.type)]
    with pq.ParquetWriter(
        temporary,
        schema,
        compression="zstd",
        use_dictionary=texts,
        sorting_columns=[pq.SortingColumn(0)],
    ) as writer:
        for i in range(file.num_row_groups):
            group = file.read_row_group(i, [field.name for field in old])
            labels = group["label"].to_numpy()
            at, known = places(rows["label"], labels)
            taken = pa.array(at, mask=~known)
            values = [*group.columns, *(column.take(taken) for column in columns)]
            writer.write_table(pa.Table.from_arrays(values, schema=schema), max(len(labels), 1))
