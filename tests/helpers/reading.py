"""Reading a finished `multires` directory.

This was written only from Neuroglancer's descriptions of the format (meshes.md and sharded.md in
https://github.com/google/neuroglancer/tree/master/src/datasource/precomputed) and from what its
decoder does (src/mesh/draco/neuroglancer_draco.cc). It imports nothing of snakemesh, so a mistake
would have to be made twice. Everything is x y z; lengths are nanometres.
"""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import DracoPy
import mmh3
import numpy as np

STEPS = 65535  # steps of the lattice across a cell, with 16 bits
DRACO_INT32 = 5  # draco::DT_INT32, the only integer type that the viewer's decoder takes


class FormatError(ValueError):
    """A directory breaks a rule of the format."""


@dataclass(frozen=True)
class Manifest:
    """The manifest of a label. Per LOD, it holds the cells (n, 3) and the sizes (n,) in bytes."""

    cell_nm: np.ndarray
    origin_nm: np.ndarray
    scales: np.ndarray
    vertex_offsets: np.ndarray
    cells: tuple[np.ndarray, ...]
    sizes: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Entry:
    """A label: its manifest, the file with its fragments, and the byte where they begin."""

    label: int
    manifest: Manifest
    file: Path
    begin: int


@dataclass(frozen=True)
class Fragment:
    """One decoded fragment: positions (n, 3) int64 in its cell, faces (m, 3) int64."""

    cell: np.ndarray
    positions: np.ndarray
    faces: np.ndarray


@dataclass(frozen=True)
class Mesh:
    """A label with its fragments per LOD. Empty fragments are left out."""

    label: int
    manifest: Manifest
    fragments: tuple[tuple[Fragment, ...], ...]

    @property
    def num_lods(self) -> int:
        """Number of levels of detail."""
        return len(self.fragments)


def read_info(directory: Path) -> dict:
    """The `info` document. Raises FormatError if the format does not allow one of its members."""
    info = json.loads((directory / "info").read_text())
    _require(info["@type"] == "neuroglancer_multilod_draco", f"@type is {info['@type']}")
    _require(info["vertex_quantization_bits"] == 16, "expected 16 bits")
    _require(len(info["transform"]) == 12, "transform must have 12 numbers")
    _require(info["lod_scale_multiplier"] > 0, "lod_scale_multiplier must be positive")
    return info


def read_entries(directory: Path) -> dict[int, Entry]:
    """The entries of a sharded or unsharded directory by label, in ascending order."""
    sharding = read_info(directory).get("sharding")
    if sharding is None:
        found = _unsharded_entries(directory)
    else:
        found = _sharded_entries(directory, sharding)
    return {entry.label: entry for entry in sorted(found, key=lambda entry: entry.label)}


def read_meshes(directory: Path) -> Iterator[Mesh]:
    """Every label with its decoded fragments."""
    return map(read_mesh, read_entries(directory).values())


def read_mesh(entry: Entry) -> Mesh:
    """The decoded fragments of a label."""
    data, at = read_data(entry), 0
    levels = []
    for cells, sizes in zip(entry.manifest.cells, entry.manifest.sizes, strict=True):
        fragments = []
        for cell, size in zip(cells, sizes.tolist(), strict=True):
            if size > 0:
                fragments.append(_decode(cell, data[at : at + size]))
            at += size
        levels.append(tuple(fragments))
    return Mesh(entry.label, entry.manifest, tuple(levels))


def read_data(entry: Entry) -> bytes:
    """The bytes of all fragments of a label."""
    with open(entry.file, "rb") as file:
        file.seek(entry.begin)
        return file.read(_total(entry.manifest))


