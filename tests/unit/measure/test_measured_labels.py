"""Components and thickness of a volume, block by block, against the whole volume at once."""

from itertools import pairwise, product

import numpy as np
import pytest
from scipy import ndimage

from snakemesh.job_records import LevelPart
from snakemesh.measure import block
from snakemesh.measure.block import measure_block
from snakemesh.measure.labels import measured_labels
from snakemesh.measure.thickness import RIDGES
from snakemesh.measure_job import MeasureJob
from snakemesh.tables.merge import rows_of_file
from snakemesh.verify.voxel_pieces import save_part
from surfaces import noise

VOXEL = (40.0, 8.0, 8.0)
SHAPE = (20, 70, 60)


class Opened:
    """A stored array in memory."""

    def __init__(self, labels):
        self.labels, self.shape = labels, labels.shape

    def __getitem__(self, box):
        self.part = self.labels[box]
        return self

    def read(self):
        return self

    def result(self):
        return self.part


@pytest.fixture
def volume(monkeypatch):
    """Grains and noise: labels in many components, some that meet only at corners."""
    labels = noise((4, 7, 6), 5, 1).repeat(5, 0).repeat(10, 1).repeat(10, 2).astype(np.uint64)
    labels[:, 30:, :] = noise((20, 40, 60), 40, 2)
    labels[labels == 1] = 2**63
    monkeypatch.setattr(block, "open_part", lambda part: Opened(labels))
    monkeypatch.setattr(block, "PIECE", 16)
    return labels


def measured(folder, measures, cuts):
    """MEASURED of a volume that is cut into blocks. cuts: on each axis where blocks begin."""
    pieces, ridges = [], []
    for number, box in enumerate(product(*map(pairwise, cuts))):
        begin, end = zip(*box, strict=True)
        job = MeasureJob(LevelPart("", None, (0, 0, 0), SHAPE), begin, end, VOXEL, measures)
        part, rows = measure_block(job)
        pieces.append(str(folder / f"{len(cuts[2])}.{number}.npz"))
        save_part(pieces[-1], part)
        np.save(path := folder / f"{len(cuts[2])}.{number}.npy", rows)
        ridges.append(rows_of_file(str(path), RIDGES))
    return measured_labels(pieces, ridges, min(VOXEL))


WHOLE = ((0, 20), (0, 70), (0, 60))
BLOCKS = ((0, 8, 20), (0, 32, 64, 70), (0, 24, 60))


def test_blocks_do_not_matter(volume, tmp_path):
    both = ("components", "thickness")
    whole, blocks = (measured(tmp_path, both, cuts) for cuts in (WHOLE, BLOCKS))
    assert whole.tobytes() == blocks.tobytes()
    assert whole["label"].tolist() == np.unique(volume[volume > 0]).tolist()
    assert (whole["thickness_95"] >= whole["thickness"] * 0.9).all()
    assert (whole["thickness"] >= 2 * 8).all()


def test_components_are_those_of_scipy(volume, tmp_path):
    found = measured(tmp_path, ("components",), BLOCKS)
    for row in found:
        _, expected = ndimage.label(volume == row["label"], np.ones((3, 3, 3)))
        assert row["components"] == expected
    assert (found["components"] > 1).any() and np.isnan(found["thickness"]).all()


def test_thickness_alone(volume, tmp_path):
    found = measured(tmp_path, ("thickness",), BLOCKS)
    assert found["label"].tolist() == np.unique(volume[volume > 0]).tolist()
    assert not found["components"].any() and np.isfinite(found["thickness"]).all()


def test_a_volume_without_labels(volume, tmp_path):
    volume[...] = 0
    assert len(measured(tmp_path, ("components", "thickness"), BLOCKS)) == 0


def test_a_block_that_is_missing(volume, tmp_path):
    with pytest.raises(ValueError, match="missing"):
        measured(tmp_path, ("components",), (WHOLE[0], WHOLE[1], (0, 24)))
