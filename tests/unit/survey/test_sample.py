"""What is counted in a sample of a volume, and that nothing but the volume decides it."""

import itertools
import tempfile
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from formats import Placed, write_zarr
from snakemesh.mesh.compact_labels import compact_labels
from snakemesh.mesh.net import label_nets
from snakemesh.plan.box_figures import MOST_FACES, Sample, figures_of
from snakemesh.plan.plan import make_plan
from snakemesh.products.fingerprints import Fingerprints
from snakemesh.source.read import read_source
from snakemesh.survey import sample
from snakemesh.survey.input_state import InputState, read_kept, write_state
from snakemesh.survey.sample import sample_of
from volumes import plan_of, settings_with, volume

FINEST = [(1, 1, 1)]
SMALL = npst.arrays(
    np.uint32, npst.array_shapes(min_dims=3, max_dims=3, max_side=6), elements=st.integers(0, 4)
)


def lumps(n, width=3):
    """Cubes side by side, each with a label of its own."""
    at = np.arange(n) // width
    return (1 + at[:, None, None] + 1000 * at[:, None] + 10**6 * at).astype(np.uint32)


def test_a_box_of_one_label():
    found = figures_of(np.full((8, 8, 8), 7, np.uint8), FINEST)
    assert found.faces == (0.0,)
    assert (found.begin, found.alike, found.filled) == ((0,), 1, 1)
    assert found.cross == pytest.approx(1 / 64)


def test_one_voxel():
    labels = np.zeros((8, 8, 8), np.uint64)
    labels[3, 4, 5] = 2**60
    found = figures_of(labels, FINEST)
    assert found.faces == pytest.approx((12 / (7 * 8 * 8),))
    assert (found.begin, found.cross, found.alike) == ((1 / 512,), 0, 1)
    assert found.filled == 1 / 512


def test_lumps():
    found = figures_of(lumps(30), [(1, 1, 1), (2, 2, 2), (3, 3, 3), (4, 4, 4)])
    assert found.faces == pytest.approx((12 * 9 / 29, 12 * 9 / 14, MOST_FACES, MOST_FACES))
    # voxels of the last level are larger than a lump: only lumps at upper sides count
    assert found.begin == (9**3 / 30**3, 9**3 / 30**3, 9**3 / 30**3, (9**3 - 8**3) / 30**3)
    assert found.cross == pytest.approx((10**3 - 9**3) / 30**2)
    assert found.filled == 1


def test_a_coarse_level_has_at_most_twice_the_surface_of_the_one_before():
    """A box of 8 voxels has two voxels of a level of factor 4: too few to look at."""
    plane = np.ones((8, 8, 8), np.uint32)
    plane[4:] = 2
    finest, coarser, guessed = figures_of(plane, [(1,) * 3, (2,) * 3, (4,) * 3]).faces
    assert (finest, coarser) == pytest.approx((4 / 7, 4 / 3))
    assert guessed == pytest.approx(8 / 3)


@given(labels=SMALL)
def test_a_box_by_counting_one_by_one(labels):
    found = figures_of(labels, [(1, 1, 1), (2, 2, 2)])
    faces, of_label = 0.0, {}
    for axis in range(3):
        step = np.eye(3, dtype=int)[axis]
        pairs = [
            (labels[at], labels[tuple(np.add(at, step))])
            for at in np.ndindex(labels.shape)
            if at[axis] + 1 < labels.shape[axis]
        ]
        sides = [a for pair in pairs if pair[0] != pair[1] for a in pair if a]
        faces += 2 * len(sides) / max(len(pairs), 1)
        if axis == 2:
            of_label = {label: sides.count(label) for label in sides}
    assert found.faces[0] == pytest.approx(faces)
    everywhere = set(labels.ravel().tolist()) - {0}
    lower = {labels[at] for at in np.ndindex(labels.shape) if 0 in at}
    upper = {labels[at] for at in np.ndindex(labels.shape) if any(np.add(at, 1) == labels.shape)}
    voxels = labels.ravel().tolist()
    large = {label for label in everywhere if voxels.count(label) >= 8 or label in upper}
    assert found.begin == (
        len(everywhere - lower) / labels.size,
        len((everywhere & large) - lower) / labels.size,
    )
    assert found.cross == pytest.approx(len(everywhere & lower) / labels.size ** (2 / 3))
    total = sum(of_label.values())
    alike = sum((n / total) ** 2 for n in of_label.values()) if total else 1
    assert found.alike == pytest.approx(alike)
    assert found.filled == pytest.approx(np.mean([label > 0 for label in labels.flat]))


@settings(deadline=None)
@given(labels=SMALL.map(lambda a: a[: min(a.shape), : min(a.shape), : min(a.shape)]))
def test_faces_are_those_of_the_nets_that_are_meshed(labels):
    """Two triangles a quad. The nets are closed at the ends of the array, the figures are not."""
    ends = sum(np.count_nonzero(np.take(labels, i, a)) for a in range(3) for i in (0, -1))
    n = len(labels)
    inside = figures_of(labels, FINEST).faces[0] * (n - 1) * n**2
    assert 2 * len(label_nets(compact_labels(labels)).quads) == pytest.approx(inside + 2 * ends)


