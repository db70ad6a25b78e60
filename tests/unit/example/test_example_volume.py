"""The embedded example is the same on every machine, and it is like neuropil."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import worldarray
import zarr

from snakemesh.errors import UserError
from snakemesh.example import neuropil
from snakemesh.example import volume as example

SOURCE = Path(example.__file__).parents[2]
SHA256 = "b834058e57b72b08ce080859b383f85d00ceb313a4e776165cf6b9c652302a0c"


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
    """Whether each label is a long process that fills little of its bounding box."""
    _, voxels, first, last = measured
    size = last - first + 1
    longest = (size * example.EXAMPLE_VOXEL_SIZE).max(axis=1)
    found = (longest > 1500) & (voxels < 0.06 * size.prod(axis=1))
    found[0] = False
    return found


def test_known_answer(labels):
    assert labels.shape == example.EXAMPLE_SHAPE
    assert labels.dtype == example.EXAMPLE_DTYPE
    assert hashlib.sha256(labels).hexdigest() == SHA256


def test_interpreted_twin(monkeypatch):
    """Interpreted and compiled code agree on every voxel, and no integer overflows."""
    program = (
        "import hashlib; from snakemesh.example import neuropil as v; v.ENTRY = (8, 16, 16);"
        "print(hashlib.sha256(v.neuropil((8, 32, 32))).hexdigest())"
    )
    env = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(SOURCE)}
    interpreted = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", program],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    monkeypatch.setattr(neuropil, "ENTRY", (8, 16, 16))
    compiled = hashlib.sha256(neuropil.neuropil((8, 32, 32))).hexdigest()
    assert interpreted.stdout.strip() == compiled


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


def test_every_label_is_one_piece(measured):
    index, voxels, _, _ = measured
    numbers, renumbered = neuropil.whole_pieces(index.astype(np.int16))
    assert np.count_nonzero(renumbered) == len(voxels) - 1
    assert np.array_equal(renumbered[numbers] == 0, index == 0)


def test_pieces_against_flood_fill():
    rng = np.random.default_rng(5)
    volume = rng.integers(0, 3, (6, 7, 8)).astype(np.int16)
    numbers, _ = neuropil.whole_pieces(volume)
    expected = np.full(volume.shape, -1)
    for start in np.ndindex(volume.shape):
        piece = expected.max() + 1
        stack = [start] if expected[start] < 0 else []
        while stack:
            at = stack.pop()
            if expected[at] >= 0 or volume[at] != volume[start]:
                continue
            expected[at] = piece
            for axis in range(3):
                for step in (-1, 1):
                    to = list(at)
                    to[axis] += step
                    if 0 <= to[axis] < volume.shape[axis]:
                        stack.append(tuple(to))
    assert np.array_equal(numbers, expected)


def test_thick_and_thin(measured, thin):
    _, voxels, first, last = measured
    assert thin.sum() > 100
    assert voxels.max() > 500_000
    size = last - first + 1
    # The mean cross-section of thin labels along their longest axis, as the radius of a disc in
    # voxels.
    section = voxels[thin] / size[thin].max(axis=1)
    assert 1.5 < np.median(np.sqrt(section / np.pi)) < 8
    across = (first == 0) & (last == np.array(example.EXAMPLE_SHAPE) - 1)
    assert (across[thin].sum(axis=0) >= 5).all()


def test_thin_processes_cross_every_face_between_chunks(measured, thin):
    index = measured[0]
    for axis in range(3):
        planes = np.moveaxis(index, axis, 0)
        for p in range(64, len(planes), 64):
            crossing = (planes[p] == planes[p - 1]) & thin[planes[p]]
            for row in range(0, crossing.shape[0], 64):
                for column in range(0, crossing.shape[1], 64):
                    assert crossing[row : row + 64, column : column + 64].any(), (axis, p)


def test_some_labels_touch_and_some_are_apart(labels):
    left, right = labels[:, :, :-1], labels[:, :, 1:]
    touching = ((left != right) & (left != 0) & (right != 0)).sum()
    apart = ((left != right) & ((left == 0) | (right == 0))).sum()
    assert touching > 200_000
    assert apart > 200_000
    assert 0.02 < (labels == 0).mean() < 0.1


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
