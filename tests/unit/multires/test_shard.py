import itertools
import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from unittest import mock

import mmh3
import numpy as np
import pytest
import tensorstore as ts
from cloudvolume import CloudVolume
from cloudvolume.datasource.precomputed.mesh.multilod import MultiLevelPrecomputedMeshManifest
from cloudvolume.datasource.precomputed.sharding import ShardingSpecification
from hypothesis import given, settings
from hypothesis import strategies as st

from box_meshes import STEPS, box_fragments, box_triangles
from small_blocks import small_lods
from snakemesh.errors import UserError
from snakemesh.fragments import octree
from snakemesh.fragments.container import COUNT, FRAGMENT, write_container
from snakemesh.fragments.container_table import Origin
from snakemesh.fragments.octree import Nodes, morton
from snakemesh.fragments.sharding import minishard_of, shard_of
from snakemesh.job_records import OctreeGrid, Sharding
from snakemesh.multires import shard_layout
from snakemesh.multires.counts import centroids, counts_and_contacts, totals_of
from snakemesh.multires.documents import multires_info, sharding_info, write_json
from snakemesh.multires.manifests import encode_manifests
from snakemesh.multires.shard import write_shard, write_unsharded
from snakemesh.murmurhash import murmurhash3_x86_128
from snakemesh.output.folder import shard_name
from snakemesh.plan.placement import base_of
from snakemesh.verify.checks import problems, to_nm, welded
from snakemesh.verify.reader import parse_manifest, read_meshes

uint64s = st.integers(0, 2**64 - 1)
GRID = OctreeGrid((-1000.0, 250.0, 40.5), (6553.5, 13107.0, 6553.5), (1, 2, 4, 8))
SHARDING = Sharding(shard_bits=2, minishard_bits=2)
ORIGIN = Origin(bytes(16), bytes(16))
# The box of each label: its lower and upper corner, x y z, in steps of the LOD-0 lattice. All are
# multiples of 8, so that they are whole steps at LOD 3 too.
BOXES = {
    7: ((80, 80, 80), (40_000, 20_000, 30_000)),
    8: ((60_000, 100_000, 8), (280_000, 120_000, 200_000)),
    2**64 - 1: ((200_000, 200_000, 200_000), (200_800, 200_400, 200_160)),
    123_456_789_012: ((8, 8, 8), (520_000, 520_000, 24)),
    5: ((300_000, 80, 80), (340_000, 300_000, 140_000)),
    9: ((136_000, 72_000, 140_000), (176_000, 112_000, 192_000)),  # in one cell, at each LOD
}


# -- hashing ----------------------------------------------------------------------------------


@given(st.lists(uint64s, max_size=20))
def test_hash_against_mmh3(keys):
    expected = [
        mmh3.hash64(key.to_bytes(8, "little"), x64arch=False, signed=False)[0] for key in keys
    ]
    assert murmurhash3_x86_128(np.array(keys, np.uint64)).tolist() == expected


@given(uint64s, st.integers(0, 14), st.integers(0, 10), st.integers(0, 20))
def test_places_against_cloudvolume(label, shard_bits, minishard_bits, preshift_bits):
    sharding = Sharding(shard_bits, minishard_bits, preshift_bits)
    place = ShardingSpecification.from_dict(sharding_info(sharding)).compute_shard_location(label)
    (shard,) = shard_of(np.array([label], np.uint64), sharding).tolist()
    assert shard_name(shard, sharding) == place.shard_number
    assert minishard_of(np.array([label], np.uint64), sharding).tolist() == [place.minishard_number]


def test_shard_names():
    assert shard_name(0, Sharding(0, 3)) == "0"
    assert shard_name(10, Sharding(4, 3)) == "a"
    assert shard_name(10, Sharding(5, 3)) == "0a"


@pytest.mark.parametrize("bits", [(-1, 0), (0, -1), (0, 0, -1), (30, 3), (0, 0, 64)])
def test_impossible_sharding(bits):
    with pytest.raises(ValueError, match="bits"):
        Sharding(*bits)


# -- manifests --------------------------------------------------------------------------------


