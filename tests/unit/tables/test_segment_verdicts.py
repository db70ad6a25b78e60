"""The table of segments gets what a verification has found, and keeps all that it had."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from snakemesh.tables.properties import RESERVED_NAMES, VERDICTS
from snakemesh.tables.segments import add_verdicts
from snakemesh.verify.shard import ROW
from snakemesh.verify.table import verdicts


def rows(labels, checked, opened, error):
    found = np.zeros(len(labels), ROW)
    found["label"], found["checked"] = labels, checked
    found["open_edges"], found["volume_error"] = opened, error
    return found


def test_a_users_table_may_not_have_the_columns():
    assert set(VERDICTS) < RESERVED_NAMES


def test_labels_get_what_was_found_of_them(tmp_path):
    first, second, third = (tmp_path / name for name in ("1.parquet", "2.parquet", "3.parquet"))
    fields = [
        pa.field("label", pa.uint64(), nullable=False),
        pa.field("name", pa.string(), metadata={"description": "a name"}),
    ]
    table = pa.table([[2, 5, 7, 2**63], ["a", None, "c", "d"]], pa.schema(fields))
    pq.write_table(table, first, row_group_size=2, compression="zstd")
    found = rows([2, 5, 2**63], [True, False, True], [0, 0, 3], [0.25, 0, np.nan])
    add_verdicts(first, second, found["label"], verdicts(found))
    copy = pq.read_table(second)
    assert copy.drop_columns(list(VERDICTS)).equals(table, check_metadata=True)
    assert copy["watertight"].to_pylist() == [True, None, None, False]
    assert copy["volume_error"].to_pylist() == [0.25, None, None, None]
    assert pq.ParquetFile(second).num_row_groups == 2

    # a later verification replaces what was found
    later = rows([7], [True], [0], [0.5])
    add_verdicts(second, third, later["label"], verdicts(later))
    again = pq.read_table(third)
    assert again.column_names == copy.column_names
    assert again["watertight"].to_pylist() == [None, None, True, None]
    assert again["volume_error"].to_pylist() == [None, None, 0.5, None]
