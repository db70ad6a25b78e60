"""The errors that are meant for the person who runs the workflow."""

import zipfile
import zlib
from pathlib import Path

# What numpy raises for an .npz file that is missing, damaged or of another kind.
BAD_NPZ = (OSError, ValueError, LookupError, EOFError, zipfile.BadZipFile, zlib.error)


class UserError(ValueError):
    """Bad input: the message is one line that says what was found, what was expected and where.

    It quotes what users and other programs wrote. Of that, what would not print is escaped.
    """

    def __init__(self, message: str) -> None:
        super().__init__("".join(c if c.isprintable() else _escaped(c) for c in message))


class DamagedError(UserError):
    """A file that an earlier job has made is damaged or gone.

    Whoever raises it names the file; whoever catches it removes the file and the markers that vouch
    for it, so that the same command makes it again.
    """

    def __init__(self, path: Path, found: str) -> None:
        super().__init__(f"{path} {found}; give the same command again, which makes it anew")
        self.path = path


def one_line(error: Exception) -> str:
    """What an error says, in one line, without the places in tensorstore's own source."""
    return " ".join(str(error).split()).split(" [source locations=")[0]


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
