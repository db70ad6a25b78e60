"""What looks finished is on the disk: the order of the system calls, as strace sees them."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from running import command

CALL = re.compile(r"^\d+ +(\w+)\((.*)\) += (-?\d+)")
PATHS = re.compile(r'"([^"]*)"')
DESCRIPTOR = re.compile(r"^\d+<([^>]*)>")


@dataclass(frozen=True)
class Call:
    """A system call that succeeded: its name and the paths that it is about."""

    name: str
    paths: tuple[str, ...]


def calls(trace: str) -> Iterator[Call]:
    """The calls of a trace of strace -f -y, in order."""
    unfinished: dict[str, str] = {}
    for line in trace.splitlines():
        number = line.split(" ", 1)[0]
        if line.endswith("<unfinished ...>"):
            unfinished[number] = line.removesuffix(" <unfinished ...>")
            continue
        if resumed := re.match(r"^\d+ +<\.\.\. \w+ resumed>(.*)$", line):
            line = unfinished.pop(number, "") + resumed[1]
        found = CALL.match(line)
        if found and int(found[3]) >= 0:
            descriptor = DESCRIPTOR.match(found[2])
            paths = (descriptor[1],) if descriptor and "sync" in found[1] else ()
            yield Call(found[1], paths or tuple(PATHS.findall(found[2])))


def unsafe(found: list[Call], products: re.Pattern) -> list[str]:
    """The products that get their names before they are on the disk, or whose names never are."""
    wrong = []
    for at, call in enumerate(found):
        if call.name.startswith("rename") and products.search(call.paths[-1]):
            temporary, target = call.paths[-2], call.paths[-1]
            if not any(c.name == "fsync" and c.paths == (temporary,) for c in found[:at]):
                wrong.append(f"{target} is renamed before it is synced")
            folder = str(Path(target).parent)
            if not any(c.name == "fsync" and c.paths == (folder,) for c in found[at:]):
                wrong.append(f"the name of {target} is not synced")
    return wrong


@pytest.fixture(scope="module")
def trace(repository, config, tmp_path_factory):
    """The calls of a whole run, and its output."""
    if shutil.which("strace") is None:
        pytest.skip("NOT TESTED: strace is not installed; apt-get install strace")
    folder = tmp_path_factory.mktemp("trace")
    traced = "trace=fsync,fdatasync,syncfs,rename,renameat,renameat2,unlink"
    line = ["strace", "-f", "-y", "-s", "4096", "-e", traced, "-o", str(folder / "trace")]
    run = command(config(folder / "out", delete_intermediate_scales=False))
    done = subprocess.run(
        [*line, *run], cwd=repository, capture_output=True, text=True, check=False
    )
    if "ptrace" in done.stderr and done.returncode != 0:
        pytest.skip(f"NOT TESTED: strace cannot trace here: {done.stderr.splitlines()[0]}")
    assert done.returncode == 0, done.stdout + done.stderr
    return list(calls((folder / "trace").read_text(errors="replace"))), folder / "out"


PRODUCTS = re.compile(r"\.fragments$|\.done$|\.shard$|\.npy$|/multires/.*info$|snakemesh\.json$")


def test_files_are_synced_before_they_get_their_names(trace):
    found, output = trace
    named = {c.paths[-1] for c in found if c.name.startswith("rename")}
    made = {str(p) for p in output.rglob("*") if PRODUCTS.search(str(p)) and "logs" not in p.parts}
    assert made and made <= {*named, *(str(output / Path(p)) for p in named)}
    assert unsafe(found, PRODUCTS) == []


def test_chunks_are_synced_before_the_marker_of_their_super_chunk(trace):
    found, output = trace
    level = f"{output}/_intermediate_scales.zarr"
    chunks = [
        at
        for at, call in enumerate(found)
        if call.name.startswith("rename") and call.paths[-1].startswith(f"{level}/s")
    ]
    markers = [
        at
        for at, call in enumerate(found)
        if call.name.startswith("rename") and "/pyramid/stage" in call.paths[-1]
    ]
    syncs = [at for at, call in enumerate(found) if call.name == "syncfs"]
    assert chunks and len(markers) == 2
    # the last chunk of all is followed by a sync of the filesystem, and that by the last marker
    assert any(max(chunks) < sync < max(markers) for sync in syncs)
    assert any(sync < min(markers) for sync in syncs)


@pytest.mark.parametrize(
    ("gone", "says"),
    [("fsync(4</o/.0.shard.x.tmp>)", "before it is synced"), ("fsync(5</o>)", "is not synced")],
)
def test_a_call_that_is_left_out_is_missed(gone, says):
    lines = [
        "7  fsync(4</o/.0.shard.x.tmp>) = 0",
        '7  rename("/o/.0.shard.x.tmp", "/o/0.shard" <unfinished ...>',
        "8  fsync(9</elsewhere>) = 0",
        "7  <... rename resumed>) = 0",
        "7  fsync(5</o>) = 0",
    ]
    assert unsafe(list(calls("\n".join(lines))), PRODUCTS) == []
    kept = [line for line in lines if gone not in line]
    (wrong,) = unsafe(list(calls("\n".join(kept))), PRODUCTS)
    assert says in wrong
