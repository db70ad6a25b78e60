"""What is accounted for, what is a failure, and what the table says of it."""

import json
from dataclasses import asdict

import numpy as np
import pyarrow.parquet as pq
import pytest
import trimesh

from snakemesh.verify.bodies import Body, wrong_body
from snakemesh.verify.broken import LOD_PIECES
from snakemesh.verify.failures import MOST_NAMED, Failures
from snakemesh.verify.labels import by_reason, reasons
from snakemesh.verify.levels import SUMS
from snakemesh.verify.shard import LOD_SUMS, ROW
from snakemesh.verify.table import Verdict, check_manifolds, lines, write_table
from snakemesh.verify.voxels import COUNT


def counts(sizes):
    found = np.zeros(len(sizes), COUNT)
    found["label"], found["voxels"] = list(sizes), list(sizes.values())
    return found


@pytest.mark.parametrize(
    ("targets", "excluded", "expected"),
    [
        (None, None, {"min_voxels": 1}),
        ([3, 4, 99], None, {"target_ids": 2}),
        (None, [1, 2, 99], {"exclude_ids": 2}),
        # a label in both is not meshed, and a small one that is not wanted counts once
        ([2, 3], [3], {"target_ids": 2, "exclude_ids": 1}),
    ],
)
def test_what_is_left_out_is_accounted_for(targets, excluded, expected):
    lists = [None if found is None else np.array(found, np.uint64) for found in (targets, excluded)]
    found = reasons(counts({1: 4, 2: 10, 3: 11, 4: 12}), lists, min_voxels=5)
    assert {key: n for key, n in by_reason(found).items() if n} == expected


def wrong(voxels, change=1.0, shift=(0, 0, 0), max_error=0.75):
    """What is wrong with a ball of so many voxels that is scaled, and moved by voxels."""
    voxel = np.array([8.0, 8.0, 20.0])
    ball = trimesh.creation.icosphere(3)
    ball.vertices *= (voxels * change / ball.volume) ** (1 / 3)
    points, centre = (ball.vertices + shift) * voxel + 1000, np.full(3, 1000.0)
    volume = voxels * change * voxel.prod()
    centroid = centre + np.array(shift) * voxel
    body = Body(voxels, centre, voxel)
    return list(wrong_body(body, points, ball.faces, volume, centroid, max_error))


def test_bodies_that_fit_their_voxels():
    for voxels in (1, 30, 500, 5000, 1e6):
        assert wrong(voxels) == []
        assert wrong(voxels, 1.01) == []
        assert wrong(voxels, shift=(0.4, -0.4, 0.4)) == []
    assert wrong(30, 1.4) == []


def test_bodies_that_do_not():
    assert wrong(30, 2.0) == ["encloses 200.0% of the volume of its voxels at LOD 0"]
    assert wrong(30, 2.0, max_error=3) == []
    assert wrong(5000, 1.06) == ["encloses 106.0% of the volume of its voxels at LOD 0"]
    assert wrong(5000, 0.94) == ["encloses 94.0% of the volume of its voxels at LOD 0"]
    assert wrong(5000, shift=(0, 0, 2)) == ["lies 2.00 voxels beside its voxels at LOD 0"]
    assert wrong(30, shift=(3, 0, 0)) == ["lies 3.00 voxels beside its voxels at LOD 0"]


def test_turned_inside_out():
    ball = trimesh.creation.icosphere(1)
    body = Body(ball.volume, np.zeros(3), np.ones(3))
    faces = ball.faces[:, ::-1]
    found = wrong_body(body, ball.vertices, faces, -ball.volume, np.zeros(3), 0.75)
    assert len(list(found)) == 1


@pytest.mark.parametrize(("labels", "crowded", "fails"), [(40, 3, 0), (40, 4, 1), (2500, 25, 0)])
def test_a_few_labels_may_touch_themselves(labels, crowded, fails):
    lods = np.zeros(2, LOD_SUMS)
    lods["labels"][1], lods["crowded"][1] = labels, crowded
    failures = Failures()
    check_manifolds(lods, failures)
    assert failures.count == ({"manifold": 1} if fails else {})


