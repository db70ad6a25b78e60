"""The products that are served: their files, the marker that vouches for them, and their checks.

The jobs that write, verify and clean up ask here, and planning, which looks for damage.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from snakemesh.output.folder import SEGMENTS, OutputFolder
from snakemesh.output.markers import read_marker, remove_markers, write_marker
from snakemesh.output.remove import LABEL_FILE, view_files
from snakemesh.output.served import differs, served_file, served_labels, what_is_wrong


@dataclass(frozen=True)
class Product(ABC):
    """Files that one job writes together, and the marker that holds a record of each.

    fingerprint: the hash of what they are made from.
    """

    folder: OutputFolder
    fingerprint: str

    @property
    @abstractmethod
    def marker(self) -> str:
        """The path of the marker."""

    def facts(self) -> dict[str, Any]:
        """What the marker says; {} if the marker is missing or damaged."""
        return read_marker(self.marker) or {}

    def record(self, name: str) -> dict[str, Any]:
        """One part of what the marker says; {} if there is no such part."""
        found = self.facts().get(name)
        return found if isinstance(found, dict) else {}

    def discard(self) -> None:
        """Remove the marker, whatever its fingerprint, before the files are written over.

        Or where the files are damaged: the next run makes them again.
        """
        marker = Path(self.marker)
        remove_markers(marker.parent, f"{marker.name.split('.')[0]}.*.done")


@dataclass(frozen=True)
class Shard(Product):
    """The meshes of a shard, the summaries of its labels and LODs, and the pairs that touch.

    name: as `folder.shard_name` gives it. is_sharded: whether the meshes are one file, or else two
    files per label. labels: all labels that have a mesh in the shard, in ascending order.
    """

    name: str
    is_sharded: bool

    @property
    def marker(self) -> str:
        """The marker of the meshes and the summary."""
        return self.folder.shard_marker(self.name, self.fingerprint)

    @property
    def summary(self) -> str:
        """The summary, which is not served."""
        return self.folder.summary(self.name, self.fingerprint)

    @property
    def lod_summary(self) -> str:
        """The summary of the LODs, which is not served."""
        return self.folder.lod_summary(self.name, self.fingerprint)

    @property
    def pairs(self) -> str:
        """The pairs of labels that touch, which are not served."""
        return self.folder.pairs(self.name, self.fingerprint)

    @property
    def products(self) -> list[str]:
        """The marker and what is not served."""
        return [self.marker, self.summary, self.lod_summary, self.pairs]

    def files(self, labels: Iterable[int]) -> list[str]:
        """The files of the meshes."""
        if self.is_sharded:
            return [self.folder.shard(self.name)]
        return [path for label in labels for path in self.folder.label_files(label)]

    def finish(self, labels: Iterable[int], facts: Mapping[str, Any]) -> None:
        """Write the marker: records of the files as they are now, and facts about the labels."""
        rows = {"summary": self.summary, "lod_summary": self.lod_summary, "pairs": self.pairs}
        records = {name: asdict(served_file(path)) for name, path in rows.items()}
        write_marker(self.marker, {"served": self._now(labels), **records, **facts})

    def what_is_wrong(self) -> str | None:
        """How size or ends of the shard file differ from its record, or None."""
        return what_is_wrong(self.folder.shard(self.name), self.record("served"))

    def differs(self, labels: Iterable[int]) -> str | None:
        """How the files of the meshes differ from their record, or None. Reads all of them."""
        if self.is_sharded:
            return differs(self.folder.shard(self.name), self.record("served"))
        try:
            is_same = self._now(labels) == self.record("served")
        except OSError as error:
            return f"{error.filename} cannot be read"
        multires = self.folder.multires
        return None if is_same else f"files of labels in {multires} are not what was written"

    def _now(self, labels: Iterable[int]) -> dict[str, Any]:
        files = self.files(labels)
        return asdict(served_file(files[0])) if self.is_sharded else served_labels(files)


def unsharded_damage(folder: OutputFolder, shards: Iterable[Shard]) -> str | None:
    """Whether the files of all labels together have another number or size than recorded, in words.

    shards: all of them.
    """
    records = [shard.record("served") for shard in shards]
    files = Path(folder.multires).glob("*")
    sizes = [path.stat().st_size for path in files if LABEL_FILE.fullmatch(path.name)]
    wanted = (sum(r.get("files", -1) for r in records), sum(r.get("size", -1) for r in records))
    if (len(sizes), sum(sizes)) == wanted:
        return None
    return f"files of labels in {folder.multires} are not those that were written"


@dataclass(frozen=True)
class Documents(Product):
    """The files beside the shards: the `info` documents, the tables of segments, what made them.

    And what shows all segments at once: the overview and the centroids.
    """

    @property
    def marker(self) -> str:
        """The marker of all these files."""
        return self.folder.documents_marker(self.fingerprint)

    def finish(self, facts: Mapping[str, Any]) -> None:
        """Write the marker: records of the files as they are now, and facts about the segments."""
        out = self.folder
        contacts = [out.contacts] if Path(out.contacts).exists() else []
        tables = (out.segments, out.lods, *contacts)
        documents = (out.info, out.segment_properties, *tables, out.served_document)
        paths = (*documents, *map(str, view_files(Path(out.multires))))
        records = {path[len(out.multires) + 1 :]: asdict(served_file(path)) for path in paths}
        write_marker(self.marker, {**facts, "files": records})

    def finish_segments(self) -> None:
        """Replace the record of the table of segments, which verification has written over."""
        facts = self.facts()
        facts["files"][SEGMENTS] = asdict(served_file(self.folder.segments))
        write_marker(self.marker, facts)

    def wrong(
        self, look: Callable[[str, Mapping[str, Any]], str | None], names: Collection[str] = ()
    ) -> list[str]:
        """How the files differ from their records, a line per file.

        look: `served.what_is_wrong`, or `served.differs`, which reads them whole. names: of the
        files that are looked at; all if there is none.
        """
        multires, records = self.folder.multires, self.record("files")
        if not records:
            return [f"there is no record of the documents in {multires}"]
        wanted = {name: records.get(name, {}) for name in names} or records
        found = (look(f"{multires}/{name}", record) for name, record in wanted.items())
        return [line for line in found if line]
