"""A folder of copies for a web server, which is whole if it has its pages.

A list of what was written into the folder says that it is ours: nothing else in it is touched.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from snakemesh.errors import UserError
from snakemesh.output.atomic import replacing, sync_filesystem
from snakemesh.output.markers import read_marker
from snakemesh.output.remove import remove_unfinished

# The list of what was written.
INVENTORY = "published.json"


def write_folder(
    folder: Path,
    contents: Mapping[str, Path | bytes],
    pages: Mapping[str, bytes],
    check: Callable[[], None],
) -> None:
    """Make the folder hold these contents; other files of earlier calls are removed.

    contents: by path in the folder, a file to copy, or bytes to write. A file is copied unless the
    folder has one of the same size and date. pages: by path; removed first, and written last, in
    this order. check: is called before the pages are written; raises UserError if they must not be.
    Raises UserError if the folder holds something else, or if a file in it that no earlier call
    wrote would be replaced.
    """
    before, names = known_files(folder), {*contents, *pages}
    _refuse_links(folder, names | before)
    _refuse_others(folder, names - before)
    folder.mkdir(parents=True, exist_ok=True)
    _write_inventory(folder, names | before)
    for parent in {(folder / name).parent for name in names | before}:
        remove_unfinished(parent)
    for page in pages:
        (folder / page).unlink(missing_ok=True)
    sync_filesystem(folder)
    for name, content in contents.items():
        _copy(content, folder / name)
    for name in before - names:
        (folder / name).unlink(missing_ok=True)
        with suppress(OSError):  # others are in it
            (folder / name).parent.rmdir()
    check()
    _write_inventory(folder, names)
    sync_filesystem(folder)
    for page, content in pages.items():
        with replacing(folder / page) as temporary:
            temporary.write_bytes(content)


def known_files(folder: Path) -> set[str]:
    """The files that were written into a folder. Raises UserError if it holds something else."""
    if not os.path.lexists(folder) or (folder.is_dir() and all(map(_is_begun, folder.iterdir()))):
        return set()
    names = (read_marker(folder / INVENTORY) or {}).get("files")
    if not isinstance(names, list) or not all(map(_is_inside, names)):
        raise UserError(
            f"--publish: {folder} holds something else, expected a new or empty folder, or one "
            "that was published before"
        )
    return set(names)


def _is_begun(path: Path) -> bool:
    """Whether a file is all that a first call leaves which is killed at once: half a list."""
    return path.name.startswith(f".{INVENTORY}.") and path.suffix == ".tmp"


def _is_inside(name: object) -> bool:
    parts = PurePosixPath(name).parts if isinstance(name, str) else ("..",)
    return bool(parts) and ".." not in parts and parts[0] != "/"


def _refuse_links(folder: Path, names: set[str]) -> None:
    """Raise UserError for folders in the folder that lead out of it."""
    for parent in {folder / part for name in names for part in PurePosixPath(name).parents}:
        if parent != folder and parent.is_symlink():
            raise UserError(f"--publish: {parent} is a link; files are only copied into folders")


def _refuse_others(folder: Path, names: set[str]) -> None:
    """Raise UserError if there are files of these names, which no earlier call wrote."""
    for path in (folder / name for name in sorted(names)):
        if os.path.lexists(path):
            raise UserError(
                f"--publish: {path} is not from an earlier call, and would be replaced; move it "
                "away, or name another folder"
            )


def _write_inventory(folder: Path, names: set[str]) -> None:
    with replacing(folder / INVENTORY) as temporary:
        temporary.write_text(json.dumps({"files": sorted(names)}, indent=1), encoding="utf-8")


def _copy(content: Path | bytes, target: Path) -> None:
    if isinstance(content, Path) and _is_same(content, target):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target, durable=False) as temporary:
        if isinstance(content, Path):
            shutil.copyfile(content, temporary)
            date = content.stat().st_mtime_ns
            with suppress(OSError):  # some file systems keep no dates
                os.utime(temporary, ns=(date, date))
        else:
            temporary.write_bytes(content)


def _is_same(source: Path, target: Path) -> bool:
    try:
        old, new = target.stat(), source.stat()
    except FileNotFoundError:
        return False
    return (old.st_size, old.st_mtime_ns) == (new.st_size, new.st_mtime_ns)