def test_manifests_as_cloudvolume_reads_them():
    nodes = [
        [[((1, 0, 0), 10), ((0, 1, 0), 0), ((9, 7, 5), 12)], [((0, 0, 0), 5), ((4, 3, 2), 0)]],
        [[((2, 2, 2), 1)], [], []],
    ]
    flat = [
        (label, lod, *node)
        for label, levels in enumerate(nodes)
        for lod, level in enumerate(levels)
        for node in level
    ]
    shift = np.array([[0, 0, 0], [8, -16, 4.5]])
    label, lod, cells, sizes = (np.array(column) for column in zip(*flat, strict=True))
    scales = np.array([[0.1, 0.4, 0.9, 2], [0.2, 0.5, 1, 3]], np.float32)
    words, begin = encode_manifests(
        GRID, np.array([2, 3]), Nodes(label, lod, morton(cells), label), sizes, shift, scales
    )
    origins = [GRID.origin_nm, (-992.0, 234.0, 45.0)]
    for i, levels in enumerate(nodes):
        binary = words[begin[i] : begin[i + 1]].tobytes()
        manifest = MultiLevelPrecomputedMeshManifest.from_binary(binary, i)
        assert manifest.num_lods == len(levels)
        assert manifest.chunk_shape.tolist() == np.float32(GRID.cell_nm).tolist()
        assert manifest.grid_origin.tolist() == np.float32(origins[i]).tolist()
        assert manifest.lod_scales.tolist() == scales[i, : len(levels)].tolist()
        assert manifest.vertex_offsets.tolist() == [(-shift[i]).tolist()] * len(levels)
        for level, positions, offsets in zip(
            levels, manifest.fragment_positions, manifest.fragment_offsets, strict=True
        ):
            assert positions.tolist() == [list(cell) for cell, _ in level]
            assert offsets.tolist() == [size for _, size in level]


def pieces_of(label, lod):
    """Into how many pieces a box is cut on each axis: half as many with every LOD.

    The tiny box has so few pieces that it keeps LOD 0 only.
    """
    return max(1, {8: 24, 2**64 - 1: 2}.get(label, 12) >> lod)


# -- whole directories ------------------------------------------------------------------------


def write_containers(directory, boxes, lods=4, sharding=SHARDING):
    """Write containers as mesh_block jobs do: two per LOD, one for even and one for odd cells."""
    paths = []
    for lod in range(lods):
        records, blobs = [], []
        for label, (lower, upper) in boxes.items():
            found = box_fragments(label, lower, upper, lod, GRID, pieces_of(label, lod))
            records.append(found[0])
            blobs.extend(found[1])
        records = np.concatenate(records)
        for side in (0, 1):
            mine = np.flatnonzero(records["cell"].sum(axis=1) % 2 == side)
            paths.append(directory / f"lod{lod}_{side}")
            write_container(
                paths[-1], lod, records[mine], [blobs[i] for i in mine], sharding, ORIGIN
            )
    return [str(path) for path in paths]


def write_layer(root, sharding):
    """Write the `info` documents of a segmentation whose meshes are in `multires`.

    Returns CloudVolume's reader of these meshes.
    """
    layer = CloudVolume.create_new_info(
        1, "segmentation", "uint64", "raw", (1, 1, 1), (0, 0, 0), (8, 8, 8)
    )
    write_json(root / "info", layer | {"mesh": "multires"})
    write_json(root / "multires" / "info", multires_info(sharding, 40.0, GRID.base_nm))
    return CloudVolume(f"precomputed://file://{root}", progress=False).mesh


@pytest.fixture(scope="module", autouse=True)
def every_lod():
    """Boxes of some kB have further LODs."""
    with small_lods():
        yield


@pytest.fixture(scope="module")
def containers(tmp_path_factory):
    return write_containers(tmp_path_factory.mktemp("containers"), BOXES)


@pytest.fixture(scope="module")
def sharded(tmp_path_factory, containers):
    root = tmp_path_factory.mktemp("sharded")
    mesh = write_layer(root, SHARDING)
    summaries = [
        write_shard(
            root / "multires" / f"{shard_name(s, SHARDING)}.shard", s, containers, GRID, SHARDING
        ).summary
        for s in range(SHARDING.num_shards)
    ]
    return root / "multires", mesh, np.concatenate(summaries)


