"""The levels of the source, from its metadata alone. All triples are z, y, x; lengths are nm.

`documents` finds what is at a path. `level` reads one array: what it holds (`arrays`), where it
lies (`placement`), how it is turned (`axes`), and whether its files are there (`stored_files`).
"""

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from zipfile import is_zipfile

from worldarray.store import Refused, is_remote, join

from snakemesh.boxes import Nanometres, triple
from snakemesh.errors import UserError, one_line
from snakemesh.source.addresses import forbids_missing, is_redirected, redirected
from snakemesh.source.bounds import MAX_VOXEL_NM, refuse_odd_placement
from snakemesh.source.documents import Node, dataset_name, datasets, find, group_of
from snakemesh.source.groups import refuse_folder, refuse_image
from snakemesh.source.level import ODD_METADATA, SourceLevel, read_level
from snakemesh.source.placement import placed_by_group
from snakemesh.units import rounded
from snakemesh.zip_files import zip_file

# Levels s0, s1, ... that are looked for in a group that lists none.
_MOST_LEVELS = 64
# A level is coarser than another if its voxels are larger by more than rounding.
_COARSER = 1.001


def read_source(
    path: str,
    voxel_size_nm: Nanometres | None = None,
    translation_nm: Nanometres | None = None,
    index: Mapping[str, int] | None = None,
) -> tuple[SourceLevel, ...]:
    """The levels of a volume, finest first. No voxel is read.

    path: a group, an array, or a level of a group; a local path or a URL. voxel_size_nm,
    translation_nm: replace what the metadata say, see `with_voxel_size`; only the finest level is
    returned then. index: by name of an axis that is not z, y or x, the position that is read.
    Coarser levels that cannot be used say why (`SourceLevel.unusable`). Raises UserError if nothing
    is found, if the metadata cannot be read, if the volume cannot be meshed, or if neither the
    metadata nor the caller give a voxel size.
    """
    try:
        levels = _read_levels(path, index or {}, voxel_size_nm is None)
    except UserError:
        raise
    except Refused as error:
        raise UserError(
            f"config key input_path: access to {path} was denied, with and without credentials: "
            f"{one_line(error)}"
        ) from error
    except (*ODD_METADATA, OSError) as error:
        if is_redirected(error):
            if (moved := redirected(path)) is not None:
                return read_source(moved, voxel_size_nm, translation_nm, index)
            raise UserError(
                f"config key input_path: the server redirects {path} to an address where "
                "no volume was found; give the address of the volume itself"
            ) from error
        raise UserError(
            f"config key input_path: the metadata of {path} cannot be read: {one_line(error)}"
        ) from error
    if voxel_size_nm is not None:
        return (with_voxel_size(levels[0], voxel_size_nm, translation_nm),)
    return levels


def _read_levels(path: str, index: Mapping[str, int], is_placed: bool) -> tuple[SourceLevel, ...]:
    """The levels of a volume, finest first. is_placed: whether their placement is to be known."""
    _refuse_file(path)
    node = find(path)
    if node is None:
        refuse_folder(path)
        is_zip = is_remote(path) and path.lower().endswith((".zip", ".ozx"))
        instead = "; a zip file has to be in a folder of this machine, copy it" if is_zip else ""
        raise UserError(
            f"config key input_path: found no zarr, N5 or precomputed volume at {path}{instead}"
        )
    forbidden = is_remote(path) and forbids_missing(node.path)

    def level(array: Node, group: Node | None, name: str) -> SourceLevel:
        return read_level(array, group, name, index, is_placed, forbidden)

    if node.is_array or node.scale is not None:
        return (level(node, *group_of(node)),)
    refuse_image(path, node)
    found, broken = [], []
    arrays = _arrays(node)
    for name, array in arrays:
        try:
            if array is None:
                raise UserError(
                    f"config key input_path: {path} lists level {name}, which is not there; give "
                    "the path of one level to use that alone"
                )
            found.append(level(array, node, name))
        except UserError as error:
            broken.append((name, error))
    if not found:
        if not broken:
            refuse_folder(path)
            raise UserError(
                f"config key input_path: no levels found in {path}: it lists none, and has no s0"
            )
        raise broken[0][1]
    if not is_placed:
        # without sizes, the first that is listed is the finest
        if broken and broken[0][0] == arrays[0][0]:
            raise broken[0][1]
        return tuple(sorted(found, key=lambda level: -math.prod(level.shape)))
    finest = min(found, key=_finest_first)
    _refuse_contradiction(path, finest, found)
    found += [_unusable(node, name, finest, error) for name, error in broken]
    return tuple(sorted(found, key=_finest_first))


