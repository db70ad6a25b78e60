"""Files that appear whole or not at all, and that are on the disk once they have appeared.

Some file systems cannot sync a file or a folder on request (CIFS, some of FUSE). There, files reach
the disk when the file system sees to it. An error that says that data are lost is never ignored.
"""

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import numpy as np

# What fsync and syncfs fail with where there is no such call, or not for this kind of file.
_NOT_SUPPORTED = (
    *(errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTTY),
    *(errno.EBADF, errno.EPERM, errno.EACCES, errno.EISDIR),
)


@contextmanager
def replacing(path: str | os.PathLike[str], durable: bool = True) -> Iterator[Path]:
    """Give a unique name beside `path` to write to; on success it becomes `path`.

    The name is unique across machines, so that two jobs that write the same file by mistake replace
    each other's result and never mix. After an exception nothing is left behind and `path` is as it
    was. An OSError about the unique name, or about none, is raised with that of `path`.

    durable: whether the content is on the disk before the file gets its name, and the name is on
    the disk when this returns. Then a machine that loses power leaves no file that only looks
    finished. The parent folder is synced too, because the folder itself may be new. False where the
    caller syncs many files at once (`sync_filesystem`).
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{uuid4().hex}.tmp")
    try:
        yield temporary
        if durable:
            sync(temporary)
        os.replace(temporary, target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None and _is_of(error, temporary):
            raise OSError(error.errno, error.strerror, os.fspath(target)) from error
        raise
    if durable:
        sync(target.parent)
        # a parent folder that this user may not read is older than this run, so its name is on disk
        with suppress(PermissionError):
            sync(target.parent.parent)


def write_array(path: str | os.PathLike[str], array: np.ndarray) -> None:
    """Write an array as .npy, whole or not at all. Its folder is made if it does not exist."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.save(file, array)


def _is_of(error: OSError, temporary: Path) -> bool:
    """Whether an error is about a temporary file, or names none, as where a disk is full."""
    return error.filename is None or os.fspath(temporary) in (error.filename, error.filename2)


def write_file(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all; `sync_filesystem` brings it to the disk."""
    with replacing(path, durable=False) as temporary:
        temporary.write_bytes(data)


def sync(path: str | os.PathLike[str]) -> None:
    """Bring a file, or the names of the files in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:
            raise
    finally:
        os.close(descriptor)


def sync_filesystem(path: str | os.PathLike[str]) -> None:
    """Bring everything that was written to the filesystem of `path` to the disk, in one call.

    One call is cheaper than to open and sync each of many files. Linux: syncfs(2). Where that call
    is not there or not allowed, as in some sandboxes, all file systems are synced.
    """
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        failed = errno.ENOSYS if syncfs is None else syncfs(descriptor) and ctypes.get_errno()
    finally:
        os.close(descriptor)
    if failed in _NOT_SUPPORTED:
        os.sync()
    elif failed:
        raise OSError(failed, os.strerror(failed), os.fspath(path))
