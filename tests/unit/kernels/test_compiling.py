"""A job finds nothing left to compile, whatever the type of its labels."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from snakemesh.kernels import compile_first, kernel_files

SOURCE = Path(kernel_files.__file__).parents[2]
# What a run does before its first job. What it finds in the usual folders or compiles is kept in
# another folder too, which then holds nothing else.
STAGES = """
import sys
from pathlib import Path

from snakemesh.compiling.compile import compile_parts
from snakemesh.compiling.stages import STAGES
from snakemesh.kernels import kernel_files

usual = kernel_files.folders()
kernel_files.folders = lambda: [Path(sys.argv[1]), *usual]
compile_parts(list(STAGES), 2)
"""
# What jobs call: tiles with and without seams, bodies that collapse, every type of labels.
PROGRAM = """
import sys
import tempfile
from pathlib import Path

import numpy as np
from numba.core import event

compiled = []

class Listener(event.Listener):
    def on_start(self, event):
        compiled.append(event.data["dispatcher"].py_func.__qualname__)

    def on_end(self, event):
        pass

event.register("numba:compile", Listener())

from snakemesh.kernels import kernel_files

kernel_files.folders = lambda: [Path(sys.argv[1])]

from snakemesh.tables import mapping
from snakemesh.job_records import FinerBlocks, LabelMap, LevelPart, MeshBlockJob, Sharding
from snakemesh.label_list import NO_LISTS
from snakemesh.measure.thickness import thickness_of
from snakemesh.mesh.block import make_block
from snakemesh.mesh.compact_labels import compact_labels
from snakemesh.mesh.tile import Tile, mesh_tile
from snakemesh.mesh.contacts import contacts_of
from snakemesh.mesh.wanted import Lists, count_voxels
from snakemesh.fragments.container import write_container
from snakemesh.fragments.container_table import Origin
from snakemesh.pyramid.downsample import METHODS, downsample
from snakemesh.verify.components import components

labels = np.zeros((24, 24, 24))
ENDS = ((0, 24),) * 3
labels[2:20, 2:22, 2:12], labels[2:20, 2:22, 12:22], labels[3, 3, 22] = 1, 2, 3
for kind in ("u1", "u2", "u4", "u8", ">u2", ">u4"):
    voxels = labels.astype(kind)
    components(voxels, 2)
    components(voxels, 3)
    every = Lists(None, None)
    count_voxels(compact_labels(voxels), (0, 0, 0), (24, 24, 24), every, (0, 0, 0), (32, 32, 32))
    for lod in range(2):
        for seams in (((None, None),) * 3, ((0, 24),) * 3, ((0, None), (None, 24), (0, 24))):
            tile = Tile(lod, (0, 0, 0), (2, 2, 2), (12, 12, 12), (100.0, 100.0, 300.0), seams, ENDS)
            for voxels_of_tile in (voxels, np.pad(voxels, 4)[2:, 2:, 2:]):
                numbered = compact_labels(voxels_of_tile)
                place = (0, 0, 0), (0, 0, 0), (20, 24, 24), (24, 24, 24)
                contacts = contacts_of(numbered, *place, (1.0, 1.0, 3.0), False)
                records, _, _ = mesh_tile(numbered, (0, 0, 0), tile, 20, 0.3, 0.5, contacts)
                assert len(records) and len(contacts.rows())
for begin, shape in (((0, 0, 0), (24, 24, 24)), ((2, 3, 4), (20, 12, 9))):
    assert len(thickness_of(compact_labels(labels.astype("u8")), begin, shape, (40, 8, 8)))
path = tempfile.mkdtemp() + "/0.fragments"
tile = Tile(0, (0, 0, 0), (2, 2, 2), (12, 12, 12), (100.0, 100.0, 300.0), ((None, None),) * 3, ENDS)
records, blobs, _ = mesh_tile(compact_labels(labels.astype("u8")), (0, 0, 0), tile, 5, 0.3, 0.5)
write_container(path, 0, records, blobs, Sharding(0, 0), Origin(b"0" * 16, b"0" * 16))
one = (1, 1, 1)
part = LevelPart("", None, (0, 0, 0), (12, 12, 12))
finer = FinerBlocks((path,), (24, 24, 24), (12, 12, 12), (2, 2, 2))
job = MeshBlockJob(
    *(1, part, (0, 0, 0), one, one, one, (12, 12, 12), (200.0, 200.0, 600.0), (12.0,) * 3),
    *(0, 0.3, 0.5, NO_LISTS, Sharding(0, 0)),
    finer=finer,
)
assert make_block(job, Path(path[:-11] + "1.fragments")).faces
for kind in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", ">u4"):
    for method in METHODS:
        for steps in ([(2, 2, 2)], [(1, 2, 2), (2, 2, 2)]):
            downsample(labels.astype(kind), steps, method)
mapping.open_sorted = lambda *_: type(
    "Sorted", (), {"bodies_of": lambda self, names, keep: names + np.uint64(1)}
)()
for kind in ("u1", "u2", "u4", "u8"):
    mapper = mapping.Mapper(LabelMap("", "", True, kind, "", 0))
    assert (mapper(labels.astype(kind))[labels > 0] > 1).all()
print(*compiled)
"""


def test_jobs_compile_nothing(tmp_path):
    """Jobs find only what the stages compile, whatever earlier tests and runs have kept."""

    def printed(program):
        return subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)],
            env=os.environ | {"PYTHONPATH": str(SOURCE)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout.split()

    printed(STAGES)
    assert printed(PROGRAM) == []


@pytest.mark.parametrize(
    ("rules", "has_label_map", "parts"),
    [
        (["mesh_block", "mesh_blocks_done", "shard"], False, ["mesh"]),
        (["example", "pyramid_super_chunk"], False, ["pyramid"]),
        (["mesh_block"], True, ["mesh", "bodies"]),
        (["verify_voxels", "verify_shard"], False, ["verify"]),
        (["measure_block", "measure_labels"], True, ["measure", "bodies"]),
        (["shard", "multires_index", "label_map"], True, []),
    ],
)
def test_a_run_compiles_what_its_jobs_need(tmp_path, monkeypatch, rules, has_label_map, parts):
    monkeypatch.setattr(kernel_files, "_PACKAGE", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert compile_first.parts_to_compile(rules, has_label_map) == parts
    for part in parts:
        kernel_files.set_ready(part)
    assert compile_first.parts_to_compile(rules, has_label_map) == []


def test_nothing_is_compiled_that_cannot_be_kept(monkeypatch):
    monkeypatch.setattr(kernel_files, "folders", lambda: [])
    assert compile_first.parts_to_compile(["mesh_block"], False) == []


def test_a_failure_is_told_and_ends_nothing():
    told = []
    compile_first.compile_first(["no such part"], 1, told.append)
    assert len(told) == 1
    assert told[0].endswith("KeyError: 'no such part'")
