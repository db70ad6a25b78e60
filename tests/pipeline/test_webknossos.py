"""WEBKNOSSOS draws the copy that `snakemesh export --format webknossos` makes, by its own rules.

The rules are those of its datastore (NeuroglancerMeshHelper.scala,
NeuroglancerPrecomputedMeshFileService.scala, NeuroglancerPrecomputedShardingUtils.scala) and of its
page (precomputed_mesh_saga.ts), written again here.
"""

import json
import shutil
import struct
from errno import ENOSPC
from pathlib import Path

import DracoPy
import mmh3
import numpy as np
import pytest

from small_output import CORNER_NM, VOXEL_NM, small_output
from snakemesh.cli.program import main
from snakemesh.verify.checks import to_nm
from snakemesh.verify.reader import read_entries, read_mesh


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    return small_output(tmp_path_factory.mktemp("output"))


def export(source: Path, *arguments) -> None:
    main(["export", str(source), "--format", "webknossos", *map(str, arguments)])


def drawn(multires: Path, label: int) -> list[list[np.ndarray]]:
    """The vertices of each fragment of each LOD, x y z in nm, where WEBKNOSSOS draws them."""
    info = json.loads((multires / "info").read_text())
    sharding, transform = info["sharding"], np.reshape(info["transform"], (3, 4))
    assert sharding["hash"] == "murmurhash3_x86_128"
    hashed = mmh3.hash64(struct.pack("<Q", label), x64arch=False, signed=False)[0]
    minishards = 1 << sharding["minishard_bits"]
    shard = hashed >> sharding["minishard_bits"] & (1 << sharding["shard_bits"]) - 1
    name = f"{shard:0{-(-sharding['shard_bits'] // 4)}x}.shard"
    data, base = (multires / name).read_bytes(), 16 * minishards
    ends = struct.unpack_from("<QQ", data, 16 * (hashed & minishards - 1))
    index = np.frombuffer(data[base + ends[0] : base + ends[1]], "<u8").reshape(3, -1)
    row = np.cumsum(index[0]).tolist().index(label)
    begin = base + int(index[1][: row + 1].sum() + index[2][:row].sum())
    manifest = data[begin : begin + int(index[2][row])]

    shape = np.frombuffer(manifest, "<f4", 3)
    (lods,) = struct.unpack_from("<I", manifest, 24)
    scales = np.frombuffer(manifest, "<f4", lods, 28)
    counts = np.frombuffer(manifest, "<u4", lods, 28 + 16 * lods)
    at, nodes = 28 + 20 * lods, []
    for count in counts.tolist():
        words = np.frombuffer(manifest, "<u4", 4 * count, at).reshape(4, count).astype(np.int64)
        nodes.append((words[:3].T, words[3]))
        at += 16 * count
    offset = begin - sum(int(sizes.sum()) for _, sizes in nodes)

    found = []
    for (positions, sizes), lod_scale in zip(nodes, scales, strict=True):
        scale = info["lod_scale_multiplier"] * shape * np.diag(transform) * lod_scale
        found.append([])
        for position, size in zip(positions, sizes.tolist(), strict=True):
            if size:
                vertices = DracoPy.decode(data[offset : offset + size]).points
                chunk = vertices / 2 ** info["vertex_quantization_bits"] + position
                found[-1].append(chunk * scale)
            offset += size
    return found


def off_by(multires: Path, output: Path) -> float:
    """How far the vertices that WEBKNOSSOS draws are from their place, of all LODs, in nm."""
    worst = 0.0
    for label, entry in read_entries(output).items():
        mesh = read_mesh(entry)
        for lod, fragments in enumerate(drawn(multires, label)):
            assert len(fragments) == len(mesh.fragments[lod]) > 0
            for vertices, fragment in zip(fragments, mesh.fragments[lod], strict=True):
                steps = fragment.cell * 65535 + fragment.positions
                expected = to_nm(mesh, lod, steps) - CORNER_NM[::-1]
                worst = max(worst, float(np.abs(vertices - expected).max()))
    return worst


