"""The sections of one shard: its records in all containers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snakemesh.errors import UserError
from snakemesh.job_records import OctreeGrid, Sharding
from snakemesh.multires.container import FRAGMENT, read_section
from snakemesh.multires.sharding import shard_of


@dataclass(frozen=True)
class Sections:
    """The records of one shard from all containers, one container after another.

    `records` (dtype FRAGMENT) and `lods` (uint8), the LOD of each record, have shape (n,). Those of
    container c are `records[begin[c]:begin[c + 1]]`; `begin` has shape (containers + 1,). The
    payload of container c begins at byte `payload_begin[c]` of the file `paths[c]`.
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

    Raises UserError that names the container if one is damaged, or was made for another number of
    LODs or shards.
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
