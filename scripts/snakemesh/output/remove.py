"""Removing what is ours, and never following a link out of it."""

import os
import re
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from snakemesh.errors import UserError

_THREADS = 16
# As `sharding.shard_name` and `shards.write_unsharded` name meshes, `atomic.replacing` temporaries.
_MESH_NAME = re.compile(r"[0-9a-f]+\.shard|[0-9]+(\.index)?")
_TEMPORARY_NAME = re.compile(r"\..+\.[0-9a-f]{32}\.tmp")
# As tensorstore names what it is writing, before it renames it.
_UNFINISHED_NAME = re.compile(r"(.+?)(_[0-9a-f]+)?\.__lock")


def remove_tree(root: Path) -> None:
    """Remove a folder and everything in it: links first, then files, in parallel, then folders.

    A link is unlinked, whatever it points to. Nothing happens if the folder is not there. Raises
    UserError where `root` is itself a link or no folder: that is not something a run has made.
    """
    if root.is_symlink() or (root.exists() and not root.is_dir()):
        raise UserError(f"{root} is not a folder but a link or a file, it is left as it is")
    if not root.exists():
        return
    links, files, folders = _listed(root)
    for link in links:
        os.unlink(link)
    with ThreadPoolExecutor(_THREADS) as pool:
        # list: an error of a thread shows when its result is taken
        list(pool.map(os.unlink, files))
    for folder in reversed(folders):
        os.rmdir(folder)


def _listed(root: Path) -> tuple[list[str], list[str], list[str]]:
    """Links, files and folders below and including root, outer folders before inner ones."""
    links, files, folders = [], [], [os.fspath(root)]
    for folder in folders:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink():
                    links.append(entry.path)
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    files.append(entry.path)
    return links, files, folders


def remove_unfinished(folder: Path, names: Collection[str] | None = None) -> None:
    """Remove what killed jobs left of files that they were writing into a folder of an array.

    names: of the files; None for all. A folder that is not there, or a link, is left alone.
    """
    if folder.is_symlink() or not folder.is_dir():
        return
    for entry in folder.iterdir():
        found = _UNFINISHED_NAME.fullmatch(entry.name)
        if found and (names is None or found[1] in names):
            entry.unlink(missing_ok=True)


def remove_files(root: Path, keep: Collection[str]) -> None:
    """Remove all files below a folder but those whose paths are in `keep`. Links are unlinked."""
    if root.is_dir() and not root.is_symlink():
        links, files, _ = _listed(root)
        for path in (*links, *files):
            if path not in keep:
                os.unlink(path)


def remove_leftovers(folder: Path, wanted: Collection[str]) -> None:
    """Remove what earlier runs left in a folder of results: temporaries, and unwanted meshes.

    wanted: names of its shards or, unsharded, of the files of its labels. Only files named as a run
    names them are touched.
    """
    for entry in folder.iterdir():
        is_ours = _MESH_NAME.fullmatch(entry.name) and entry.name not in wanted
        if is_ours or _TEMPORARY_NAME.fullmatch(entry.name):
            entry.unlink()
