"""The placement of a level in an OME-NGFF pyramid, of versions 0.1 to 0.6.

https://ngff.openmicroscopy.org/0.4/#multiscale-md, https://ngff.openmicroscopy.org/rfc/5/
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from worldarray.placement import default_axes

from snakemesh.errors import UserError
from snakemesh.source.axes import Placement

Document = Mapping[str, Any]


@dataclass
class _Place:
    """Where voxels lie after the transformations so far. units: that these name themselves."""

    scale: list[float]
    translation: list[float]
    has_scale: bool = False
    units: set[str] = field(default_factory=set)


def ome_placement(
    pyramid: Document, dataset: Document, ndim: int, path: str, is_placed: bool = True
) -> Placement:
    """The placement of a level with `ndim` dimensions.

    pyramid: an entry of `multiscales`. dataset: that of the level in it. path: for messages.
    is_placed: False where the configuration says where it lies, and only the axes are needed.
    Raises UserError for transformations that do more than scale and move, or if it is left open
    which of several coordinate systems is meant; ValueError, TypeError or LookupError for metadata
    that are none.
    """
    own = _listed(dataset.get("coordinateTransformations")) if is_placed else []
    common = _listed(pyramid.get("coordinateTransformations")) if is_placed else []
    systems = _listed(pyramid.get("coordinateSystems"))
    if systems and not is_placed:
        axes = _listed(systems[0].get("axes"))
    elif systems:
        axes, common = _system(own, common, systems, path)
    else:
        axes = _listed(pyramid.get("axes"))
        if not all(map(_is_identity, common)):
            _refuse_choice({_name(t.get("output")) for t in common}, path)
    place = _Place([1.0] * ndim, [0.0] * ndim)
    for transformation in (*own, *common):
        _apply(transformation, place, path)
    names, kinds, units = _axes(axes, ndim)
    return Placement(
        names=names,
        kinds=kinds,
        units=_with_units_of_transformations(units, place.units, path),
        voxel_size=tuple(place.scale) if place.has_scale else None,
        translation=tuple(place.translation),
    )


def _system(
    own: Sequence[Document], common: Sequence[Document], systems: Sequence[Document], path: str
) -> tuple[list[Any], list[Document]]:
    """The axes of the coordinate system that a level lies in, and the transformations into it.

    common: those of the pyramid, which lead from there to other systems. Only one that changes
    nothing leaves no choice.
    """
    by_name = {str(system.get("name")): system for system in systems}
    outputs = {name for t in own if (name := _name(t.get("output")))}
    names = outputs or set(by_name)
    _refuse_choice(names, path)
    (name,) = names
    if name not in by_name:
        raise UserError(
            f"config key input_path: {path} is transformed to coordinate system {name!r}, which "
            f"its group does not describe; {_SET_SIZE}"
        )
    others = {_name(t.get("output")): t for t in common if _name(t.get("input")) in (name, "")}
    if any(output != name and not _is_identity(t) for output, t in others.items()):
        _refuse_choice({name, *others}, path, others)
    return _listed(by_name[name].get("axes")), []


_SET_SIZE = "set voxel_size_nm and translation_nm to say where it lies"


def _refuse_choice(
    names: set[str], path: str, transformations: Mapping[str, Document] | None = None
) -> None:
    """Raise UserError if the metadata name more than one coordinate system."""
    if len(names) > 1:
        kinds = sorted({str(t.get("type")) for t in (transformations or {}).values()})
        leading = f" ({', '.join(kinds)} lead from one to another)" if kinds else ""
        raise UserError(
            f"config key input_path: {path} lies in several coordinate systems, "
            f"{', '.join(sorted(map(repr, names)))}{leading}; {_SET_SIZE}"
        )


def _apply(transformation: Document, place: _Place, path: str) -> None:
    """Apply a transformation after those before."""
    kind = transformation.get("type")
    ndim = len(place.scale)
    if unit := transformation.get("unit"):
        place.units.add(str(unit))
    if kind == "sequence":
        for part in _listed(transformation.get("transformations")):
            _apply(part, place, path)
    elif kind == "scale" and "scale" in transformation:
        _scale(place, _numbers(transformation["scale"], ndim))
    elif kind == "translation" and "translation" in transformation:
        _move(place, _numbers(transformation["translation"], ndim))
    elif kind == "affine" and (found := _diagonal(transformation.get("affine"), ndim)):
        _scale(place, found[0])
        _move(place, found[1])
    elif kind != "identity":
        raise UserError(
            f"config key input_path: the metadata of {path} place its voxels by a transformation "
            f"of type {str(kind)!r}, expected one that only scales and moves; {_SET_SIZE}"
        )


def _scale(place: _Place, factors: Sequence[float]) -> None:
    place.has_scale = True
    place.scale = [s * f for s, f in zip(place.scale, factors, strict=True)]
    place.translation = [t * f for t, f in zip(place.translation, factors, strict=True)]


def _move(place: _Place, by: Sequence[float]) -> None:
    place.translation = [t + b for t, b in zip(place.translation, by, strict=True)]


def _diagonal(matrix: object, ndim: int) -> tuple[list[float], list[float]] | None:
    """Scale and translation of an affine matrix, or None if it does more than that.

    matrix: (ndim, ndim + 1) as in the specification, or with the row that completes it.
    """
    if not isinstance(matrix, list):
        return None
    rows = matrix
    if rows and not isinstance(rows[0], list):  # written row after row
        rows = [rows[i : i + ndim + 1] for i in range(0, len(rows), ndim + 1)]
    rows = [_numbers(row, ndim + 1) for row in rows]
    if len(rows) == ndim + 1 and rows[-1] == [0.0] * ndim + [1.0]:
        rows = rows[:-1]
    if len(rows) != ndim:
        return None
    if any(rows[i][j] != 0 for i in range(ndim) for j in range(ndim) if i != j):
        return None
    return [rows[i][i] for i in range(ndim)], [row[ndim] for row in rows]


def _is_identity(transformation: Document) -> bool:
    kind = transformation.get("type")
    parts = _listed(transformation.get("transformations"))
    return kind == "identity" or (kind == "sequence" and all(map(_is_identity, parts)))


def _axes(
    listed: Sequence[Any], ndim: int
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Names, kinds and units of axes. Version 0.3 lists names alone, those before list nothing."""
    if len(listed) != ndim:
        if listed:
            raise ValueError(f"{len(listed)} axes are listed for an array of {ndim} dimensions")
        return tuple(default_axes(ndim)), ("",) * ndim, ("",) * ndim
    axes = [axis if isinstance(axis, Mapping) else {"name": axis} for axis in listed]
    return (
        tuple(str(axis["name"]).lower() for axis in axes),
        tuple(str(axis.get("type") or "").lower() for axis in axes),
        tuple(str(axis.get("unit") or "") for axis in axes),
    )


def _with_units_of_transformations(
    units: tuple[str, ...], named: set[str], path: str
) -> tuple[str, ...]:
    """Units of the axes, or those that the transformations name where axes have none."""
    if not named:
        return units
    if len(named | {unit for unit in units if unit}) > 1:
        raise UserError(
            f"config key input_path: the metadata of {path} name several units, "
            f"{', '.join(sorted(named | set(units) - {''}))}, for its axes and its "
            f"transformations; {_SET_SIZE}"
        )
    (unit,) = named
    return (unit,) * len(units)


def _numbers(found: object, length: int) -> list[float]:
    if not isinstance(found, list) or len(found) != length:
        raise ValueError(f"expected {length} numbers in a transformation, found {found}")
    numbers = [float(number) for number in found]
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"expected finite numbers in a transformation, found {found}")
    return numbers


def _listed(found: object) -> list[Any]:
    return list(found) if isinstance(found, list) else []


def _name(found: object) -> str:
    """The name of a coordinate system, which versions write in two ways."""
    return str(found.get("name") or "") if isinstance(found, Mapping) else str(found or "")
