"""Whether every byte of a container is what was written."""

import os
from pathlib import Path

from snakemesh.errors import DamagedError
from snakemesh.fragments.container import counts_of, section_of, whole_table
from snakemesh.fragments.payload import payload_of


def is_sound(path: Path) -> bool:
    """Whether a container is there, and all of its bytes are what was written."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        table = whole_table(fd, path)
        for shard in table.entries["shard"].tolist():
            counts_of(fd, path, table, shard)
            section = section_of(fd, path, table, shard)
            if len(section.records):
                for _ in payload_of(fd, section):
                    pass
    except DamagedError:
        return False
    finally:
        os.close(fd)
    return True
