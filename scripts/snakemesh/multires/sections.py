"""The sections of one shard: its records, from all containers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snakemesh.errors import UserError
from snakemesh.job_records import OctreeGrid, Sharding
from snakemesh.multires.container import FRAGMENT, read_section
from snakemesh.multires.sharding import shard_of


@dataclass(frozen=True)
class Sections:
    """The records of one shard from all containers, container by container.

    `records` (FRAGMENT) and `lods` are of shape (n,). Container c has those from `begin[c]` to
    `begin[c + 1]`, and its payload starts at byte `payload_begin[c]` of `paths[c]`.
    """

    paths: tuple[str, ...]
    records: np.ndarray
    lods: np.ndarray
    begin: np.ndarray
    payload_begin: tuple[int, ...]


def read_sections(
    container_paths: Sequence[str], shard: int, grid: OctreeGrid, sharding: Sharding
) -> Sections:
    """Read the records of one shard from every container.

    Raises UserError naming the container that is damaged, or was made for another plan.
    """
    lods, parts, payload_begin = [], [], []
    for path in container_paths:
        lod, records, begin = read_section(path, shard)
        strange = shard_of(records["label"], sharding) != shard
        if lod >= grid.num_lods or strange.any():
            raise UserError(
                f"{path} was made for another number of LODs or shards than this run has; "
                "delete it and run again"
            )
        lods.append(np.full(len(records), lod, np.uint8))
        parts.append(records)
        payload_begin.append(begin)
    if not parts:
        lods, parts = [np.empty(0, np.uint8)], [np.empty(0, FRAGMENT)]
    return Sections(
        paths=tuple(str(path) for path in container_paths),
        records=np.concatenate(parts),
        lods=np.concatenate(lods),
        begin=np.cumsum([0, *(len(part) for part in parts)]),
        payload_begin=tuple(payload_begin),
    )