@pytest.fixture(scope="module")
def unsharded(tmp_path_factory, containers):
    root = tmp_path_factory.mktemp("unsharded")
    mesh = write_layer(root, None)
    summaries = [
        write_unsharded(root / "multires", s, containers, GRID, SHARDING).summary
        for s in range(SHARDING.num_shards)
    ]
    return root / "multires", mesh, np.concatenate(summaries)


def corners_nm(triangles):
    return triangles * (np.array(GRID.cell_nm) / STEPS) + GRID.origin_nm


def triangle_set(corners):
    """The sorted triangles, in whole steps of the LOD-0 lattice. Each starts at its least corner.

    All corners of the boxes are whole steps. The reader's 32-bit floats are wrong by less than a
    fifth of a step, so that rounding gives the exact corners.
    """
    steps = (corners - GRID.origin_nm) * (STEPS / np.array(GRID.cell_nm))
    turned = np.stack([np.roll(np.rint(steps).astype(int), r, axis=1) for r in range(3)])
    return sorted(map(min, zip(*turned.reshape(3, -1, 9).tolist(), strict=True)))


def read_mesh(mesh, label, lod):
    found = mesh.get(label, lod=lod)[label]
    return found.vertices.astype(float)[found.faces]


@pytest.mark.parametrize("kind", ["sharded", "unsharded"])
def test_whole_meshes_through_cloudvolume(kind, request):
    _, mesh, summary = request.getfixturevalue(kind)
    assert sorted(summary["label"].tolist()) == sorted(BOXES)
    kept = dict(zip(summary["label"].tolist(), summary["lods"].tolist(), strict=True))
    assert kept == {7: 3, 8: 4, 2**64 - 1: 1, 123_456_789_012: 3, 5: 3, 9: 3}
    assert mesh.get_manifest(9).vertex_offsets.all()
    for label, (lower, upper) in BOXES.items():
        for lod in range(kept[label]):
            expected = corners_nm(box_triangles(lower, upper, lod, pieces_of(label, lod)))
            assert triangle_set(read_mesh(mesh, label, lod)) == triangle_set(expected)
        with pytest.raises(Exception, match="out of range"):
            mesh.get(label, lod=kept[label])


@pytest.mark.parametrize("kind", ["sharded", "unsharded"])
def test_summaries(kind, request):
    summary = request.getfixturevalue(kind)[2]
    for row in summary:
        lower, upper = (corners_nm(np.array(b)) for b in BOXES[int(row["label"])])
        size = upper - lower
        np.testing.assert_allclose(row["lower"], lower, atol=1e-9)
        np.testing.assert_allclose(row["upper"], upper, atol=1e-9)
        np.testing.assert_allclose(row["volume"], size.prod(), rtol=1e-9)
        np.testing.assert_allclose(row["area"], 2 * (size.prod() / size).sum(), rtol=1e-9)
        lower, upper = BOXES[int(row["label"])]
        expected = box_triangles(lower, upper, 0, pieces_of(int(row["label"]), 0))
        assert row["faces"] == len(expected)


def test_sums_by_lod_are_those_of_the_files(tmp_path, containers, sharded):
    found = [
        write_shard(tmp_path / "0.shard", s, containers, GRID, SHARDING).lods
        for s in range(SHARDING.num_shards)
    ]
    expected = np.zeros((GRID.num_lods, 4), int)
    for mesh in read_meshes(sharded[0]):
        for lod, nodes in enumerate(mesh.fragments):
            faces = sum(len(fragment.faces) for fragment in nodes)
            size = int(mesh.manifest.sizes[lod].sum())
            expected[lod] += [1, len(nodes), faces, size]
    # LOD 3 of most boxes has too few faces to be kept: what is not served does not count
    assert expected[:, 0].tolist() == [6, 5, 5, 1]
    assert np.sum([lods.tolist() for lods in found], axis=0).tolist() == expected.tolist()


