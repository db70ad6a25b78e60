"""Format and shape of an array alone, whatever its metadata say of its place."""

from snakemesh.source.arrays import array_facts
from snakemesh.source.documents import find


def format_and_shape(path: str) -> tuple[str, tuple[int, ...]]:
    """The format of the array at a path, and its shape in C order.

    format: zarr2, zarr3, n5 or precomputed. Raises FileNotFoundError if there is none.
    """
    if (node := find(path)) is None:
        raise FileNotFoundError(f"there is no array at {path}")
    return node.format, array_facts(node).shape
