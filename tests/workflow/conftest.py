"""What the tests of whole runs share: the test volume, and the runs that many of them look at."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import zarr

from by_hand import ome_group, scale, space, translation
from running import SMALL, digests, finish
from small_blocks import copy_with_small_blocks

# The library of the folder that a process starts in, not the one that is installed: runs are those
# of copies of the repository.
os.environ["PYTHONPATH"] = "src"


@dataclass(frozen=True)
class Volume:
    """The volume that most runs mesh. labels, voxel_nm and corner_nm are z y x."""

    path: Path
    labels: np.ndarray
    voxel_nm: tuple[int, int, int]
    corner_nm: tuple[int, int, int]


def dense_labels(shape: tuple[int, int, int], voxel_nm: tuple[int, int, int]) -> np.ndarray:
    """Convex bodies, most of which touch. Some labels exceed 32 bits; label 7 is one voxel."""
    rng = np.random.default_rng(0)
    extent = np.array(shape) * voxel_nm
    seeds = rng.uniform(-100, extent + 100, (48, 3))
    axes = (np.arange(n) * size for n, size in zip(shape, voxel_nm, strict=True))
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    distances = np.stack([np.linalg.norm(points - seed, axis=-1) for seed in seeds])
    nearest = np.argpartition(distances, 1, axis=0)[:2]
    first, second = np.take_along_axis(distances, nearest, axis=0)
    ids = np.arange(1, len(seeds) + 1, dtype=np.uint64) ** np.uint64(11)
    labels = ids[nearest[0]]
    labels[np.abs(second - first) < 12] = 0
    labels[10:13, 10:13, 10:13] = 0
    labels[11, 11, 11] = 7
    return labels


def write_volume(path: Path, labels: np.ndarray, voxel_nm, translation_nm, chunks) -> None:
    """Write an OME-NGFF group that has only `s0`. Axes are z y x or y x.

    translation_nm: the centre of voxel 0.
    """
    zarr.create_array(path / "s0", data=labels, chunks=chunks, zarr_format=2)
    place = [scale(*voxel_nm), translation(*translation_nm)]
    ome_group(path, {"s0": place}, space("zyx"[-labels.ndim :]))


@pytest.fixture
def disk(tmp_path) -> Iterator[Path]:
    """A separate disk of 4 MB, which a test may fill and make read-only."""
    path = tmp_path / "disk"
    path.mkdir()
    line = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(path)]
    mounted = subprocess.run(line, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"NOT TESTED: mounting a disk needs root: {mounted.stderr.strip()}")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.fixture(scope="session")
def repository(tmp_path_factory) -> Path:
    return copy_with_small_blocks(tmp_path_factory.mktemp("workflow") / "repository")


@pytest.fixture(scope="session")
def volume(tmp_path_factory):
    shape, voxel_nm, corner = (70, 80, 60), (20, 8, 8), (1000, 2000, 3000)
    path = tmp_path_factory.mktemp("volume") / "volume.zarr"
    labels = dense_labels(shape, voxel_nm)
    centre = [c + size / 2 for c, size in zip(corner, voxel_nm, strict=True)]
    write_volume(path, labels, voxel_nm, centre, chunks=(32, 24, 16))
    before = digests(path)
    yield Volume(path, labels, voxel_nm, corner)
    assert digests(path) == before, "a run has changed its input"


@pytest.fixture(scope="session")
def config(volume):
    """Makes the configuration of a run: its output folder, and changes of other keys."""

    def make(output: Path, **changes) -> dict:
        return {"input_path": volume.path, "output_directory": output, **SMALL, **changes}

    return make


@pytest.fixture(scope="session")
def multires(repository, config, tmp_path_factory) -> Path:
    """The `multires` folder of an undisturbed run on two cores. Tests must not write to it."""
    return finish(repository, config(tmp_path_factory.mktemp("undisturbed") / "out"))


@pytest.fixture(scope="session")
def table(volume, tmp_path_factory) -> Path:
    """A table of properties for the smallest body, the largest label and a label that is absent."""
    path = tmp_path_factory.mktemp("table") / "table.csv"
    rows = ("id,name,synapses", "7,vesicle,12", f"{volume.labels.max()},axon,3", "99,nowhere,1")
    path.write_text("\n".join(rows))
    return path


@pytest.fixture(scope="session")
def unsharded(repository, config, table, tmp_path_factory) -> Path:
    """The `multires` folder of an unsharded run of the same volume, with a table of properties."""
    output = tmp_path_factory.mktemp("unsharded") / "out"
    return finish(repository, config(output, sharded=False, segment_properties_csv=table))


@pytest.fixture(scope="session")
def place(tmp_path_factory) -> Path:
    """Where every test finds its volume: products are named after the path of their input."""
    return tmp_path_factory.mktemp("place")


@pytest.fixture
def ours(volume, config, place):
    """A configuration with a copy of the volume of its own, which a test may edit."""
    shutil.rmtree(place)
    shutil.copytree(volume.path, place / "volume.zarr")

    def make(output="out", **changes):
        source = {"input_path": place / "volume.zarr"}
        return config(place / output) | source | changes

    return make


@pytest.fixture(scope="session")
def made(repository, tmp_path_factory):
    """Runs a configuration; a second time, for the same input, the output is copied."""
    outputs: dict[str, Path] = {}

    def make(configuration) -> Path:
        output, source = (Path(configuration[k]) for k in ("output_directory", "input_path"))
        dates = [path.stat().st_mtime_ns for path in sorted(source.rglob("*")) if path.is_file()]
        keys = configuration | {"output_directory": None, "input": [digests(source), dates]}
        key = json.dumps(keys, default=str)
        if key in outputs:
            shutil.copytree(outputs[key], output, symlinks=True)
        else:
            finish(repository, configuration)
            outputs[key] = tmp_path_factory.mktemp("made") / "out"
            shutil.copytree(output, outputs[key], symlinks=True)
        return output / "multires"

    return make


@pytest.fixture(scope="session")
def edit():
    """Edits the input of a configuration: other labels in a box, and a new date of its chunks.

    The date is the same for every test, so that tests of the same edit share what is `made` of it.
    """

    def make(configuration, box=np.s_[0:6, 0:6, 0:6]) -> None:
        path = Path(configuration["input_path"]) / "s0"
        before = {chunk: chunk.stat().st_mtime_ns for chunk in path.iterdir()}
        array = zarr.open_array(path, mode="r+")
        array[box] = array[box] + np.uint64(1)
        for chunk, date in before.items():
            if chunk.stat().st_mtime_ns != date:
                os.utime(chunk, ns=(date, date + 10**9))

    return make
