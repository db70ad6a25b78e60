import errno
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from preloading import refusing
from snakemesh.output.atomic import replacing, sync_filesystem

SOURCE = Path(__file__).resolve().parents[3] / "src"


def names(folder):
    return sorted(os.listdir(folder))


@pytest.mark.parametrize("before", [None, "old"])
@pytest.mark.parametrize("as_path", [str, Path])
def test_the_file_appears_when_it_is_whole(tmp_path, before, as_path):
    target = tmp_path / "info"
    if before is not None:
        target.write_text(before)
    with replacing(as_path(target)) as temporary:
        temporary.write_text("ne")
        assert (target.read_text() if target.exists() else None) == before
        with temporary.open("a") as file:
            file.write("w")
    assert target.read_text() == "new"
    assert names(tmp_path) == ["info"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("before", [None, "old"])
def test_an_error_leaves_everything_as_it_was(tmp_path, before, error):
    target = tmp_path / "info"
    if before is not None:
        target.write_text(before)
    with pytest.raises(error), replacing(target) as temporary:
        temporary.write_text("half")
        raise error
    assert names(tmp_path) == ([] if before is None else ["info"])
    assert before is None or target.read_text() == before


def test_nothing_written_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "info"):
        pass
    assert names(tmp_path) == []


def test_an_error_names_the_file_and_not_the_temporary_one(tmp_path):
    """A full disk names none at all."""
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(OSError) as raised, replacing(tmp_path / "info"):
        raise full
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, f"{tmp_path}/info")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError) as raised, replacing(tmp_path / "folder") as temporary:
        temporary.write_text("new")
    assert raised.value.filename == f"{tmp_path}/folder" and raised.value.filename2 is None
    with pytest.raises(FileNotFoundError) as raised, replacing(tmp_path / "info"):
        Path(tmp_path, "other").read_text()
    assert raised.value.filename == f"{tmp_path}/other"
    assert names(tmp_path) == ["folder"]


def test_a_killed_job_leaves_only_what_looks_unfinished(tmp_path):
    (tmp_path / "0.shard").write_text("old")
    code = (
        "import os, signal, sys; from snakemesh.output.atomic import replacing\n"
        "with replacing(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "0.shard")],
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
    )
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "0.shard").read_text() == "old"
    leftover, found = names(tmp_path)
    assert found == "0.shard"
    assert re.fullmatch(r"\.0\.shard\.[0-9a-f]{32}\.tmp", leftover)


def test_writers_replace_each_other_and_never_mix(tmp_path):
    target = tmp_path / "info"
    contents = {letter * 10_000 for letter in "abcd"}
    target.write_text("a" * 10_000)
    seen = set()

    def write(content):
        for _ in range(50):
            with replacing(target) as temporary, temporary.open("w") as file:
                file.write(content[:5_000])
                file.write(content[5_000:])

    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        seen.add(target.read_text())
    assert seen <= contents
    assert names(tmp_path) == ["info"]


def test_a_link_is_replaced_and_what_it_points_to_is_not(tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "info").symlink_to("mine")
    with replacing(tmp_path / "info") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (tmp_path / "info").is_symlink()


def test_the_folder_above_is_synced_unless_it_must_not_be_read(tmp_path, monkeypatch):
    synced = []

    def sync(path):
        synced.append(Path(path))
        if path == tmp_path:
            raise PermissionError(path)

    monkeypatch.setattr("snakemesh.output.atomic.sync", sync)
    (tmp_path / "out").mkdir()
    with replacing(tmp_path / "out" / "info") as temporary:
        temporary.write_text("new")
    assert synced == [temporary, tmp_path / "out", tmp_path]
    assert names(tmp_path / "out") == ["info"]


# Write a file, and sync its file system.
WRITE = """
import sys
from pathlib import Path
from snakemesh.output.atomic import replacing, sync_filesystem
with replacing(sys.argv[1]) as temporary:
    temporary.write_text("new")
sync_filesystem(Path(sys.argv[1]).parent)
"""
SYNCS = ("fsync_of_file", "fsync_of_folder", "syncfs")
NOT_SUPPORTED = ("EINVAL", "ENOSYS", "EOPNOTSUPP", "EBADF", "EPERM", "EACCES")


def written(path, **errors):
    environment = refusing(**errors) | {"PYTHONPATH": str(SOURCE)}
    code = [sys.executable, "-c", WRITE, str(path)]
    return subprocess.run(code, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("name", NOT_SUPPORTED)
def test_a_filesystem_that_cannot_sync_when_asked(tmp_path, name):
    error = getattr(errno, name)
    done = written(tmp_path / "info", **dict.fromkeys(SYNCS, error))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "info").read_text() == "new"
    assert names(tmp_path) == ["info"]


@pytest.mark.parametrize("name", ["EIO", "ENOSPC", "EDQUOT", "EROFS", "ESTALE"])
@pytest.mark.parametrize("call", SYNCS)
def test_data_that_are_lost_are_an_error(tmp_path, call, name):
    error = getattr(errno, name)
    done = written(tmp_path / "info", **{call: error})
    assert done.returncode != 0
    assert f"[Errno {error}] {os.strerror(error)}" in done.stderr
    assert names(tmp_path) == ([] if call == "fsync_of_file" else ["info"])


def test_a_c_library_without_syncfs(tmp_path, monkeypatch):
    """Then all filesystems are synced, which is the only other call that does it for many files."""
    synced = []
    monkeypatch.setattr("ctypes.CDLL", lambda *_, **__: object())
    monkeypatch.setattr(os, "sync", lambda: synced.append(True))
    sync_filesystem(tmp_path)
    assert synced == [True]
