"""A part of a volume, and a part of its labels: what is left out is no fault."""

import numpy as np
import pytest

from formats import Placed, write_zarr
from in_process import build_pyramid, mesh, planned
from levels import mode
from planting import read_labels, reshaped, write_labels
from surfaces import voronoi
from verifying import verdict

SHAPE = (61, 50, 37)
LABELS = voronoi(SHAPE, 40, 2)
LABELS[3:6, 3:6, 3:6], LABELS[4, 4, 4] = 0, 51
ROI = {"roi": [[24, 0, 40], [320, 256, 168]]}
PARTS = {
    "all": {},
    "closed": ROI,
    "small ones left out": {"min_voxels": 300},
    "some": {"target_ids": [3, 4, 5, 51, 99], "exclude_ids": [4]},
    "coarse": {"target_reduction": 0.99, "max_error": 3.0},
}


@pytest.fixture(scope="module", params=PARTS)
def meshed(request, tmp_path_factory):
    """The configuration of a part, its meshes and its voxels."""
    folder = tmp_path_factory.mktemp("part")
    source = write_zarr(folder / "seg", [Placed(LABELS, (8, 8, 8), (0, 0, 0), (16, 16, 16))])
    config = {"input_path": source, "output_directory": str(folder / "out"), "cell_size": 32}
    config |= {"num_lods": 2} | PARTS[request.param]
    plan = planned(config)
    build_pyramid(plan)
    part = LABELS[tuple(slice(b, e) for b, e in zip(plan.begin, plan.end, strict=True))]
    multires = mesh(plan)
    return config | {"output_directory": str(folder / "verified")}, multires, part


def test_nothing_fails(meshed):
    config, multires, part = meshed
    found = verdict(config, multires)
    assert found.failures.count == {}
    ids, sizes = np.unique(part[part > 0], return_counts=True)
    assert found.labels == len(ids)
    assert found.rows["voxels"].tolist() == [
        n for label, n in zip(ids, sizes, strict=True) if label in found.rows["label"]
    ]
    assert len(found.rows) + sum(found.left_out.values()) == len(ids)


def test_a_hole_is_found_in_each(meshed):
    config, multires, _ = meshed
    labels = read_labels(multires)
    sound = {path: path.read_bytes() for path in multires.glob("*.shard")}
    harmed = max(labels, key=lambda label: len(labels[label].lods[0]))
    reshaped(labels[harmed].lods[0][0], lambda positions, faces: (positions, faces[:-1]))
    write_labels(multires, labels)
    assert "closed" in verdict(config, multires).failures.count
    for path, data in sound.items():
        path.write_bytes(data)


@pytest.mark.parametrize("wrong", [False, True])
def test_a_level_of_the_input_that_is_not_of_its_s0(tmp_path, wrong):
    """A voxel of another label, which no mesh shows to be wrong."""
    level = mode(LABELS, (2, 2, 2))
    if wrong:
        level[17, 3, 8] = 77
    placed = [
        Placed(LABELS, (8, 8, 8), (0, 0, 0), (16, 16, 16)),
        Placed(level, (16, 16, 16), (0, 0, 0), (16, 16, 16)),
    ]
    config = {"input_path": write_zarr(tmp_path / "seg", placed), "cell_size": 32, "num_lods": 2}
    config |= {"output_directory": str(tmp_path / "out"), "use_existing_scales": "trust"}
    config["multires_strategy"] = "downsample"
    multires = mesh(planned(config))
    verified = config | {"output_directory": str(tmp_path / "verified")}
    failures = verdict(verified, multires).failures
    said = "level s1 has label 77 at voxel [17, 3, 8], which s0 does not have there"
    assert failures.named.get("levels", []) == [said] * wrong