def test_meshes_are_where_they_belong_but_for_their_corner(output, tmp_path, capsys):
    """To 1/65536 of a cell: WEBKNOSSOS divides positions by 65536 instead of 65535."""
    export(output, "--ids", "all", "--output", tmp_path)
    said = capsys.readouterr().out
    assert said.startswith(f"{len(read_entries(output))} meshes for WEBKNOSSOS in {tmp_path}/")
    assert said.endswith("which draws their corner at 0: moved by -3000.0 -2000.0 -1000.0 nm\n")
    cell_nm = 32 * max(VOXEL_NM) * 2**2
    assert off_by(tmp_path, output) < cell_nm / 2**16 * 1.01
    assert off_by(output, output) > 100, "scales that are errors are not sizes"


def test_only_scales_differ(output, tmp_path):
    """So other readers find the same meshes in the copy."""
    export(output, "--ids", "all", "--output", tmp_path)
    ours, copied = (read_entries(folder) for folder in (output, tmp_path))
    for label, entry in copied.items():
        assert entry.manifest.scales.tolist() == [
            2.0**lod for lod in range(len(entry.manifest.scales))
        ]
        before, after = read_mesh(ours[label]), read_mesh(entry)
        for pair in zip(before.fragments, after.fragments, strict=True):
            for one, other in zip(*pair, strict=True):
                assert np.array_equal(one.positions, other.positions)
                assert np.array_equal(one.faces, other.faces)
    assert {path.suffix for path in tmp_path.iterdir()} == {"", ".shard"}


MISTAKES = {
    ("--ids", "1,2"): "--ids: found 1,2, expected all with --format webknossos",
    ("--where", "volume > 1"): "--where: --format webknossos copies the shards of --ids all",
    ("--ids", "all", "--lod", "1"): "--lod: --format webknossos copies",
    ("--ids", "all", "--scene", "a.glb"): "--scene: --format webknossos copies",
}


@pytest.mark.parametrize("arguments", MISTAKES, ids=" ".join)
def test_options_of_files_are_refused(output, arguments):
    with pytest.raises(SystemExit) as stopped:
        export(output, *arguments)
    assert str(stopped.value.code).startswith(MISTAKES[arguments])


def test_files_that_exist_stay(output, tmp_path):
    (tmp_path / "info").write_text("mine")
    with pytest.raises(SystemExit) as stopped:
        export(output, "--ids", "all", "--output", tmp_path)
    assert "/info exists; --overwrite" in stopped.value.code
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]
    export(output, "--ids", "all", "--output", tmp_path, "--overwrite")
    assert len(list(tmp_path.iterdir())) > 1


def test_a_copy_that_was_interrupted_has_no_info(output, tmp_path, monkeypatch):
    """So nothing reads it; the same command again makes it whole."""
    export(output, "--ids", "all", "--output", tmp_path)
    whole = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    written = []

    def fails(path, data):
        if written:
            raise OSError(ENOSPC, "No space left on device", str(path))
        written.append(path)

    with monkeypatch.context() as patched, pytest.raises(SystemExit) as stopped:
        patched.setattr("snakemesh.meshes.webknossos.write_file", fails)
        export(output, "--ids", "all", "--output", tmp_path, "--overwrite")
    assert "cannot be written: No space left" in stopped.value.code
    assert not (tmp_path / "info").exists()
    export(output, "--ids", "all", "--output", tmp_path, "--overwrite")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == whole


def test_damage_is_one_line_and_leaves_no_info(output, tmp_path):
    copy = Path(shutil.copytree(output, tmp_path / "copy"))
    (copy / "snakemesh.json").write_text("{}")
    entry = next(iter(read_entries(copy).values()))
    whole = entry.file.read_bytes()

    def refusal():
        with pytest.raises(SystemExit) as stopped:
            export(copy, "--ids", "all", "--output", tmp_path / "out", "--overwrite")
        assert not (tmp_path / "out" / "info").exists()
        return stopped.value.code

    size = sum(int(sizes.sum()) for sizes in entry.manifest.sizes)
    lods = entry.begin + size + 24
    entry.file.write_bytes(whole[:lods] + b"\xff\xff" + whole[lods + 2 :])
    assert f"has a damaged manifest of label {entry.label}: " in refusal()
    entry.file.write_bytes(whole[: len(whole) // 2])
    assert f"{entry.file}" in refusal()
    entry.file.unlink()
    assert refusal() == f"{entry.file} is gone, and the labels in it"
