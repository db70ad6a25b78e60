"""Volumes in one zip file (`.zip`, `.ozx`), addressed like folders: /data/seg.ozx/s0.

https://ngff.openmicroscopy.org/rfc/9/
"""

import os
import re

_SUFFIX = re.compile(r"\.(?:zip|ozx)(?=/|$)", re.IGNORECASE)


def zip_file(path: str) -> tuple[str, str] | None:
    """The zip file that a path leads into, and the path inside of it; None if it leads into none.

    path: in the local filesystem. A folder whose name ends like that of a zip file is a folder.
    """
    for found in _SUFFIX.finditer(path):
        if os.path.isfile(path[: found.end()]):
            return path[: found.end()], path[found.end() :].strip("/")
    return None
