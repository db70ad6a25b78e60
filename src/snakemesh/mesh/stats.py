"""What meshing a block took and made: for its log."""

from dataclasses import astuple, dataclass


@dataclass(frozen=True)
class BlockStats:
    """What meshing a block took and made.

    voxels: read, halos included; 0 for a block that is made of fragments. dense_faces: before
    simplification. payload_bytes: of the
    fragments, Draco-encoded.
    """

    voxels: int = 0
    dense_faces: int = 0
    faces: int = 0
    fragments: int = 0
    payload_bytes: int = 0

    def __add__(self, other: "BlockStats") -> "BlockStats":
        return BlockStats(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))
