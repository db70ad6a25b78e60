"""Markers: small files that say a product is there, and what it was when it was made.

A marker is written after its product is on the disk, and removed before the product is written
anew: a marker that exists tells the truth, whenever a job, a machine or a disk dies.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from snakemesh.errors import DamagedError
from snakemesh.output.atomic import replacing, sync


def write_marker(path: str | os.PathLike[str], facts: Mapping[str, Any]) -> None:
    """Write a marker with the facts about its product. Makes the folder if necessary."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(facts) + "\n", encoding="utf-8")


def read_marker(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """The content of a marker or another document of a run; None if missing or damaged."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


@contextmanager
def discard_if_damaged(markers: Iterable[str]) -> Iterator[None]:
    """If a job finds damage in what it reads, remove the damaged files and their markers.

    Only products of runs may be read within, because whatever is damaged is deleted.
    """
    try:
        yield
    except DamagedError as error:
        for path in (*map(Path, markers), error.path):
            if path.is_file():
                path.unlink()
                sync(path.parent)
        raise


def remove_markers(folder: str | os.PathLike[str], pattern: str) -> None:
    """Remove the markers of a product, whatever it was made from, before it is written anew.

    pattern: of their names, as `Path.glob` takes it. When this returns, the removal is on the disk,
    even if Snakemake has removed a marker itself before the job.
    """
    folders = {Path(folder)}
    for marker in list(Path(folder).glob(pattern)):
        marker.unlink(missing_ok=True)
        folders.add(marker.parent)
    for changed in folders:
        if changed.is_dir():
            sync(changed)
