"""Paths of the configuration, checked before anything is made of them.

What is refused raises UserError, one line that names the key.
"""

import os
import re
import unicodedata
from pathlib import Path
from urllib.parse import unquote

from snakemesh.errors import UserError

# The most bytes of a name and of a path in Linux, and of an output directory: the names below it
# have to fit.
MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 4095
MAX_OUTPUT_BYTES = 3900
# Snakemake takes these for wildcards, and turns a backslash into a slash.
NOT_FOR_SNAKEMAKE = "{}\\"
# The addresses of volumes that are not in the filesystem.
SCHEMES = ("http://", "https://", "s3://", "gs://")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
# What Neuroglancer writes before and after an address to say which format is there.
_FORMAT = re.compile(r"^(?:precomputed|zarr[23]?|n5|ome-zarr)://")
_ADAPTERS = ("zarr", "zarr2", "zarr3", "n5", "neuroglancer-precomputed", "zip")
_FILE = re.compile(r"file://(?:localhost)?/")
# Characters of control, halves of characters (bytes that are not UTF-8), ends of lines.
_NOT_IN_A_PATH = ("Cc", "Cs", "Zl", "Zp")
_CLONE = Path(__file__).resolve().parents[3]


def source_path(key: str, text: str) -> str:
    """The path of a volume, with its `~` expanded, or the address of one."""
    address = plain_address(text)
    if address.startswith(SCHEMES):
        _refuse_odd_characters(key, text)
        return address
    if scheme := _SCHEME.match(address):
        known = ", ".join(SCHEMES)
        raise _refused(key, text, f"a path, or an address with {known}, not {scheme.group()}")
    path = local_path(key, address)
    if "\\" in path:
        # tensorstore turns it into a slash
        raise _refused(key, text, "a path without backslashes")
    # "a" and "a/" are the same input, not a change
    return path.rstrip("/") or "/"


def plain_address(text: str) -> str:
    """The path or the address of a volume, without what Neuroglancer writes before and after it.

    It writes precomputed://gs://bucket/seg, zarr://file:///data/seg, and since 2025
    file:///data/seg.zip|zip:inside|zarr3:. https://neuroglancer-docs.web.app/datasource
    """
    address, *adapters = _FORMAT.sub("", text, count=1).split("|")
    for adapter in adapters:
        name, _, inside = adapter.partition(":")
        if name == "zip" and inside.strip("/"):
            address = f"{address.rstrip('/')}/{inside.strip('/')}"
        elif name not in _ADAPTERS:
            return text
    if (local := _FILE.match(address)) is not None:
        return unquote(address[local.end() - 1 :])
    return address


def spellings(path: str) -> list[str]:
    """What stands for a path or an address of a volume, whichever way it is spelled.

    The absolute path, and the one that its links lead to. An address without what may be left out.
    """
    if "://" in (address := plain_address(path)):
        return [address.rstrip("/")]
    whole = os.path.abspath(path)
    return list(dict.fromkeys((whole, os.path.realpath(whole))))


def file_path(key: str, text: str) -> str:
    """The path of a file that is to be read, with its `~` expanded."""
    path = local_path(key, text)
    if os.path.exists(path) and not os.path.isfile(path):
        raise _refused(key, text, "a file")
    return path


def output_path(key: str, text: str) -> str:
    """The path of a folder that a run can make and fill, with its `~` expanded.

    Refused is a path that Snakemake does not take as it is, that is too long, that leads through a
    file, or that is no folder for results.
    """
    if _SCHEME.match(text):
        raise _refused(key, text, "a folder in the filesystem, not an address")
    path = os.path.normpath(local_path(key, text))
    whole = re.sub("^/+", "/", os.path.abspath(path))
    # Snakemake takes "./x" for another file than "x", and "-x" for an option
    if path == "." or path.startswith(("-", "~", " ", "//")):
        path = whole
    # the levels that are built are named by where links lead to
    for name in (path, os.path.realpath(whole)):
        _refuse_odd_characters(key, name)
        if any(character in name for character in NOT_FOR_SNAKEMAKE):
            raise _refused(key, text, "a path without braces and backslashes")
        if len(name.encode()) > MAX_OUTPUT_BYTES:
            raise _refused(key, text, f"a path of at most {MAX_OUTPUT_BYTES} bytes")
    if Path(os.path.realpath(whole)) in (Path("/"), _CLONE):
        raise _refused(key, text, "a folder for the results only")
    for folder in (Path(whole), *Path(whole).parents):
        if os.path.lexists(folder):
            if not folder.is_dir():
                raise _refused(key, text, f"a folder: {folder} is a file or leads nowhere")
            if not os.access(folder, os.X_OK):
                raise _refused(key, text, f"a folder that you may enter, not {folder}")
            break
    return path


def local_path(key: str, text: str) -> str:
    """A path in the filesystem, with its `~` expanded."""
    if not text.strip():
        raise _refused(key, text, "a path")
    _refuse_odd_characters(key, text)
    path = os.path.expanduser(text)
    if path.startswith("~"):
        raise _refused(key, text, "a path that begins with a known user")
    if path.startswith("$") or os.path.expandvars(path) != path:
        raise _refused(key, text, "a path with its variables written out")
    if any(len(name.encode()) > MAX_NAME_BYTES for name in path.split("/")):
        raise _refused(key, text, f"names of at most {MAX_NAME_BYTES} bytes")
    if len(os.fsencode(os.path.abspath(path))) > MAX_PATH_BYTES:
        raise _refused(key, text, f"a path of at most {MAX_PATH_BYTES} bytes")
    return path


def _refuse_odd_characters(key: str, text: str) -> None:
    if any(unicodedata.category(character) in _NOT_IN_A_PATH for character in text):
        raise _refused(key, text, "a path in UTF-8 without control characters")


def _refused(key: str, text: str, expected: str) -> UserError:
    shown = text if len(text) <= 80 else f"{text[:80]}..."
    return UserError(f"config key {key}: found {shown!r}, expected {expected}")
