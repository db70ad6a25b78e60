"""What is measured: the files of each block, each shard and all labels, and their markers."""

from dataclasses import asdict, dataclass
from pathlib import Path

from snakemesh.errors import DamagedError
from snakemesh.output.markers import discard_if_damaged, write_marker
from snakemesh.output.served import served_file
from snakemesh.output.served_products import Product


@dataclass(frozen=True)
class Measured(Product):
    """The table that one job has measured.

    name: of a block of LOD 0, or of a shard as `folder.shard_name` gives it; "" for all labels.
    """

    name: str = ""

    @property
    def marker(self) -> str:
        """The marker of all files."""
        return self.folder.measured(self.name, self.fingerprint, "done")

    @property
    def table(self) -> str:
        """A row per label: `measure.thickness.RIDGES` of a block, and in `tables.measures`
        `CURVATURE` of a shard and `MEASURED` of all labels.
        """
        return self.folder.measured(self.name, self.fingerprint, "npy")

    @property
    def files(self) -> list[str]:
        """The files, without the marker."""
        return [self.table]

    @property
    def products(self) -> list[str]:
        """The marker and the files."""
        return [self.marker, *self.files]

    def finish(self) -> None:
        """Write the marker: records of the files as they are now."""
        write_marker(self.marker, {"files": [asdict(served_file(path)) for path in self.files]})

    def check(self) -> None:
        """Read all files and compare them with their records.

        Raises DamagedError for one that is gone or not what was written, after the marker and the
        file are removed: the next run measures again.
        """
        records = self.facts().get("files", [None] * len(self.files))
        with discard_if_damaged([self.marker]):
            for path, record in zip(self.files, records, strict=True):
                if not Path(path).is_file():
                    raise DamagedError(Path(path), "is gone")
                if asdict(served_file(path)) != record:
                    raise DamagedError(Path(path), "is not what was written")


@dataclass(frozen=True)
class MeasuredBlock(Measured):
    """What is measured of a block of LOD 0: thickness and components."""

    @property
    def pieces(self) -> str:
        """The components of each label, and how they go on in the neighbours of the block."""
        return self.folder.measured(self.name, self.fingerprint, "pieces.npz")

    @property
    def files(self) -> list[str]:
        """Both files."""
        return [self.table, self.pieces]
