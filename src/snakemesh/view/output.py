"""What of an output can be looked at now, also while a run is going on.

The run's document (`snakemesh.json`) says which levels and meshes there will be, and names what
they are made from. Markers of these names say what is there.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snakemesh.errors import UserError
from snakemesh.job_records import Sharding
from snakemesh.multires.documents import multires_info
from snakemesh.output.folder import RUN_DOCUMENT, WORK, OutputFolder
from snakemesh.output.markers import read_marker
from snakemesh.output.served import what_is_wrong
from snakemesh.output.served_products import Documents
from snakemesh.source.array_shape import format_and_shape
from snakemesh.tables.table import query_name

# How many numbers the `transform` of an `info` has.
_TRANSFORM = 12


@dataclass(frozen=True)
class Output:
    """An output directory and the document of its run, {} if it has none that can be read."""

    root: Path
    document: dict[str, Any]

    @property
    def folder(self) -> OutputFolder:
        """The names in the directory."""
        return OutputFolder(str(self.root))

    @property
    def view(self) -> dict[str, Any]:
        """What the document says for viewers (`plan.provenance.view_document`), or {}."""
        found = self.document.get("view", {})
        return found if isinstance(found, dict) else {}

    def is_one(self) -> bool:
        """Whether the directory is an output: of a run, or a copy of its `multires` alone.

        In `multires` itself there is a document too, but not of a run.
        """
        has_run = not self.document.keys().isdisjoint(("products", "view"))
        return has_run or Path(self.folder.info).is_file()

    def segment_colors(self) -> str | None:
        """The column that colours the segments, by the configuration that made the meshes."""
        return colour_column(Path(self.folder.served_document))

    def product(self, name: str) -> str:
        """The hash of what a product is made from; one that no file has if it is not known."""
        return str(self.document.get("products", {}).get(name, "unknown"))

    def meshes_are_finished(self) -> bool:
        """Whether all meshes of the run and the documents beside them are there.

        A copy of the meshes alone has no markers. It is taken as it is.
        """
        if not (self.root / WORK).is_dir():
            return Path(self.folder.info).is_file()
        return Path(self.folder.documents_marker(self.product("documents"))).is_file()

    def voxel_nm(self) -> list[float]:
        """The size of a voxel of s0, x y z in nm; 1 nm where it is not known."""
        return list(self.view.get("voxel_size_nm", [1.0, 1.0, 1.0]))[::-1]

    def zero_nm(self) -> np.ndarray:
        """The place that the viewer takes for 0, x y z in nm; 0 unless the volume is far away.

        The viewer computes in 32 bits. So levels and meshes are served, and framed, as if this
        place were 0.
        """
        # the document of an older version does not say it
        return np.array(self.view.get("zero_nm", (0, 0, 0)))

    def damage(self, *names: str) -> list[str]:
        """How finished documents and tables differ from what was written, a line for each file.

        names: of those in `multires` that are looked at; all if there is none. What shows at a
        glance is found. Files without a record are taken as they are: those of an older version,
        and of a copy of the meshes alone.
        """
        if not (self.root / WORK).is_dir() or not self.meshes_are_finished():
            return []
        documents = Documents(self.folder, self.product("documents"))
        recorded = documents.record("files")
        known = [name for name in names or recorded if name in recorded]
        wrong = documents.wrong(what_is_wrong, known) if known else []
        return [f"{line}; the command of the run mends it" for line in wrong]

    def refuse_damage(self, *names: str) -> None:
        """Raise UserError if one of these files in `multires` is damaged (see `damage`)."""
        if wrong := self.damage(*names):
            raise UserError(wrong[0])

    def refuse_changed(self) -> None:
        """Raise UserError if a run has begun to change finished meshes since they were opened."""
        now = read_output(self.root)
        is_same = now.document.get("products") == self.document.get("products")
        if not is_same or not now.meshes_are_finished():
            raise UserError(f"a run has changed {self.root} meanwhile: give the same command again")

    def stored_info(self) -> dict[str, Any]:
        """The `info` of finished meshes. Raises UserError if it cannot be read."""
        path = self.folder.info
        found = read_marker(path)
        if found is None or len(found.get("transform", ())) != _TRANSFORM:
            raise UserError(f"{path} is gone or damaged; the command of the run mends it")
        return found

    def info(self) -> dict[str, Any] | None:
        """The `info` of the meshes as it is served; None if a run has not written it yet.

        Before a run writes it, it has no segment properties. Unsharded meshes are not shown before
        the run ends, because no marker says which of their files are finished.
        Raises UserError for one that cannot be read.
        """
        if self.meshes_are_finished():
            info = self.stored_info()
        elif self.view.get("sharding") is None:
            return None
        else:
            sharding = Sharding(**self.view["sharding"])
            # an older version left all of the position to the manifests
            base_nm = self.view.get("base_nm", (0, 0, 0))
            info = multires_info(sharding, self.view["lod_scale_multiplier"], base_nm)
            del info["segment_properties"]
        for axis, zero in enumerate(self.zero_nm().tolist()):
            info["transform"][4 * axis + 3] -= zero
        return info

    def shard_is_finished(self, name: str) -> bool:
        """Whether the shard file `name`, such as "0.shard", is there and belongs to the run."""
        marker = self.folder.shard_marker(name.removesuffix(".shard"), self.product("shards"))
        return name.endswith(".shard") and Path(marker).is_file()

    def summaries(self) -> list[np.ndarray]:
        """The summaries of the shards that are finished, each of dtype SUMMARY."""
        pattern = f"*.{self.product('shards')}.done"
        markers = Path(self.folder.summaries).glob(pattern)
        return [np.load(marker.with_suffix(".npy")) for marker in sorted(markers)]

    def level_paths(self) -> dict[str, Path]:
        """Where the levels lie that a group can hold, finished or not, by name."""
        pyramid = Path(self.folder.pyramid)
        return {
            level["name"]: Path(level["path"] or pyramid / level["name"])
            for level in self.view.get("levels", ())
        }

    def levels(self) -> list[dict[str, Any]]:
        """The levels that are finished, finest first, each with its `path`.

        Those of the source are, unless it was moved. A level that the run builds is finished when
        all super-chunks of its stage and those before are. Translations are from `zero_nm`.
        """
        paths, zero = self.level_paths(), self.zero_nm()[::-1]
        found = [
            level
            | {
                "path": str(paths[level["name"]]),
                "translation_nm": (np.array(level["translation_nm"]) - zero).tolist(),
            }
            for level in self.view.get("levels", ())
            if self._is_filled(level["stage"]) and paths[level["name"]].is_dir()
        ]
        axes = [_axes(level["path"]) for level in found]
        return [level for level, n in zip(found, axes, strict=True) if n == axes[0]]

    def _is_filled(self, stage: int | None) -> bool:
        if stage is None:
            return True
        if not Path(self.folder.levels_marker(self.product("levels"))).is_file():
            return False
        markers = Path(self.folder.pyramid_markers)
        return all(
            len(list(markers.glob(f"stage{k}/*.done"))) == count
            for k, count in enumerate(self.view["super_chunks"][: stage + 1])
        )


def read_output(root: Path) -> Output:
    """The output in a directory, as it is now."""
    return Output(root, read_marker(root / RUN_DOCUMENT) or {})


def colour_column(served_document: Path) -> str | None:
    """The name of the column that colours segments, by the document beside the meshes, or None.

    The configuration that made the meshes may have the column's heading.
    """
    found = (read_marker(served_document) or {}).get("configuration")
    column = found.get("segment_colors") if isinstance(found, dict) else None
    return query_name(column) if isinstance(column, str) else None


def _axes(path: str) -> int:
    """The number of axes of a zarr array; a group has levels that have the same one."""
    return len(format_and_shape(path)[1])


def levels_group(levels: list[dict[str, Any]], format: str) -> tuple[str, dict[str, Any]]:
    """Name and content of the metadata document of an OME-Zarr group of `levels`.

    format: zarr2 or zarr3, of all arrays. Format: https://ngff.openmicroscopy.org/0.5 and 0.4
    """
    spare = _axes(levels[0]["path"]) - 3  # axes of length 1
    names = [*(f"c{i}'" for i in range(spare)), "z", "y", "x"]
    axes = [
        {"name": name, "type": "space", "unit": "nanometer"} if name in "zyx" else {"name": name}
        for name in names
    ]
    datasets = [
        {
            "path": level["name"],
            "coordinateTransformations": [
                {"type": "scale", "scale": [1.0] * spare + level["voxel_size_nm"]},
                {"type": "translation", "translation": [0.0] * spare + level["translation_nm"]},
            ],
        }
        for level in levels
    ]
    scales = {"axes": axes, "datasets": datasets}
    if format == "zarr2":
        return ".zattrs", {"multiscales": [{"version": "0.4"} | scales]}
    ome = {"ome": {"version": "0.5", "multiscales": [scales]}}
    return "zarr.json", {"zarr_format": 3, "node_type": "group", "attributes": ome}
