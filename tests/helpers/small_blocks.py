"""Blocks of one cell, small super-chunks and small LODs, so that small volumes have several."""

from pathlib import Path
from unittest import mock

from running import copy_repository
from snakemesh.fragments import octree
from snakemesh.plan import blocks

# What makes blocks, super-chunks and LODs large: the file and the line.
_LARGE = (
    ("plan/blocks.py", "MAX_BLOCK_VOXELS = 256**3"),
    ("plan/blocks.py", "MIN_SUPER_CHUNK_VOXELS = 1 << 24"),
    ("fragments/octree.py", "MIN_FINER_BYTES = 1000"),
    ("plan/together.py", "MAX_TOGETHER_VOXELS = 5 << 20"),
    ("plan/together.py", "MAX_CHAIN_VOXELS = 5 << 22"),
)


def small_blocks():
    """A context or decorator within which blocks are cells and super-chunks as small as can be."""
    return mock.patch.multiple(blocks, MAX_BLOCK_VOXELS=1, MIN_SUPER_CHUNK_VOXELS=1)


def small_lods():
    """A context or decorator within which small bodies have further LODs too."""
    return mock.patch.object(octree, "MIN_FINER_BYTES", 0)


def copy_with_small_blocks(target: Path) -> Path:
    """`copy_repository`, with the sizes of `small_blocks` and `small_lods`."""
    copy = copy_repository(target)
    for name, line in _LARGE:
        module = copy / "src" / "snakemesh" / name
        text = module.read_text()
        assert f"\n{line}\n" in text
        module.write_text(text.replace(line, f"{line.split()[0]} = 1"))
    return copy


def copy_with_bundles(target: Path) -> Path:
    """`copy_with_small_blocks`, in which shards are made from bundles of up to three blocks."""
    copy = copy_with_small_blocks(target)
    module = copy / "src" / "snakemesh" / "plan" / "blocks.py"
    text = module.read_text()
    for constant, small in (("MAX_SECTIONS = 1 << 22", "0"), ("BUNDLED_SECTIONS = 1 << 18", "2")):
        assert constant in text
        text = text.replace(constant, f"{constant.split()[0]} = {small}")
    module.write_text(text)
    return copy