def _finest_first(level: SourceLevel) -> tuple[float, int]:
    """The order of levels. If all have the size of s0's voxels, s0 has the most of them."""
    return level.volume, -math.prod(level.shape)


def _refuse_contradiction(path: str, finest: SourceLevel, levels: Iterable[SourceLevel]) -> None:
    """Raise UserError if the finest level by its sizes is not the one with the most voxels."""
    largest = max(levels, key=lambda level: math.prod(level.shape))
    if math.prod(largest.shape) > math.prod(finest.shape):
        raise UserError(
            f"config key input_path: the metadata of {path} contradict each other: {finest.path} "
            f"has voxels of {rounded(finest.voxel_size)} nm and {finest.shape} of them, "
            f"{largest.path} has larger ones, {rounded(largest.voxel_size)} nm, and more, "
            f"{largest.shape}; correct the sizes, or give the path of one level"
        )


def _refuse_file(path: str) -> None:
    """Raise UserError if the path is that of a file, or leads into one that is no zip file.

    Also if a zip file has another ending than those that zip files have.
    """
    zipped = zip_file(path)
    file = path if zipped is None else zipped[0]
    if zipped is None and os.path.isfile(file) and is_zipfile(file):
        raise UserError(
            f"config key input_path: {file} is a zip file, expected a name that ends in .zip or "
            ".ozx; rename it"
        )
    if os.path.isfile(file) and not is_zipfile(file):
        raise UserError(
            f"config key input_path: {file} is a file, expected a folder or a zip file with a "
            "zarr, N5 or precomputed volume in it"
        )


def _arrays(group: Node) -> list[tuple[str, Node | None]]:
    """The levels of a group by name, as they are listed; None for one that is not there."""
    if group.format == "precomputed":
        scales = group.document.get("scales", [])
        return [(str(s.get("key")), replace(group, scale=i)) for i, s in enumerate(scales)]
    if names := [dataset_name(entry) for entry in datasets(group)]:
        return [(name, find(join(group.path, name))) for name in names]
    found: list[tuple[str, Node | None]] = []
    for number in range(_MOST_LEVELS):
        array = find(join(group.path, f"s{number}"))
        if array is None or not array.is_array:
            break
        found.append((f"s{number}", array))
    return found


def _unusable(group: Node, name: str, finest: SourceLevel, error: UserError) -> SourceLevel:
    """A level that cannot be used, if it is coarser than the finest that can.

    Raises the error otherwise: without it, a coarser level would be taken for s0.
    """
    voxel_size = placed_by_group(group, name)
    if voxel_size is None or triple(voxel_size) == finest.voxel_size:
        raise error
    level = replace(
        finest,
        path=join(group.path, name),
        name=None,
        voxel_size=voxel_size,
        files=None,
        stored=None,
        unusable=str(error).removeprefix("config key input_path: "),
    )
    is_first = name == dataset_name(datasets(group)[0])
    if level.volume < finest.volume * _COARSER or (is_first and max(voxel_size) > MAX_VOXEL_NM):
        raise error
    return level


def with_voxel_size(
    level: SourceLevel, voxel_size_nm: Nanometres, translation_nm: Nanometres | None = None
) -> SourceLevel:
    """The level with the placement that the configuration gives.

    voxel_size_nm: z y x. translation_nm: the centre of its voxel 0, z y x; None puts its corner at
    the origin. Raises UserError for a placement that no volume has.
    """
    voxel_size = triple(float(v) for v in voxel_size_nm)
    if translation_nm is None:
        translation = triple(v / 2 for v in voxel_size)
    else:
        translation = triple(float(t) for t in translation_nm)
    refuse_odd_placement(level.path, voxel_size, translation)
    return replace(level, voxel_size=voxel_size, translation=translation, has_unit=True)


def is_local(level: SourceLevel) -> bool:
    """Whether a level is a folder of the local filesystem. Only then can a link point to it."""
    return os.path.isabs(level.path) and zip_file(level.path) is None
