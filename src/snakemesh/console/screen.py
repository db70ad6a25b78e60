"""A terminal whose last line is drawn again and again, below all other text."""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

SECONDS_ON_A_TERMINAL = 1.0
SECONDS_IN_A_FILE = 60.0
_ERASE = "\r\x1b[K"  # to the beginning of the row, then erase all of the row
_WIDTH = 80  # columns of a terminal that does not say how many it has


class Screen:
    """A stream of text for handlers to write to, whose last line moves.

    The line is drawn anew every second. A stream that cannot move a line (a file, a pipe, a
    terminal that calls itself dumb) gets no control characters, but a new line every minute.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._moves = stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
        self._line: str | None = None
        self._is_drawn = False
        self._is_at_start = True  # of a row, where the line can be drawn
        self._lock = threading.RLock()
        self._has_ended = threading.Event()

    def write(self, text: str) -> int:
        """Write text in place of the line. The line comes back with `flush`, below the text."""
        with self._lock:
            self._erase()
            self._stream.write(text)
            if text:
                self._is_at_start = text.endswith("\n")
        return len(text)

    def flush(self) -> None:
        """Show what was written, and the line below it."""
        with self._lock:
            self._draw()
            self._stream.flush()

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._stream.isatty()

    def start(self, line: Callable[[], str], say: Callable[[str], None]) -> None:
        """Begin to show a line, until `stop`.

        line: what the line says now. say: is called with it where a line cannot move.
        """
        arguments = (self._move, SECONDS_ON_A_TERMINAL) if self._moves else (say, SECONDS_IN_A_FILE)
        if self._moves:
            self._move(line())
        threading.Thread(target=self._tick, args=(line, *arguments), daemon=True).start()

    def stop(self) -> None:
        """Take the line away for good."""
        self._has_ended.set()
        with self._lock, suppress(OSError, ValueError):  # the terminal is gone, or closed
            self._line = None
            self._erase()
            self._stream.flush()

    def _tick(self, line: Callable[[], str], show: Callable[[str], None], seconds: float) -> None:
        while not self._has_ended.wait(seconds):
            show(line())

    def _move(self, line: str) -> None:
        with self._lock, suppress(OSError, ValueError):
            if not self._has_ended.is_set():
                self._line = line
                self._draw()
                self._stream.flush()

    def _draw(self) -> None:
        if self._line is not None and self._is_at_start:
            # one column less than there are: with all of them, some terminals begin a new row
            self._stream.write(f"\r{self._line[: self._width() - 1]}\x1b[K")
            self._is_drawn = True

    def _erase(self) -> None:
        if self._is_drawn:
            self._stream.write(_ERASE)
            self._is_drawn = False

    def _width(self) -> int:
        """Columns of the terminal at this moment."""
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or _WIDTH
        except (OSError, ValueError):
            return _WIDTH
