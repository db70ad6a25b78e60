"""The line that moves, on a pseudo-terminal and in a file."""

import os
import time

import pytest

from snakemesh.console import screen
from snakemesh.console.screen import Screen
from terminal import Terminal, seen


class Shown:
    """A screen on a terminal, and what it has written. line: what its line says now."""

    def __init__(self, monkeypatch, term):
        monkeypatch.setenv("TERM", term)
        monkeypatch.setattr(screen, "SECONDS_ON_A_TERMINAL", 0.01)
        monkeypatch.setattr(screen, "SECONDS_IN_A_FILE", 0.01)
        self.terminal = Terminal(80)
        self.screen = Screen(os.fdopen(os.dup(self.terminal.end), "w"))
        self.line, self.text, self.said = "0 %", "", []

    def start(self):
        self.screen.start(lambda: self.line, self.said.append)

    def print(self, text):
        self.screen.write(text)
        self.screen.flush()

    def wait_for(self, text):
        """Read until a text comes, and no control character is read in part."""
        while text not in self.text or self.text.endswith(("\x1b", "\x1b[")):
            self.text += self.terminal.read()

    @property
    def rows(self):
        return seen(self.text)


@pytest.fixture
def shown(request, monkeypatch):
    made = Shown(monkeypatch, getattr(request, "param", "xterm"))
    yield made
    made.screen.stop()


def test_the_line_moves_below_what_is_written(shown):
    shown.start()
    shown.wait_for("0 %")
    shown.line = "12 %"
    shown.wait_for("12 %")
    assert shown.rows == ["12 %"]
    shown.print("first\nsecond\n")
    shown.wait_for("second")
    shown.line = "7 %"  # shorter than before
    shown.wait_for("7 %\x1b[K")
    assert shown.rows == ["first", "second", "7 %"]


def test_text_without_an_end_of_line_is_not_overwritten(shown):
    shown.start()
    shown.print("half")
    shown.line = "moved"
    time.sleep(0.1)
    shown.print(" a line\n")
    shown.wait_for("moved")
    assert shown.rows == ["half a line", "moved"]


def test_nothing_is_left_of_the_line(shown):
    shown.start()
    shown.print("said\n")
    shown.screen.stop()
    shown.screen.stop()
    shown.print("after\n")
    shown.wait_for("after\r\n")
    time.sleep(0.1)
    shown.print("the end\n")
    shown.wait_for("the end\r\n")
    assert shown.rows == ["said", "after", "the end", ""]


def test_the_line_is_never_wider_than_the_terminal(shown):
    shown.line = "x" * 200
    shown.start()
    shown.wait_for("x" * 79)
    assert shown.rows == ["x" * 79]
    shown.terminal.resize(30)
    shown.line = "y" * 200
    shown.wait_for("y\x1b[K")
    assert shown.rows == ["y" * 29]
    shown.terminal.resize(0)  # as some terminals say
    shown.line = "z" * 200
    shown.wait_for("z\x1b[K")
    assert shown.rows == ["z" * 79]


@pytest.mark.parametrize("shown", ["dumb", ""], indirect=True)
def test_a_terminal_that_cannot_move_a_line(shown):
    shown.start()
    while not shown.said:
        time.sleep(0.01)
    shown.print("text\n")
    shown.wait_for("text")
    shown.screen.stop()
    assert shown.text == "text\r\n" and set(shown.said) == {"0 %"}


def test_a_file_gets_lines_and_no_control_characters(monkeypatch, tmp_path):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(screen, "SECONDS_IN_A_FILE", 0.01)
    with open(tmp_path / "log", "w") as file:
        written = Screen(file)
        written.write("before\n")
        written.start(lambda: "12 %", lambda line: written.write(f"{line}\n"))
        while "12 %" not in (tmp_path / "log").read_text():
            written.flush()
        written.stop()
        assert not written.isatty()
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines[0] == "before" and set(lines[1:]) == {"12 %"}


def test_a_terminal_that_is_gone(monkeypatch, tmp_path):
    """The thread and the end of the run do not fail on it."""
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    stream = os.fdopen(os.dup(terminal.end), "w")
    gone = Screen(stream)
    gone.start(lambda: "12 %", print)
    stream.close()
    gone._move("13 %")
    gone.stop()
