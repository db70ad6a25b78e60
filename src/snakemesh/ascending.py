"""Looking up values in an ascending array."""

import numpy as np


def find(ascending: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where values are in an ascending array: their places, (n,) int64, and which are there, (n,).

    The place of a value that is not there means nothing.
    """
    at = np.searchsorted(ascending, values)
    at[at == len(ascending)] = 0
    if not len(ascending):
        return at, np.zeros(len(values), bool)
    return at, ascending[at] == values
