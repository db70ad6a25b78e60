"""The group of the built levels: its metadata, its empty arrays, its links to the source."""

import os
from dataclasses import replace
from pathlib import Path

import worldarray as wa

from snakemesh.jobs import PyramidGroup
from snakemesh.remove import remove_tree, remove_unfinished

_AXES = ("z", "y", "x")


def create_group(group: PyramidGroup) -> None:
    """Make the group, or adopt it where it is exactly what is wanted; an older one is removed.

    Metadata list the levels that are there, finest first: the source's own that are linked to, and
    the built ones. Raises UserError where something that is not ours stands in the way: a file, or
    a link, wherever it leads.
    """
    root = Path(group.path)
    links = tuple(link for link in group.links if _is_alike(link[1], group.format))
    group = replace(group, links=links)
    if root.is_symlink() or (os.path.lexists(root) and not _holds(root, group)):
        remove_tree(root)
    root.mkdir(parents=True, exist_ok=True)
    for folder in (root, *(root / name for name, *_ in group.arrays)):
        remove_unfinished(folder)
    for name, path, _, _ in group.links:
        if not (root / name).is_symlink():
            os.symlink(path, root / name)
    in_order = sorted((*group.links, *group.arrays), key=lambda level: int(level[0][1:]))
    for name, _, voxel_size, translation in in_order:
        wa.ensure_group_entry(str(root), name, voxel_size, translation, _AXES, format=group.format)
    for name, shape, voxel_size, translation in group.arrays:
        wa.create(
            str(root / name),
            shape,
            group.dtype,
            voxel_size,
            translation,
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
    links = {name: path for name, path, _, _ in group.links}
    arrays = {name for name, *_ in group.arrays}
    for entry in root.iterdir():
        if entry.is_symlink():
            if links.get(entry.name) != os.readlink(entry):
                return False
        elif entry.is_dir() and entry.name not in arrays:
            return False
    for name, shape, voxel_size, translation in group.arrays:
        # a job that was killed may leave a folder without an array in it
        if wa.detect(str(root / name), missing_ok=True) is None:
            continue
        meta = wa.metadata(str(root / name), open=False)
        found = (meta.shape, meta.dtype.name, meta.chunk_shape, meta.format)
        wanted = (shape, group.dtype, group.chunks, group.format)
        if found != wanted or (meta.voxel_size, meta.translation) != (voxel_size, translation):
            return False
    return True


def _lists(root: Path, group: PyramidGroup) -> bool:
    """Whether a folder's metadata, as far as there are any, list no level that is not wanted."""
    node = wa.detect(str(root), missing_ok=True)
    if node is None:
        return True
    listed = {entry["path"] for scales in node.multiscales for entry in scales["datasets"]}
    wanted = {name for name, *_ in (*group.links, *group.arrays)}
    return node.format == group.format and listed <= wanted
