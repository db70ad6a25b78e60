"""Whether every byte of a container is what was written."""

from pathlib import Path

from snakemesh.errors import DamagedError
from snakemesh.fragments.container import CONTACTS, COUNTS, opened, rows_of, section_of
from snakemesh.fragments.payload import payload_of


def is_sound(path: Path) -> bool:
    """Whether a container is there, and all of its bytes are what was written."""
    try:
        with opened(path) as container:
            for shard in container.table.entries["shard"].tolist():
                rows_of(container, shard, COUNTS)
                rows_of(container, shard, CONTACTS)
                section = section_of(container, shard)
                if len(section.records):
                    for _ in payload_of(container.fd, section):
                        pass
    except DamagedError:
        return False
    return True
