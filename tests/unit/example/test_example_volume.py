"""The embedded example is the same on every machine, and it is like neuropil."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import worldarray
import zarr

from snakemesh.errors import UserError
from snakemesh.example import neuropil
from snakemesh.example import volume as example
from snakemesh.verify.components import components

SOURCE = Path(example.__file__).parents[2]
SHA256 = "8acfc1ded99e525625653ae50a93dbe1ca47b9e3c6d070cf205d894fe173101f"


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return example.example_labels()


@pytest.fixture(scope="module")
def measured(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The labels renumbered 0..n, then for each label its number of voxels, and its bounds.

    The bounds are the first and the last voxel on each axis, both of shape (n + 1, 3), z y x.
    """
    flat = labels.ravel()
    runs = np.flatnonzero(np.diff(flat, prepend=~flat[:1]))  # fewer runs than voxels to sort
    ids, index = np.unique(flat[runs], return_inverse=True)
    index = np.repeat(index, np.diff(runs, append=flat.size)).reshape(labels.shape)
    first = np.full((len(ids), 3), max(labels.shape))
    last = np.full((len(ids), 3), -1)
    for axis in range(3):
        for p, plane in enumerate(np.moveaxis(index, axis, 0)):
            here = np.flatnonzero(np.bincount(plane.ravel()))
            first[here, axis] = np.minimum(first[here, axis], p)
            last[here, axis] = p
    return index, np.bincount(index.ravel()), first, last


@pytest.fixture(scope="module")
def thin(measured) -> np.ndarray:
    """Whether each label is long, and at most 32 voxels wide on average."""
    _, voxels, first, last = measured
    size = last - first + 1
    found = (size * example.EXAMPLE_VOXEL_SIZE).max(axis=1) > 1500
    found &= voxels / size.max(axis=1) < 800
    found[0] = False
    return found


def test_known_answer(labels):
    assert labels.shape == example.EXAMPLE_SHAPE
    assert labels.dtype == example.EXAMPLE_DTYPE
    assert hashlib.sha256(labels).hexdigest() == SHA256


def test_no_integer_overflows(monkeypatch):
    """In 64 bits, the same voxels come out as in 32."""
    shape = (80, 96, 64)
    expected = neuropil.neuropil(shape)
    wide = SimpleNamespace(**vars(np) | {"int32": np.int64})
    monkeypatch.setattr(neuropil, "np", wide)
    assert np.array_equal(neuropil.neuropil(shape), expected)
    assert len(np.unique(expected)) > 5


def test_importing_is_cheap():
    program = (
        "import sys, snakemesh.example.volume; "
        "sys.exit(bool({'numba', 'tensorstore', 'worldarray'} & set(sys.modules)))"
    )
    subprocess.run(
        [sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": str(SOURCE)}, check=True
    )


def test_anisotropic_and_unaligned():
    z, y, x = example.EXAMPLE_VOXEL_SIZE
    assert z > 1.5 * y == 1.5 * x
    assert any(n % c for n, c in zip(example.EXAMPLE_SHAPE, example.EXAMPLE_CHUNKS, strict=True))


def test_labels_are_like_those_of_users(labels):
    ids = np.unique(labels[np.diff(labels, prepend=~labels[:, :, :1]) != 0])
    assert len(ids) > 200
    assert ids[0] == 0
    assert (ids > 2**32).sum() > 20
    assert (ids > 2**53).sum() > 20
    assert (np.diff(ids[1:].astype(object)) > 1).mean() > 0.9


def test_labels_are_whole(measured):
    """But for specks, a label is in pieces only where it leaves the volume and comes back."""
    index, voxels, _, _ = measured
    pieces, owners = components(index.astype(np.uint32), 1)
    sizes = np.bincount(pieces.ravel())
    inner = np.ones(len(owners), bool)
    for axis in range(3):
        inner[pieces.take([0, -1], axis)] = False
    largest = np.zeros(len(voxels), int)
    np.maximum.at(largest, owners.astype(int), sizes)
    broken = inner & (sizes < largest[owners.astype(int)])
    assert sizes[broken].max() < 10
    assert broken.sum() < 60
    assert inner.sum() - broken.sum() > 20  # vesicles, and tubes that end at the sheet


def test_thick_and_thin(measured, thin):
    index, voxels, _, _ = measured
    assert thin.sum() > 100
    assert voxels[1:].max() > 500_000
    seam = thin[index[:, 256]] & (index[:, 255] == index[:, 256])  # two cells of LOD 0 meet there
    assert len(np.unique(index[:, 256][seam])) > 20


def test_vesicles_lie_in_cell_bodies(measured):
    index, voxels, first, last = measured
    cubic = ((last - first + 1) * example.EXAMPLE_VOXEL_SIZE).max(axis=1) < 180
    vesicles = [label for label in np.flatnonzero(cubic) if voxels[label] > 200]
    inside = 0
    for label in vesicles:
        box = tuple(
            slice(max(a - 1, 0), b + 2) for a, b in zip(first[label], last[label], strict=True)
        )
        around = np.unique(index[box])
        inside += len(around) == 2 and voxels[around[around != label][0]] > 500_000
    assert inside > 10


def test_a_sheet_ends_the_tissue(measured):
    """It is what one meets first from above, wherever one looks."""
    index, voxels, _, _ = measured
    top = np.argmax(index != 0, axis=0)
    met = np.unique(np.take_along_axis(index, top[None], axis=0))
    assert len(met) == 1 and 100_000 < voxels[met[0]] < 500_000
    assert top.min() > 5 and np.ptp(top) > 1


def test_some_labels_touch_and_some_are_apart(labels):
    left, right = labels[:, :, :-1], labels[:, :, 1:]
    touching = ((left != right) & (left != 0) & (right != 0)).sum()
    apart = ((left != right) & ((left == 0) | (right == 0))).sum()
    assert touching > 200_000
    assert apart > 200_000
    assert 0.2 < (labels == 0).mean() < 0.35


def test_written_group(tmp_path, labels, monkeypatch):
    monkeypatch.setattr(example, "example_labels", lambda: labels)  # saves seconds
    leftover = tmp_path / "made" / ".example.zarr.unfinished" / "s0"
    leftover.mkdir(parents=True)
    (leftover / ".zarray").write_text("{}")
    path = tmp_path / "made" / "example.zarr"
    example.write_example(str(path))
    assert os.listdir(path.parent) == ["example.zarr"]

    group = zarr.open_group(path, mode="r")
    assert group.metadata.zarr_format == 2
    assert list(group.array_keys()) == ["s0"]
    assert group["s0"].chunks == example.EXAMPLE_CHUNKS
    assert np.array_equal(group["s0"][:], labels)
    assert (path / "s0" / "0" / "0" / "0").is_file()

    s0 = worldarray.open(str(path), level="s0")
    assert s0.voxel_size == example.EXAMPLE_VOXEL_SIZE
    assert s0.translation == example.EXAMPLE_TRANSLATION
    assert s0.corner == (1000.0, 2000.0, 3000.0)

    with pytest.raises(UserError, match="already exists"):
        example.write_example(str(path))


def test_killed_while_writing_leaves_nothing(tmp_path, labels, monkeypatch):
    path = tmp_path / "example.zarr"
    monkeypatch.setattr(example, "example_labels", lambda: labels[:1])  # writing fails
    with pytest.raises(ValueError):
        example.write_example(str(path))
    assert not path.exists()
    monkeypatch.setattr(example, "example_labels", lambda: labels)
    path.mkdir()  # Snakemake may make an empty folder
    example.write_example(str(path))
    assert os.listdir(tmp_path) == ["example.zarr"]
