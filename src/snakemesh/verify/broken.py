"""Labels whose voxels hang together but whose meshes do not, by LOD."""

from collections.abc import Iterator

import numpy as np

# For a label at an LOD: pieces of its mesh, 0 if the label does not have that LOD, its mesh was not
# read or its surface is open; and the part of its volume that is not in the largest piece.
LOD_PIECES = np.dtype([("pieces", "<u4"), ("outside", "<f4")])
# For an LOD: the labels whose voxels are connected, how many of them have a mesh of several pieces,
# the voxels of all of them, and the voxels that stand for the volume outside the largest pieces.
BROKEN = np.dtype([("whole", "<u8"), ("broken", "<u8"), ("voxels", "<f8"), ("outside", "<f8")])


def as_lod_pieces(volumes: np.ndarray) -> tuple[int, float]:
    """A LOD_PIECES of a closed surface. volumes: of its pieces, as `pieces.piece_volumes` finds."""
    if not len(volumes):
        return 0, 0.0
    return len(volumes), float(1 - volumes.max() / volumes.sum())


def broken_labels(voxels: np.ndarray, voxel_pieces: np.ndarray, pieces: np.ndarray) -> np.ndarray:
    """BROKEN, one per LOD.

    voxels, voxel_pieces: (n,), how many each label has. pieces: (n, LODs), LOD_PIECES.
    """
    found = np.zeros(pieces.shape[1], BROKEN)
    for lod, sums in enumerate(found):
        at_lod = pieces[:, lod]
        whole = (voxel_pieces == 1) & (at_lod["pieces"] > 0)
        held = voxels[whole].astype(float)
        sums["whole"] = np.count_nonzero(whole)
        sums["broken"] = np.count_nonzero(at_lod["pieces"][whole] > 1)
        sums["voxels"], sums["outside"] = held.sum(), (held * at_lod["outside"][whole]).sum()
    return found


def lines(found: np.ndarray) -> Iterator[str]:
    """What to print of BROKEN, a line for each LOD that has such labels."""
    for lod, sums in enumerate(found):
        if sums["whole"]:
            yield (
                f"  LOD {lod}: {sums['broken']:,} of {sums['whole']:,} labels that are one piece in"
                f" s0 lie in several, {share_outside(sums):.2%} of the volume is outside the "
                "largest pieces"
            )


def share_outside(sums: np.void) -> float:
    """The part of the volume that is outside the largest pieces. sums: BROKEN."""
    return float(sums["outside"] / sums["voxels"]) if sums["voxels"] else 0.0


def as_facts(found: np.ndarray) -> list[dict[str, float]]:
    """BROKEN as JSON has it, for each LOD: `whole`, `broken`, and the share `outside`."""
    return [
        {"whole": int(s["whole"]), "broken": int(s["broken"]), "outside": share_outside(s)}
        for s in found
    ]
