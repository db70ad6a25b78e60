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

# What fsync and syncfs fail with where there is no such call, or not for this kind of file.
_NOT_SUPPORTED = (
    *(errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTTY),
    *(errno.EBADF, errno.EPERM, errno.EACCES, errno.EISDIR),
)


@contextmanager
def replacing(path: str | os.PathLike[str], durable: bool = True) -> Iterator[Path]:
    """Give a unique name beside `path` to write to; on success it becomes `path`.

    The name is unique across machines, so that two jobs that write the same file by mistake
    replace each other's result and never mix. After an exception nothing is left behind and `path`
    is as it was. durable: the file is on the disk before it gets its name, and its name is when
    this returns, so that a machine that loses power leaves nothing that looks finished and is not;
    False where the caller sees to that for many files at once (`sync_filesystem`). The name of its
    folder is too: the folder may be new, whoever has made it.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{uuid4().hex}.tmp")
    try:
        yield temporary
        if durable:
            _sync(temporary)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(target.parent)
        # a folder that must not be read was there before: this user's runs make none like that
        with suppress(PermissionError):
            sync_folder(target.parent.parent)


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Bring the names of the files in a folder to the disk."""
    _sync(folder)


def sync_filesystem(path: str | os.PathLike[str]) -> None:
    """Bring all that was written to the filesystem of `path` to the disk, in one call.

    That is cheaper than to open and sync each of many files. Linux: syncfs(2). Where that is not
    allowed, as in some sandboxes, all file systems are synced.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _syncfs(descriptor)
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:
            raise OSError(error.errno, error.strerror, os.fspath(path)) from None
        os.sync()
    finally:
        os.close(descriptor)


def _syncfs(descriptor: int) -> None:
    try:
        syncfs = ctypes.CDLL(None, use_errno=True).syncfs
    except AttributeError:
        raise OSError(errno.ENOSYS, "the C library has no syncfs") from None
    if syncfs(descriptor) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def _sync(path: str | os.PathLike[str]) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:
            raise
    finally:
        os.close(descriptor)
