"""The group of the levels that are built: its metadata, empty arrays and links to the source."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import worldarray as wa

from snakemesh.job_records import BuiltLevel, LinkedLevel, PyramidGroup
from snakemesh.output.atomic import replacing, sync_filesystem
from snakemesh.output.remove import remove_tree, remove_unfinished
from snakemesh.source.array_shape import format_and_shape
from snakemesh.source.zarr_documents import AXES, array_documents, group_documents


def create_group(group: PyramidGroup) -> None:
    """Make the group with its empty arrays, or keep the one that is there if it is the wanted one.

    A group is kept with its voxels, and completed if a job was killed while making it. Any other
    one is removed first. The metadata list all levels, finest first: the built ones, and those of
    the source that are linked to. A level of the source is left out if its format is another one,
    if it has more than three axes, or if the filesystem has no links. When this returns, the group
    is on the disk.

    Raises UserError if something that no run has made stands in the way: a file, or a link,
    wherever it leads.
    """
    root = Path(group.path)
    linked = tuple(level for level in group.linked if _is_alike(level.path, group.format))
    group = replace(group, linked=linked)
    if root.is_symlink() or (os.path.lexists(root) and not _holds(root, group)):
        remove_tree(root)
    root.mkdir(parents=True, exist_ok=True)
    for folder in (root, *(root / built.name for built in group.built)):
        remove_unfinished(folder)
    linked = tuple(level for level in group.linked if _link(level.path, root / level.name))
    for name, document in _documents(replace(group, linked=linked)).items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        if not path.is_file() or path.read_bytes() != document:
            with replacing(path, durable=False) as temporary:
                temporary.write_bytes(document)
    sync_filesystem(root)


def _link(target: str, path: Path) -> bool:
    """Whether there is a link to a level of the source: made now, or before.

    Viewers of the group would like to see that level too, but no run reads it there.
    """
    if path.is_symlink():
        return True
    try:
        os.symlink(target, path)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.EIO, errno.ENOSPC, errno.EDQUOT):
            raise
        return False
    return True


def _documents(group: PyramidGroup) -> dict[str, bytes]:
    """The metadata documents of the group and its built arrays, by path relative to the group."""
    levels = [(level.name, level.voxel_size, level.translation) for level in _finest_first(group)]
    documents = group_documents(group.format, levels)
    for built in group.built:
        found = array_documents(group.format, built.shape, group.dtype, group.chunks)
        documents |= {f"{built.name}/{name}": document for name, document in found.items()}
    return documents


def _finest_first(group: PyramidGroup) -> list[LinkedLevel | BuiltLevel]:
    """All levels of a group. Level k is named "s<k>"."""
    levels: list[LinkedLevel | BuiltLevel] = [*group.linked, *group.built]
    return sorted(levels, key=lambda level: int(level.name[1:]))


def _is_alike(path: str, format: str) -> bool:
    """Whether an array of the source can be a level of the group: same format, three axes."""
    found, shape = format_and_shape(path)
    return found == format and len(shape) == len(AXES)


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
    """Whether the metadata of a folder list wanted levels only; true if there are none yet."""
    node = wa.detect(str(root), missing_ok=True)
    if node is None:
        return True
    listed = {entry["path"] for scales in node.multiscales for entry in scales["datasets"]}
    wanted = {level.name for level in _finest_first(group)}
    return node.format == group.format and listed <= wanted
