"""Files that appear whole or not at all: written under a temporary name, then renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Give a unique name beside `path` to write to; on success it becomes `path`.

    The name is unique across machines, so that two jobs that write the same file by mistake
    replace each other's result and never mix. After an exception nothing is left behind and
    `path` is as it was.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{uuid4().hex}.tmp")
    try:
        yield temporary
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
