"""Whether a server or a zip file has the shards that the metadata of a precomputed volume describe.

Nobody can list the files of a server, so shards are asked for until there is one, and a few
minishards of that one are looked at. Jobs ask too, so only the first scale is looked at.
"""

import os
from collections.abc import Sequence
from functools import partial
from zipfile import ZipFile

import tensorstore as ts
from worldarray.retry import Retry, with_retries
from worldarray.store import is_refused, is_remote, metadata_spec, with_access

from snakemesh.source.chunk_shards import ChunkShards, chunk_shards
from snakemesh.source.documents import Node
from snakemesh.source.open_array import store_specs
from snakemesh.source.shard_check import Part, Reader, refuse_misfit, refuse_other_shards
from snakemesh.zip_files import zip_file

# Parts of the grid whose shards are asked for, one after the other.
_PARTS = (0.5, 0.25, 0.75, 0)
# Shards that are asked for all at once if none of these is there, from the first one on.
_FIRST = 16
# Minishards of a shard that are looked at. Each costs a request.
_MINISHARDS = 4
# Digits that the names of shards may have.
_MOST_DIGITS = 8


def refuse_other_served_shards(node: Node) -> None:
    """Raise UserError if the shards of a precomputed volume hold other chunks than `info` says.

    node: a scale of a volume on a server or in a zip file.
    """
    scale = node.document["scales"][node.scale or 0]
    if node.scale or scale.get("sharding") is None or (shards := chunk_shards(scale)) is None:
        return
    key = os.path.normpath(f"/{scale['key']}").strip("/")
    folder, read = f"{node.path}/{key}", partial(_parts, node.path, key)
    zipped = zip_file(node.path)
    if zipped is None:
        _refuse_served(folder, shards, read)
        return
    inside = f"{zipped[1]}/{key}/".lstrip("/")
    with ZipFile(zipped[0]) as file:
        listed = [name for name in file.namelist() if name.startswith(inside)]
    refuse_misfit(folder, shards, [name[len(inside) :] for name in listed], read)


def _refuse_served(folder: str, shards: ChunkShards, read: Reader) -> None:
    """Raise UserError if a server's shards in a folder hold other chunks than `shards` says."""
    chunks = [[int(n * part) for n in shards.grid] for part in _PARTS]
    likely = dict.fromkeys(shards.name_of(shards.id_at(chunk)) for chunk in chunks)
    for name in likely:
        if refuse_other_shards(folder, shards, [name], read, _MINISHARDS):
            return
    first = [shards.name(number) for number in range(min(_FIRST, 1 << shards.shard_bits))]
    zeros = [f"{0:0{digits}}.shard" for digits in range(1, _MOST_DIGITS + 1)]
    others = [name for name in dict.fromkeys(first + zeros) if name not in likely]
    found = zip(others, read([(name, 0, 1) for name in others]), strict=True)
    refuse_misfit(folder, shards, [name for name, part in found if part is not None], read)


def _parts(path: str, key: str, parts: Sequence[Part]) -> list[bytes | None]:
    """Parts of files in the folder `key` of a volume; see `shard_check.Reader`.

    Files to which access is denied count as missing.
    """

    def attempt(spec: dict[str, object]) -> list[bytes | None]:
        store = ts.KvStore.open(metadata_spec(spec)).result()
        started = [_started(store, key, part) for part in parts]
        found: list[bytes | None] = []
        refusals = []
        for part, first in zip(parts, started, strict=True):
            try:
                found.append(_part(store, path, key, part, [first]))
            except Exception as error:
                if not is_refused(error):
                    raise
                refusals.append(error)
                found.append(None)
        if len(refusals) == len(parts) > 0:
            raise refusals[0]  # there may be another way in
        return found

    try:
        found: list[bytes | None] = with_access(store_specs(path), attempt)
    except Exception as error:
        if not is_refused(error):
            raise
        return [None] * len(parts)
    return found


def _started(store: ts.KvStore, key: str, part: Part) -> ts.Future[ts.KvStore.ReadResult]:
    name, begin, end = part
    return store.read(f"{key}/{name}", byte_range=slice(begin, end))


def _part(
    store: ts.KvStore,
    path: str,
    key: str,
    part: Part,
    first: list[ts.Future[ts.KvStore.ReadResult]],
) -> bytes | None:
    """A part of a file, which `first` reads already. Raises what tensorstore raises."""
    name, begin, end = part
    try:
        found = with_retries(
            lambda: first.pop() if first else _started(store, key, part),
            nbytes=end - begin,
            retry=Retry(),
            remote=is_remote(path),
            what=f"{path}/{key}/{name}",
            verb="read",
        )
    except ValueError as error:
        if str(error).startswith("OUT_OF_RANGE"):
            return b""
        raise
    return None if found.state == "missing" else bytes(found.value)
