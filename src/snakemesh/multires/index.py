"""What the viewer and people look up of all segments, from the summaries of all shards.

The summaries are read once, as a stream: the table of all segments is written while the largest
ones, which the viewer lists, are picked out.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from snakemesh.multires.segments import ROWS_OF_A_GROUP, write_segments
from snakemesh.multires.shard_layout import SUMMARY
from snakemesh.multires.summaries import Summary, in_groups, largest, merged
from snakemesh.segment_table import SegmentTable


@dataclass
class Segments:
    """What has been seen of the segments.

    count: how many. listed: those that the viewer is to list, dtype SUMMARY, in ascending order of
    labels.
    """

    count: int = 0
    listed: np.ndarray = field(default_factory=lambda: np.empty(0, SUMMARY))


def index_segments(
    path: str | os.PathLike[str],
    summaries: Sequence[Summary],
    table: SegmentTable,
    max_listed: int | None,
) -> Segments:
    """Write the table of all segments to `path`, whole or not at all, and say what was seen.

    table: the user's. max_listed: the viewer lists at most so many segments, the largest; None for
    all of them.
    """
    seen = Segments()
    groups = in_groups(merged(summaries), ROWS_OF_A_GROUP)
    write_segments(path, _watched(groups, seen, max_listed), table)
    seen.listed = largest(seen.listed, max_listed)
    return seen


def _watched(
    groups: Iterable[np.ndarray], seen: Segments, max_listed: int | None
) -> Iterator[np.ndarray]:
    """Pass groups of rows on, and keep in mind what is seen."""
    for rows in groups:
        seen.count += len(rows)
        # rows that are too small for the list are dropped now and then, which is cheap
        seen.listed = np.concatenate([seen.listed, rows])
        if max_listed is not None and len(seen.listed) > 2 * max_listed:
            seen.listed = largest(seen.listed, max_listed)
        yield rows