@pytest.mark.parametrize("least", [0, 700, 2500, 10**6])
def test_a_small_lod_is_the_last(tmp_path, containers, sharded, least):
    """What is left of a label are the first LODs that it has otherwise, byte for byte."""
    with mock.patch.object(octree, "MIN_FINER_BYTES", least):
        for s in range(SHARDING.num_shards):
            path = tmp_path / f"{shard_name(s, SHARDING)}.shard"
            write_shard(path, s, containers, GRID, SHARDING)
    write_json(tmp_path / "info", multires_info(SHARDING, 40.0, GRID.base_nm))
    lods = []
    for mesh, whole in zip(read_meshes(tmp_path), read_meshes(sharded[0]), strict=True):
        sizes = [int(sizes.sum()) for sizes in whole.manifest.sizes]
        kept = next((lod for lod, size in enumerate(sizes, 1) if size < least), len(sizes))
        assert [int(sizes.sum()) for sizes in mesh.manifest.sizes] == sizes[:kept]
        for lod in range(kept):
            for fragment, other in zip(mesh.fragments[lod], whole.fragments[lod], strict=True):
                assert np.array_equal(fragment.faces, other.faces)
        assert not any(problems(mesh).values())
        lods.append(kept)
    assert (len(set(lods)) == 1) == (least == 10**6)


def test_both_kinds_hold_the_same(sharded, unsharded):
    directory, mesh, _ = sharded
    plain, _, _ = unsharded
    assert sorted(p.name for p in plain.iterdir()) == sorted(
        ["info", *(f"{label}{end}" for label in BOXES for end in ("", ".index"))]
    )
    for label in BOXES:
        manifest = mesh.get_manifest(label)
        data, index = ((plain / f"{label}{end}").read_bytes() for end in ("", ".index"))
        shard = (directory / os.path.basename(manifest.path)).read_bytes()
        begin = manifest.shard_offset
        assert shard[begin : begin + len(index)] == index
        assert shard[begin - len(data) : begin] == data
        assert len(data) == sum(int(sizes.sum()) for sizes in manifest.fragment_offsets)


def test_shards_through_tensorstore(sharded, unsharded):
    directory, _, _ = sharded
    plain, _, _ = unsharded
    store = ts.KvStore.open(
        {
            "driver": "neuroglancer_uint64_sharded",
            "base": f"file://{directory}/",
            "metadata": sharding_info(SHARDING),
        }
    ).result()
    assert sorted(store.list().result()) == sorted(label.to_bytes(8, "big") for label in BOXES)
    for label in BOXES:
        data, index = ((plain / f"{label}{end}").read_bytes() for end in ("", ".index"))
        key = label.to_bytes(8, "big")
        assert store[key] == index
        # A key with a length appended asks for that many bytes in front of the value.
        assert store[key + len(data).to_bytes(8, "big")] == data


def test_manifests_are_in_z_order_and_complete(sharded):
    _, mesh, summary = sharded
    for label, lods in summary[["label", "lods"]].tolist():
        manifest = mesh.get_manifest(label)
        levels = [morton(positions).tolist() for positions in manifest.fragment_positions]
        assert len(levels) == lods
        for below, above in itertools.pairwise(levels):
            assert {key >> 3 for key in below} <= set(above)
        for level in levels:
            assert level == sorted(set(level))


def test_a_piece_lost_at_coarse_levels_stays_reachable(tmp_path):
    sharding = Sharding(0, 1)
    mesh = write_layer(tmp_path, sharding)
    for lod in range(3):
        records, blobs = box_fragments(1, *BOXES[7], lod, GRID, pieces=12 >> lod)
        if lod == 0:
            far = box_fragments(1, (400_000, 400_000, 8), (401_600, 401_600, 800), 0, GRID)
            records, blobs = np.concatenate([records, far[0]]), blobs + far[1]
        write_container(tmp_path / str(lod), lod, records, blobs, sharding, ORIGIN)
    paths = [str(tmp_path / str(lod)) for lod in range(3)]
    write_shard(tmp_path / "multires" / "0.shard", 0, paths, GRID, sharding)
    manifest = mesh.get_manifest(1)
    assert [positions.tolist() for positions in manifest.fragment_positions] == [
        [[0, 0, 0], [6, 6, 0]],
        [[0, 0, 0], [3, 3, 0]],
        [[0, 0, 0], [1, 1, 0]],
    ]
    has_bytes = [(sizes > 0).tolist() for sizes in manifest.fragment_offsets]
    assert has_bytes == [[True, True], [True, False], [True, False]]
    assert len(read_mesh(mesh, 1, 0)) == len(box_triangles(*BOXES[7], 0, 12)) + 12