def verdict_of(rows, pieces=None, voxel_pieces=None, failures=None):
    """A verdict with 2 LODs. pieces: (rows, 2) of (pieces, part outside the largest)."""
    by_lod = np.zeros((len(rows), 2), LOD_PIECES)
    if pieces is not None:
        by_lod[:] = np.array(pieces, LOD_PIECES)
    in_voxels = np.zeros(len(rows), np.uint64) if voxel_pieces is None else voxel_pieces
    lods = np.zeros(2, LOD_SUMS)
    return Verdict(
        5, {"min_voxels": 2}, rows, by_lod, np.array(in_voxels), lods, failures or Failures()
    )


def test_broken_labels_are_reported_and_fail_nothing(tmp_path):
    """One whole and broken at LOD 1, one whole, one in pieces in s0 too, one that was not read."""
    rows = np.zeros(4, ROW)
    rows["label"], rows["checked"], rows["voxels"] = [1, 2, 3, 4], [1, 1, 1, 0], [300, 100, 50, 9]
    pieces = [[(1, 0), (3, 0.2)], [(1, 0), (0, 0)], [(2, 0.5), (5, 0.9)], [(0, 0), (0, 0)]]
    verdict = verdict_of(rows, pieces, np.array([1, 1, 2, 1], np.uint64))
    assert verdict.is_sound
    text = [line for line in lines(verdict, np.empty(0, SUMS)) if line.startswith("  LOD ")][1:]
    what = "labels that are one piece in s0 lie in several"
    assert text == [
        f"  LOD 0: 0 of 2 {what}, 0.00% of the volume is outside the largest pieces",
        f"  LOD 1: 1 of 1 {what}, 20.00% of the volume is outside the largest pieces",
    ]
    write_table(tmp_path / "verify.parquet", verdict, {})
    table = pq.read_table(tmp_path / "verify.parquet")
    assert table["voxel_pieces"].to_pylist() == [1, 1, 2, 1]
    assert table["pieces_lod0"].to_pylist() == [1, 1, 2, None]
    assert table["pieces_lod1"].to_pylist() == [3, None, 5, None]
    assert json.loads(table.schema.metadata[b"broken"]) == [
        {"whole": 2, "broken": 0, "outside": 0},
        {"whole": 1, "broken": 1, "outside": pytest.approx(0.2)},
    ]


def test_the_first_failures_are_named_and_the_rest_counted(tmp_path):
    parts = [Failures(), Failures()]
    for number in range(2 * MOST_NAMED):
        parts[number % 2].add("closed", f"case {number}")
    whole = Failures()
    for part in parts:
        whole.merge(asdict(part))
    rows = np.zeros(3, ROW)
    rows["label"] = 1, 2, 3
    rows["checked"] = True, True, False
    rows["open_edges"][1] = 4
    rows["volume_error"] = 0.01, np.nan, 0
    verdict = verdict_of(rows, failures=whole)
    sums = np.array([(2, 1000, 3)], SUMS)
    text = list(lines(verdict, sums))
    assert (
        "  level s2 of the input: 3 of 1,000 voxels have a label that s0 does not have there"
        in text
    )
    assert not verdict.is_sound
    assert text[0] == "verify: 5 labels in the volume, 2 left out by min_voxels"
    assert text[1].split() == [
        "3",
        "labels",
        "have",
        "a",
        "mesh,",
        "2",
        "of",
        "these",
        "meshes",
        "were",
        "read",
    ]
    at = next(i for i, line in enumerate(text) if "FAIL" in line)
    assert text[at].split(maxsplit=2) == ["FAIL", "20", "welded surfaces are closed"]
    assert [line.split()[0] for line in text[at + 1 : at + 11]] == ["case"] * MOST_NAMED
    assert text[at + 11].split() == ["and", "10", "more"]
    write_table(tmp_path / "verify.parquet", verdict, {"failures": "20"})
    table = pq.read_table(tmp_path / "verify.parquet")
    assert table["watertight"].to_pylist() == [True, False, None]
    assert table["volume_error"].to_pylist() == [0.01, None, None]
    assert table.schema.metadata[b"failures"] == b"20"
