"""Buckets that deny access to missing keys, because nobody may list them.

A chunk that is not stored is background. But a chunk that may not be read is an error: an expired
key must not turn a volume into background. So after a refusal, the array's own document is read in
the same way. Only if that succeeds does the chunk count as not stored.
"""

from collections.abc import Callable

import numpy as np
import tensorstore as ts
from worldarray.store import is_refused

from snakemesh.source.chunkwise import awaited, chunkwise, inner_context


def with_forbidden_as_missing(
    opened: Callable[[ts.Context], ts.TensorStore], document: str
) -> ts.TensorStore:
    """A store whose forbidden chunks hold the fill value.

    opened: opens the store with a context. document: the key of its metadata. Raises ValueError
    when a chunk is read that is forbidden, if the document is too.
    """
    base = opened(inner_context())
    assert base.kvstore is not None
    keys = ts.KvStore.open(base.kvstore.spec(), context=inner_context()).result()
    fill = np.zeros((), base.dtype.numpy_dtype) if base.fill_value is None else base.fill_value

    def read(domain: ts.IndexDomain) -> np.ndarray:
        try:
            found: np.ndarray = awaited(base[domain].read())
        except Exception as error:
            if not is_refused(error) or not _can_be_read(keys, document):
                raise
            return np.full(domain.shape, fill, base.dtype.numpy_dtype)
        return found

    return chunkwise(base, read)


def _can_be_read(keys: ts.KvStore, document: str) -> bool:
    """Whether a key is there and may be read."""
    try:
        return bool(awaited(keys.read(document)).state == "value")
    except ValueError:
        return False
