"""Arrays that grow while a kernel fills them."""

import numpy as np

from snakemesh.kernels.compiled import njit


@njit(cache=True, nogil=True)
def longer(values, least):
    """An array that begins with `values`, and has room for twice as many, or for `least`."""
    copy = np.empty(max(2 * len(values), least), dtype=values.dtype)
    copy[: len(values)] = values
    return copy
