"""The axes of an array: which of them are z, y and x, and what is read along the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from snakemesh.boxes import Nanometres, triple
from snakemesh.errors import UserError
from snakemesh.source.lengths import nanometres

_ZYX = ("z", "y", "x")


@dataclass(frozen=True)
class Placement:
    """The axes of an array and where its voxels lie, an entry for each dimension in C order.

    names: lower case. kinds: "space", "time", ...; "" where nothing says so. units: "" likewise.
    voxel_size: in these units; None if nothing says so. translation: the centre of voxel 0.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    units: tuple[str, ...]
    voxel_size: tuple[float, ...] | None
    translation: tuple[float, ...]


def spatial_axes(path: str, placement: Placement, shape: Sequence[int]) -> tuple[int, int, int]:
    """The dimensions that are z, y and x.

    They are recognised by these names. If no dimension has such a name, they are the three of kind
    "space", or else the last three. Raises UserError if there are not three of them.
    """
    names, kinds = placement.names, placement.kinds
    found = [names.index(name) for name in _ZYX if name in names]
    if not found:
        space = [d for d, kind in enumerate(kinds) if kind == "space"]
        found = space or list(range(max(len(names) - 3, 0), len(names)))
    is_odd = any(kind == "space" and d not in found for d, kind in enumerate(kinds))
    if len(found) != 3 or is_odd or len(set(names)) != len(names):
        raise UserError(
            f"config key input_path: {path} has axes {' '.join(names)} of {tuple(shape)} voxels, "
            "expected z y x in any order, and besides them axes that are not of space"
        )
    return triple(found)


def chosen_index(
    path: str,
    names: Sequence[str],
    shape: Sequence[int],
    axes: Sequence[int],
    index: Mapping[str, int],
) -> tuple[int, ...]:
    """The position that is read along every dimension: 0 along z, y, x and where there is one.

    index: by name of an axis, the position that the configuration chooses. Raises UserError if the
    choice does not fit the axes, or if a longer axis has none.
    """
    wanted = {name.lower(): position for name, position in index.items()}
    others = [name for d, name in enumerate(names) if d not in axes]
    if unknown := sorted(set(wanted) - set(others)):
        has = f"only has {' '.join(others)}" if others else "has none"
        raise UserError(
            f"config key index: found axis {unknown[0]}, but {path} {has} besides z, y and x"
        )
    for d, name in enumerate(names):
        if d in axes:
            continue
        if shape[d] != 1 and name not in wanted:
            raise UserError(
                f"config key index: {path} has {shape[d]} positions along {name} (axes "
                f"{' '.join(names)}); choose one, such as index: {{{name}: 0}}"
            )
        if wanted.get(name, 0) >= shape[d]:
            raise UserError(
                f"config key index: found {name}: {wanted[name]}, expected at most {shape[d] - 1}: "
                f"{path} has {shape[d]} positions along {name}"
            )
    return tuple(0 if d in axes else wanted.get(name, 0) for d, name in enumerate(names))


def placed_nm(
    path: str, placement: Placement, axes: Sequence[int]
) -> tuple[Nanometres, Nanometres, bool]:
    """Voxel size and translation in nm, z y x, and whether their units are named.

    Sizes without a unit are taken for nanometres. Raises UserError if there are no sizes, if a unit
    is not a length, or if only some axes have a unit and it is not nanometre.
    """
    if placement.voxel_size is None:
        raise UserError(
            f"config key voxel_size_nm: the metadata of {path} do not say how large a voxel is; "
            "set the key to [z, y, x] in nm"
        )
    units = [placement.units[d] for d in axes]
    factors = []
    for d, unit in zip(axes, units, strict=True):
        if (factor := nanometres(unit) if unit else 1.0) is None:
            raise UserError(
                f"config key voxel_size_nm: the metadata of {path} give sizes along "
                f"{placement.names[d]} in {unit!r}, which is not a unit of length; set the key to "
                "[z, y, x] in nm"
            )
        factors.append(factor)
    if not all(units) and any(factor != 1.0 for factor in factors):
        has, lacks = (
            [placement.names[d] for d in axes if bool(placement.units[d]) is is_named]
            for is_named in (True, False)
        )
        raise UserError(
            f"config key voxel_size_nm: the metadata of {path} name a unit for {', '.join(has)}, "
            f"but none for {', '.join(lacks)}; set the key to [z, y, x] in nm"
        )
    size = triple(placement.voxel_size[d] * f for d, f in zip(axes, factors, strict=True))
    translation = triple(placement.translation[d] * f for d, f in zip(axes, factors, strict=True))
    return size, translation, all(units)
