"""Labels, axes and files as others write them become the same meshes, byte for byte."""

import gzip
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from by_hand import ome_group, scale, space, translation, write_precomputed, write_zarr2
from in_process import build_pyramid, mesh, planned, whole_run
from snakemesh.errors import UserError
from surfaces import voronoi

VOXEL_NM = (20, 8, 8)
CENTRE_NM = (1010, 2004, 3004)
RUN = {"num_lods": 2, "cell_size": 32, "target_reduction": 0.5, "n_smoothing_iter": 1}
LABELS = voronoi((37, 61, 50), 20, 1, VOXEL_NM)
LABELS[np.isin(LABELS, np.unique(LABELS)[:8])] = 0  # labels of a file, without a gap


def run(path, output, **config):
    return whole_run(RUN | {"input_path": str(path), "output_directory": str(output)} | config)[1]


def write(path, array=LABELS, names="zyx", **options):
    """A group of zarr v2 with one level, whose axes have these names."""
    write_zarr2(path / "s0", np.ascontiguousarray(array), 16, **options)
    sizes, centres = (dict(zip("zyx", found, strict=True)) for found in (VOXEL_NM, CENTRE_NM))
    place = [
        scale(*[sizes.get(name, 1) for name in names]),
        translation(*[centres.get(name, 0) for name in names]),
    ]
    return ome_group(path, {"s0": place}, space(names))


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The files for LABELS as they are."""
    folder = tmp_path_factory.mktemp("reference")
    return run(write(folder / "v"), folder / "out")


def marked(dtype, value):
    """LABELS with another value for background."""
    return np.where(LABELS == 0, np.array(value, dtype), LABELS.astype(dtype))


def without_chunks(path, array):
    """All chunks that hold nothing but background are left out, as the value of `fill_value`."""
    array = array.copy()
    array[:16, :32, :16] = array.min()
    given = write(path, array, fill_value=int(array.min()))
    for chunk in ("0.0.0", "0.1.0"):
        (path / "s0" / chunk).unlink()
    return given


def stacked():
    """LABELS at t: 3, c: 1 and others elsewhere."""
    whole = np.ones((4, 2, *LABELS.shape), LABELS.dtype)
    whole[3, 1] = LABELS
    return whole


def archive(path):
    folder = Path(write(path / "v"))
    with zipfile.ZipFile(path / "v.ozx", "w") as file:
        for found in folder.rglob("*"):
            file.write(found, str(found.relative_to(folder)))
    return path / "v.ozx"


def gzipped(path):
    """As cloud-volume writes by default; the corner lies at 1000 2000 3000 nm."""
    place = {"resolution": [8, 8, 20], "voxel_offset": [375, 250, 50]}
    return write_precomputed(path, LABELS, 16, gzip.compress, ".gz", **place)


# What writes the volume, and the keys that it needs.
CASES = {
    "x y z": (lambda p: write(p, LABELS.T, "xyz"), {}),
    "c x y z": (lambda p: write(p, LABELS.T[None], "cxyz"), {}),
    "z y x c": (lambda p: write(p, LABELS[..., None], "zyxc"), {}),
    "y t x z": (lambda p: write(p, LABELS.transpose(1, 2, 0)[:, None], "ytxz"), {}),
    "an index": (lambda p: write(p, stacked(), "tczyx"), {"index": {"t": 3, "c": 1}}),
    "-1": (lambda p: write(p, marked("<i4", -1)), {"background": [-1, 0]}),
    "-1, int8": (lambda p: write(p, marked("i1", -1)), {"background": [-1]}),
    "-1, -2": (
        lambda p: write(
            p, np.where(np.indices(LABELS.shape).sum(0) % 2, marked("<i8", -1), marked("<i8", -2))
        ),
        {"background": [-1, -2, 0]},
    ),
    "-1, float": (lambda p: write(p, marked("<f4", -1)), {"background": [-1, 0]}),
    "another label": (lambda p: write(p, marked("<u8", 2**64 - 1)), {"background": [2**64 - 1, 0]}),
    "float32": (lambda p: write(p, LABELS.astype("<f4")), {}),
    "float64": (lambda p: write(p, LABELS.astype("<f8")), {}),
    "float16": (lambda p: write(p, LABELS.astype("<f2")), {}),
    "chunks in folders": (lambda p: write(p, separator="/"), {}),
    "gz": (gzipped, {}),
    "an archive": (archive, {}),
}


@pytest.mark.parametrize("name", CASES)
def test_others_become_the_same_meshes(name, reference, tmp_path):
    writer, config = CASES[name]
    assert run(writer(tmp_path / "v"), tmp_path / "out", **config) == reference


def test_chunks_that_are_not_stored_are_what_fill_value_says(tmp_path):
    plain = run(without_chunks(tmp_path / "a", LABELS), tmp_path / "a_out")
    minus = without_chunks(tmp_path / "b", marked("<i4", -1))
    assert run(minus, tmp_path / "b_out", background=[-1, 0]) == plain
    # and the plan does not take them for background without the key
    with pytest.raises(UserError, match="^config key background: [^\n]* -1[^\n]*$"):
        run(minus, tmp_path / "c_out")


def test_a_mask_is_label_1(tmp_path):
    mask = LABELS > 0
    expected = run(write(tmp_path / "a", mask.astype("u1")), tmp_path / "a_out")
    assert run(write(tmp_path / "b", mask, fill_value=False), tmp_path / "b_out") == expected


def test_binary_is_one_body_at_every_lod(tmp_path):
    """What the labels become is what their mask becomes, and that is one label at both LODs."""
    config = {"downsample_method": "binary"}
    mask = run(write(tmp_path / "a", (LABELS > 0).astype("<u4")), tmp_path / "a_out", **config)
    labels = run(write(tmp_path / "b"), tmp_path / "b_out", **config)
    assert labels == mask
    assert json.loads(labels["segment_properties/info"])["inline"]["ids"] == ["1"]


WRONG = [0.5, float("nan"), float("inf"), -3.0, 1e30]


@pytest.mark.parametrize(
    ("dtype", "wrong"), [("<f4", 2.0**33), *[(t, w) for t in ("<f4", "<f8") for w in WRONG]]
)
def test_what_is_no_whole_number_is_named_with_its_voxel(dtype, wrong, tmp_path):
    labels = LABELS.astype(dtype)
    labels[30, 50, 40] = wrong
    config = RUN | {"input_path": write(tmp_path / "v", labels), "output_directory": str(tmp_path)}
    plan = planned(config | {"output_directory": str(tmp_path / "out")})
    named = r"^config key (input_path|background): found [^\n]*\[30, 50, 40\][^\n]*$"
    for job in (build_pyramid, mesh):
        with pytest.raises(UserError, match=named):
            job(plan)
