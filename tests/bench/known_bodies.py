"""Bodies whose true surface is known, and the volumes of labels that they fill.

Positions are x y z, lengths are units. A unit is the geometric mean of the voxel of s0, so that
bodies are as many voxels large whatever the shape of the voxels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

# Signed distance (n,) of points (n, 3) from a surface, negative inside.
Distance = Callable[[np.ndarray], np.ndarray]

MARGIN = 8.0  # background around a body
XY_NM = 8.0  # width of a voxel in x and y
SHELL = 0.25  # half the width of the shell that points of a true surface are taken from
STEP = 1e-3  # of the differences that give the normals
# Where a body's middle is in its volume. No body lies symmetrically in the voxels.
OFFSET = np.array([0.31, -0.17, 0.23])


@dataclass(frozen=True)
class Body:
    """A body of one or several labels, 1, 2, ..., about its middle.

    distances: per label, from its surface. volumes: per label. half: half its extent on each axis,
    (3,), or more.
    """

    distances: tuple[Distance, ...]
    volumes: tuple[float, ...]
    half: np.ndarray


@dataclass(frozen=True)
class Volume:
    """A body in voxels. labels: z y x. voxel_nm: z y x. unit_nm: a unit. middle_nm: x y z."""

    labels: np.ndarray
    voxel_nm: tuple[float, float, float]
    unit_nm: float
    middle_nm: np.ndarray


def volume_of(body: Body, anisotropy: float) -> Volume:
    """The voxels of a body: each has the label that its centre lies in.

    anisotropy: how many times as long as wide a voxel is along z. The volume's corner is at 0 nm.
    """
    voxel_nm = (XY_NM * anisotropy, XY_NM, XY_NM)
    unit_nm = XY_NM * anisotropy ** (1 / 3)
    voxel = np.array(voxel_nm) / unit_nm
    shape = np.ceil(2 * (body.half[::-1] + MARGIN) / voxel).astype(int)
    middle = (shape * voxel)[::-1] / 2 + OFFSET
    z, y, x = ((np.arange(n) + 0.5) * v for n, v in zip(shape, voxel, strict=True))
    labels = np.zeros(shape, np.uint32)
    plane = np.empty((len(y), len(x), 3))
    plane[..., 0], plane[..., 1] = x, y[:, None]
    for k, height in enumerate(z):
        plane[..., 2] = height
        points = (plane - middle).reshape(-1, 3)
        for label, distance in enumerate(body.distances, 1):
            labels[k][(distance(points) <= 0).reshape(plane.shape[:2])] = label
    return Volume(labels, voxel_nm, unit_nm, middle * unit_nm)


def true_normals(distance: Distance, points: np.ndarray) -> np.ndarray:
    """Normals (n, 3) of a surface where it is nearest to points (n, 3): the distance's gradient."""
    gradient = np.empty_like(points)
    for axis, step in enumerate(np.eye(3) * STEP):
        gradient[:, axis] = distance(points + step) - distance(points - step)
    return gradient / np.maximum(np.linalg.norm(gradient, axis=1, keepdims=True), 1e-12)


def true_points(distance: Distance, half: np.ndarray, number: int) -> np.ndarray:
    """Points (about `number`, 3) spread evenly over a true surface, the same ones in every run.

    half: of the body. Points of a thin shell around the surface are moved onto it along the
    gradient of the distance.
    """
    random = np.random.default_rng(0)
    found: list[np.ndarray] = []
    while sum(map(len, found)) < number:
        points = random.uniform(-half - SHELL, half + SHELL, (200_000, 3))
        found.append(points[np.abs(distance(points)) < SHELL])
    points = np.concatenate(found)[:number]
    for _ in range(3):
        points = points - distance(points)[:, None] * true_normals(distance, points)
    return points


def sphere(radius: float) -> Body:
    """A ball."""
    return Body(
        (lambda p: np.linalg.norm(p, axis=1) - radius,),
        (4 / 3 * np.pi * radius**3,),
        np.full(3, radius),
    )


def ring(middle: float, radius: float, half_angle: float = np.pi) -> Body:
    """A tilted torus, or an arc of one with round ends: points within `radius` of a circular arc.

    middle: radius of the arc. half_angle: half the angle that it spans.
    """
    length = 2 * half_angle * middle
    ends = 4 / 3 * np.pi * radius**3 if half_angle < np.pi else 0.0
    # Pappus: area of the disk times the way of its middle
    volume = np.pi * radius**2 * length + ends
    distance = partial(_from_arc, middle=middle, half_angle=half_angle)
    return Body((lambda p: distance(_tilted(p)) - radius,), (volume,), np.full(3, middle + radius))


