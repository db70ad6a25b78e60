"""Plants faults in a finished output: takes its meshes apart, and writes them again changed.

The format is written here a second time, from Neuroglancer's meshes.md and sharded.md.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import DracoPy
import numpy as np

from snakemesh.verify.reader import Manifest, hashed, read_data, read_entries, read_info


@dataclass
class Node:
    """A cell that a manifest lists: its index, x y z, and its Draco bytes, which may be none."""

    cell: tuple[int, int, int]
    draco: bytes


@dataclass
class Label:
    """The mesh of a label: its manifest as it was read, and its nodes by LOD."""

    manifest: Manifest
    lods: list[list[Node]]


def read_labels(directory: Path) -> dict[int, Label]:
    """All meshes of an output."""
    found = {}
    for label, entry in read_entries(directory).items():
        data, at, lods = read_data(entry), 0, []
        for cells, sizes in zip(entry.manifest.cells, entry.manifest.sizes, strict=True):
            ends = at + np.cumsum(sizes)
            pieces = [data[e - n : e] for e, n in zip(ends.tolist(), sizes.tolist(), strict=True)]
            cells = map(tuple, cells.tolist())
            lods.append([Node(c, p) for c, p in zip(cells, pieces, strict=True)])
            at += int(sizes.sum())
        found[label] = Label(entry.manifest, lods)
    return found


def write_labels(directory: Path, labels: dict[int, Label]) -> None:
    """Write all meshes in place of those that are there."""
    spec = read_info(directory).get("sharding")
    if spec is None:
        for path in [*directory.glob("*.index")]:
            path.unlink()
            path.with_suffix("").unlink()
        for label, mesh in labels.items():
            (directory / str(label)).write_bytes(_fragments(mesh))
            (directory / f"{label}.index").write_bytes(_manifest(mesh))
        return
    assert spec["shard_bits"] == 0 and spec["minishard_index_encoding"] == "raw"
    n_minishards = 1 << spec["minishard_bits"]
    data, placed = b"", [[] for _ in range(n_minishards)]
    for label, mesh in sorted(labels.items()):
        data += _fragments(mesh)
        manifest = _manifest(mesh)
        minishard = hashed(label, spec) & (n_minishards - 1)
        placed[minishard].append((label, len(data), len(manifest)))
        data += manifest
    index = b""
    for rows in placed:
        label, begin, end, table = 0, len(data), 0, []
        for number, start, size in rows:
            table.append((number - label, start - end, size))
            label, end = number, start + size
        data += np.array(table, "<u8").reshape(-1, 3).T.tobytes()
        index += struct.pack("<QQ", begin, len(data))
    (directory / "0.shard").write_bytes(index + data)


def _fragments(mesh: Label) -> bytes:
    return b"".join(node.draco for nodes in mesh.lods for node in nodes)


def _manifest(mesh: Label) -> bytes:
    known, n = mesh.manifest, len(mesh.lods)
    floats = [*known.cell_nm, *known.origin_nm]
    head = np.array(floats, "<f4").tobytes() + struct.pack("<I", n)
    head += known.scales[:n].astype("<f4").tobytes()
    head += known.vertex_offsets[:n].astype("<f4").tobytes()
    head += np.array([len(nodes) for nodes in mesh.lods], "<u4").tobytes()
    for nodes in mesh.lods:
        head += np.array([node.cell for node in nodes], "<u4").reshape(-1, 3).T.tobytes()
        head += np.array([len(node.draco) for node in nodes], "<u4").tobytes()
    return head


def reshaped(node: Node, change) -> None:
    """Encode a node's fragment anew: `change` takes and returns its positions and faces."""
    mesh = DracoPy.decode(node.draco)
    positions, faces = change(mesh.points.astype(np.int32), mesh.faces)
    node.draco = DracoPy.encode(positions.astype(np.int32), faces, compression_level=7)
