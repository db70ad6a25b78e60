"""Files of compiled functions, which all clones of a user and all nodes of a cluster share.

A file holds one version of a function: types and machine code. Its name is a hash of everything
that the code depends on (`compiled`), so no file is ever out of date, and no index is needed that
two processes could write at once. A file appears whole, under its final name, and begins with a
checksum of its name and its content. One that is damaged or has another's name is not used.

Functions are unpickled, which runs code. So a file counts only if its owner could as well have
changed this program: the user, root, or the owner of this module. And nobody else may write to it.

Nothing here imports numba: planning asks whether there is anything left to compile.
"""

import hashlib
import os
import platform
import stat
import sys
import tempfile
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_MAGIC = b"snakemesh kernel 1\n"
_CHECKSUM_BYTES = 32
# The rooms of planning, whose code no compiled function depends on.
_WITHOUT_KERNELS = {
    *("cli", "clusters", "config", "console", "cost", "plan", "products", "run", "survey"),
}
# What the levels of x86-64 need, one above the other, in the words of /proc/cpuinfo.
# x86-64 psABI, "Micro-Architecture Levels".
_X86_LEVELS = (
    ("x86-64-v2", "cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3"),
    ("x86-64-v3", "abm avx avx2 bmi1 bmi2 f16c fma movbe xsave"),
)


def folders() -> list[Path]:
    """The folders that are looked into, in this order: beside the code, then the user's cache.

    Every node reads the first one, because every node runs the code. Clones share the second one.
    """
    found = [_PACKAGE / "__pycache__" / "kernels"]
    home = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(home):
        home = os.path.expanduser("~/.cache")
    if os.path.isabs(home):  # a user without a home has no such folder
        found.append(Path(home) / "snakemesh" / "kernels")
    return found


def read(name: str) -> bytes | None:
    """The content of a file; None if there is none, or none that can be trusted.

    A file of the second folder is copied to the first one.
    """
    for number, folder in enumerate(folders()):
        if (content := _read(folder / name)) is not None:
            for earlier in folders()[:number]:
                _write(earlier / name, content)
            return content
    return None


def write(name: str, content: bytes) -> None:
    """Write a file to every folder that can be written."""
    for folder in folders():
        _write(folder / name, content)


@cache
def cpu_target() -> str | None:
    """The CPU to compile for: the highest level that this machine has, up to x86-64-v3.

    All nodes of a cluster that have AVX2 so use the same code. None, for the machine's own CPU, if
    it is not an x86-64.
    """
    if platform.machine() != "x86_64":
        return None
    target = "x86-64"
    for level, needed in _X86_LEVELS:
        if not set(needed.split()) <= _cpu_flags():
            break
        target = level
    return target


def is_ready(part: str) -> bool:
    """Whether all functions of a part of the program are where every node finds them.

    They are in the first folder that can be written, or in one before it.
    """
    for folder in folders():
        if _read(folder / _ready_name(part)) is not None:
            return True
        if _is_writable(folder):
            return False
    return False


def set_ready(part: str) -> None:
    """Note that all functions of a part have been compiled."""
    write(_ready_name(part), b"")


def can_be_kept() -> bool:
    """Whether there is a folder that can be written."""
    return any(_is_writable(folder) for folder in folders())


def remove_older(moment: float) -> None:
    """Remove files that were last written before a moment: most are of earlier versions."""
    for folder in folders():
        with suppress(OSError):
            for entry in list(os.scandir(folder)):
                if entry.stat().st_mtime < moment:
                    os.unlink(entry.path)


def _read(path: Path) -> bytes | None:
    try:
        # not to wait for a writer, should it be a named pipe
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if not _is_trusted(os.fstat(file.fileno())):
                return None
            found = file.read()
    except OSError:
        return None
    content = found[len(_MAGIC) + _CHECKSUM_BYTES :]
    return content if found == _sealed(path.name, content) else None


def _write(path: Path, content: bytes) -> None:
    """Write a file if it can be written. One of another user stays as it is."""
    temporary = None
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_uid != os.geteuid():
            return
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o644)
            file.write(_sealed(path.name, content))
        os.replace(temporary, path)
        return
    if temporary is not None:
        with suppress(OSError):
            os.unlink(temporary)


def _sealed(name: str, content: bytes) -> bytes:
    """A file: what it is, a checksum, its content."""
    checksum = hashlib.sha256(os.fsencode(name) + b"\n" + content).digest()
    return _MAGIC + checksum + content


def _is_trusted(found: os.stat_result) -> bool:
    owners = {os.geteuid(), 0, _owner_of_code()}
    is_private = not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISREG(found.st_mode) and found.st_uid in owners and is_private


@cache
def _owner_of_code() -> int:
    return os.stat(__file__).st_uid


def _is_writable(folder: Path) -> bool:
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return os.access(folder, os.W_OK | os.X_OK)


def _ready_name(part: str) -> str:
    """The name of a note that a part is ready: a hash of whatever may change a compiled function.

    An edit of the library changes it, and looking through the functions takes a second then. By the
    law of imports, no compiled function can depend on how runs are planned.
    """
    packages = ((name, version(name)) for name in ("numba", "llvmlite", "numpy"))
    found = hashlib.sha256(repr((part, sys.version, cpu_target(), *packages)).encode())
    for path in sorted(_PACKAGE.rglob("*.py")):
        if path.relative_to(_PACKAGE).parts[0] in _WITHOUT_KERNELS:
            continue
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return f"{part}.{found.hexdigest()[:32]}.ready"


@cache
def _cpu_flags() -> set[str]:
    """What the CPU can do. Empty if the system does not say."""
    with suppress(OSError), open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("flags"):
                return set(line.split(":", 1)[1].split())
    return set()