def test_an_empty_shard_is_a_valid_file(tmp_path, containers):
    mesh = write_layer(tmp_path, Sharding(0, 3))
    path = tmp_path / "multires" / "0.shard"
    summary = write_shard(path, 0, [], GRID, Sharding(0, 3)).summary
    assert summary.shape == (0,) and path.read_bytes() == bytes(8 * 16)
    assert mesh.get_manifest(7) is None
    assert write_unsharded(tmp_path, 0, [], GRID, Sharding(0, 3)).summary.shape == (0,)


def test_the_order_of_containers_does_not_matter(tmp_path, containers):
    for name, paths in (("a", containers), ("b", containers[::-1])):
        summary = write_shard(tmp_path / name, 1, paths, GRID, SHARDING).summary
        np.save(tmp_path / f"{name}.npy", summary)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


def test_scales_are_the_errors_of_the_records(tmp_path, sharded):
    """In units of the grid: `scale_nm`."""
    grid = replace(GRID, scale_nm=0.25)
    containers = write_containers(tmp_path, BOXES)
    for s in range(SHARDING.num_shards):
        path = tmp_path / f"{shard_name(s, SHARDING)}.shard"
        write_shard(path, s, containers, grid, SHARDING)
    write_json(tmp_path / "info", multires_info(SHARDING, grid.scale_nm, GRID.base_nm))
    for mesh, other in zip(read_meshes(tmp_path), read_meshes(sharded[0]), strict=True):
        for lod, scale in enumerate(mesh.manifest.scales):
            records = box_fragments(mesh.label, *BOXES[mesh.label], lod, GRID)[0]
            error = np.sqrt(np.average(records["square"], weights=records["area"]))
            assert scale * grid.scale_nm == pytest.approx(error, rel=1e-6)
            assert other.manifest.scales[lod] == pytest.approx(error, rel=1e-6)


def test_a_label_without_base_geometry_has_no_mesh(tmp_path):
    sharding = Sharding(0, 0)
    for lod, label in ((0, 7), (1, 8)):
        found = box_fragments(label, *BOXES[label], lod, GRID)
        write_container(tmp_path / str(lod), lod, *found, sharding, ORIGIN)
    paths = [str(tmp_path / "0"), str(tmp_path / "1")]
    summary = write_shard(tmp_path / "0.shard", 0, paths, GRID, sharding).summary
    assert summary["label"].tolist() == [7]


def test_what_cannot_be_written_leaves_nothing(tmp_path, containers):
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(ValueError, match="two containers hold"):
        write_shard(target / "0.shard", 0, containers + containers[:2], GRID, SHARDING)
    other = write_containers(tmp_path, {7: BOXES[7]}, lods=1, sharding=Sharding(2, 9))
    with pytest.raises(UserError, match="lod0_0.*number of LODs or shards"):
        for shard in range(4):
            write_shard(target / "0.shard", shard, other, GRID, SHARDING)
    grid = OctreeGrid(GRID.origin_nm, GRID.cell_nm, GRID.lod_voxels[:2])
    with pytest.raises(UserError, match="lod2_.*number of LODs or shards"):
        for shard in range(4):
            write_shard(target / "0.shard", shard, containers[4:], grid, SHARDING)
    assert not [p for p in target.iterdir() if p.name != "0.shard"]


