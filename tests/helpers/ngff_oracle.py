"""Where the metadata of OME-NGFF put a volume, computed from the specification alone.

Written from https://ngff.openmicroscopy.org (0.4, 0.5, and 0.6 for the kinds of transformations),
without a look at the library. All arithmetic is exact.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

# The prefixes of UDUNITS-2 that the specification lists before "meter", as powers of ten.
PREFIXES = {
    **{"yocto": -24, "zepto": -21, "atto": -18, "femto": -15, "pico": -12, "nano": -9},
    **{"micro": -6, "milli": -3, "centi": -2, "deci": -1, "": 0, "hecto": 2, "kilo": 3},
    **{"mega": 6, "giga": 9, "tera": 12, "peta": 15, "exa": 18, "zetta": 21, "yotta": 24},
}
# How many nanometres each unit of length of the specification is.
LENGTHS = {
    **{f"{prefix}meter": Fraction(10) ** (power + 9) for prefix, power in PREFIXES.items()},
    "angstrom": Fraction(1, 10),
    "inch": Fraction(25_400_000),
    "foot": Fraction(304_800_000),
    "yard": Fraction(914_400_000),
    "mile": Fraction(1_609_344_000_000),
    "parsec": Fraction(3.0856775814913673e16) * 10**9,
}
SPATIAL = ("z", "y", "x")
# A voxel is no smaller and no larger, and lies no further off, nm.
VOXEL_NM = (Fraction(1, 1000), Fraction(10**9))
FARTHEST_NM = Fraction(10**15)
FARTHEST_VOXELS = 2**40


class Refusal(Exception):
    """Metadata that give no placement: a reader has to say so."""


@dataclass(frozen=True)
class Placement:
    """Where a level is, z y x: its voxels, chunks, and voxel size and centre of voxel 0 in nm."""

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    voxel_nm: tuple[float, ...]
    centre_nm: tuple[float, ...]


def placement(
    axes: Sequence[Mapping[str, Any]],
    shape: Sequence[int],
    chunks: Sequence[int],
    transformations: Sequence[Mapping[str, Any]],
    index: Mapping[str, int],
) -> Placement:
    """The placement of a level. transformations: of its dataset, then of all the multiscales.

    index: by the name of an axis, which of its positions to take. Raises Refusal.
    """
    order = spatial_order(axes)
    for i, axis in enumerate(axes):
        if i not in order and shape[i] > 1:
            if axis["name"] not in index:
                raise Refusal(f"axis {axis['name']} has {shape[i]} positions, and none is chosen")
            if not 0 <= index[axis["name"]] < shape[i]:
                raise Refusal("the chosen position does not exist")
    matrix, has_scale = composed(transformations, len(axes))
    if not has_scale:
        raise Refusal("nothing says how large a voxel is")
    units = {axes[i].get("unit") for i in order}
    if None in units and units - {None, "nanometer"}:
        raise Refusal("some axes have a unit, and some have none")
    sizes, centres = [], []
    for i in order:
        unit = axes[i].get("unit")
        if unit is not None and unit not in LENGTHS:
            raise Refusal(f"{unit} is no length")
        nm = LENGTHS.get(unit, Fraction(1))
        sizes.append(matrix[i, i] * nm)
        centres.append(matrix[i, -1] * nm)
    for size, centre in zip(sizes, centres, strict=True):
        if not VOXEL_NM[0] <= size <= VOXEL_NM[1]:
            raise Refusal("no voxel has this size")
        if abs(centre) > min(FARTHEST_NM, FARTHEST_VOXELS * size):
            raise Refusal("no volume lies that far off")
    return Placement(
        tuple(shape[i] for i in order),
        tuple(chunks[i] for i in order),
        tuple(map(float, sizes)),
        tuple(map(float, centres)),
    )


def spatial_order(axes: Sequence[Mapping[str, Any]]) -> list[int]:
    """The array's axes that are z, y and x. Raises Refusal if there are not three of them.

    An axis is spatial by its type; one without a type by its name. Names say which is which, in
    upper or lower case. Arbitrary names leave the order, which "SHOULD be zyx".
    """
    names = [str(axis["name"]).lower() for axis in axes]
    found = [
        i
        for i, axis in enumerate(axes)
        if axis.get("type") == "space" or (axis.get("type") is None and names[i] in SPATIAL)
    ]
    if len(found) != 3:
        raise Refusal(f"{len(found)} axes are spatial")
    if set(SPATIAL) == {names[i] for i in found}:
        return [names.index(name) for name in SPATIAL]
    if set(SPATIAL) & {names[i] for i in found}:
        raise Refusal("some axes are called z, y or x, and some are not")
    return found


def composed(transformations: Sequence[Mapping[str, Any]], n_axes: int) -> tuple[np.ndarray, bool]:
    """One matrix (n, n + 1) that does what all do in turn, and whether one of them is a scale."""
    whole, has_scale = _padded(np.eye(n_axes, n_axes + 1, dtype=int), n_axes), False
    for one in transformations:
        kind = one["type"]
        if kind in ("scale", "translation", "affine") and kind not in one:
            raise Refusal(f"the numbers of a {kind} are in another file")
        matrix = np.eye(n_axes, n_axes + 1, dtype=int).astype(object)
        if kind == "sequence":
            matrix, is_scale = composed(one["transformations"], n_axes)
        else:
            is_scale = kind in ("scale", "affine")
            if kind == "scale":
                matrix[range(n_axes), range(n_axes)] = _exact(one["scale"])
            elif kind == "translation":
                matrix[:, -1] = _exact(one["translation"])
            elif kind == "affine":
                matrix = np.array([_exact(row) for row in one["affine"]], object)
                if (matrix[:, :-1] != np.diag(np.diag(matrix))).any():
                    raise Refusal("an affine that turns or shears")
            elif kind != "identity":
                raise Refusal(f"{kind} turns the volume, or is unknown")
        if matrix.shape != (n_axes, n_axes + 1):
            raise Refusal(f"a {kind} of another number of axes")
        whole, has_scale = _padded(matrix, n_axes) @ whole, has_scale or is_scale
    return whole[:n_axes], has_scale


def _padded(matrix: np.ndarray, n_axes: int) -> np.ndarray:
    """A square matrix for points with a 1 at their end."""
    return np.vstack([matrix.astype(object), [0] * n_axes + [1]])


def _exact(numbers: Sequence[float]) -> list[Fraction]:
    return [Fraction(number) for number in numbers]
