"""Files that appear whole or not at all: they are written under a temporary name, then renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path` to write to, and rename it to `path` on success.

    The temporary name is unique across machines. If two jobs write the same file by mistake, one
    replaces the other's result, and the two never mix. After an exception the temporary file is
    gone and `path` is as it was. Raises FileNotFoundError if nothing was written.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{uuid4().hex}.tmp")
    try:
        yield temporary
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
