"""Levels and meshes of a region of interest, wherever it lies. All triples are z, y, x."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats import Placed, voted, write_zarr
from in_process import build_pyramid, level_labels, mesh, planned
from snakemesh.errors import UserError
from snakemesh.job_records import LevelPart
from snakemesh.source.read import read_source
from snakemesh.source.voxels import open_part
from snakemesh.verify.checks import (
    edges_of,
    problems,
    to_nm,
    volume_and_centroid,
    welded,
)
from snakemesh.verify.reader import read_meshes
from surfaces import voronoi

LABELS = voronoi((61, 50, 37), 20, 2)


def axis(draw, voxel):
    """The volume and the roi on one axis: number of voxels, corner in nm, begin and end in nm.

    The roi may reach past the ends of the volume.
    """
    n = draw(st.integers(1, 70))
    corner = draw(st.sampled_from([0.0, 1000.0, -37.5 * voxel]))
    begin = draw(st.floats(-5, n - 0.01))
    end = draw(st.floats(max(begin, 0) + 0.01, n + 9))
    return n, corner, corner + begin * voxel, corner + end * voxel


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_every_level_is_that_of_the_whole_volume_there(data):
    """A voxel has the votes of its whole cube, even of the voxels outside the roi."""
    voxel_nm = [8.0, 8.0, 8.0]
    voxel_nm[data.draw(st.integers(0, 2))] *= data.draw(st.sampled_from([1, 1.25, 2.5, 5]))
    shape, corner, begin, end = zip(*(axis(data.draw, v) for v in voxel_nm), strict=True)
    chunks = data.draw(st.tuples(*[st.sampled_from([7, 16, 33])] * 3))
    mode = data.draw(st.sampled_from(["halo", "snap"]))
    labels = np.random.default_rng(data.draw(st.integers(0, 9))).integers(0, 3, shape, np.uint16)
    with TemporaryDirectory() as folder:
        volume = Placed(labels, tuple(voxel_nm), corner, chunks)
        config = {
            "input_path": write_zarr(Path(folder) / "seg", [volume]),
            "output_directory": f"{folder}/out",
            "cell_size": 32,
            "num_lods": data.draw(st.integers(2, 5)),
            "roi": data.draw(st.sampled_from([None, [list(begin), list(end)]])),
            "pyramid_alignment_mode": mode,
        }
        try:
            plan = planned(config)
        except UserError as error:
            assert mode == "snap" and "no whole cube" in str(error)
            return
        build_pyramid(plan)
        for level in plan.levels[:4]:
            first = np.floor_divide(plan.begin, level.factor)
            part = tuple(slice(a, a + n) for a, n in zip(first, level.shape, strict=True))
            expected = voted(labels, level.factor)[part]
            store = open_part(LevelPart(level.path, level.name, level.origin, level.shape))
            np.testing.assert_array_equal(store.read().result(), expected)
            centre = np.array(corner) + (first + 0.5) * level.voxel_size
            np.testing.assert_allclose(level.translation, centre, atol=1e-6)
            if level.is_built:
                (on_disk,) = read_source(level.path)
                np.testing.assert_allclose(on_disk.translation, centre, atol=1e-6)
        factor = np.array(plan.levels[-1].factor)
        if config["roi"] is not None:
            low = np.clip((np.array(begin) - corner) / voxel_nm, 0, shape)
            high = np.clip((np.array(end) - corner) / voxel_nm, 0, shape)
            outward = np.array([low - plan.begin, plan.end - high])
            outward = outward if mode == "halo" else -outward
            assert (outward > -1e-4).all() and (outward < factor + 1e-4).all()


@pytest.mark.parametrize(
    ("mode", "begin", "end"),
    [("halo", (0, 0, 0), (32, 24, 37)), ("snap", (8, 8, 8), (24, 16, 37))],
)
def test_a_roi_that_begins_at_voxel_3(tmp_path, mode, begin, end):
    """`halo` moves the roi outward to multiples of the factor, `snap` inward."""
    volume = Placed(LABELS, (8, 8, 8), (1000, 2000, 3000), (16, 16, 16))
    roi = [(1000 + 3 * 8, 2000 + 3 * 8, 3000 + 3 * 8), (1000 + 29 * 8, 2000 + 19 * 8, 3000 + 999)]
    config = {
        "input_path": write_zarr(tmp_path / "seg", [volume]),
        "output_directory": str(tmp_path / "out"),
        "num_lods": 4,
        "roi": [list(edge) for edge in roi],
        "pyramid_alignment_mode": mode,
    }
    plan = planned(config)
    assert (plan.begin, plan.end) == (begin, end)
    build_pyramid(plan)
    for k, level in enumerate(plan.levels[1:], 1):
        part = tuple(slice(b >> k, -(-e >> k)) for b, e in zip(begin, end, strict=True))
        np.testing.assert_array_equal(
            level_labels(plan, k), voted(volume.labels, level.factor)[part]
        )


# -- meshes -----------------------------------------------------------------------------------

BODIES = voronoi((70, 83, 76), 12, 4, (20, 8, 8))
VOXEL_NM = np.array([20.96, 5.24, 5.24])
CORNER_NM = np.array([-1000.5, 2000, 33.3])
# In voxels. Most faces lie on no voxel edge, and the last one lies outside the volume.
ROI = (np.array([9.3, 0, 12.6]), np.array([57.7, 60.1, 80]))


def run(folder, **config):
    """The plan and the finished meshes of the part of BODIES inside ROI."""
    volume = Placed(BODIES, tuple(VOXEL_NM), tuple(CORNER_NM), (32, 32, 32))
    config = {
        "input_path": write_zarr(folder / "seg", [volume]),
        "output_directory": str(folder / "out"),
        "num_lods": 3,
        "cell_size": 32,
        "target_reduction": 0.5,
        "roi": [(CORNER_NM + edge * VOXEL_NM).tolist() for edge in ROI],
        **config,
    }
    plan = planned(config)
    build_pyramid(plan)
    return plan, list(read_meshes(mesh(plan)))


def test_closed_objects_lie_where_their_voxels_are(tmp_path):
    plan, meshes = run(tmp_path)
    assert plan.levels[-1].factor == (1, 4, 4)
    assert (plan.begin, plan.end) == ((9, 0, 12), (58, 64, 76))
    part = BODIES[9:58, 0:64, 12:76]
    assert [m.label for m in meshes] == np.unique(part)[1:].tolist()
    ratios, off = [[], [], []], [[], [], []]
    for found in meshes:
        assert not any(problems(found).values())
        where = np.argwhere(part == found.label)
        centre = CORNER_NM + (where.mean(axis=0) + plan.begin + 0.5) * VOXEL_NM
        for lod in range(found.num_lods):
            vertices, faces = welded(found, lod)
            assert not len(edges_of(faces).open)
            points = to_nm(found, lod, vertices)
            if len(where) > 3000:
                volume, centroid = volume_and_centroid(points, faces)
                ratios[lod].append(volume / len(where) / VOXEL_NM.prod())
                off[lod].append((centroid[::-1] - centre) / VOXEL_NM)
            # nothing sticks out of the meshed part further than smoothing moves it
            slack = 0.3 * np.array(plan.levels[lod].voxel_size)
            assert (points.min(axis=0)[::-1] > CORNER_NM + plan.begin * VOXEL_NM - slack).all()
            assert (points.max(axis=0)[::-1] < CORNER_NM + plan.end * VOXEL_NM + slack).all()
    for lod, (least, most) in enumerate([(0.98, 0.05), (0.95, 0.25), (0.9, 0.5)]):
        assert len(ratios[lod]) > 5
        assert least < np.median(ratios[lod]) < 2 - least
        assert np.all(np.abs(np.median(off[lod], axis=0)) < most), np.median(off[lod], axis=0)
