"""The sections of one shard: its records, from all containers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snakemesh.errors import DamagedError
from snakemesh.fragments.container import FRAGMENT, Section, read_section
from snakemesh.fragments.sharding import shard_of
from snakemesh.job_records import OctreeGrid, Sharding


@dataclass(frozen=True)
class Sections:
    """The records of one shard from all containers, container by container.

    `records` (FRAGMENT) and `lods` are of shape (n,). Those of section c are from `begin[c]` to
    `begin[c + 1]`.
    """

    sections: tuple[Section, ...]
    records: np.ndarray
    lods: np.ndarray
    begin: np.ndarray


def read_sections(
    container_paths: Sequence[str], shard: int, grid: OctreeGrid, sharding: Sharding
) -> Sections:
    """Read the records of one shard from every container.

    Raises DamagedError for the container that is gone, damaged, or made for another plan.
    """
    sections = tuple(read_section(path, shard) for path in container_paths)
    for section in sections:
        strange = shard_of(section.records["label"], sharding) != shard
        if section.lod >= grid.num_lods or strange.any():
            raise DamagedError(
                section.path, "was made for another number of LODs or shards than this run has"
            )
    lods = [np.full(len(section.records), section.lod, np.uint8) for section in sections]
    records = [section.records for section in sections]
    return Sections(
        sections=sections,
        records=np.concatenate([np.empty(0, FRAGMENT), *records]),
        lods=np.concatenate([np.empty(0, np.uint8), *lods]),
        begin=np.cumsum([0, *map(len, records)]),
    )
