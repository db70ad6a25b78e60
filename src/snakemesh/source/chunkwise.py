"""Stores whose chunks are read by a function of ours.

Where a function waits for another store of tensorstore, both must not share threads: all of them
could wait for each other. So each has a context of its own.
"""

import atexit
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import tensorstore as ts
import worldarray as wa

T = TypeVar("T")
# What the functions wait for. A process that ends must not wait for it: a server may be gone.
_awaited: set[ts.Future[Any]] = set()
_is_ending = threading.Event()
# Threads that call the function, and those of the store that it reads.
_OUTER, _INNER = 2, 3


def inner_context() -> ts.Context:
    """The context of a store that the function of a chunkwise store reads."""
    context: ts.Context = wa.shared_context(0, threads=_INNER)
    return context


def awaited(future: ts.Future[T]) -> T:
    """The result of a future that a function waits for."""
    _awaited.add(future)
    if _is_ending.is_set():
        future.cancel()
    try:
        return future.result()
    finally:
        _awaited.discard(future)


@atexit.register
def _cancel() -> None:
    _is_ending.set()
    for future in list(_awaited):
        future.cancel()


def chunkwise(like: ts.TensorStore, read: Callable[[ts.IndexDomain], np.ndarray]) -> ts.TensorStore:
    """A store of the type, domain and chunks of another one, read by a function.

    read: returns the voxels of a box, which lies within one chunk. It is called in several threads.
    If it raises an error, reading the store raises ValueError.
    """

    def fill(domain: ts.IndexDomain, chunk: np.ndarray, _: object) -> None:
        chunk[...] = read(domain)

    return ts.virtual_chunked(
        fill,
        dtype=like.dtype,
        domain=like.domain,
        chunk_layout=ts.ChunkLayout(
            chunk_shape=like.chunk_layout.read_chunk.shape,
            grid_origin=like.chunk_layout.grid_origin,
            inner_order=like.chunk_layout.inner_order,
        ),
        context=wa.shared_context(0, threads=_OUTER),
    )
