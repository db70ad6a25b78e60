"""How an array is stored, as planning found out and jobs are told."""

from dataclasses import dataclass

# The document of an array, by format.
DOCUMENTS = {
    "zarr2": ".zarray",
    "zarr3": "zarr.json",
    "n5": "attributes.json",
    "precomputed": "info",
}


@dataclass(frozen=True)
class StoredArray:
    """How an array is opened.

    folder: where it lies, a path or an address; of a precomputed volume its root. format: zarr2,
    zarr3, n5 or precomputed. scale: number of the scale of a precomputed volume. metadata: the
    document that tensorstore is to use instead of the array's own, as JSON; None: its own. axes:
    the dimensions that are z, y and x, of the array in C order. index: the position that is read
    along every dimension; 0 along z, y and x, of which all is read. is_compressed: files of chunks
    may be compressed as a whole, or lie in folders (`compressed_chunks`). forbids_missing: whoever
    keeps it denies access to chunks that are not there (`forbidden_chunks`). is_plain: whether
    every reader that takes its path finds the same labels, z y x.
    """

    folder: str
    format: str
    axes: tuple[int, int, int]
    index: tuple[int, ...]
    scale: int | None = None
    metadata: str | None = None
    is_compressed: bool = False
    forbids_missing: bool = False
    is_plain: bool = True
