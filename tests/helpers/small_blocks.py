"""Blocks of one cell and small super-chunks, so that small volumes have several of them."""

from pathlib import Path
from unittest import mock

from running import copy_repository
from snakemesh.plan import blocks


def small_blocks():
    """A context or decorator within which blocks are cells and super-chunks as small as can be."""
    return mock.patch.multiple(blocks, MAX_BLOCK_VOXELS=1, MIN_SUPER_CHUNK_VOXELS=1)


def copy_with_small_blocks(target: Path) -> Path:
    """`copy_repository`, with the sizes of `small_blocks`."""
    copy = copy_repository(target)
    module = copy / "scripts" / "snakemesh" / "plan" / "blocks.py"
    text = module.read_text()
    for line in ("MAX_BLOCK_VOXELS = 256**3", "MIN_SUPER_CHUNK_VOXELS = 1 << 24"):
        assert f"\n{line}\n" in text
        text = text.replace(line, f"{line.split()[0]} = 1")
    module.write_text(text)
    return copy