def test_a_damaged_payload_leaves_nothing(tmp_path):
    found = box_fragments(7, *BOXES[7], 0, GRID)
    write_container(tmp_path / "c", 0, *found, Sharding(0, 0), ORIGIN)
    directory = tmp_path / "out"
    directory.mkdir()
    data = (tmp_path / "c").read_bytes()
    # One byte of the payload is another: only who reads it all can know.
    (tmp_path / "c").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    for write in (write_unsharded, lambda d, *rest: write_shard(d / "0.shard", *rest)):
        with pytest.raises(UserError, match="damaged fragments"):
            write(directory, 0, [str(tmp_path / "c")], GRID, Sharding(0, 0))
    assert not list(directory.iterdir())


# -- bodies in one cell -----------------------------------------------------------------------


def written(folder, boxes, lods, grid):
    """Manifests and bytes of fragments by label, of boxes that are written unsharded."""
    folder.mkdir(exist_ok=True)
    sharding = Sharding(0, 0)
    paths = []
    for lod in range(lods):
        found = [
            box_fragments(label, *box, lod, grid, max(1, 6 >> lod)) for label, box in boxes.items()
        ]
        records = np.concatenate([f[0] for f in found])
        blobs = [blob for f in found for blob in f[1]]
        order = np.lexsort((morton(records["cell"]), records["label"]))
        paths.append(str(folder / f"lod{lod}"))
        write_container(paths[-1], lod, records[order], [blobs[i] for i in order], sharding, ORIGIN)
    write_unsharded(folder, 0, paths, grid, sharding)
    return {
        label: ((folder / f"{label}.index").read_bytes(), (folder / str(label)).read_bytes())
        for label in boxes
    }


