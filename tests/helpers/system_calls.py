"""What strace saw of a run, and a disk that loses whatever was not synced in time."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

# What changes files and names, and what brings them to the disk.
TRACED = (
    "openat,write,pwrite64,writev,pwritev,sendfile,ftruncate,mkdir,mkdirat,symlink,symlinkat,"
    "link,linkat,rename,renameat,renameat2,unlink,unlinkat,rmdir,fsync,fdatasync,syncfs"
)
_LINE = re.compile(r"^(\d+) +(.*)$")
_RESUMED = re.compile(r"^<\.\.\. \w+ resumed>(.*)$")
_UNFINISHED = " <unfinished ...>"
_CALL = re.compile(r"^(\w+)\((.*)\) += (-?\d+)")
_NAMES = re.compile(r'"((?:[^"\\]|\\.)*)"')
_DESCRIPTOR = re.compile(r"^\d+<([^>]*)>")
_SYNCS = ("fsync", "fdatasync", "syncfs")
_WRITES = ("write", "pwrite64", "writev", "pwritev", "sendfile", "ftruncate")
_LINKS = ("symlink", "symlinkat", "link", "linkat")
_TEMPORARY = re.compile(r"/\.[^/]+\.[0-9a-f]{32}\.tmp$|\.__lock$")


@dataclass(frozen=True)
class Call:
    """A system call that succeeded, and the paths that it is about.

    begin, end: numbers of the lines where it was entered and left; other calls may lie between.
    """

    name: str
    paths: tuple[str, ...]
    begin: int
    end: int


def read_calls(lines: Iterable[str], root: str) -> Iterator[Call]:
    """The calls below the folder `root`, from the lines of `strace -f -y`.

    A file that is only read is left out, and so is one that never had a name.
    """
    entered: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(lines):
        found = _LINE.match(line)
        if found is None:
            continue
        thread, text = found.groups()
        begin = number
        if text.endswith(_UNFINISHED):
            entered[thread] = number, text.removesuffix(_UNFINISHED)
            continue
        if resumed := _RESUMED.match(text):
            begin, before = entered.pop(thread, (number, ""))
            text = before + resumed[1]
        call = _CALL.match(text) if root in text else None
        if call is None or int(call[3]) < 0:
            continue
        name, arguments = call[1], call[2]
        if name == "openat" and ("O_CREAT" not in arguments or "O_TMPFILE" in arguments):
            continue
        if name in _SYNCS or name in _WRITES:
            descriptor = _DESCRIPTOR.match(arguments)
            paths = [descriptor[1]] if descriptor else []
        else:
            paths = _NAMES.findall(arguments)
        if paths and paths[-1].startswith(root) and not paths[-1].endswith("(deleted)"):
            yield Call(name, tuple(paths), begin, number)


@dataclass
class Disk:
    """What would be lost if the power failed now, by the line of the trace that changed it.

    contents: files with bytes that are not synced. names: new files and folders whose names are
    not synced. removed: files whose names are gone, but would be back.
    """

    contents: dict[str, int] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    removed: dict[str, int] = field(default_factory=dict)

    def lost(self) -> set[str]:
        """All that would be lost, but for the names of temporary files."""
        return {*self.contents, *(name for name in self.names if not _TEMPORARY.search(name))}

    def change(self, call: Call, at: int) -> None:
        """A call that changes something takes effect between its begin and its end."""
        target = call.paths[-1]
        if call.name in _WRITES:
            self.contents[target] = at
        elif call.name == "openat":
            self.contents[target] = at
            self.names[target] = at
        elif call.name.startswith("mkdir") or call.name in _LINKS:
            self.names[target] = at
            self.removed.pop(target, None)
        elif call.name.startswith("rename"):
            source = call.paths[-2]
            if source in self.contents:
                self.contents[target] = self.contents.pop(source)
            self.names.pop(source, None)
            self.names[target] = at
            self.removed.pop(target, None)
        elif call.name.startswith("unlink") or call.name == "rmdir":
            self.contents.pop(target, None)
            self.names.pop(target, None)
            self.removed[target] = at

    def sync(self, call: Call) -> None:
        """What had changed when a sync began is on the disk when it ends."""

        def remaining(changes: dict[str, int], is_synced) -> dict[str, int]:
            return {p: at for p, at in changes.items() if at >= call.begin or not is_synced(p)}

        everything = call.name == "syncfs"
        path = call.paths[0]
        self.contents = remaining(self.contents, lambda p: everything or p == path)
        for kind in ("names", "removed"):
            left = remaining(
                getattr(self, kind), lambda p: everything or p.rpartition("/")[0] == path
            )
            setattr(self, kind, left)


def replay(calls: Iterable[Call]) -> Iterator[tuple[Call, Disk]]:
    """Each call that changes something, with the disk as it was when the call began."""
    disk = Disk()
    events = [(at, call) for call in calls for at in {call.begin, call.end}]
    for at, call in sorted(events, key=lambda event: event[0]):
        if call.name in _SYNCS:
            if at == call.end:
                disk.sync(call)
            continue
        if at == call.begin:
            yield call, disk
        disk.change(call, at)
