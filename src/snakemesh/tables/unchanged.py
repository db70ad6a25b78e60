"""Whether a table of the user is still the one that the run was planned for."""

import hashlib
from pathlib import Path

from snakemesh.errors import UserError


def table_digest(path: str) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def refuse_changed(key: str, path: str, digest: str | None) -> None:
    """Raise UserError unless a table has the digest that planning has seen.

    Products are named after that digest. A job calls it when it has read the table.
    """
    if table_digest(path) != digest:
        raise UserError(
            f"config key {key}: {path} has changed while the run was going on; give the same "
            "command again"
        )
