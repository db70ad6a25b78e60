"""Files of compiled functions: whole and genuine ones are used, whatever happens to them."""

import os
import pickle
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from snakemesh.kernels import kernel_files
from snakemesh.kernels.kernel_files import is_ready, read, set_ready, write

SOURCE = Path(kernel_files.__file__).parents[2]
NAME, CONTENT = "function.0123", b"types and code" * 10


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch) -> tuple[Path, Path]:
    """The folder beside the code and the one in the user's cache."""
    monkeypatch.setattr(kernel_files, "_PACKAGE", tmp_path / "clone")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    first, second = kernel_files.folders()
    assert first.is_relative_to(tmp_path / "clone")
    assert second.is_relative_to(tmp_path / "home")
    return first, second


def close(folder: Path) -> None:
    """Nothing can be written to a folder any more, not even by root."""
    folder.parent.parent.mkdir(parents=True, exist_ok=True)
    folder.parent.write_text("a file where a folder should be")


def test_what_is_written_is_read(places):
    assert read(NAME) is None
    write(NAME, CONTENT)
    assert read(NAME) == CONTENT
    assert all(os.listdir(folder) == [NAME] for folder in places)


def test_a_folder_that_has_it_gives_it_to_the_one_before(places):
    write(NAME, CONTENT)
    (places[0] / NAME).unlink()
    assert read(NAME) == CONTENT
    (places[1] / NAME).unlink()
    assert read(NAME) == CONTENT


@pytest.mark.parametrize("closed", [[0], [1], [0, 1]])
def test_folders_that_cannot_be_written(places, closed):
    for number in closed:
        close(places[number])
    write(NAME, CONTENT)
    assert read(NAME) == (CONTENT if len(closed) == 1 else None)
    assert kernel_files.can_be_kept() == (len(closed) == 1)


def test_a_user_without_a_home(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # nobody knows the home
    assert len(kernel_files.folders()) == 1


def test_every_damage_is_noticed_and_made_good(places):
    write(NAME, CONTENT)
    path = places[0] / NAME
    (places[1] / NAME).unlink()
    whole = path.read_bytes()
    damaged = [whole[:n] for n in range(len(whole))] + [whole + b"x", bytes(len(whole))]
    for i in range(len(whole)):
        damaged.append(whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :])
    for found in damaged:
        path.write_bytes(found)
        assert read(NAME) is None
    write(NAME, CONTENT)
    assert read(NAME) == CONTENT


def test_a_file_of_another_name_is_not_used(places):
    write("function.4567", CONTENT)
    for folder in places:
        (folder / "function.4567").rename(folder / NAME)
    assert read(NAME) is None


class Bomb:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return (os._exit, (1,))


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_what_others_can_write_is_not_read(places, mode):
    write(NAME, pickle.dumps(Bomb()))
    for folder in places:
        (folder / NAME).chmod(mode)
    assert read(NAME) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root can give files away")
def test_what_another_user_wrote_is_read_only_if_the_code_is_theirs_too(places, monkeypatch):
    write(NAME, CONTENT)
    for folder in places:
        os.chown(folder / NAME, 1234, -1)
    assert read(NAME) is None
    write(NAME, b"mine")  # theirs stay
    assert read(NAME) is None
    monkeypatch.setattr(kernel_files, "_owner_of_code", lambda: 1234)
    assert read(NAME) == CONTENT


def test_a_named_pipe_keeps_nobody_waiting(places):
    places[0].mkdir(parents=True)
    os.mkfifo(places[0] / NAME)
    assert read(NAME) is None


class Killed(BaseException):
    """A node that dies."""


def test_nodes_of_two_kinds_on_a_slow_filesystem_that_die_at_any_moment(places, monkeypatch):
    """40 threads as nodes. Each call takes 20 ms; one in eight is the last of its node."""
    chance = random.Random(0)
    calls = {name: getattr(os, name) for name in ("open", "replace", "fchmod", "fstat")}

    def slow(name):
        def call(*args, **kwargs):
            time.sleep(0.02)
            if chance.random() < 1 / 8:
                raise Killed
            return calls[name](*args, **kwargs)

        return call

    def content(kind: int, function: int) -> bytes:
        return f"code of {function} for {kind}".encode() * 1000

    wrong, died = [], []

    def node(kind: int) -> None:
        try:
            for function in range(10):
                name = f"function{function}.{kind}"
                if (found := read(name)) is None:
                    write(name, content(kind, function))
                elif found != content(kind, function):
                    wrong.append(name)
        except Killed:
            died.append(kind)

    with monkeypatch.context() as patched:
        for name in calls:
            patched.setattr(os, name, slow(name))
        nodes = [threading.Thread(target=node, args=(i % 2,)) for i in range(40)]
        for each in nodes:
            each.start()
        for each in nodes:
            each.join()
    assert wrong == []
    assert len(died) > 10
    for kind in range(2):
        for function in range(10):
            assert read(f"function{function}.{kind}") in (None, content(kind, function))
            write(f"function{function}.{kind}", content(kind, function))
            assert read(f"function{function}.{kind}") == content(kind, function)


def test_a_process_that_is_killed_while_it_writes(tmp_path, places):
    program = f"""
from pathlib import Path
from snakemesh.kernels import kernel_files
kernel_files._PACKAGE = Path({str(tmp_path / "clone")!r})
while True:
    kernel_files.write({NAME!r}, bytes(10_000_000))
"""
    for milliseconds in range(0, 300, 30):
        line = [sys.executable, "-c", program]
        process = subprocess.Popen(line, env=os.environ | {"PYTHONPATH": str(SOURCE)})
        while not any(places[0].glob("*")):
            time.sleep(0.01)
        time.sleep(milliseconds / 1000)
        process.kill()
        process.wait()
        assert read(NAME) in (None, bytes(10_000_000))


@pytest.mark.parametrize(
    ("flags", "target"),
    [
        ("", "x86-64"),
        ("cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3", "x86-64-v2"),
        ("abm avx avx2 bmi1 bmi2 f16c fma movbe xsave", "x86-64"),
        (
            "cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3 abm avx avx2 bmi1 bmi2 f16c fma movbe xsave"
            " avx512f",
            "x86-64-v3",
        ),
    ],
)
def test_the_cpu_is_one_that_all_nodes_have(monkeypatch, flags, target):
    monkeypatch.setattr(kernel_files.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(kernel_files, "_cpu_flags", lambda: set(flags.split()))
    assert kernel_files.cpu_target.__wrapped__() == target


def test_a_part_is_ready_where_every_node_finds_it(places):
    assert not is_ready("mesh")
    set_ready("mesh")
    assert is_ready("mesh")
    assert not is_ready("pyramid")
    for file in places[0].iterdir():
        file.unlink()
    assert not is_ready("mesh")  # the user's cache may be on this machine only
    places[0].rmdir()
    places[0].parent.rmdir()
    close(places[0])
    assert is_ready("mesh")  # but nothing can be written beside the code


def test_an_edit_of_the_library_makes_a_part_unready(tmp_path):
    (tmp_path / "clone" / "plan").mkdir(parents=True)
    set_ready("mesh")
    (tmp_path / "clone" / "plan" / "module.py").write_text("")
    assert is_ready("mesh")
    (tmp_path / "clone" / "module.py").write_text("")
    assert not is_ready("mesh")


def test_old_files_are_removed(places):
    write("old", b"")
    write("new", b"")
    for folder in places:
        os.utime(folder / "old", (0, 0))
    kernel_files.remove_older(time.time() - 1000)
    assert all(os.listdir(folder) == ["new"] for folder in places)
