"""Stores whose chunks are read by a function of ours.

Where a function waits for another store of tensorstore, both must not share threads: all of them
could wait for each other. So each has a context of its own.
"""

from collections.abc import Callable

import numpy as np
import tensorstore as ts
import worldarray as wa

# Threads that call the function, and those of the store that it reads.
_OUTER, _INNER = 2, 3


def inner_context() -> ts.Context:
    """The context of a store that the function of a chunkwise store reads."""
    context: ts.Context = wa.shared_context(0, threads=_INNER)
    return context


def chunkwise(like: ts.TensorStore, read: Callable[[ts.IndexDomain], np.ndarray]) -> ts.TensorStore:
    """A store of the type, domain and chunks of another one.

    read: the voxels of a box, which lies within one chunk. What it raises, a read of the store
    raises, as ValueError. It is called in several threads.
    """

    def fill(domain: ts.IndexDomain, chunk: np.ndarray, _: object) -> None:
        chunk[...] = read(domain)

    return ts.virtual_chunked(
        fill,
        dtype=like.dtype,
        domain=like.domain,
        chunk_layout=like.chunk_layout,
        context=wa.shared_context(0, threads=_OUTER),
    )
