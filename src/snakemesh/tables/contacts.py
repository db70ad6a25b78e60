"""The table of all pairs of labels that touch, `contacts.parquet`.

Its rows ascend by the two labels. Only the job that writes it imports this module, for pyarrow.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from snakemesh.ascending import find
from snakemesh.output.atomic import replacing
from snakemesh.tables.measures import TOUCHING, WITH_NEIGHBOURS
from snakemesh.tables.merge import Run, in_groups, merged

ROWS_OF_A_GROUP = 1 << 17
# The columns, in their order: name, description.
COLUMNS = {
    "label_1": "The smaller label",
    "label_2": "The larger label; 0 for the background",
    "area": "Area of contact in square nanometres",
    "patches": "Patches of contact: voxel faces that share an edge are of one patch",
    "x": "Mean of the centres of the largest patch's voxel faces in x, nanometres",
    "y": "Mean of the centres of the largest patch's voxel faces in y, nanometres",
    "z": "Mean of the centres of the largest patch's voxel faces in z, nanometres",
    "faces": "Voxel faces between the two labels",
}


@dataclass
class Neighbours:
    """How many labels each label touches.

    labels: (L,) uint64, ascending. counts: (L,) uint32; the background does not count.
    """

    labels: np.ndarray
    counts: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.counts = np.zeros(len(self.labels), np.uint32)

    def kept(self, pairs: np.ndarray) -> np.ndarray:
        """The pairs whose labels are all here, or background; counts them. pairs: TOUCHING."""
        first, is_first = find(self.labels, pairs["label"])
        second, is_second = find(self.labels, pairs["other"])
        is_both = is_first & is_second
        np.add.at(self.counts, first[is_both], 1)
        np.add.at(self.counts, second[is_both], 1)
        kept: np.ndarray = pairs[is_both | (is_first & (pairs["other"] == 0))]
        return kept

    def added_to(self, rows: np.ndarray) -> np.ndarray:
        """Rows of labels that are all here, of dtype SUMMARY, as WITH_NEIGHBOURS."""
        found = np.empty(len(rows), WITH_NEIGHBOURS)
        for name in rows.dtype.names or ():
            found[name] = rows[name]
        found["neighbours"] = self.counts[np.searchsorted(self.labels, rows["label"])]
        return found


def write_contacts(
    path: str | os.PathLike[str], runs: Sequence[Run], labels: np.ndarray
) -> Neighbours:
    """Write the table, whole or not at all, as a stream. Returns how many neighbours labels have.

    runs: TOUCHING of all shards, each ascending by its two labels. labels: (L,) uint64, ascending,
    all that have a mesh; pairs with others are left out. In memory are 12 bytes of each label, and
    a group of rows.
    """
    neighbours = Neighbours(labels)
    schema = pa.schema(
        pa.field(name, of.type, metadata={"description": COLUMNS[name]})
        for name, of in zip(COLUMNS, _columns(np.zeros(0, TOUCHING)), strict=True)
    )
    order = [pq.SortingColumn(0), pq.SortingColumn(1)]
    with (
        replacing(path) as temporary,
        pq.ParquetWriter(
            temporary, schema, compression="zstd", use_dictionary=["label_1"], sorting_columns=order
        ) as writer,
    ):
        for rows in in_groups(map(neighbours.kept, merged(runs, repeats=True)), ROWS_OF_A_GROUP):
            writer.write_table(pa.Table.from_arrays(_columns(rows), schema=schema), len(rows))
    return neighbours


def _columns(rows: np.ndarray) -> list[pa.Array]:
    """The columns of some pairs (TOUCHING), in the order of COLUMNS."""
    found = [rows[name] for name in ("label", "other", "area", "patches")]
    found += [*rows["centroid"].T, rows["faces"]]
    return [pa.array(np.ascontiguousarray(column)) for column in found]