corners = st.tuples(*[st.integers(0, 3 * STEPS // 8 - 1)] * 3)
box_sizes = st.tuples(*[st.integers(100, STEPS // 8)] * 3)
origins = st.sampled_from([0.0, -4.0, 1004.5, 0.3, 123_456.7, -7.5e6])
cell_sizes = st.sampled_from([2048.0, 1280.0, 256 * 4.3, 64 * 0.7])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(corners, box_sizes), min_size=1, max_size=4),
    st.integers(1, 3),
    st.tuples(origins, origins, origins),
    st.tuples(cell_sizes, cell_sizes, cell_sizes),
)
def test_bodies_in_one_cell_are_centred_and_others_as_they_were(shapes, lods, origin_nm, cell_nm):
    grid = OctreeGrid(origin_nm, cell_nm, (1, 2, 4)[:lods])
    boxes = {
        label: (
            tuple(8 * c for c in corner),
            tuple(8 * (c + n) for c, n in zip(corner, size, strict=True)),
        )
        for label, (corner, size) in enumerate(shapes, 1)
    }
    with tempfile.TemporaryDirectory() as name:
        found = written(Path(name) / "centred", boxes, lods, grid)
        with mock.patch.object(
            shard_layout, "_centring_shifts", lambda nodes, first, grid: np.zeros((len(first), 3))
        ):
            plain = written(Path(name) / "plain", boxes, lods, grid)
    corner, cell = np.float32(origin_nm).astype(float), np.array(cell_nm)
    for label, (lower, upper) in boxes.items():
        assert found[label][1] == plain[label][1]
        manifest, before = (parse_manifest(made[label][0]) for made in (found, plain))
        if max(map(len, manifest.cells)) > 1:
            assert found[label][0] == plain[label][0]
            continue
        for cells, cells_before in zip(manifest.cells, before.cells, strict=True):
            assert cells.tolist() == cells_before.tolist()
        assert (before.origin_nm == corner).all() and not before.vertex_offsets.any()
        # the corner of a fragment is where it was
        off = np.abs(manifest.origin_nm + manifest.vertex_offsets - corner)
        assert (off <= cell * 2**-25).all()
        assert not off[:, corner % 0.5 == 0].any()
        # the cell has the box in its middle, and holds it
        lower, upper = (corner + np.array(edge) * cell / STEPS for edge in (lower, upper))
        begin = manifest.origin_nm + manifest.cells[0][0] * manifest.cell_nm
        middle = begin + manifest.cell_nm / 2
        rounding = cell * 2**-16 + np.abs(corner) * 2**-23
        assert (np.abs(middle - (lower + upper) / 2) <= rounding).all()
        assert (begin <= lower + rounding).all()
        assert (upper <= begin + manifest.cell_nm + rounding).all()


far_origins = st.sampled_from([0.0, 1e6 + 0.3, -1e8 - 4.1, 1e9 + 37.6, 1e10 - 0.7, -7e11 + 100.1])


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(*[st.integers(0, 2 * STEPS // 8)] * 3),
    st.tuples(far_origins, far_origins, far_origins),
    st.tuples(*[st.sampled_from([8.0, 5.24, 0.7])] * 3),
)
def test_positions_are_exact_wherever_the_volume_lies(lower, origin_nm, voxel_nm):
    """To 0.01 voxel, for what comes after the format alone: 32-bit numbers and `transform`."""
    cell_nm = tuple(256 * v for v in voxel_nm)
    grid = OctreeGrid(origin_nm, cell_nm, (1, 2), base_of(origin_nm, voxel_nm))
    boxes = {
        1: (tuple(8 * n for n in lower), tuple(8 * (n + 500) for n in lower)),  # in one cell or two
        2: (tuple(8 * n for n in lower), tuple(8 * n + 2 * STEPS // 8 * 8 for n in lower)),
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written(folder, boxes, 2, grid)
        write_json(folder / "info", multires_info(None, 8.0, grid.base_nm))
        meshes = list(read_meshes(folder))
    assert [mesh.label for mesh in meshes] == [1, 2]
    for mesh in meshes:
        found = to_nm(mesh, 0, welded(mesh, 0)[0])
        for ends, edge in zip(
            (found.min(axis=0), found.max(axis=0)), boxes[mesh.label], strict=True
        ):
            true = origin_nm + np.array(edge) * cell_nm / STEPS
            assert (np.abs(ends - true) <= 0.01 * np.array(voxel_nm)).all()


def test_info_documents(sharded, unsharded):
    info = json.loads((sharded[0] / "info").read_text())
    assert info["sharding"] == sharding_info(SHARDING)
    assert "sharding" not in json.loads((unsharded[0] / "info").read_text())


def test_voxels_and_centroids_of_a_summary(tmp_path):
    """They add up over containers; a label that fills a block has no fragment there."""
    grid = OctreeGrid((-1000.0, 250.0, 40.5), (100.0, 200.0, 50.0), (1, 2))
    sharding = Sharding(0, 2)
    parts = [
        [(7, (0, 0, 0), 10, 0, (2.5, 5, 10)), (9, (0, 0, 0), 512, 0, (256, 256, 256))],
        [(7, (0, 0, 0), 30, 0, (7.5, 35, 50)), (5, (0, 0, 0), 3, 0, (1, 1, 1))],
        [(9, (0, 0, 0), 2**50, 0, (2.0**50, 2.0**51, 2.0**49))],
    ]
    parts = [[(*row, (0,) * 6, 3) for row in part] for part in parts]
    paths = [str(tmp_path / str(i)) for i in range(len(parts))]
    fragments = [(7, (80, 80, 80)), (9, (STEPS * 4 + 8, 8, 8)), None]
    for path, fragment, counts in zip(paths, fragments, parts, strict=True):
        records, blobs = np.zeros(0, FRAGMENT), []
        if fragment is not None:
            label, lower = fragment
            records, blobs = box_fragments(label, lower, np.add(lower, 80), 0, grid)
        write_container(path, 0, records, blobs, sharding, ORIGIN, np.array(counts, COUNT))
    counts = counts_and_contacts(paths, 0)[0]
    summary = write_shard(tmp_path / "0.shard", 0, paths, grid, sharding, counts).summary
    # label 5 has no faces, and so no mesh
    assert summary["label"].tolist() == [7, 9]
    assert summary["voxels"].tolist() == [40, 2**50 + 512]
    assert summary["border"].tolist() == [6, 6]
    assert summary["centroid"][0].tolist() == [-1000 + 25.0, 250 + 200.0, 40.5 + 75.0]
    assert summary["centroid"][1] == pytest.approx([-900, 650, 65.5])
    assert np.isnan(centroids(totals_of(np.array([6], np.uint64), counts), grid)).all()
