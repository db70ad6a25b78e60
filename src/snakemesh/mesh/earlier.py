"""Containers of a block that an earlier run has left: one that would be made again is taken."""

import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path

from snakemesh.fragments.container import read_origin
from snakemesh.job_records import RESULTS_VERSION, MeshBlockJob
from snakemesh.label_values import LABELS
from snakemesh.output.atomic import replacing


def how_made(job: MeshBlockJob) -> bytes:
    """16 bytes that stand for all that a container depends on but for what the job reads."""
    part = replace(job.reads, path="", name=None, stored=None, values=LABELS)
    target, exclude = (
        None if found is None else replace(found, path="") for found in job.label_lists
    )
    finer = None if job.finer is None else replace(job.finer, containers=())
    # what a table makes of the labels is in the voxels
    job = replace(
        job, reads=part, label_lists=(target, exclude), watch=None, label_map=None, finer=finer
    )
    described = repr((RESULTS_VERSION, job))
    return hashlib.sha256(described.encode()).digest()[:16]


def containers_alike(job: MeshBlockJob, container: Path) -> dict[bytes, Path]:
    """The containers of this block that were made as this one is to be, by what they were made of.

    container: the one to be made. Others of its block lie in the same folder.
    """
    box = container.name.split(".")[0]
    origins = {path: read_origin(path) for path in container.parent.glob(f"{box}.*.fragments")}
    how = how_made(job)
    return {o.voxels: path for path, o in origins.items() if o is not None and o.how == how}


def take(earlier: Path, container: Path) -> None:
    """Put a container that an earlier run has left in the place of one to be made."""
    with replacing(container) as temporary:
        try:
            os.link(earlier, temporary)
        except OSError:  # a filesystem without hard links
            shutil.copyfile(earlier, temporary)
