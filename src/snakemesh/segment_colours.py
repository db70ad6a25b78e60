"""Neuroglancer's colours of segments, for whatever shows the same segments elsewhere."""

import numpy as np

# Red, green and blue in each sixth of the colour wheel: 0 for the full value, 1 where it falls
# within the sixth, 2 where it rises, 3 for the least.
_PARTS = np.array([[0, 2, 3], [1, 0, 3], [3, 0, 2], [3, 1, 0], [2, 3, 0], [0, 3, 1]])


def segment_colours(labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """The colour that Neuroglancer gives to each label, RGB, uint8 (n, 3).

    labels: uint64 (n,). seed: `colorSeed` of the layer, 0 unless a user shuffles the colours.
    Source: `SegmentColorHash` in src/segment_color.ts, `hashCombine` in
    src/gpu_hash/hash_function.ts and `hsvToRgb` in src/util/colorspace.ts of Neuroglancer.
    """
    labels = labels.astype(np.uint64)
    state = np.full(len(labels), seed, np.uint32)
    for half in (labels, labels >> np.uint64(32)):
        state = _combined(state, half.astype(np.uint32))
    hue, saturation = 6 * ((state & 0xFF) / 255), 0.5 + 0.5 * ((state >> 8 & 0xFF) / 255)
    sector = np.floor(hue).astype(int)
    beyond = hue - sector
    falling, rising = 1 - saturation * beyond, 1 - saturation * (1 - beyond)
    parts = np.stack([np.ones(len(labels)), falling, rising, 1 - saturation], axis=1)
    rgb = np.take_along_axis(parts, _PARTS[sector % 6], axis=1)
    return np.asarray(np.rint(255 * rgb), np.uint8)


def _combined(state: np.ndarray, value: np.ndarray) -> np.ndarray:
    """One step of MurmurHash3 without its final mixing, uint32 (n,)."""
    value = _rotated(value * np.uint32(0xCC9E2D51), 15) * np.uint32(0x1B873593)
    state = _rotated(state ^ value, 13)
    return state * np.uint32(5) + np.uint32(0xE6546B64)


def _rotated(value: np.ndarray, bits: int) -> np.ndarray:
    rotated: np.ndarray = value << np.uint32(bits) | value >> np.uint32(32 - bits)
    return rotated
