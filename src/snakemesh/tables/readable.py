"""What a user is told of a table of a run that pyarrow cannot read."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from snakemesh.errors import UserError, one_line


@contextmanager
def readable(path: str | os.PathLike[str]) -> Iterator[None]:
    """Raise UserError, one line, if a table cannot be read within the block."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{os.fspath(path)} cannot be read: {one_line(error)}") from error
