"""How a super-chunk is read from its base: in which pieces, and with how much memory.

A piece is what is read at once. Every chunk of the base that a piece touches is decoded whole, and
the chunks of all pieces that are being read may be in memory together.

Planning uses this module too, to know the memory of a job. So it is kept apart from
`pyramid.pieces`, which does the reading and which planning must not import. Arrays are z y x.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from snakemesh.boxes import Shape, triple

PIECE_VOXELS = 128  # voxels on an axis: chunks of the base are read together up to this length
BYTES_READING = 64 << 20  # buffers for pieces: one being voted on, the others being read
BYTES_DECODING = 64 << 20  # chunks of the base, decoded for the pieces that are being read
BYTES_WRITING = 32 << 20  # chunks handed to tensorstore and not on disk yet
MIN_PIECES = 2  # one being voted on and one being read, whatever memory they take


@dataclass(frozen=True)
class Reading:
    """How pieces are cut and read.

    lengths: z y x, in voxels. Chunks of the base are read together up to this length on each axis.
    piece_bytes: size of the largest piece. decoded_bytes: size of all chunks that it touches.
    at_once: number of pieces in memory, including the one that is voted on.
    """

    lengths: Shape
    piece_bytes: int
    decoded_bytes: int
    at_once: int


def reading(
    footprint: Sequence[int],
    stored: Sequence[int],
    origin: Sequence[int],
    factor: Sequence[int],
    itemsize: int,
) -> Reading:
    """How the pieces of a super-chunk are cut and read.

    All triples are z y x. footprint: voxels of the base that one chunk of the finest level written
    covers; no piece is larger. stored: voxels of a chunk of the base. origin: a corner of one of
    these chunks. factor: of the coarsest level written over the base; pieces begin on multiples of
    it. itemsize: bytes of a voxel.

    Where the chunks of the base are flat, a thick piece would touch too many of them, and all of
    them would be decoded. So pieces are made thinner there, until their chunks fit into
    BYTES_DECODING or no axis can be halved any more.
    """
    lengths = [PIECE_VOXELS] * 3
    while True:
        longest, touched = [], []
        for a in range(3):
            # footprints are cut at those faces of chunks that lie on a multiple of the factor
            between_cuts = math.lcm(stored[a], factor[a])
            length = min(footprint[a], max(lengths[a], between_cuts))
            off_edge = footprint[a] % stored[a] != 0 or origin[a] % stored[a] != 0
            inside_one = length < stored[a] and between_cuts == stored[a]
            longest.append(length)
            touched.append(1 if inside_one else -(-length // stored[a]) + off_edge)
        decoded = math.prod(touched) * math.prod(stored) * itemsize
        thinner = [a for a in range(3) if touched[a] > 1 and lengths[a] >= 2 * factor[a]]
        if decoded <= BYTES_DECODING or not thinner:
            break
        lengths[max(thinner, key=lambda a: touched[a])] //= 2
    piece = math.prod(longest) * itemsize
    at_once = max(MIN_PIECES, min(BYTES_READING // piece, BYTES_DECODING // decoded))
    return Reading(triple(lengths), piece, decoded, at_once)
