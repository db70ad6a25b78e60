"""Remove files that runs have made. Links are removed, never followed."""

import os
import re
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from snakemesh.errors import UserError
from snakemesh.output.folder import CENTROIDS, OVERVIEW, OVERVIEW_MESH

_THREADS = 16
# The names that `shard.write_unsharded` gives to the files of a label.
LABEL_FILE = re.compile(r"[0-9]+(\.index)?")
# These, and the names that `folder.shard_name` gives to shards.
_MESH_NAME = re.compile(rf"[0-9a-f]+\.shard|{LABEL_FILE.pattern}")
# The files of the overview and the centroids in `multires`, and the folders in which they lie.
_OF_CENTROIDS = r"info|(by_id|segment|spatial[0-9]+)(/[0-9a-f]+\.shard)?"
_VIEW_NAME = re.compile(rf"{re.escape(OVERVIEW_MESH)}|{CENTROIDS}/({_OF_CENTROIDS})")
# The names that `atomic.replacing` gives to temporary files.
_TEMPORARY_NAME = re.compile(r"\..+\.[0-9a-f]{32}\.tmp")
# The names that tensorstore gives to files while it writes them. Group 1 is the final name.
_UNFINISHED_NAME = re.compile(r"(.+?)(_[0-9a-f]+)?\.__lock")


def remove_tree(root: Path) -> None:
    """Remove a folder and everything in it: first links, then files in parallel, then folders.

    A link is removed; what it points to stays. Nothing happens if the folder does not exist.
    Raises UserError if `root` itself is a link or a file: no run makes such a root.
    """
    _refuse_no_folder(root)
    if not root.exists():
        return
    links, files, folders = _listed(root)
    for link in links:
        os.unlink(link)
    with ThreadPoolExecutor(_THREADS) as pool:
        # list: an error in a thread is raised only when its result is taken
        list(pool.map(os.unlink, files))
    for folder in reversed(folders):
        os.rmdir(folder)


def _refuse_no_folder(root: Path) -> None:
    if root.is_symlink() or (root.exists() and not root.is_dir()):
        raise UserError(f"{root} is not a folder but a link or a file, it is left as it is")


def _listed(root: Path) -> tuple[list[str], list[str], list[str]]:
    """The links, files and folders in `root`. Folders include `root`, outer before inner ones."""
    links, files, folders = [], [], [os.fspath(root)]
    for folder in folders:  # the list grows while it is walked
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
    """Remove the unfinished files that killed jobs left in the folder of an array or a group.

    names: only the unfinished chunks of these final names are removed; None means all files.
    Nothing happens if the folder does not exist, or is a link.
    """
    if folder.is_symlink() or not folder.is_dir():
        return
    for entry in folder.iterdir():
        found = _UNFINISHED_NAME.fullmatch(entry.name)
        is_document = names is None and _TEMPORARY_NAME.fullmatch(entry.name)
        if is_document or (found and (names is None or found[1] in names)):
            entry.unlink(missing_ok=True)


def remove_temporary(folder: Path, names: tuple[str, ...]) -> None:
    """Remove the temporary files that killed jobs left in a folder, of files whose names begin so.

    Other processes may be writing other files there.
    """
    begins = tuple(f".{name}." for name in names)
    for path in folder.iterdir():
        if path.name.startswith(begins) and _TEMPORARY_NAME.fullmatch(path.name):
            path.unlink(missing_ok=True)


def remove_files(root: Path, keep: Collection[str]) -> None:
    """Remove all files below a folder but those whose paths are in `keep`. Links are unlinked."""
    if root.is_dir() and not root.is_symlink():
        links, files, _ = _listed(root)
        for path in (*links, *files):
            if path not in keep:
                os.unlink(path)


def view_files(multires: Path) -> list[Path]:
    """The files of the overview and the centroids in the folder that is served, in order."""
    roots = (root for root in map(multires.joinpath, (OVERVIEW, CENTROIDS)) if root.is_dir())
    found = (Path(path) for root in roots for path in _listed(root)[1])
    return sorted(path for path in found if _VIEW_NAME.fullmatch(_below(multires, path)))


def remove_views(multires: Path) -> None:
    """Remove the overview and the centroids from the folder that is served.

    Files that are not named as a run names its own are kept. Raises UserError if one of the two
    folders is a link or a file.
    """
    for root in map(multires.joinpath, (OVERVIEW, CENTROIDS)):
        _refuse_no_folder(root)
        if not root.exists():
            continue
        links, files, folders = _listed(root)
        for path in map(Path, (*links, *files)):
            is_ours = _VIEW_NAME.fullmatch(_below(multires, path))
            if is_ours or _TEMPORARY_NAME.fullmatch(path.name):
                path.unlink()
        for folder in reversed(folders):
            with suppress(OSError):  # others are in it
                os.rmdir(folder)


def _below(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def remove_leftovers(folder: Path, wanted: Collection[str]) -> None:
    """Remove what earlier runs left in a folder of results: temporary files and unwanted meshes.

    wanted: the names of the meshes to keep: of shards or, if unsharded, of the files of labels.
    Files that are not named as a run names its own are kept too.
    """
    for entry in folder.iterdir():
        is_ours = _MESH_NAME.fullmatch(entry.name) and entry.name not in wanted
        if is_ours or _TEMPORARY_NAME.fullmatch(entry.name):
            entry.unlink()
