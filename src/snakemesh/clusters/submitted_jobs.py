"""The jobs of a cluster that a run has submitted, kept under the output for the run after it.

A run that dies leaves them queued or running. They are kept as lines of JSON: first the run, by the
text that the names of all its jobs contain, then its jobs. A line that was cut short is no line. A
copy of the file in another place says nothing: the jobs are of the output that was copied.
"""

import json
import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass

from snakemesh.output.atomic import replacing


@dataclass(frozen=True)
class Submitted:
    """A job of a cluster.

    external: its number there. products: a hash of the files that it makes. log: the path of the
    log of the cluster.
    """

    external: str
    products: str
    log: str


@dataclass(frozen=True)
class SubmittedRun:
    """The jobs of a run on a cluster.

    scheduler: "lsf" or "slurm". name: what the names of its jobs contain. jobs: by their number.
    """

    scheduler: str
    name: str
    jobs: Mapping[str, Submitted]


def read_submitted(path: str) -> SubmittedRun | None:
    """The jobs that a run has submitted, or None where nothing is known of one."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = [found for line in file if (found := _parsed(line)) is not None]
    except OSError:
        return None
    if not lines or lines[0].keys() != {"scheduler", "name", "path"}:
        return None
    if lines[0]["path"] != os.path.realpath(path):
        return None
    keys = {"external", "products", "log"}
    jobs = {line["external"]: Submitted(**line) for line in lines[1:] if line.keys() == keys}
    return SubmittedRun(lines[0]["scheduler"], lines[0]["name"], jobs)


def begin_submitted(path: str, scheduler: str, name: str, jobs: Collection[Submitted]) -> None:
    """Keep the name of a run before its first job. jobs: those of the run before that it awaits.

    Nothing is kept where nothing can be written.
    """
    run = {"scheduler": scheduler, "name": name, "path": os.path.realpath(path)}
    lines = [run, *map(asdict, jobs)]
    with suppress(OSError):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_text("".join(json.dumps(line) + "\n" for line in lines))


def add_submitted(path: str, job: Submitted) -> None:
    """Keep one more job. Several threads may do so at once."""
    with suppress(OSError), open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(job)) + "\n")


def _parsed(line: str) -> dict[str, str] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    is_line = isinstance(found, dict) and all(isinstance(text, str) for text in found.values())
    return found if is_line else None
