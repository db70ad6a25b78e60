"""Blocks of one cell, so that small volumes have several of them."""

from pathlib import Path
from unittest import mock

from running import copy_repository
from snakemesh.plan import blocks


def small_blocks():
    """A context or decorator within which blocks are cells."""
    return mock.patch.object(blocks, "MAX_BLOCK_VOXELS", 1)


def copy_with_small_blocks(target: Path) -> Path:
    """`copy_repository`, and blocks are cells there."""
    copy = copy_repository(target)
    module = copy / "scripts" / "snakemesh" / "plan" / "blocks.py"
    text = module.read_text()
    changed = text.replace("MAX_BLOCK_VOXELS = 256**3", "MAX_BLOCK_VOXELS = 1")
    assert changed != text
    module.write_text(changed)
    return copy
