"""Precomputed volumes whose chunk files cloud-volume has compressed, as it does by default.

A web server sends `<chunk>.gz` as `<chunk>` with a Content-Encoding. In a folder the names are
others than the format says, and whoever follows it finds no chunk: all voxels would be background.
"""

import itertools
import os

from snakemesh.chunk_files import ChunkFiles
from snakemesh.errors import UserError
from snakemesh.plan.groups import MAX_ENTRIES

_SUFFIXES = (".gz", ".br", ".zst", ".xz", ".lzma", ".bz2")


def refuse_compressed_files(files: ChunkFiles) -> None:
    """Raise UserError if a folder of precomputed chunks, or of shards, holds compressed files."""
    try:
        with os.scandir(files.root) as entries:
            names = [entry.name for entry in itertools.islice(entries, MAX_ENTRIES)]
    except OSError:
        return
    if found := next((name for name in sorted(names) if name.endswith(_SUFFIXES)), None):
        raise UserError(
            f"config key input_path: {files.root} holds compressed files ({found}), expected "
            "chunks without a suffix; unpack them, or write the volume with compress=False"
        )
