"""Reading a finished `multires` directory.

This was written only from Neuroglancer's descriptions of the format (meshes.md and sharded.md in
https://github.com/google/neuroglancer/tree/master/src/datasource/precomputed) and from what its
decoder does (src/mesh/draco/neuroglancer_draco.cc). It imports nothing of what writes meshes, so a
mistake would have to be made twice. Everything is x y z; lengths are nanometres.
"""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    """A label: its manifest, the file with its fragments, and the byte where they begin.

    transform: of `info`, (3, 4): from positions in the manifest to nm.
    """

    label: int
    manifest: Manifest
    file: Path
    begin: int
    transform: np.ndarray


@dataclass(frozen=True)
class Fragment:
    """One decoded fragment: positions (n, 3) int64 in its cell, faces (m, 3) int64."""

    cell: np.ndarray
    positions: np.ndarray
    faces: np.ndarray


@dataclass(frozen=True)
class Mesh:
    """A label with its fragments per LOD. Empty fragments are left out. transform: as in Entry."""

    label: int
    manifest: Manifest
    fragments: tuple[tuple[Fragment, ...], ...]
    transform: np.ndarray

    @property
    def num_lods(self) -> int:
        """Number of levels of detail."""
        return len(self.fragments)


def read_info(directory: Path) -> dict[str, Any]:
    """The `info` document. Raises FormatError if the format does not allow one of its members."""
    try:
        info: dict[str, Any] = json.loads((directory / "info").read_text())
        _require(info["@type"] == "neuroglancer_multilod_draco", f"@type is {info['@type']}")
        _require(info["vertex_quantization_bits"] == 16, "expected 16 bits")
        _require(np.isfinite(transform_of(info)).all(), "transform must have finite numbers")
        _require(info["lod_scale_multiplier"] > 0, "lod_scale_multiplier must be positive")
        spec = info.get("sharding")
        if spec is not None:
            _require(spec["@type"] == "neuroglancer_uint64_sharded_v1", f"@type is {spec['@type']}")
            known = spec["hash"] in ("identity", "murmurhash3_x86_128")
            _require(known, f"hash is {spec['hash']}")
            bits = (spec["preshift_bits"], spec["minishard_bits"], spec["shard_bits"])
            _require(all(0 <= n <= 32 for n in bits), f"bits of the sharding are {bits}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"{directory / 'info'}: {_reason(error)}") from error
    return info


def transform_of(info: dict[str, Any]) -> np.ndarray:
    """The `transform` of an `info` document, (3, 4), from positions in manifests to nm.

    Raises ValueError if it has not 12 numbers.
    """
    return np.array(info["transform"], np.float64).reshape(3, 4)


def read_entries(directory: Path) -> dict[int, Entry]:
    """The entries of a sharded or unsharded directory by label, in ascending order."""
    info = read_info(directory)
    sharding, transform = info.get("sharding"), transform_of(info)
    if sharding is None:
        labels = unsharded_labels(directory)
        return {label: unsharded_entry(directory, label, transform) for label in labels}
    found = _sharded_entries(directory, sharding, transform)
    return {entry.label: entry for entry in sorted(found, key=lambda entry: entry.label)}


def read_meshes(directory: Path) -> Iterator[Mesh]:
    """Every label with its decoded fragments."""
    return map(read_mesh, read_entries(directory).values())


def read_mesh(entry: Entry) -> Mesh:
    """The decoded fragments of a label. Raises FormatError for one that cannot be decoded."""
    data, at = read_data(entry), 0
    _require(len(data) == _total(entry.manifest), f"{entry.file} ends within its fragments")
    levels = []
    for cells, sizes in zip(entry.manifest.cells, entry.manifest.sizes, strict=True):
        fragments = []
        for cell, size in zip(cells, sizes.tolist(), strict=True):
            if size > 0:
                fragments.append(_decode(cell, data[at : at + size]))
            at += size
        levels.append(tuple(fragments))
    return Mesh(entry.label, entry.manifest, tuple(levels), entry.transform)


def read_data(entry: Entry) -> bytes:
    """The bytes of all fragments of a label."""
    with open(entry.file, "rb") as file:
        file.seek(entry.begin)
        return file.read(_total(entry.manifest))


def parse_manifest(data: bytes) -> Manifest:
    """A manifest from its bytes. Raises FormatError if its length contradicts its numbers."""
    _require(len(data) % 4 == 0 and len(data) >= 28, f"manifest of {len(data)} bytes")
    words = np.frombuffer(data, "<u4")
    floats = words.view("<f4").astype(np.float64)
    n = int(words[6])
    _require(7 + 5 * n <= len(words), f"manifest of {len(words)} words and {n} LODs")
    counts = words[7 + 4 * n : 7 + 5 * n].astype(int)
    expected = 7 + 5 * n + 4 * int(counts.sum())
    _require(expected == len(words), f"manifest of {len(words)} words, expected {expected}")
    cells, sizes, at = [], [], 7 + 5 * n
    for count in counts:
        cells.append(words[at : at + 3 * count].reshape(3, count).T.astype(np.int64))
        sizes.append(words[at + 3 * count : at + 4 * count].astype(np.int64))
        at += 4 * count
    return Manifest(
        cell_nm=floats[:3],
        origin_nm=floats[3:6],
        scales=floats[7 : 7 + n],
        vertex_offsets=floats[7 + n : 7 + 4 * n].reshape(n, 3),
        cells=tuple(cells),
        sizes=tuple(sizes),
    )


def unsharded_labels(directory: Path) -> list[int]:
    """The labels of an unsharded directory, those that have a manifest, in ascending order."""
    return sorted(int(path.stem) for path in directory.glob("*.index") if path.stem.isdigit())


def unsharded_entry(directory: Path, label: int, transform: np.ndarray) -> Entry:
    """A label of an unsharded directory. Raises FormatError if it cannot be read."""
    data = directory / str(label)
    try:
        manifest = parse_manifest(data.with_name(f"{label}.index").read_bytes())
        _require(data.stat().st_size == _total(manifest), f"{data} has another size")
    except OSError as error:
        raise FormatError(f"{data}: {_reason(error)}") from error
    return Entry(label, manifest, data, 0, transform)


def shard_path(directory: Path, shard: int, spec: dict[str, Any]) -> Path:
    """The file of a shard. spec: the member `sharding` of `info`."""
    return directory / (f"{shard:x}".zfill(-(-spec["shard_bits"] // 4)) + ".shard")


def shard_labels(path: Path, shard: int, spec: dict[str, Any]) -> Iterator[tuple[int, int, int]]:
    """Label, first byte and size of every manifest of a shard.

    Raises FormatError if an index cannot be read, or lists a label that does not belong there.
    """
    try:
        data = np.memmap(path, np.uint8, "r")
    except (OSError, ValueError) as error:
        raise FormatError(f"{path}: {_reason(error)}") from error
    index_end = 16 << spec["minishard_bits"]
    _require(len(data) >= index_end, f"{path} is shorter than its index")
    ranges = data[:index_end].view("<u8").reshape(-1, 2).astype(int) + index_end
    for minishard, (begin, end) in enumerate(ranges.tolist()):
        sound = index_end <= begin <= end <= len(data)
        _require(sound, f"{path}: the index of minishard {minishard} lies beyond the file")
        raw = _decompressed(data[begin:end].tobytes(), spec.get("minishard_index_encoding"))
        _require(len(raw) % 24 == 0, f"{path}: minishard {minishard} has {len(raw)} bytes of index")
        table = np.frombuffer(raw, "<u8").reshape(3, -1)
        labels = np.cumsum(table[0], dtype=np.uint64).tolist()
        starts = (index_end + np.cumsum(table[1]) + np.cumsum(table[2]) - table[2]).tolist()
        for label, start, size in zip(labels, starts, table[2].tolist(), strict=True):
            place = hashed(label, spec) & ((1 << spec["minishard_bits"] + spec["shard_bits"]) - 1)
            _require(
                place == (shard << spec["minishard_bits"] | minishard),
                f"{path}: label {label} does not belong in minishard {minishard}",
            )
            sound = index_end <= start <= start + size <= len(data)
            _require(sound, f"{path}: the manifest of {label} lies beyond the file")
            yield label, start, size


def shard_entry(
    path: Path, spec: dict[str, Any], label: int, start: int, size: int, transform: np.ndarray
) -> Entry:
    """A label of a shard, whose manifest has `size` bytes from `start` on.

    Raises FormatError if the manifest cannot be read.
    """
    with open(path, "rb") as file:
        file.seek(start)
        manifest = parse_manifest(_decompressed(file.read(size), spec.get("data_encoding")))
    first = start - _total(manifest)
    _require(first >= 16 << spec["minishard_bits"], f"its fragments begin at byte {first}")
    return Entry(label, manifest, path, first, transform)


def shard_of(label: int, spec: dict[str, Any]) -> int:
    """The number of the shard that holds a label. spec: the `sharding` of an `info` document."""
    shard: int = hashed(label, spec) >> spec["minishard_bits"] & (1 << spec["shard_bits"]) - 1
    return shard


def hashed(label: int, spec: dict[str, Any]) -> int:
    """The number whose lowest bits say the minishard and the shard of a label."""
    key: int = label >> spec["preshift_bits"]
    if spec["hash"] == "identity":
        return key
    number: int = mmh3.hash64(key.to_bytes(8, "little"), x64arch=False, signed=False)[0]
    return number


def _sharded_entries(
    directory: Path, spec: dict[str, Any], transform: np.ndarray
) -> Iterator[Entry]:
    paths = [shard_path(directory, shard, spec) for shard in range(1 << spec["shard_bits"])]
    found = set(directory.glob("*.shard"))
    _require(found == set(paths), f"found shards {sorted(found)}, expected {paths}")
    for shard, path in enumerate(paths):
        for label, start, size in shard_labels(path, shard, spec):
            yield shard_entry(path, spec, label, start, size, transform)


def _decompressed(data: bytes, encoding: str | None) -> bytes:
    _require(encoding in (None, "raw", "gzip"), f"encoding is {encoding}")
    return gzip.decompress(data) if encoding == "gzip" and data else data


def _decode(cell: np.ndarray, blob: bytes) -> Fragment:
    try:
        mesh = DracoPy.decode(blob)
        (attribute,) = mesh.attributes
        _require(attribute["data_type"] == DRACO_INT32, "positions are not INT32")
        # DracoPy returns positions as float32, which holds every integer up to 2^24
        positions = attribute["data"].astype(np.int64).reshape(-1, 3)
        faces = mesh.faces.astype(np.int64).reshape(-1, 3)
    except Exception as error:  # whatever a decoder makes of broken bytes
        raise FormatError(f"the fragment in cell {cell.tolist()}: {_reason(error)}") from error
    sound = len(faces) > 0 and faces.min() >= 0 and faces.max() < len(positions)
    _require(sound, f"the fragment in cell {cell.tolist()} has faces without vertices")
    return Fragment(cell, positions, faces)


def _total(manifest: Manifest) -> int:
    return sum(int(sizes.sum()) for sizes in manifest.sizes)


def _reason(error: Exception) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise FormatError(message)
