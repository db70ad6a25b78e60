"""How a super-chunk's source is read: in which pieces, how many at once, and the memory it takes.

Every chunk of the source that a piece touches is decoded whole, and all of those being read may be
in memory at once. Kept apart from the reading so that planning can ask without importing it.
Arrays are z y x.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from snakemesh.boxes import Shape

PIECE_VOXELS = 128  # voxels: source chunks are read together up to this length
BYTES_READING = 64 << 20  # buffers for pieces: one being voted on, the others being read
BYTES_DECODING = 64 << 20  # source chunks decoded for pieces that are being read
BYTES_WRITING = 32 << 20  # chunks handed to tensorstore and not on disk yet


@dataclass(frozen=True)
class Reading:
    """How pieces are cut and read.

    lengths: on each axis, that up to which source chunks are read together. piece_bytes: of the
    largest piece; decoded_bytes: of the source chunks it touches. at_once: pieces being read, the
    one that is voted on among them.
    """

    lengths: Shape
    piece_bytes: int
    decoded_bytes: int
    at_once: int


def reading(
    block: Sequence[int],
    stored: Sequence[int],
    origin: Sequence[int],
    factor: Sequence[int],
    itemsize: int,
) -> Reading:
    """How blocks of `block` voxels are read from chunks of `stored`, a corner of which is `origin`.

    factor: of the coarsest level; pieces begin on multiples of it. Where source chunks are flat,
    pieces are cut thin, as a thick one would touch, and decode, too many of them.
    """
    lengths = [PIECE_VOXELS] * 3
    while True:
        longest, touched = [], []
        for a in range(3):
            step = math.lcm(stored[a], factor[a])
            length = min(block[a], max(lengths[a], step) if step > lengths[a] else lengths[a])
            off_edge = block[a] % stored[a] != 0 or origin[a] % stored[a] != 0
            inside = length < stored[a] and step == stored[a]
            longest.append(length)
            touched.append(1 if inside else -(-length // stored[a]) + off_edge)
        decoded = math.prod(touched) * math.prod(stored) * itemsize
        thinner = [a for a in range(3) if touched[a] > 1 and lengths[a] >= 2 * factor[a]]
        if decoded <= BYTES_DECODING or not thinner:
            break
        lengths[max(thinner, key=lambda a: touched[a])] //= 2
    piece = math.prod(longest) * itemsize
    at_once = max(2, min(BYTES_READING // piece, BYTES_DECODING // decoded))
    return Reading(tuple(lengths), piece, decoded, at_once)
