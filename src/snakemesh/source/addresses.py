"""Volumes that are not at their address, and servers that deny access to missing files."""

import re

from worldarray.store import PROBE_KEYS, Location, is_refused

_REDIRECTED = re.compile(r"HTTP (?:code|response code:?) 30\d")
# A key that no volume has.
_MISSING = "snakemesh.no.such.key"
_PATIENCE_S = 20


def is_redirected(error: Exception) -> bool:
    """Whether a server answered with a redirection, which tensorstore does not follow."""
    return _REDIRECTED.search(str(error)) is not None


def redirected(path: str) -> str | None:
    """The address to which a server redirects readers of a volume, or None. path: http(s)."""
    import urllib.request  # here, because it takes 20 ms, and jobs need not import it

    for key in PROBE_KEYS:
        try:
            with urllib.request.urlopen(f"{path.rstrip('/')}/{key}", timeout=_PATIENCE_S) as answer:
                address: str = answer.geturl()
        except (OSError, ValueError):
            continue
        folder = address.removesuffix(f"/{key}")
        if folder not in (address, path.rstrip("/")):
            return folder
    return None


def forbids_missing(path: str) -> bool:
    """Whether access to a missing key is denied, as in buckets that nobody may list.

    path: a remote folder that has been read.
    """
    try:
        Location(path).read(_MISSING)
    except Exception as error:
        return bool(is_refused(error))
    return False
