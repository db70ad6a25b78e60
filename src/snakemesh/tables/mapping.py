"""Labels that are read become bodies, and what was met is kept in mind.

A job meets few labels. Each is looked up once in the table that all jobs share; the voxels are then
rewritten by a hash table of the labels that were met.
"""

from dataclasses import dataclass, field

import numpy as np

from snakemesh.job_records import LabelMap
from snakemesh.kernels.compiled import njit
from snakemesh.kernels.label_hash import larger, layers, look_up
from snakemesh.tables.seen import MetLabels
from snakemesh.tables.sorted_bodies import open_sorted


@dataclass
class Mapper:
    """Turns labels into bodies, for one job.

    n: the labels met, and one for the background. names, bodies: (n and more,) uint64, by number.
    seen_in: by number the last cell where the label was met. met: by cell the numbers met there.
    """

    how: LabelMap
    n: int = 1
    table: np.ndarray = field(default_factory=lambda: np.zeros(1 << 10, np.uint32))
    names: np.ndarray = field(default_factory=lambda: np.zeros(1 << 9, np.uint64))
    bodies: np.ndarray = field(default_factory=lambda: np.zeros(1, np.uint64))
    seen_in: np.ndarray = field(default_factory=lambda: np.full(1 << 9, -1, np.int64))
    met: dict[int, list[np.ndarray]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._sorted = open_sorted(self.how.path, self.how.marker)

    def __call__(self, labels: np.ndarray, cell: int = 0) -> np.ndarray:
        """The bodies of labels, of the unsigned type of the levels.

        labels: z y x, unsigned. cell: where they lie, for `met_labels`. Raises DamagedError if the
        table is not what was written.
        """
        before = self.n
        for layer in layers(labels):
            self.table, self.names, self.seen_in, self.n, numbers = meet(
                layer.reshape(-1), self.table, self.names, self.seen_in, self.n, cell
            )
            if len(numbers):
                self.met.setdefault(cell, []).append(numbers)
        if self.n > before:
            new = self._sorted.bodies_of(self.names[before : self.n], self.how.keep_rest)
            self.bodies = np.append(self.bodies, new)
        out = np.empty(labels.shape, np.dtype(f"u{np.dtype(self.how.dtype).itemsize}"))
        for layer, target in zip(layers(labels), out, strict=True):
            bodies = np.empty(layer.shape, np.uint64)
            replace(
                layer.reshape(-1), self.table, self.names, self.bodies, self.n, bodies.reshape(-1)
            )
            target[...] = bodies
        return out

    def met_labels(self) -> MetLabels:
        """The labels that were met in each cell, and their bodies."""
        order = np.argsort(self.names[1 : self.n])
        place = np.empty(self.n, np.int64)
        place[order + 1] = np.arange(len(order))
        members = [
            np.unique(place[np.concatenate(self.met[cell])]) if cell in self.met else order[:0]
            for cell in range(len(self.how.tokens))
        ]
        return MetLabels(
            self.names[1 : self.n][order], self.bodies[1:][order], tuple(members), self.how.tokens
        )


@njit(cache=True, nogil=True)
def meet(labels, table, names, seen_in, n, cell):
    """Number the labels that are new; returns what has grown, and the numbers new to this cell."""
    numbers = np.empty(256, np.int64)
    n_numbers = 0
    end = 0
    while end < len(labels):
        label = labels[end]
        # what follows may grow arrays: a run is passed in a loop of its own, 2.5 times as fast
        while end < len(labels) and labels[end] == label:
            end += 1
        if label == 0:
            continue
        if n == len(names):
            table, names = larger(table, names)
            more = np.full(len(names), -1, np.int64)
            for i in range(n):
                more[i] = seen_in[i]
            seen_in = more
        number = look_up(table, names, label, n)
        if number == n:
            names[n] = label
            n += 1
        if seen_in[number] != cell:
            seen_in[number] = cell
            if n_numbers == len(numbers):
                longer = np.empty(2 * n_numbers, np.int64)
                for i in range(n_numbers):
                    longer[i] = numbers[i]
                numbers = longer
            numbers[n_numbers] = number
            n_numbers += 1
    return table, names, seen_in, n, numbers[:n_numbers].copy()


@njit(cache=True, nogil=True, allocates=False)
def replace(labels, table, names, bodies, n, out):
    """Write the body of every label."""
    last = body = np.uint64(0)
    for i in range(len(labels)):
        label = labels[i]
        if label != last:
            last = label
            body = bodies[look_up(table, names, label, n)]
        out[i] = body
