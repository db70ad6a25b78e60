import subprocess
import sys

import numpy as np
import pytest
import trimesh

import list_container
from box_meshes import box_fragments
from snakemesh.job_records import OctreeGrid, Sharding
from snakemesh.multires.container import write_container
from snakemesh.multires.container_table import Origin

GRID = OctreeGrid((0.0, 0.0, 0.0), (100.0, 100.0, 100.0), (1.0,))
SHARDING = Sharding(2, 0)
BOXES = {7: ((100, 200, 300), (1100, 2200, 3300)), 8: ((65535 + 5, 5, 5), (65535 + 15, 25, 35))}


@pytest.fixture
def container(tmp_path):
    records, blobs = [], []
    for label, box in BOXES.items():
        found, draco = box_fragments(label, *box, 0, GRID)
        records.append(found)
        blobs += draco
    path = tmp_path / "0_0_0.ab.fragments"
    write_container(path, 0, np.concatenate(records), blobs, SHARDING, Origin(bytes(16), bytes(16)))
    return path


def test_every_fragment_is_listed(container, capsys):
    list_container.main([str(container)])
    lines = capsys.readouterr().out.splitlines()
    assert sorted(line.split()[:3] for line in lines[1:]) == [
        ["7", "0_0_0", "12"],
        ["8", "1_0_0", "12"],
    ]
    list_container.main([str(container), "--label", "8"])
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_fragment_as_ply(container, tmp_path):
    ply = tmp_path / "box.ply"
    list_container.main([str(container), "--label", "7", "--cell", "0_0_0", "--ply", str(ply)])
    mesh = trimesh.load(ply)
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(1000 * 2000 * 3000)
    assert mesh.bounds.tolist() == [list(edge) for edge in BOXES[7]]


def test_mistakes_are_one_line(container, tmp_path):
    def said(*arguments):
        line = [sys.executable, list_container.__file__, *map(str, arguments)]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        assert done.returncode != 0 and "Traceback" not in done.stderr
        return done.stderr.splitlines()[-1]

    assert "takes one fragment, found 2" in said(container, "--ply", tmp_path / "x.ply")
    assert "is gone" in said(tmp_path / "nowhere")
    container.write_bytes(container.read_bytes()[:-1] + b"!")
    assert "has damaged fragments" in said(container)
