"""Labels that are read become bodies, and the labels that were seen are recorded.

A job sees few labels. Each is looked up once in the table that all jobs share; the voxels are then
rewritten by a hash table of the labels that were seen.
"""

import numpy as np

from snakemesh.job_records import LabelMap
from snakemesh.kernels.compiled import njit
from snakemesh.kernels.label_hash import larger, layers, look_up
from snakemesh.tables.seen import Seen, write_record
from snakemesh.tables.sorted_bodies import open_sorted


class Mapper:
    """Turns labels into bodies, for one job."""

    def __init__(self, how: LabelMap) -> None:
        self.how = how
        self._sorted = open_sorted(how.path, how.marker)
        # the labels seen, and one for the background
        self.n = 1
        # of `label_hash`
        self.table = np.zeros(1 << 10, np.uint32)
        # labels and bodies by number, (n and more,)
        self.names, self.bodies = np.zeros(1 << 9, np.uint64), np.zeros(1, np.uint64)

    def __call__(self, labels: np.ndarray) -> np.ndarray:
        """The bodies of labels, of the unsigned type of the levels.

        labels: z y x, unsigned. Raises DamagedError if the table is not what was written.
        """
        before = self.n
        for layer in layers(labels):
            self.table, self.names, self.n = number(
                layer.reshape(-1), self.table, self.names, self.n
            )
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

    def record(self) -> None:
        """Write which labels were seen, and their bodies, to the file of the job's record."""
        order = np.argsort(self.names[1 : self.n])
        seen = Seen(self.names[1 : self.n][order], self.bodies[1:][order])
        write_record(self.how.record, self.how.token, seen)


@njit(cache=True, nogil=True)
def number(labels, table, names, n):
    """Number the labels that are new; returns the hash table, the names and the next number."""
    end = 0
    while end < len(labels):
        label = labels[end]
        # what follows may grow arrays: a run is passed in a loop of its own, 2.5 times as fast
        while end < len(labels) and labels[end] == label:
            end += 1
        if n == len(names):
            table, names = larger(table, names)
        if look_up(table, names, label, n) == n:
            names[n] = label
            n += 1
    return table, names, n


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
