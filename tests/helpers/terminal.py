"""A terminal for the programs that tests start, and what a person sees on it."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

# A carriage return, a new row, erase to the end of the row, a colour, any other character
_PART = re.compile(r"\r|\n|\x1b\[K|\x1b\[[0-9;]*m|.", re.DOTALL)


class Terminal:
    """A pseudo-terminal. A program writes to `end`, a file descriptor; `read` is what came out."""

    def __init__(self, columns: int = 100) -> None:
        self._master, self.end = pty.openpty()
        self.resize(columns)

    def resize(self, columns: int) -> None:
        """Make it so many columns wide."""
        fcntl.ioctl(self.end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        """Type on its keyboard."""
        os.write(self._master, keys)

    def close_end(self) -> None:
        """Close the end of the program here. What it has open elsewhere stays open."""
        os.close(self.end)

    def read(self) -> str:
        """What has been written since the last call; "" once no program has its end open."""
        try:
            return os.read(self._master, 1 << 16).decode()
        except OSError:  # EIO: the last program has closed its end
            return ""


def _begin_as_from_a_shell() -> None:
    """Let the terminal be that of this process, and Ctrl-C end it, also if tests run behind `&`."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run_on_terminal(
    line: Sequence[str | Path],
    folder: Path,
    columns: int = 100,
    moment: Callable[[str], bool] = lambda text: False,
    environment: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Run a command on a terminal. Returns its exit code and all it wrote, control characters too.

    moment: says of what was written so far whether to press Ctrl-C, which is done once.
    """
    terminal = Terminal(columns)
    process = subprocess.Popen(
        line,
        cwd=folder,
        env={**os.environ, "TERM": "xterm", **(environment or {})},
        stdin=terminal.end,
        stdout=terminal.end,
        stderr=terminal.end,
        start_new_session=True,
        preexec_fn=_begin_as_from_a_shell,
    )
    terminal.close_end()
    text, is_pressed = "", False
    while part := terminal.read():
        text += part
        if not is_pressed and moment(text):
            is_pressed = True
            terminal.type(b"\x03")
    return process.wait(), text


def seen(text: str) -> list[str]:
    """The rows that a person sees in the end, on a terminal that no row is too long for.

    Raises ValueError at a control character other than those of a line that moves, and colours.
    """
    rows, column = [""], 0
    for part in _PART.findall(text):
        if part == "\n":
            rows.append("")
        elif part == "\r":
            column = 0
            continue
        elif part == "\x1b[K":
            rows[-1] = rows[-1][:column]
            continue
        elif part.startswith("\x1b["):
            continue
        elif not part.isprintable():
            raise ValueError(f"a terminal gets {part!r}")
        else:
            rows[-1] = rows[-1][:column].ljust(column) + part + rows[-1][column + 1 :]
            column += 1
            continue
        column = 0
    return rows
