"""In how many pieces the voxels of each label lie, over all boxes of a volume.

Voxels of a label that share a face or an edge hang together, as in its mesh. Each part of the
volume is read with one more plane of voxels behind its upper sides. So two neighbours both see the
first plane of the upper one:

    +-------------+-+
    | A           |*|         * is seen from A and from B
    +-------------+-+
                  +-+-----------+
                  |*|         B |
                  +-+-----------+

Whatever hangs together within such a plane is listed as a link, by its first voxel, with the piece
that contains it. Both sides list the same voxels. A piece of A and a piece of B with the same link
are one piece. Pieces that reach no side of a part are counted and forgotten, so that only the sides
of parts are in memory. Arrays are z y x.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import groupby
from pathlib import Path

import numpy as np

from snakemesh.job_records import VerifyJob
from snakemesh.verify.components import components
from snakemesh.verify.pieces import groups
from snakemesh.verify.voxels import as_bodies

# Voxels with a face or an edge in common hang together.
MOST_AXES = 2
# A label and a number of its pieces.
PIECES = np.dtype([("label", "<u8"), ("pieces", "<u8")])
# A voxel in a side of a part: the axis of the side and where along it, the number of the voxel in
# the volume, and the open piece that contains it.
LINK = np.dtype([("axis", "u1"), ("side", "<i8"), ("voxel", "<i8"), ("piece", "<i8")])


@dataclass(frozen=True)
class Part:
    """The pieces in a box of the volume.

    begin, end: z y x. closed: PIECES by label, those that end in the box. open: (n,) uint64, the
    labels of the pieces that reach a side of the box, behind which the volume goes on. links: LINK.
    """

    begin: tuple[int, ...]
    end: tuple[int, ...]
    closed: np.ndarray
    open: np.ndarray
    links: np.ndarray


class VoxelPieces:
    """Finds the pieces of labels, or of bodies where there is a table of them, in a box of s0."""

    def __init__(self, job: VerifyJob) -> None:
        self._job = job
        self._parts: list[Part] = []

    def add(self, labels: np.ndarray, begin: Sequence[int], end: Sequence[int]) -> None:
        """Add a part of the box. labels, begin, end: as of `part_of`."""
        job = self._job
        self._parts.append(part_of(as_bodies(labels, job), begin, end, job.reads.shape))

    def save(self, path: Path) -> None:
        """Write the box as one part."""
        save_part(path, merged(self._parts))


def part_of(
    labels: np.ndarray,
    begin: Sequence[int],
    end: Sequence[int],
    shape: Sequence[int],
    most_axes: int = MOST_AXES,
) -> Part:
    """The pieces in the voxels of a box.

    labels: of the box, and of one more voxel behind its upper sides where the volume, of `shape`,
    goes on. begin, end: of the box in the volume. most_axes: what hangs together, as for
    `components`.
    """
    found, owners = components(labels, most_axes)
    links = [np.empty(0, LINK)]
    for axis in range(3):
        for side in (begin[axis], end[axis]):
            if 0 < side < shape[axis]:
                at = side - begin[axis]
                plane = np.take(labels, [at], axis)
                _, first = np.unique(components(plane, most_axes)[0], return_index=True)
                index = list(np.unravel_index(first, plane.shape))
                index[axis] = index[axis] + at
                is_label = labels[tuple(index)] != 0
                index = [i[is_label] for i in index]
                in_volume = [i + b for i, b in zip(index, begin, strict=True)]
                rows = np.zeros(len(index[0]), LINK)
                rows["axis"], rows["side"] = axis, side
                rows["voxel"] = np.ravel_multi_index(in_volume, shape)
                rows["piece"] = found[tuple(index)] - 1
                links.append(rows)
    box = tuple(begin), tuple(end)
    return _settled(*box, np.zeros(0, PIECES), owners[1:], np.concatenate(links))


def merged(parts: Sequence[Part]) -> Part:
    """Parts that fill a box together, as one.

    Raises ValueError if two parts disagree about the plane between them.
    """
    begin = np.min([part.begin for part in parts], axis=0)
    end = np.max([part.end for part in parts], axis=0)
    starts = np.cumsum([0, *(len(part.open) for part in parts)])
    lengths = [len(part.links) for part in parts]
    links = np.concatenate([part.links for part in parts])
    links["piece"] += np.repeat(starts[:-1], lengths)
    owners = np.concatenate([part.open for part in parts])
    # whether a link lies in the lower side of the part that lists it
    begins = np.repeat([part.begin for part in parts], lengths, axis=0)
    is_lower = begins[np.arange(len(links)), links["axis"]] == links["side"]
    order = np.lexsort((links["voxel"], links["side"], links["axis"]))
    links, is_lower = links[order], is_lower[order]
    places = links[["axis", "side", "voxel"]]
    same = places[1:] == places[:-1]
    root = groups(len(owners), links["piece"][:-1][same], links["piece"][1:][same])
    axis, side = links["axis"], links["side"]
    is_inner = (begin[axis] < side) & (side < end[axis])
    number = np.concatenate([[0], np.cumsum(~same)]) if len(links) else np.zeros(0, int)
    seen_below = np.bincount(number, ~is_lower) > 0
    seen_above = np.bincount(number, is_lower) > 0
    if (is_inner & (seen_below != seen_above)[number]).any():
        raise ValueError(f"parts of the volume from {begin} to {end} disagree about their sides")
    if (owners[root] != owners).any():
        raise ValueError(f"parts of the volume from {begin} to {end} disagree about labels")
    heads, piece = np.unique(root, return_inverse=True)
    links["piece"] = piece[links["piece"]]
    closed = summed(np.concatenate([part.closed for part in parts]))
    box = tuple(begin.tolist()), tuple(end.tolist())
    return _settled(*box, closed, owners[heads], links[~is_inner])


def _settled(
    begin: tuple[int, ...],
    end: tuple[int, ...],
    closed: np.ndarray,
    owners: np.ndarray,
    links: np.ndarray,
) -> Part:
    """A part whose pieces without a link are counted as closed. owners: the label of each piece."""
    is_open = np.zeros(len(owners), bool)
    is_open[links["piece"]] = True
    done = np.zeros(int(np.count_nonzero(~is_open)), PIECES)
    done["label"], done["pieces"] = owners[~is_open], 1
    links["piece"] = (np.cumsum(is_open) - 1)[links["piece"]]
    return Part(begin, end, summed(np.concatenate([closed, done])), owners[is_open], links)


def summed(pieces: np.ndarray) -> np.ndarray:
    """One row per label, ascending, with the sum of its pieces. pieces: PIECES."""
    labels, row = np.unique(pieces["label"], return_inverse=True)
    found = np.zeros(len(labels), PIECES)
    found["label"] = labels
    np.add.at(found["pieces"], row, pieces["pieces"])
    return found


def save_part(path: Path, part: Part) -> None:
    """Write a part."""
    box = np.array([part.begin, part.end])
    with open(path, "wb") as file:
        np.savez(file, box=box, closed=part.closed, open=part.open, links=part.links)


def load_part(path: str) -> Part:
    """A part that `save_part` has written."""
    with np.load(path) as kept:
        begin, end = kept["box"].tolist()
        return Part(tuple(begin), tuple(end), kept["closed"], kept["open"], kept["links"])


def pieces_of_volume(paths: Sequence[str]) -> np.ndarray:
    """PIECES of all labels, by label, from the files of the boxes that fill the volume.

    paths: ordered by their boxes, z slowest. Boxes are merged to rows along x, rows to slabs, and
    each slab with what is below it. So the sides of the rows of one slab are in memory, and those
    of what is below. Raises ValueError if the boxes do not fill the volume.
    """
    slabs = _merged_along(1, _merged_along(2, map(load_part, paths)))
    volume = reduce(lambda below, slab: merged([below, slab]), slabs)
    if len(volume.open):
        raise ValueError(f"boxes of the volume beyond {volume.end} are missing")
    return volume.closed


def _merged_along(axis: int, parts: Iterable[Part]) -> Iterator[Part]:
    """Neighbours along an axis as one part each, in their order."""
    for _, neighbours in groupby(parts, lambda part: part.begin[:axis]):
        yield merged(list(neighbours))
