"""Random integers and smooth noise for the synthetic neuropil, the same on every machine."""

import numpy as np

from snakemesh.example.growth import DIRECTION


class Random:
    """Random integers from the raw words of PCG64.

    NumPy guarantees that the stream of these words never changes. It does not guarantee this for
    the numbers of its Generator.
    """

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(seed)

    def words(self, n: int) -> np.ndarray:
        """Random uint64 of shape (n,)."""
        return self._bits.random_raw(n)

    def integers(self, low: int, high: int, shape: tuple[int, ...] = ()) -> np.ndarray:
        """Random int64 in [low, high), of the given shape."""
        words = self.words(int(np.prod(shape, dtype=np.int64))).reshape(shape)
        return low + ((words >> np.uint64(16)) % np.uint64(high - low)).astype(np.int64)

    def direction(self) -> np.ndarray:
        """A random direction: int64 of shape (3,), of length DIRECTION."""
        while True:
            vector = self.integers(-DIRECTION, DIRECTION + 1, (3,))
            squared = int((vector * vector).sum())
            if DIRECTION**2 // 16 < squared <= DIRECTION**2:
                return vector * DIRECTION // (int(np.sqrt(squared)) + 1)


def fractal_noise(random: Random, shape: tuple[int, ...], amplitude: int) -> np.ndarray:
    """Smooth noise of three octaves, int64 of this shape.

    The points of the coarsest octave are 8 points of the result apart. The noise is refined three
    times, each time to twice the resolution, as a cubic B-spline (masks 1 6 1 and 1 1 of Lane and
    Riesenfeld). `amplitude` is that of the coarsest octave. Each further octave has half that of
    the one before.
    """
    size = tuple(n // 8 + 5 for n in shape)
    noise = random.integers(-amplitude, amplitude + 1, size)
    for octave in range(1, 4):
        for axis in range(3):
            p = np.moveaxis(noise, axis, 0)
            finer = np.empty((2 * (len(p) - 2), *p.shape[1:]), np.int64)
            finer[0::2] = (p[:-2] + 6 * p[1:-1] + p[2:]) >> 3
            finer[1::2] = (p[1:-1] + p[2:]) >> 1
            noise = np.moveaxis(finer, 0, axis)
        # Nothing is added to the finest refinement. It is smooth and can be interpolated linearly.
        if octave < 3:
            noise = noise + random.integers(-amplitude >> octave, amplitude >> octave, noise.shape)
    return noise[tuple(slice(n) for n in shape)]
