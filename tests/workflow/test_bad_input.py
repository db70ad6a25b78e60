"""Bad input is refused before any job starts, in one line that says what to change."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import zarr
from conftest import write_volume

from running import digests, run

VOXEL_NM = (20, 8, 8)
# What Snakemake itself prints in every run before it reads the configuration.
NOT_OURS = ("Using workflow specific profile", "Config file config/config.yaml is extended")


@pytest.fixture(scope="module")
def inputs(volume, tmp_path_factory):
    """Volumes that cannot be meshed, and a table that is broken."""
    folder = tmp_path_factory.mktemp("inputs")
    floats = np.zeros((8, 8, 8), np.float32)
    write_volume(folder / "float.zarr", floats, VOXEL_NM, (0, 0, 0), (8, 8, 8))
    write_volume(folder / "flat.zarr", np.ones((8, 8), np.uint8), (8, 8), (0, 0), (8, 8))
    zarr.create_array(folder / "bare.zarr", data=np.ones((8, 8, 8), np.uint8), chunks=(8, 8, 8))
    (folder / "broken.csv").write_text("id,name\n1,soma\n2\n")
    return folder


CASES = {
    "no such path": ("input_path", {"input_path": "{inputs}/nowhere.zarr"}),
    "floats": ("input_path", {"input_path": "{inputs}/float.zarr"}),
    "two axes": ("input_path", {"input_path": "{inputs}/flat.zarr"}),
    "no voxel size": ("voxel_size_nm", {"input_path": "{inputs}/bare.zarr"}),
    "output inside the input": ("output_directory", {"output_directory": "{volume}/meshes"}),
    "unknown key": ("number_of_lods", {"number_of_lods": 3}),
    "no LODs": ("num_lods", {"num_lods": 0}),
    "ROI outside": ("roi", {"roi": [[9000, 9000, 9000], [9999, 9999, 9999]]}),
    "unknown method": ("downsample_method", {"downsample_method": "median"}),
    "not a number": ("target_reduction", {"target_reduction": ".nan"}),
    "braces": ("output_directory", {"output_directory": "meshes/{{x}}"}),
    "a file in the way": ("output_directory", {"output_directory": "{inputs}/broken.csv/meshes"}),
    "broken table": ("segment_properties_csv", {"segment_properties_csv": "{inputs}/broken.csv"}),
}


@pytest.fixture(scope="module")
def refusals(repository, config, volume, inputs, tmp_path_factory):
    """Run every case, two at a time. Holds each finished process and the folder for its output."""
    places = {"inputs": inputs, "volume": volume.path}
    folder = tmp_path_factory.mktemp("refused")

    def refused(name):
        _, changes = CASES[name]
        changes = {k: v.format(**places) if isinstance(v, str) else v for k, v in changes.items()}
        output = folder / name
        output.mkdir()
        return run(repository, config(output / "out") | changes), output

    before = digests(volume.path), digests(inputs)
    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(CASES, pool.map(refused, CASES), strict=True))
    assert (digests(volume.path), digests(inputs)) == before
    return found


@pytest.mark.parametrize("name", CASES)
def test_refused(refusals, name):
    done, output = refusals[name]
    assert done.returncode != 0
    (line,) = (line for line in done.stderr.splitlines() if not line.startswith(NOT_OURS))
    assert line.startswith("snakemesh: ") and CASES[name][0] in line
    assert "Traceback" not in done.stdout + done.stderr
    assert list(output.iterdir()) == []
