"""The group of the built levels: its metadata, its empty arrays, its links to the source."""

import os
from pathlib import Path

import worldarray as wa

from snakemesh.jobs import PyramidGroup
from snakemesh.remove import remove_tree

_AXES = ("z", "y", "x")


def create_group(group: PyramidGroup) -> None:
    """Make the group, or adopt it where it is exactly what is wanted; an older one is removed.

    Metadata list the levels that are there, finest first: the source's own that are linked to, and
    the built ones. Raises UserError where something that is not ours stands in the way.
    """
    root = Path(group.path)
    if root.exists() and not _holds(root, group):
        remove_tree(root)
    root.mkdir(parents=True, exist_ok=True)
    for name, path, _, _ in group.links:
        if not (root / name).is_symlink():
            os.symlink(path, root / name)
    for name, _, voxel_size, translation in sorted((*group.links, *group.arrays)):
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


def _holds(root: Path, group: PyramidGroup) -> bool:
    """Whether a folder holds the wanted group, or the beginning of it."""
    wanted_links = {name: path for name, path, _, _ in group.links}
    for entry in root.iterdir():
        if entry.is_symlink() and wanted_links.get(entry.name) != os.readlink(entry):
            return False
    for name, shape, voxel_size, translation in group.arrays:
        if not (root / name).exists():
            continue
        meta = wa.metadata(str(root / name), open=False)
        found = (meta.shape, meta.dtype.name, meta.chunk_shape, meta.format)
        wanted = (shape, group.dtype, group.chunks, group.format)
        if found != wanted or (meta.voxel_size, meta.translation) != (voxel_size, translation):
            return False
    return True
