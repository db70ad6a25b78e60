"""LODs that are made of the fragments of the LOD below: whole, closed, the same in any blocks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import in_process
from formats import Placed, write_zarr
from snakemesh.boxes import box_name
from snakemesh.config.configuration import read_settings
from snakemesh.errors import DamagedError
from snakemesh.fragments.container import read_section
from snakemesh.fragments.octree import OCTANT_PLANE
from snakemesh.mesh.block import make_block
from snakemesh.mesh.simplified import SHARED_CURVE_ERROR
from snakemesh.plan.finer import finer_blocks
from snakemesh.plan.jobs import mesh_block_job
from snakemesh.plan.plan import make_plan
from snakemesh.survey.inputs import source_levels
from snakemesh.verify.checks import edges_of, problems, welded
from snakemesh.verify.pieces import piece_volumes
from snakemesh.verify.reader import STEPS, read_meshes
from surfaces import voronoi


def noise(shape, labels, grain, seed):
    """Cubes of `grain` voxels, each of a random label; 0 is one of them."""
    cubes = [-(-n // grain) for n in shape]
    found = np.random.default_rng(seed).integers(0, labels, cubes).astype(np.uint16)
    for axis in range(3):
        found = found.repeat(grain, axis=axis)
    return np.ascontiguousarray(found[tuple(map(slice, shape))])


def tube(shape):
    """A bent tube two voxels thick, through many cells."""
    z, y, x = np.indices(shape)
    middle_z, middle_y = shape[0] / 2 + 9 * np.sin(x / 11), shape[1] / 2 + 13 * np.cos(x / 17)
    return ((z - middle_z) ** 2 + (y - middle_y) ** 2 <= 2).astype(np.uint8)


VOLUMES = {
    "noise of two labels": (noise((70, 96, 49), 2, 1, 0), {}),
    "noise of three labels": (noise((96, 64, 64), 3, 1, 1), {}),
    "noise with flat faces in planes": (noise((96, 64, 64), 3, 1, 2), {"max_error": 0.75}),
    "coarse noise": (noise((64, 96, 64), 4, 2, 2), {}),
    "ends in a plane between octants": (voronoi((96, 64, 32), 12, 5), {}),
    "ends inside a voxel": (voronoi((67, 59, 45), 12, 6), {}),
    "roi": (voronoi((96, 80, 70), 15, 7), {"roi": [[80, 80, 80], [640, 560, 480]]}),
    "flat voxels": (voronoi((40, 70, 64), 12, 8), {"multires_strategy": "decimate"}),
    "tube": (tube((60, 90, 130)), {}),
}


def ours(folder, name, **changes):
    labels, keys = VOLUMES[name]
    voxel = (40.0, 8.0, 8.0) if name == "flat voxels" else (8.0, 8.0, 8.0)
    source = write_zarr(folder / "seg", [Placed(labels, voxel, (0.0,) * 3, (32,) * 3)])
    paths = {"input_path": source, "output_directory": str(folder / "out")}
    return paths | {"cell_size": 32, "num_lods": 3} | keys | changes


@pytest.mark.parametrize("name", VOLUMES)
def test_every_lod_is_closed_and_every_edge_has_two_faces(tmp_path, name):
    plan = in_process.planned(ours(tmp_path, name))
    assert all(plan.is_of_fragments(lod) for lod in range(1, 3))
    multires = in_process.mesh(plan)
    n_meshes = 0
    for mesh in read_meshes(multires):
        assert not any(problems(mesh).values())
        for lod in range(mesh.num_lods):
            _, faces = welded(mesh, lod)
            edges = edges_of(faces)
            assert not len(edges.open)
            # two parts of a body may meet along an edge, at a line in which planes meet
            assert edges.crowded <= (2 if name.endswith(("labels", "coarse noise")) else 0)
            n_meshes += 1
    assert n_meshes >= 2


def test_a_tube_is_one_piece_at_every_lod(tmp_path):
    multires = in_process.mesh(in_process.planned(ours(tmp_path, "tube")))
    (mesh,) = read_meshes(multires)
    pieces = []
    for lod in range(mesh.num_lods):
        points, faces = welded(mesh, lod)
        pieces.append(len(piece_volumes(points.astype(float), faces, edges_of(faces))))
    assert pieces == [1] * mesh.num_lods and mesh.num_lods == 3


@pytest.mark.parametrize("name", ["coarse noise", "ends inside a voxel", "roi"])
def test_blocks_of_any_size_hold_the_same_fragments(tmp_path, name):
    """Of the same LOD 0: how the volume of a body is restored there depends on the tile."""
    config = ours(tmp_path, name)
    cells, settings = in_process.planned(config), read_settings(config)
    whole = make_plan(settings, source_levels(settings))
    in_process.mesh(cells)
    work = Path(config["output_directory"]) / "work"
    of_cells = {path.name: fragments(path) for path in work.glob("lod[12]_*")}
    assert whole.blocks(1) == whole.blocks(2) == (1, 1, 1) != cells.blocks(1)
    for path in work.glob("lod[12]_*"):
        path.unlink()
    finest = [str(path) for path in work.glob("lod0_*")]
    below = finest
    for lod in (1, 2):
        job = in_process.mesh_block_job(
            whole, lod, (0, 0, 0), lists=in_process.listed(whole), containers=below
        )
        in_process.make_block(job, work / f"lod{lod}_0_0_0")
        below = [str(work / f"lod{lod}_0_0_0")]
        together = fragments(work / f"lod{lod}_0_0_0")
        parts = [found for name, found in of_cells.items() if name.startswith(f"lod{lod}")]
        assert together == {key: value for found in parts for key, value in found.items()}
        assert sum(map(len, parts)) == len(together) > 0


def fragments(path):
    """By label and cell what a record says of a fragment, and its bytes."""
    section, data = read_section(path, 0), Path(path).read_bytes()
    found = {}
    for record in section.records:
        begin = section.payload_begin + int(record["offset"])
        key = int(record["label"]), *record["cell"].tolist()
        facts = (record["faces"], record["octants"], record["volume"], record["area"])
        found[key] = (*map(float, facts), data[begin : begin + int(record["size"])])
    return found


def test_fragments_are_checked_and_not_worked_on_twice(tmp_path):
    plan = in_process.planned(ours(tmp_path, "coarse noise"))
    in_process.mesh(plan)
    work = tmp_path / "out" / "work"
    finer = [str(work / f"lod0_{box_name(i)}") for i in finer_blocks(plan, 1, (0, 0, 0))]
    assert len(finer) == 8
    lists = in_process.listed(plan)
    job = mesh_block_job(plan, 1, (0, 0, 0), lists=lists, containers=finer)
    earlier, container = (tmp_path / f"0_0_0.{name}.fragments" for name in ("one", "two"))
    assert make_block(job, earlier).faces > 0
    assert make_block(job, container) is None
    assert container.read_bytes() == earlier.read_bytes() == (work / "lod1_0_0_0").read_bytes()
    other = replace(job, keep=0.9)
    assert make_block(other, tmp_path / "0_0_0.three.fragments").faces > 0
    damaged = Path(finer[3])
    damaged.write_bytes(damaged.read_bytes()[:-9] + bytes(9))
    with pytest.raises(DamagedError, match=f"{damaged.name} has damaged fragments"):
        make_block(job, container)
    damaged.unlink()
    with pytest.raises(DamagedError, match=f"{damaged.name} is gone"):
        make_block(job, container)


@pytest.mark.parametrize("name", ["ends inside a voxel", "tube"])
def test_where_lods_meet_they_end_in_the_same_curves(tmp_path, name):
    """The viewer draws an octant of an LOD beside cells of the LOD below: a crack is a difference
    between the curves in which they end.
    """
    plan = in_process.planned(ours(tmp_path, name))
    n_curves = 0
    for mesh in read_meshes(in_process.mesh(plan)):
        for lod in range(1, mesh.num_lods):
            finer = {tuple(found.cell): found for found in mesh.fragments[lod - 1]}
            for fragment in mesh.fragments[lod]:
                for octant in np.ndindex(2, 2, 2):
                    curves = border(fragment.positions, of_octant(fragment, octant))
                    cell = finer.get(tuple(2 * fragment.cell + octant))
                    if cell is None:
                        assert len(curves) == 0
                        continue
                    there = np.array(octant) * STEPS / 2 + cell.positions / 2
                    of_cell = border(there, cell.faces)
                    # halved positions are rounded, and a plane between octants is at half a step
                    voxel = STEPS / np.array(plan.cell_voxels[lod])[::-1]
                    kept, all_of_it = curves / voxel, of_cell / voxel
                    rounding = 2 / voxel.min()
                    for vertex in kept.reshape(-1, 3):
                        assert np.linalg.norm(all_of_it - vertex, axis=-1).min() <= rounding
                    for vertex in all_of_it.reshape(-1, 3):
                        assert distance(vertex, kept) <= SHARED_CURVE_ERROR + rounding
                    n_curves += len(curves) > 0
    assert n_curves > 10


def of_octant(fragment, octant):
    """The faces of a fragment that the viewer draws for an octant, (m, 3)."""
    corners = fragment.positions[fragment.faces]
    return fragment.faces[((corners > OCTANT_PLANE).any(axis=1) == octant).all(axis=1)]


def border(positions, faces):
    """The ends of the edges along which faces end, (n, 2, 3)."""
    places, rows = np.unique(positions, axis=0, return_inverse=True)
    corners = rows.ravel()[faces]
    ends = np.concatenate([corners[:, [i, (i + 1) % 3]] for i in range(3)])
    edges, row = np.unique(np.sort(ends, axis=1), axis=0, return_inverse=True)
    sums = np.bincount(row.ravel(), weights=np.where(ends[:, 0] < ends[:, 1], 1, -1))
    return places[edges[sums != 0]]


def distance(point, edges):
    """How far a point is from the nearest of some edges (n, 2, 3)."""
    begin, along = edges[:, 0], edges[:, 1] - edges[:, 0]
    at = ((point - begin) * along).sum(axis=1) / (along**2).sum(axis=1)
    return np.linalg.norm(begin + along * at.clip(0, 1)[:, None] - point, axis=1).min()
