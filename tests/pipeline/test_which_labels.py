"""Labels that are left out are gone, and the others are as if they had been alone or all there."""

import json

import numpy as np
import pytest

from formats import Placed, write_zarr
from in_process import build_pyramid, mesh, planned
from snakemesh.verify.reader import read_data, read_entries
from surfaces import voronoi

SHAPE = (61, 50, 37)
LABELS = voronoi(SHAPE, 40, 2)
LABELS[LABELS == 0] = 41
# a label in three blocks, with its fewest voxels in the first
LABELS[31, 30:34, 10] = LABELS[32, 30:34, 10] = 50
LABELS[3:6, 3:6, 3:6], LABELS[4, 4, 4] = 0, 51
# By name the keys of a part of the volume, and its labels.
PART = {"roi": [[24, 0, 40], [320, 256, 168]]}
PARTS = {
    "all": ({}, LABELS),
    "closed": (PART, LABELS[2:40, :32, 4:22]),
}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("source") / "seg"
    return write_zarr(path, [Placed(LABELS, (8, 8, 8), (0, 0, 0), (16, 16, 16))])


@pytest.fixture(scope="module")
def meshed(source, tmp_path_factory):
    """A function from keys of the configuration to the bytes of each label's mesh, and the plan."""

    def run(**keys):
        output = tmp_path_factory.mktemp("output")
        config = {"input_path": source, "output_directory": str(output), "cell_size": 32}
        plan = planned(config | {"num_lods": 2} | keys)
        build_pyramid(plan)
        folder = mesh(plan)
        properties = json.loads((folder / "segment_properties" / "info").read_text())
        assert properties["inline"]["ids"] == [str(label) for label in read_entries(folder)]
        return {label: read_data(entry) for label, entry in read_entries(folder).items()}, plan

    return run


def sizes(labels):
    ids, counts = np.unique(labels[labels > 0], return_counts=True)
    return dict(zip(ids.tolist(), counts.tolist(), strict=True))


@pytest.mark.parametrize("part", PARTS)
def test_labels_are_as_large_as_they_are_in_all_of_the_volume(meshed, part):
    keys, labels = PARTS[part]
    every, plan = meshed(**keys, num_lods=2)
    voxels = sizes(labels)
    assert plan.levels[0].shape == labels.shape
    assert plan.blocks(0) != (1, 1, 1)
    assert every.keys() == voxels.keys()
    for least in sorted(set(voxels.values()))[:4] + [sorted(voxels.values())[len(voxels) // 2]]:
        for min_voxels in (least, least + 1):
            found, _ = meshed(min_voxels=min_voxels, **keys)
            assert found == {
                label: data for label, data in every.items() if voxels[label] >= min_voxels
            }
    assert meshed(min_voxels=LABELS.size, **keys)[0] == {}


def test_lists_and_files_and_what_they_leave(meshed, tmp_path):
    every = [*sizes(LABELS)]
    wanted, others = every[::3], sorted({*every} - {*every[::3]})
    expected, _ = meshed(target_ids=wanted)
    assert expected.keys() == {*wanted}
    assert meshed(exclude_ids=others)[0] == expected
    assert meshed(target_ids=every, exclude_ids=others)[0] == expected
    path = tmp_path / "wanted.csv"
    path.write_bytes(b"type,Segment ID\r\n" + b"".join(b"x,%d\r\n" % i for i in wanted[::-1]))
    assert meshed(target_ids=str(path))[0] == expected
    voxels = sizes(LABELS)
    large = {label: data for label, data in expected.items() if voxels[label] >= 500}
    assert 0 < len(large) < len(expected)
    assert meshed(target_ids=str(path), min_voxels=500)[0] == large
