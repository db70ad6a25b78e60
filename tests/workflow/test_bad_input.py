"""What cannot be run is refused before any job, in one line that says what to change."""

import numpy as np
import pytest
import zarr
from conftest import write_volume
from running import digests, run

VOXEL_NM = (20, 8, 8)


@pytest.fixture(scope="module")
def inputs(volume, tmp_path_factory):
    """Volumes that are no segmentations, and a table that is none."""
    folder = tmp_path_factory.mktemp("inputs")
    floats = np.zeros((8, 8, 8), np.float32)
    write_volume(folder / "float.zarr", floats, VOXEL_NM, (0, 0, 0), (8, 8, 8))
    zarr.create_array(folder / "flat.zarr", data=np.ones((8, 8), np.uint8), zarr_format=2)
    (folder / "broken.csv").write_text("id,name\n1,soma\n2\n")
    return folder


CASES = {
    "no such path": ("input_path", {"input_path": "{inputs}/nowhere.zarr"}),
    "floats": ("input_path", {"input_path": "{inputs}/float.zarr"}),
    "two axes": ("input_path", {"input_path": "{inputs}/flat.zarr"}),
    "output inside the input": ("output_directory", {"output_directory": "{volume}/meshes"}),
    "unknown key": ("number_of_lods", {"number_of_lods": 3}),
    "no LODs": ("num_lods", {"num_lods": 0}),
    "ROI outside": ("roi", {"roi": [[9000, 9000, 9000], [9999, 9999, 9999]]}),
    "ROI of another shape": ("roi", {"roi": [[0, 0], [1, 1]]}),
    "unknown method": ("downsample_method", {"downsample_method": "median"}),
    "broken table": ("segment_properties_csv", {"segment_properties_csv": "{inputs}/broken.csv"}),
    "no such table": ("segment_properties_csv", {"segment_properties_csv": "{inputs}/no.csv"}),
}


@pytest.mark.parametrize("key, changes", CASES.values(), ids=CASES)
def test_refused(repository, config, volume, inputs, tmp_path, key, changes):
    places = {"inputs": inputs, "volume": volume.path}
    changes = {k: v.format(**places) if isinstance(v, str) else v for k, v in changes.items()}
    before = digests(volume.path), digests(inputs)
    done = run(repository, config(tmp_path / "out") | changes)
    assert done.returncode != 0
    (line,) = (line for line in done.stderr.splitlines() if not line.startswith(NOT_OURS))
    assert line.startswith("snakemesh: ") and key in line
    assert "Traceback" not in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []
    assert (digests(volume.path), digests(inputs)) == before


# What Snakemake says of every run before it reads the configuration.
NOT_OURS = ("Using workflow specific profile", "Config file config/config.yaml is extended")
