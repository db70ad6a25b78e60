"""Paths of the configuration, checked before anything is made of them."""

import os
import unicodedata
from pathlib import Path

from snakemesh.errors import UserError

# What Linux allows a name to have, and what is left of a path for the names below the output.
MAX_NAME_BYTES = 255
MAX_OUTPUT_BYTES = 3900
# Snakemake takes these for wildcards, and turns a backslash into a slash.
NOT_FOR_SNAKEMAKE = "{}\\"


def local_path(key: str, text: str) -> str:
    """A path of the configuration with its `~` expanded.

    Raises UserError, one line that names the key, for what cannot be a path.
    """
    if not text.strip():
        raise _refused(key, text, "a path")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise _refused(key, text, "a path without control characters")
    path = os.path.expanduser(text)
    if path.startswith("~"):
        raise _refused(key, text, "a path that begins with a user who is known here")
    if any(len(name.encode()) > MAX_NAME_BYTES for name in path.split("/")):
        raise _refused(key, text, f"names of at most {MAX_NAME_BYTES} bytes")
    return path


def output_path(key: str, text: str) -> str:
    """The path of a folder that a run can make and fill.

    Raises UserError for a path that Snakemake does not take as it is, that is too long, or that
    leads through a file.
    """
    path = local_path(key, text)
    if any(character in path for character in NOT_FOR_SNAKEMAKE):
        raise _refused(key, text, "a path without braces and backslashes")
    whole = os.path.abspath(path)
    if len(whole.encode()) > MAX_OUTPUT_BYTES:
        raise _refused(key, text, f"a path of at most {MAX_OUTPUT_BYTES} bytes")
    for folder in (Path(whole), *Path(whole).parents):
        if os.path.lexists(folder):
            if not folder.is_dir():
                raise _refused(key, text, f"a folder: {folder} is a file or leads nowhere")
            break
    return path


def _refused(key: str, text: str, expected: str) -> UserError:
    shown = text if len(text) <= 80 else f"{text[:80]}..."
    return UserError(f"config key {key}: found {shown!r}, expected {expected}")