def parse_manifest(data: bytes) -> Manifest:
    """A manifest from its bytes. Raises FormatError if its length contradicts its numbers."""
    words = np.frombuffer(data, "<u4")
    floats = words.view("<f4").astype(np.float64)
    n = int(words[6])
    counts = words[7 + 4 * n : 7 + 5 * n].astype(int)
    cells, sizes, at = [], [], 7 + 5 * n
    for count in counts:
        cells.append(words[at : at + 3 * count].reshape(3, count).T.astype(np.int64))
        sizes.append(words[at + 3 * count : at + 4 * count].astype(np.int64))
        at += 4 * count
    _require(at == len(words), f"manifest of {len(words)} words, expected {at}")
    return Manifest(
        cell_nm=floats[:3],
        origin_nm=floats[3:6],
        scales=floats[7 : 7 + n],
        vertex_offsets=floats[7 + n : 7 + 4 * n].reshape(n, 3),
        cells=tuple(cells),
        sizes=tuple(sizes),
    )


def _unsharded_entries(directory: Path) -> Iterator[Entry]:
    for path in directory.glob("*.index"):
        manifest = parse_manifest(path.read_bytes())
        data = path.with_suffix("")
        _require(data.stat().st_size == _total(manifest), f"{data} has another size")
        yield Entry(int(path.stem), manifest, data, 0)


def _sharded_entries(directory: Path, spec: dict) -> Iterator[Entry]:
    _require(spec["@type"] == "neuroglancer_uint64_sharded_v1", f"@type is {spec['@type']}")
    digits = -(-spec["shard_bits"] // 4)
    shards = [f"{shard:x}".zfill(digits) for shard in range(1 << spec["shard_bits"])]
    found = {path.stem for path in directory.glob("*.shard")}
    _require(found == set(shards), f"found shards {sorted(found)}, expected {shards}")
    for number, name in enumerate(shards):
        yield from _entries_of_shard(directory / f"{name}.shard", number, spec)


def _entries_of_shard(path: Path, shard: int, spec: dict) -> Iterator[Entry]:
    data = np.memmap(path, np.uint8, "r")
    index_end = 16 << spec["minishard_bits"]
    _require(len(data) >= index_end, f"{path} is shorter than its index")
    ranges = data[:index_end].view("<u8").reshape(-1, 2).astype(int) + index_end
    for minishard, (begin, end) in enumerate(ranges.tolist()):
        _require(index_end <= begin <= end <= len(data), f"{path}: minishard {minishard}")
        raw = _decompressed(data[begin:end].tobytes(), spec.get("minishard_index_encoding"))
        table = np.frombuffer(raw, "<u8").reshape(3, -1)
        labels = np.cumsum(table[0], dtype=np.uint64).tolist()
        starts = (index_end + np.cumsum(table[1]) + np.cumsum(table[2]) - table[2]).tolist()
        for label, start, size in zip(labels, starts, table[2].tolist(), strict=True):
            place = _hashed(label, spec) & ((1 << spec["minishard_bits"] + spec["shard_bits"]) - 1)
            _require(
                place == (shard << spec["minishard_bits"] | minishard),
                f"{path}: label {label} does not belong in minishard {minishard}",
            )
            manifest = parse_manifest(
                _decompressed(data[start : start + size].tobytes(), spec.get("data_encoding"))
            )
            first = start - _total(manifest)
            _require(first >= index_end, f"{path}: fragments of {label} begin at {first}")
            yield Entry(label, manifest, path, first)


def _hashed(label: int, spec: dict) -> int:
    key = label >> spec["preshift_bits"]
    if spec["hash"] == "identity":
        return key
    _require(spec["hash"] == "murmurhash3_x86_128", f"hash is {spec['hash']}")
    return mmh3.hash64(key.to_bytes(8, "little"), x64arch=False, signed=False)[0]


def _decompressed(data: bytes, encoding: str | None) -> bytes:
    _require(encoding in (None, "raw", "gzip"), f"encoding is {encoding}")
    return gzip.decompress(data) if encoding == "gzip" and data else data


def _decode(cell: np.ndarray, blob: bytes) -> Fragment:
    mesh = DracoPy.decode(blob)
    (attribute,) = mesh.attributes
    _require(attribute["data_type"] == DRACO_INT32, "positions are not INT32")
    # DracoPy returns positions as float32, which holds every integer up to 2^24
    return Fragment(cell, attribute["data"].astype(np.int64), mesh.faces.astype(np.int64))


def _total(manifest: Manifest) -> int:
    return sum(int(sizes.sum()) for sizes in manifest.sizes)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise FormatError(message)
