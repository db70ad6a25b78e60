"""A product is on the disk before a marker says that it is there.

strace sees three runs in one output folder, and a model of a disk tells what a power cut would
have lost whenever a file got its name. Jobs run one after another, so the rule is simple: when a
marker gets its name, all that was made so far is on the disk.
"""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator

import pytest

from running import command
from system_calls import TRACED, Call, Disk, read_calls, replay

STRACE = ["strace", "--seccomp-bpf", "-f", "-y", "-s", "0", "-e", f"trace={TRACED}", "-o"]
GROUP = r"/_intermediate_scales\.zarr/"
# Files that are written under a temporary name and synced one by one, and the marker of each kind.
FILES = {
    r"/work/input\.npz$": None,
    r"/out/snakemesh\.json$": None,
    r"/mesh/lod\d/[^/]+\.fragments$": r"/mesh/blocks\.\w+\.done$",
    r"/multires/\w+\.shard$": r"/shards/\w+\.\w+\.done$",
    r"/shards/\w+\.\w+(\.lods\.npy|\.npy|\.contacts)$": r"/shards/\w+\.\w+\.done$",
    r"/multires/info$": r"/documents\.\w+\.done$",
    r"/multires/segment_properties/info$": r"/documents\.\w+\.done$",
    r"/multires/overview/mesh\.vtk\.gz$": r"/documents\.\w+\.done$",
    r"/multires/centroids/(\w+/\w+\.shard|info)$": r"/documents\.\w+\.done$",
    r"/multires/(segments|lods|contacts)\.parquet$": r"/documents\.\w+\.done$",
    r"/multires/snakemesh\.json$": r"/documents\.\w+\.done$",
}
# Those that are synced all at once.
MANY_FILES = {
    GROUP + r"(\.z\w+|s\d/\.zarray)$": r"/pyramid/levels\.\w+\.done$",
    GROUP + r"s\d/\d+/\d+/\d+$": r"/pyramid/(levels|stage\d/\w+)\.\w+\.done$",
    r"/multires/\d+(\.index)?$": r"/shards/\w+\.\w+\.done$",
}
MARKERS = {*FILES.values(), *MANY_FILES.values(), r"/result\.\w+\.done$"} - {None}
# Nothing depends on these: logs, measurements, and the lock, which counts only while it is held.
UNIMPORTANT = re.compile(r"/out/(logs|benchmarks)(/|$)|/work/lock(\.\d+)?$")


def lost_products(calls: Iterable[Call]) -> Iterator[str]:
    """What a power cut could have made of a run: all that contradicts a marker or a name."""
    for call, disk in replay(calls):
        target = call.paths[-1]
        is_new_name = call.name.startswith("rename")
        if is_new_name and kind_of(target, [*FILES, *MARKERS]) and call.paths[-2] in disk.contents:
            yield f"{target} gets its name before its bytes are on the disk"
        if is_new_name and target.endswith(".done"):
            # with a folder that is lost, the markers in it are lost too
            lost = (path for path in important(disk) if not target.startswith(f"{path}/"))
            yield from (f"{target} is there before {path} is on the disk" for path in lost)
        # Snakemake removes what a job is to write: a summary that is gone is simply made again
        if not target.endswith((".npy", ".contacts")) or is_new_name:
            marker = (FILES | MANY_FILES).get(kind_of(target, [*FILES, *MANY_FILES]))
            back = (path for path in disk.removed if marker and re.search(marker, path))
            yield from (f"{target} is changed while {path} could come back" for path in back)
    yield from (f"{path} is not on the disk in the end" for path in important(disk))


def important(disk: Disk) -> list[str]:
    return [path for path in disk.lost() if not UNIMPORTANT.search(path)]


def kind_of(path: str, kinds: Iterable[str]) -> str | None:
    return next((kind for kind in kinds if re.search(kind, path)), None)


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    return tmp_path_factory.mktemp("on_disk") / "out"


@pytest.fixture(scope="module")
def calls(repository, config, output) -> list[Call]:
    """The calls of a first run, of one that makes damage good, and of one that writes other files.

    The first keeps everything, the second finds the group incomplete and a shard cut short, and the
    third writes files of labels in place of shards, and removes levels and containers.
    """
    if shutil.which("strace") is None:
        pytest.skip("NOT TESTED: strace is missing; apt-get install strace")
    probe = subprocess.run([*STRACE, "/dev/null", "true"], capture_output=True, text=True)
    if probe.returncode != 0:
        pytest.skip(f"NOT TESTED: strace cannot trace here: {probe.stderr.strip()}")
    kept = config(output, delete_intermediate_scales=False, keep_fragments=True)
    lines = traced(repository, kept, output)
    (output / "_intermediate_scales.zarr" / ".zattrs").unlink()
    for shard in (output / "multires").glob("*.shard"):
        shard.write_bytes(shard.read_bytes()[:100])
    lines += traced(repository, kept, output)
    lines += traced(repository, config(output, sharded=False), output)
    return list(read_calls(lines, str(output)))


