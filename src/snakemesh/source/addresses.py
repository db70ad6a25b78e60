"""Volumes that are not where their address says, and servers that deny what is not there."""

import re

from worldarray.store import PROBE_KEYS, Location, is_refused

_REDIRECTED = re.compile(r"HTTP (?:code|response code:?) 30\d")
# A key that no volume has.
_MISSING = "snakemesh.no.such.key"
_PATIENCE_S = 20


def is_redirected(error: Exception) -> bool:
    """Whether a server has answered that something is elsewhere. tensorstore does not go there."""
    return _REDIRECTED.search(str(error)) is not None


def redirected(path: str) -> str | None:
    """Where a server sends those who read a volume, or None. path: an address with http(s)."""
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
    """Whether access to a key that is not there is denied, as where nobody may list the keys.

    path: a remote folder that has been read.
    """
    try:
        Location(path).read(_MISSING)
    except Exception as error:
        return bool(is_refused(error))
    return False
