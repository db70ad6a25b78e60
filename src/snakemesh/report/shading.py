"""From what is seen at each pixel to a picture: light, depth and edges."""

import numpy as np

from snakemesh.report.raster import Canvas

# To the light, in the axes of a view: right, down, towards the viewer.
LIGHT = np.array([-0.35, -0.55, 0.76])
AMBIENT = 0.22
# Pixels around each that nearness is compared with, as a part of the picture's width; how much
# darker what lies behind its surroundings is at most.
AROUND = 1 / 60
MOST_DARKENED = 0.45
# How much the farthest pixel fades into the background.
FADING = 0.28
BACKGROUND = 1.0
# Lines where triangles meet: their half width in pixels, and how dark they are.
LINE_PIXELS = 0.9
LINE_DARKNESS = 0.55


def shaded(canvas: Canvas, colours: np.ndarray, lines: bool = False) -> np.ndarray:
    """The picture, RGB from 0 to 1, float (height / 2, width / 2, 3): 4 pixels become one.

    colours: of each mesh by its number, (n, 3). lines: show the edges of triangles.
    """
    seen = canvas.owner >= 0
    picture = np.full((*seen.shape, 3), BACKGROUND)
    if seen.any():
        normal = canvas.normal[seen]
        # a surface that is left open is seen from inside too
        normal = np.where(normal[:, 2:] < 0, -normal, normal)
        # half of the light comes around: what is turned away is not black
        light = AMBIENT + (1 - AMBIENT) * (0.5 + 0.5 * normal @ LIGHT) ** 1.5 * 1.1
        light *= 1 - MOST_DARKENED * _hidden(canvas)[seen]
        if lines:
            light *= 1 - LINE_DARKNESS * np.clip(1.5 - canvas.edge[seen] / LINE_PIXELS, 0, 1)
        near = canvas.nearness[seen].astype(float)
        depth = (near.max() - near) / max(float(np.ptp(near)), 1e-9)
        fade = FADING * depth[:, None]
        lit = colours[canvas.owner[seen]] * light[:, None]
        picture[seen] = np.clip(lit * (1 - fade) + BACKGROUND * fade, 0, 1)
    height, width = (n // 2 * 2 for n in seen.shape)
    fours = picture[:height, :width].reshape(height // 2, 2, width // 2, 2, 3)
    return np.asarray(fours.mean(axis=(1, 3)))


def _hidden(canvas: Canvas) -> np.ndarray:
    """How far each pixel lies behind its surroundings, 0 to 1.

    Luft, Colditz, Deussen: Image enhancement by unsharp masking the depth buffer. ACM Transactions
    on Graphics 25(3), 2006.
    """
    seen = canvas.owner >= 0
    near = np.where(seen, canvas.nearness, 0).astype(float)
    radius = max(int(AROUND * seen.shape[1]), 1)
    weight = _box_sum(seen.astype(float), radius)
    mean = _box_sum(near, radius) / np.maximum(weight, 1)
    return np.asarray(np.clip((mean - near) / (2 * radius), 0, 1))


def _box_sum(values: np.ndarray, radius: int) -> np.ndarray:
    """Sums over squares of 2 * radius + 1 pixels, cut at the border."""
    for axis in (0, 1):
        n = values.shape[axis]
        total = np.insert(np.cumsum(values, axis=axis), 0, 0, axis=axis)
        at = np.arange(n)
        upper = np.take(total, np.minimum(at + radius + 1, n), axis=axis)
        values = upper - np.take(total, np.maximum(at - radius, 0), axis=axis)
    return values
