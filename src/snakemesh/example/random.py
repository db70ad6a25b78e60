"""Random integers for the example, the same on every machine and with every version of NumPy."""

import numpy as np


class Random:
    """Random integers from the raw words of PCG64.

    NumPy guarantees that the stream of these words never changes. It does not guarantee this for
    the numbers of its Generator.
    """

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(seed)

    def integers(self, low: int, high: int, shape: tuple[int, ...] = ()) -> np.ndarray:
        """Random int64 in [low, high), of the given shape."""
        words = self._words(int(np.prod(shape, dtype=np.int64))).reshape(shape)
        return low + ((words >> np.uint64(16)) % np.uint64(high - low)).astype(np.int64)

    def label_ids(self, n: int) -> np.ndarray:
        """0 for the background, then `n` ids as users have them: uint64 of shape (n + 1,).

        They are far apart. One in eight is above 2^32, and one in eight above 2^53, where float64
        cannot hold every integer.
        """
        words = self._words(n)
        ids = words % np.uint64(2**32)
        ids[0::8] = np.uint64(2**32) + words[0::8] % np.uint64(2**34)
        ids[4::8] = np.uint64(864691135000000000) + words[4::8] % np.uint64(10**9)
        return np.concatenate([np.zeros(1, np.uint64), ids])

    def _words(self, n: int) -> np.ndarray:
        return self._bits.random_raw(n)
