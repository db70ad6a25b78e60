"""The labels in the table of all segments, which a web server has although it lists no files."""

import numpy as np

from snakemesh.errors import UserError, one_line
from snakemesh.meshes.mesh_folder import MeshFolder, finish_read, start_read
from snakemesh.output.folder import SEGMENTS


def table_labels(folder: MeshFolder, condition: str | None = None) -> np.ndarray | None:
    """The labels in `segments.parquet`, of all its rows or of those that meet a condition.

    uint64, ascending; None if there is no table. Raises UserError, one line, for a damaged table
    and a condition that cannot be computed.
    """
    import pyarrow as pa
    from pyarrow import parquet

    from snakemesh.tables.condition import expression

    data = finish_read(folder, SEGMENTS, start_read(folder, SEGMENTS))
    if data is None:
        return None
    try:
        names = parquet.read_schema(pa.BufferReader(data)).names
        rows = None if condition is None else expression(condition, names)
        table = parquet.read_table(pa.BufferReader(data), columns=["label"], filters=rows)
        return np.sort(table["label"].to_numpy().astype(np.uint64))
    except (pa.ArrowException, OSError, LookupError, TypeError) as odd:
        what = f"'{condition}' cannot be computed" if condition else "it cannot be read"
        raise UserError(f"{folder.where}/{SEGMENTS}: {what}: {one_line(odd)}") from odd