def planned(path, **changes):
    chosen = settings_with(input_path=path, num_lods=2, cell_size=32, **changes)
    return make_plan(chosen, read_source(path))


def written(folder, labels, chunks=(16, 16, 16)):
    return write_zarr(Path(folder) / "seg", [Placed(labels, (8, 8, 8), (0, 0, 0), chunks)])


@settings(deadline=None, max_examples=15)
@given(
    seed=st.integers(0, 99),
    shape=st.tuples(*[st.integers(8, 40)] * 3),
    chunks=st.tuples(*[st.sampled_from([3, 8, 16, 40])] * 3),
)
def test_chunks_do_not_decide_what_is_counted(seed, shape, chunks):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 5, shape).astype(np.uint32)
    # parts without labels, whose chunks are not stored if the chunks are small
    labels[
        rng.random([-(-n // 8) for n in shape])
        .repeat(8, 0)
        .repeat(8, 1)
        .repeat(8, 2)[tuple(map(slice, shape))]
        < 0.4
    ] = 0
    found = []
    for stored in (chunks, shape):
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(sample, "BOX_EDGE", 8):
            found.append(sample_of(planned(written(folder, labels, stored))))
    assert found[0] == found[1]


def test_a_small_volume_is_counted_whole(tmp_path):
    labels = np.zeros((24, 16, 16), np.uint32)
    labels[:8] = lumps(16)[:8]
    with mock.patch.object(sample, "BOX_EDGE", 8):
        found = sample_of(planned(written(tmp_path, labels)))
    assert (found.part, found.seen, len(found.boxes)) == (1 / 3, 1, 4)
    corners = itertools.product((0, 8), repeat=2)
    boxes = [
        replace(figures_of(labels[:8, y : y + 8, x : x + 8], [(1,) * 3, (2,) * 3]), place=(0, y, x))
        for y, x in corners
    ]
    assert sorted(found.boxes, key=repr) == sorted(boxes, key=repr)


def test_what_is_one_body_has_surface_to_the_background_only(tmp_path):
    labels = lumps(16)
    labels[:, :, 8:] = 0
    found = sample_of(planned(written(tmp_path, labels), downsample_method="binary"))
    assert found.boxes[0].faces[0] == pytest.approx(2 / 15)


def test_an_empty_volume(tmp_path):
    assert sample_of(planned(written(tmp_path, np.zeros((16, 16, 16), np.uint8)))) == Sample(
        (), 0, 1
    )


def test_boxes_that_cannot_be_read_are_left_out(tmp_path):
    """Jobs that read them say so, and the others go on."""
    path = written(tmp_path, lumps(32))
    with mock.patch.object(sample, "BOX_EDGE", 16):
        whole = sample_of(planned(path))
        (Path(path) / "s0" / "0.0.0").write_bytes(b"broken")
        assert len(sample_of(planned(path)).boxes) == len(whole.boxes) - 1 == 7
        for chunk in Path(path).glob("s0/?.?.?"):
            chunk.write_bytes(b"broken")
        assert sample_of(planned(path)) is None


def test_values_that_are_no_labels_are_left_to_the_jobs(tmp_path):
    path = written(tmp_path, np.full((16, 16, 16), -3, np.int32))
    assert sample_of(planned(path)) is None


def test_nothing_is_read_of_huge_chunks(tmp_path):
    path = written(tmp_path, lumps(32), (32, 32, 32))
    with mock.patch.multiple(sample, BOX_EDGE=8, _DECODED_VOXELS=7 * 32**3):
        assert sample_of(planned(path)) is None
    with mock.patch.multiple(sample, BOX_EDGE=8, _DECODED_VOXELS=8 * 32**3):
        assert len(sample_of(planned(path)).boxes) == 8


def test_metadata_alone_have_no_sample():
    assert sample_of(plan_of(volume())) is None


def test_jobs_take_the_sample_of_the_run(tmp_path):
    path = written(tmp_path, lumps(32))
    plan = planned(path)
    plan = replace(plan, sample=sample_of(plan))
    state = str(tmp_path / "work" / "input.npz")
    for kept in (plan, replace(plan, sample=None)):
        write_state(state, InputState(kept, {}))
        assert read_kept(state).sample == kept.sample


def test_no_product_depends_on_the_sample(tmp_path):
    plan = planned(written(tmp_path, lumps(32)))
    names = [
        (made.result, made.shards, made.group, made.block(0, (0, 0, 0)), made.block(1, (0, 0, 0)))
        for found in (None, sample_of(plan))
        for made in [Fingerprints(replace(plan, sample=found), InputState(plan, {}))]
    ]
    assert names[0] == names[1]
