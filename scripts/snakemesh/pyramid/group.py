"""The group of the built levels: its metadata, its empty arrays, its links to the source."""

import os
from dataclasses import replace
from pathlib import Path

import worldarray as wa

from snakemesh.job_records import PyramidGroup
from snakemesh.output.remove import remove_tree, remove_unfinished

_AXES = ("z", "y", "x")


def create_group(group: PyramidGroup) -> None:
    """Make the group, or adopt it where it is exactly what is wanted; an older one is removed.

    Metadata list the levels that are there, finest first: the source's own that are linked to, and
    the built ones. Raises UserError where something that is not ours stands in the way: a file, or
    a link, wherever it leads.
    """
    root = Path(group.path)
    linked = tuple(level for level in group.linked if _is_alike(level.path, group.format))
    group = replace(group, linked=linked)
    if root.is_symlink() or (os.path.lexists(root) and not _holds(root, group)):
        remove_tree(root)
    root.mkdir(parents=True, exist_ok=True)
    for folder in (root, *(root / level.name for level in group.built)):
        remove_unfinished(folder)
    for level in group.linked:
        if not (root / level.name).is_symlink():
            os.symlink(level.path, root / level.name)
    for level in sorted((*group.linked, *group.built), key=lambda level: int(level.name[1:])):
        wa.ensure_group_entry(
            str(root), level.name, level.voxel_size, level.translation, _AXES, format=group.format
        )
    for level in group.built:
        wa.create(
            str(root / level.name),
            level.shape,
            group.dtype,
            level.voxel_size,
            level.translation,
            axes=_AXES,
            chunks=group.chunks,
            codecs="zstd",
            format=group.format,
            separator="/",
            exists="adopt",
        )


def _is_alike(path: str, format: str) -> bool:
    """Whether an array of the source can be a level of the group: of its format and three axes."""
    meta = wa.metadata(path, open=False)
    return meta.format == format and meta.ndim == len(_AXES)


def _holds(root: Path, group: PyramidGroup) -> bool:
    """Whether a folder holds the wanted group, or the beginning of it, and no other level."""
    if not root.is_dir() or not _lists(root, group):
        return False
    links = {level.name: level.path for level in group.linked}
    arrays = {level.name for level in group.built}
    for entry in root.iterdir():
        if entry.is_symlink():
            if links.get(entry.name) != os.readlink(entry):
                return False
        elif entry.is_dir() and entry.name not in arrays:
            return False
    for level in group.built:
        path = str(root / level.name)
        # a job that was killed may leave a folder without an array in it
        if wa.detect(path, missing_ok=True) is None:
            continue
        meta = wa.metadata(path, open=False)
        found = (meta.shape, meta.dtype.name, meta.chunk_shape, meta.format)
        wanted = (level.shape, group.dtype, group.chunks, group.format)
        placement = (level.voxel_size, level.translation)
        if found != wanted or (meta.voxel_size, meta.translation) != placement:
            return False
    return True


def _lists(root: Path, group: PyramidGroup) -> bool:
    """Whether a folder's metadata, as far as there are any, list no level that is not wanted."""
    node = wa.detect(str(root), missing_ok=True)
    if node is None:
        return True
    listed = {entry["path"] for scales in node.multiscales for entry in scales["datasets"]}
    wanted = {level.name for level in (*group.linked, *group.built)}
    return node.format == group.format and listed <= wanted
