"""Volumes that stand in for kinds of data that cannot be in the repository.

They are as large, as thick and as many as what they stand for. Their shapes are simple, so that a
few lines draw them, the same ones each time. Arrays and sizes are z y x.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "helpers"))

from formats import Placed, write_zarr

CHUNKS = (64, 64, 64)


@dataclass(frozen=True)
class StandIn:
    """voxel_nm: z y x. draw: makes the labels, uint32 of shape (z, y, x)."""

    voxel_nm: tuple[float, float, float]
    draw: Callable[[], np.ndarray]


def write_stand_in(kind: str, folder: Path) -> Path:
    """Write the volume of a kind into `folder`, unless it is there. Returns its path."""
    path = folder / f"{kind}.zarr"
    if not path.exists():
        found = STAND_INS[kind]
        write_zarr(path, [Placed(found.draw(), found.voxel_nm, (0.0, 0.0, 0.0), CHUNKS)])
    return path


def _grid(shape: tuple[int, int, int]) -> list[np.ndarray]:
    """Positions of voxels along z, y, x, which broadcast to `shape`."""
    return list(np.ogrid[tuple(slice(0.0, n) for n in shape)])


def _fill_ellipsoid(labels: np.ndarray, label: int, middle: np.ndarray, axes: np.ndarray) -> None:
    """Give background voxels in an ellipsoid a label. axes: half its extent in voxels, (3,)."""
    low = np.maximum(np.floor(middle - axes).astype(int), 0)
    high = np.minimum(np.ceil(middle + axes).astype(int) + 1, labels.shape)
    if np.any(low >= high):
        return
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    at = np.ogrid[box]
    inside = sum(((p - m) / a) ** 2 for p, m, a in zip(at, middle, axes, strict=True)) <= 1
    part = labels[box]
    part[inside & (part == 0)] = label


def _organelles() -> np.ndarray:
    """12 mitochondria (bent tubes, 320 to 560 nm), 300 vesicles of 48 nm, and one sheet of ER.

    The sheet is 3 voxels thick.
    """
    shape = (256, 256, 256)
    labels = np.zeros(shape, np.uint32)
    rng = np.random.default_rng(13)
    for label in range(1, 13):
        position, direction = rng.uniform(20, 236, 3), rng.normal(size=3)
        radius = rng.uniform(20, 35)
        for _ in range(60):
            direction += rng.normal(scale=0.35, size=3)
            direction /= np.linalg.norm(direction)
            position = position + 2.5 * direction
            _fill_ellipsoid(labels, label, position, np.full(3, radius))
    for label in range(100, 400):
        _fill_ellipsoid(labels, label, rng.uniform(4, 252, 3), np.full(3, 3.0))
    z, y, x = (2 * np.pi * p / 128 for p in _grid(shape))
    gyroid = np.sin(x) * np.cos(y) + np.sin(y) * np.cos(z) + np.sin(z) * np.cos(x)
    labels[(np.abs(gyroid) < 0.11) & (labels == 0)] = 1000
    return labels


def _nuclei() -> np.ndarray:
    """1000 nuclei of 6 to 12 um in tissue of 64 x 205 x 205 um."""
    shape = (64, 512, 512)
    labels = np.zeros(shape, np.uint32)
    rng = np.random.default_rng(13)
    voxel = np.array(STAND_INS["nuclei"].voxel_nm)
    for label in range(1, 1001):
        axes = rng.uniform(3500, 5500) * rng.uniform(0.8, 1.1, 3) / voxel
        _fill_ellipsoid(labels, label, rng.uniform(0, shape), axes)
    return labels


def _atlas() -> np.ndarray:
    """246 regions of a brain of 11.4 x 8 x 6.4 mm, without gaps between them."""
    shape = (256, 320, 456)
    rng = np.random.default_rng(13)
    half = np.array(shape) / 2
    seeds = rng.uniform(0, shape, (300, 3)).astype(np.float32)
    labels = np.zeros(shape, np.uint32)
    y_x = np.indices(shape[1:]).reshape(2, -1)
    for z in range(shape[0]):
        points = np.stack([np.full(y_x.shape[1], z), *y_x], -1).astype(np.float32)
        inside = (((points + 0.5 - half) / (half - 4)) ** 2).sum(1) <= 1
        brain = points[inside]
        # borders between regions are curved
        bent = brain + 6 * np.sin(brain[:, [1, 2, 0]] / 17) + 3 * np.sin(brain[:, [2, 0, 1]] / 7)
        distances = (seeds**2).sum(1) - 2 * bent @ seeds.T
        labels[z].reshape(-1)[inside] = distances.argmin(1) + 1
    return labels


STAND_INS = {
    "organelles": StandIn((8.0, 8.0, 8.0), _organelles),
    "nuclei": StandIn((1000.0, 400.0, 400.0), _nuclei),
    "atlas": StandIn((25000.0, 25000.0, 25000.0), _atlas),
}
