"""The errors that are meant for the person who runs the workflow."""

import zipfile
import zlib
from pathlib import Path

# What numpy raises for an .npz file that is missing, damaged or of another kind.
BAD_NPZ = (OSError, ValueError, LookupError, EOFError, zipfile.BadZipFile, zlib.error)
# The most characters of another program's error that a message quotes.
_MOST_SHOWN = 400


class UserError(ValueError):
    """Bad input: the message is one line that says what was found, what was expected and where.

    Characters that do not print, in quotes of what users and programs wrote, are escaped.
    """

    def __init__(self, message: str) -> None:
        super().__init__("".join(c if c.isprintable() else _escaped(c) for c in message))


class DamagedError(UserError):
    """A file that an earlier job has made is damaged or gone.

    Whoever raises it names the file; whoever catches it removes the file and the markers that vouch
    for it, so that the same command makes it again.
    """

    def __init__(self, path: Path, found: str) -> None:
        super().__init__(f"{path} {found}; give the same command again to make it anew")
        self.path = path


def one_line(error: Exception) -> str:
    """What an error says, in one line that is not too long, without tensorstore's own details."""
    if isinstance(error, KeyError):
        return f"{error} is missing"
    text = " ".join(str(error).split())
    for detail in (" [source locations=", " [tensorstore_spec="):
        text = text.split(detail)[0]
    return (text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}...") or type(
        error
    ).__name__


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