def traced(repository, configuration, output) -> list[str]:
    trace = output.with_name("trace")
    line = [*STRACE, str(trace), *command(configuration, cores=1)]
    done = subprocess.run(line, cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return trace.read_text(errors="replace").splitlines()


def test_nothing_is_believed_before_it_is_on_the_disk(calls, output):
    named = [call.paths[-1] for call in calls if call.name.startswith("rename")]
    opened = [call.paths[-1] for call in calls if call.name == "openat"]
    for kind in (*FILES, *MANY_FILES, *MARKERS):
        assert any(re.search(kind, path) for path in named + opened), kind
    kinds = [*FILES, *MARKERS]
    there = {str(path) for path in output.rglob("*") if kind_of(str(path), kinds)}
    assert there and there <= set(named)
    assert list(lost_products(calls)) == []


def missed_without(calls: list[Call], is_gone: Callable[[Call], bool]) -> list[str]:
    kept = [call for call in calls if not is_gone(call)]
    assert len(kept) < len(calls)
    return list(lost_products(kept))


def test_each_sync_of_a_file_is_needed(calls):
    files = [c for c in calls if c.name == "fsync" and c.paths[0].endswith(".tmp")]
    assert len(files) > 20
    for file in files:
        assert any("before its bytes" in wrong for wrong in missed_without(calls, file.__eq__))


def test_each_sync_of_the_filesystem_is_needed(calls):
    """Of the group and of two super-chunks, twice, and of the files of all labels."""
    filesystems = [call for call in calls if call.name == "syncfs"]
    assert len(filesystems) == 7
    for filesystem in filesystems:
        assert missed_without(calls, filesystem.__eq__)


@pytest.mark.parametrize(
    "folder",
    [
        "multires",
        "multires/segment_properties",
        "multires/overview",
        "multires/centroids",
        "multires/centroids/by_id",
        "work",
        "work/mesh",
        "work/mesh/lod2",
        "work/pyramid/stage0",
        "work/shards",
    ],
)
def test_syncs_of_a_folder_are_needed(calls, output, folder):
    def is_sync(call):
        return call.name == "fsync" and call.paths[0] == f"{output}/{folder}"

    assert missed_without(calls, is_sync)


SHARD = """\
7  mkdir("/out/multires", 0777) = 0
7  unlink("/out/work/shards/0.a.done") = 0
7  fsync(3</out/work/shards>) = 0
7  openat(AT_FDCWD</>, "/out/multires/.0.shard.{id}.tmp", O_WRONLY|O_CREAT, 0666) = 4
7  pwrite64(4</out/multires/.0.shard.{id}.tmp>, ""..., 9, 0) = 9
7  fsync(4</out/multires/.0.shard.{id}.tmp>) = 0
7  rename("/out/multires/.0.shard.{id}.tmp", "/out/multires/0.shard" <unfinished ...>
8  fsync(9</elsewhere>) = 0
7  <... rename resumed>) = 0
7  fsync(5</out/multires>) = 0
7  fsync(6</out>) = 0
7  openat(AT_FDCWD</>, "/out/work/shards/.0.a.done.{id}.tmp", O_WRONLY|O_CREAT, 0666) = 4
7  fsync(4</out/work/shards/.0.a.done.{id}.tmp> <unfinished ...>
7  <... fsync resumed>) = 0
7  rename("/out/work/shards/.0.a.done.{id}.tmp", "/out/work/shards/0.a.done") = 0
7  fsync(5</out/work/shards>) = 0
""".replace("{id}", 32 * "0").splitlines()


def said(lines: list[str]) -> str:
    return "; ".join(lost_products(read_calls(lines, "/out")))


def test_a_sound_trace_is_sound():
    assert len(list(read_calls(SHARD, "/out"))) == 13
    assert said(SHARD) == ""


@pytest.mark.parametrize(
    ("at", "says"),
    [
        (2, "0.shard is changed while /out/work/shards/0.a.done could come back"),
        (5, "0.shard gets its name before its bytes"),
        (9, "0.a.done is there before /out/multires/0.shard is on the disk"),
        (10, "0.a.done is there before /out/multires is on the disk"),
        (15, "0.a.done is not on the disk in the end"),
    ],
)
def test_a_sync_that_is_gone_or_has_failed_is_missed(at, says):
    assert says in said(SHARD[:at] + SHARD[at + 1 :])
    failed = SHARD[at].replace("= 0", "= -1 EIO (Input/output error)")
    assert says in said([*SHARD[:at], failed, *SHARD[at + 1 :]])


def test_a_sync_must_begin_after_what_it_syncs():
    write, sync = SHARD[4:6]
    assert "before its bytes" in said([*SHARD[:4], sync, write, *SHARD[6:]])
    beside = [
        f"8 {sync[2:].removesuffix(') = 0')} <unfinished ...>",
        write,
        "8  <... fsync resumed>) = 0",
    ]
    assert "before its bytes" in said([*SHARD[:4], *beside, *SHARD[6:]])
