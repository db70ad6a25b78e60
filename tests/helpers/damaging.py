"""Damage to files that does not change their sizes."""

from pathlib import Path


def flip(path: str | Path, at: int | None = None) -> None:
    """Flip a bit of a file, of the byte `at` or of the one in the middle."""
    content = bytearray(Path(path).read_bytes())
    content[len(content) // 2 if at is None else at] ^= 1
    Path(path).write_bytes(content)