def sheet(thickness: float, radius: float = 60.0, half_angle: float = 0.7) -> Body:
    """Part of a spherical shell with a round rim: points within thickness / 2 of a cap.

    radius: of the sphere through the middle of the sheet. half_angle: from its pole to its rim.
    """
    outer, inner, half = radius + thickness / 2, radius - thickness / 2, thickness / 2
    shell = 2 * np.pi * (1 - np.cos(half_angle)) * (outer**3 - inner**3) / 3
    # Pappus for the rim: half a disk, whose centroid is 4 / (3 pi) radii from its middle
    way = 2 * np.pi * (radius * np.sin(half_angle) + 4 * half / (3 * np.pi) * np.cos(half_angle))
    lift = radius * (1 + np.cos(half_angle)) / 2

    def distance(points: np.ndarray) -> np.ndarray:
        across, up = _meridian(_tilted(points))
        angle = np.minimum(np.arctan2(across, up + lift), half_angle)
        return np.hypot(across - radius * np.sin(angle), up + lift - radius * np.cos(angle)) - half

    extent = radius * np.sin(half_angle) + thickness
    return Body((distance,), (shell + np.pi * half**2 / 2 * way,), np.full(3, extent))


def half_balls(radius: float) -> Body:
    """Two bodies that touch: the halves of a ball, cut at a tilted plane."""
    volume = 2 / 3 * np.pi * radius**3
    return Body(
        tuple(
            lambda p, side=side: _from_half_ball(*_meridian(_tilted(p) * [1, 1, side]), radius)
            for side in (1, -1)
        ),
        (volume, volume),
        np.full(3, radius),
    )


def tree() -> Body:
    """A branching tree: capsules that get thinner, in units 6 to 1.5 in radius.

    Inside, the distance where capsules meet is that from the nearest one of them, which is less
    than to the surface. The volume is that of a grid, with voxels at the surface in part.
    """
    capsules = [
        ([-42, 3, -38], [-12, 0, -8], 6.0),
        ([-12, 0, -8], [10, -24, 8], 4.5),
        ([-12, 0, -8], [8, 20, 2], 4.0),
        ([10, -24, 8], [40, -36, 14], 3.0),
        ([10, -24, 8], [22, -16, 40], 2.5),
        ([8, 20, 2], [42, 16, -14], 2.5),
        ([8, 20, 2], [16, 42, 30], 2.0),
        ([16, 42, 30], [40, 36, 42], 1.5),
    ]

    def distance(points: np.ndarray) -> np.ndarray:
        return np.min([_from_capsule(points, *capsule) for capsule in capsules], axis=0)

    half = np.full(3, 46.0)
    axis = np.arange(-50, 50, 0.5)
    plane = np.stack(np.meshgrid(axis, axis, [0.0], indexing="ij"), axis=-1).reshape(-1, 3)
    parts = [np.clip(0.5 - distance(plane + [0, 0, z]) / 0.5, 0, 1).sum() for z in axis]
    return Body((distance,), (float(np.sum(parts)) * 0.5**3,), half)


BODIES: dict[str, Callable[[], Body]] = {
    "sphere30": partial(sphere, 30.0),
    "sphere100": partial(sphere, 100.0),
    "torus": partial(ring, 40.0, 12.0),
    "tube": partial(ring, 40.0, 1.5, 2.4),
    "tree": tree,
    "sheet1": partial(sheet, 1.0),
    "sheet2": partial(sheet, 2.0),
    "touching": partial(half_balls, 40.0),
}


def _tilted(points: np.ndarray) -> np.ndarray:
    """Points in a frame that is along no axis and no diagonal of the voxels."""
    (a, b), (c, d) = (np.cos(0.5), np.sin(0.5)), (np.cos(0.9), np.sin(0.9))
    return points @ np.array([[c, -d, 0], [a * d, a * c, -b], [b * d, b * c, a]]).T


def _meridian(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance from the z axis, and z."""
    return np.hypot(points[:, 0], points[:, 1]), points[:, 2]


def _from_arc(points: np.ndarray, middle: float, half_angle: float) -> np.ndarray:
    angle = np.clip(np.arctan2(points[:, 1], points[:, 0]), -half_angle, half_angle)
    nearest = np.stack([np.cos(angle), np.sin(angle), np.zeros(len(angle))], axis=1) * middle
    return np.linalg.norm(points - nearest, axis=1)


def _from_half_ball(across: np.ndarray, up: np.ndarray, radius: float) -> np.ndarray:
    """Distance from the half of a ball that is above 0, exact on both sides of its rim."""
    from_disk = np.hypot(np.maximum(across - radius, 0), up)
    rim = np.hypot(across - radius, up)
    from_cap = np.where(up >= 0, np.abs(np.hypot(across, up) - radius), rim)
    inside = (up >= 0) & (np.hypot(across, up) <= radius)
    return np.minimum(from_disk, from_cap) * np.where(inside, -1, 1)


def _from_capsule(points: np.ndarray, begin: list, end: list, radius: float) -> np.ndarray:
    way = np.subtract(end, begin).astype(float)
    part = np.clip((points - begin) @ way / (way @ way), 0, 1)
    return np.linalg.norm(points - begin - part[:, None] * way, axis=1) - radius
