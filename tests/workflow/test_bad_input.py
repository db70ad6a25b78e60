"""Bad input is refused before any job starts, in one line that says what to change."""

import json
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
    numbers = np.zeros((8, 8, 8), np.complex64)
    write_volume(folder / "complex.zarr", numbers, VOXEL_NM, (0, 0, 0), (8, 8, 8))
    write_volume(folder / "flat.zarr", np.ones((8, 8), np.uint8), (8, 8), (0, 0), (8, 8))
    zarr.create_array(folder / "bare.zarr", data=np.ones((8, 8, 8), np.uint8), chunks=(8, 8, 8))
    for name in ("absent.zarr", "image.zarr", "unknown.zarr"):
        labels = np.ones((8, 8, 8), np.uint16)
        write_volume(folder / name, labels, VOXEL_NM, (0, 0, 0), (8, 8, 8))
    (folder / "absent.zarr" / "s0").rename(folder / "absent.zarr" / "s1")
    zarr.open_group(folder / "image.zarr").create_group("labels").attrs["labels"] = ["cells"]
    document = folder / "unknown.zarr" / "s0" / ".zarray"
    array = json.loads(document.read_text())
    document.write_text(json.dumps(array | {"compressor": {"id": "unheard of"}}))
    (folder / "broken.csv").write_text("id,name\n1,soma\n2\n")
    (folder / "taken").mkdir()
    (folder / "taken" / "logs").write_text("mine")
    return folder


CASES = {
    "no such path": ("input_path", {"input_path": "{inputs}/nowhere.zarr"}),
    "complex numbers": ("input_path", {"input_path": "{inputs}/complex.zarr"}),
    "two axes": ("input_path", {"input_path": "{inputs}/flat.zarr"}),
    "no voxel size": ("voxel_size_nm", {"input_path": "{inputs}/bare.zarr"}),
    "level not there": ("lists level s0", {"input_path": "{inputs}/absent.zarr"}),
    "image": ("labels/cells", {"input_path": "{inputs}/image.zarr"}),
    "folder of volumes": ("image.zarr", {"input_path": "{inputs}"}),
    "unknown compressor": ("input_path", {"input_path": "{inputs}/unknown.zarr"}),
    "address of no volume": ("input_path", {"input_path": "ftp://{inputs}/bare.zarr"}),
    "output inside the input": ("output_directory", {"output_directory": "{volume}/meshes"}),
    "unknown key": ("number_of_lods", {"number_of_lods": 3}),
    "no LODs": ("num_lods", {"num_lods": 0}),
    "ROI outside": ("roi", {"roi": [[9000, 9000, 9000], [9999, 9999, 9999]]}),
    "unknown method": ("downsample_method", {"downsample_method": "median"}),
    "not a number": ("target_reduction", {"target_reduction": ".nan"}),
    "infinite size": ("voxel_size_nm", {"voxel_size_nm": [8, 1e999, 8]}),
    "vast position": ("roi", {"roi": [[0, 0, 0], [1e308, 1, 1]]}),
    "rounded label": ("target_ids", {"target_ids": [7.20575940379279489e17]}),
    "no labels": ("exclude_ids", {"exclude_ids": "{inputs}/broken.csv"}),
    "too many jobs": ("max_jobs", {"max_jobs": 10**30}),
    "nobody's home": ("output_directory", {"output_directory": "~nobody-is-called-so/out"}),
    "long name": ("output_directory", {"output_directory": 300 * "x"}),
    "the clone": ("output_directory", {"output_directory": "."}),
    "the example's": ("output of the example", {"output_directory": "results/example"}),
    "a number": ("write ./ in front", {"output_directory": "2024_01"}),
    "no folder of a run": ("output_directory", {"output_directory": "{inputs}/taken"}),
    "braces": ("output_directory", {"output_directory": "meshes/{{x}}"}),
    "a file in the way": ("output_directory", {"output_directory": "{inputs}/broken.csv/meshes"}),
    "no table of bodies": ("label_map", {"label_map": "{inputs}/nowhere.csv"}),
    "broken table of bodies": ("label_map", {"label_map": "{inputs}/broken.csv"}),
    "unknown rest": ("label_map_rest", {"label_map_rest": "drop"}),
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


@pytest.mark.parametrize("arguments", [("-n",), ()])
def test_a_target_that_does_not_exist(repository, config, tmp_path, arguments):
    """The one that was meant is the last word, after Snakemake's own."""
    done = run(repository, config(tmp_path / "out"), "verifi", *arguments)
    assert done.returncode != 0
    assert "The plan" not in done.stdout + done.stderr
    last = done.stderr.splitlines()[-1]
    assert last == "snakemesh: there is no target verifi, did you mean verify?"
    assert not (tmp_path / "out").exists()
