"""A copy of finished meshes that WEBKNOSSOS draws at the right size.

A scale in a manifest says when Neuroglancer shows an LOD. WEBKNOSSOS takes `lod_scale_multiplier`
times the scale for the size of the cells of an LOD, in cells of LOD 0, and leaves out all
translations: `getLodTransform` in NeuroglancerPrecomputedMeshFileService.scala, and
`extractScaleFromMatrix` in precomputed_mesh_saga.ts of github.com/scalableminds/webknossos. In the
copy, the multiplier is 1 and scales are powers of two.
"""

import json
from pathlib import Path

import numpy as np
from tqdm import tqdm

from snakemesh.errors import UserError, one_line
from snakemesh.meshes.export import refuse_existing
from snakemesh.meshes.mesh_folder import MeshFolder, finish_read, start_read
from snakemesh.meshes.stored_meshes import all_places
from snakemesh.multires.manifests import parse_manifest
from snakemesh.output.atomic import sync_filesystem, write_file
from snakemesh.output.folder import shard_name

_SCALES_AT = 28  # the bytes of a manifest before the scales of its LODs


def copy_for_webknossos(folder: MeshFolder, into: Path, overwrite: bool) -> tuple[int, np.ndarray]:
    """Write `info` and all shards into a folder that may exist; `info` comes last.

    Returns the number of meshes, and where WEBKNOSSOS moves them: x y z in nm, (3,). Holds one
    shard in memory. Raises UserError for files that exist, for damaged ones, and for meshes in
    other files than shards of plain manifests, which WEBKNOSSOS does not read or this does not
    write.
    """
    sharded = folder.sharded
    if sharded is None or sharded.gzipped_manifests:
        raise UserError(f"{folder.where} has no shards with plain manifests, which this copies")
    info = finish_read(folder, "info", start_read(folder, "info"))
    places = all_places(folder)
    if info is None or not len(places):
        raise UserError(f"{folder.where} has no meshes")
    document = json.loads(info) | {"lod_scale_multiplier": 1.0}
    document.pop("segment_properties", None)
    shards = {n: f"{shard_name(n, sharded.sharding)}.shard" for n in np.unique(places["shard"])}
    if not overwrite:
        refuse_existing(into / name for name in ("info", *shards.values()))
    into.mkdir(parents=True, exist_ok=True)
    (into / "info").unlink(missing_ok=True)
    moved = np.zeros(3)
    for number, name in tqdm(shards.items(), unit=" shards", disable=None):
        data = bytearray(finish_read(folder, name, start_read(folder, name)) or b"")
        for place in places[places["shard"] == number]:
            begin, end = int(place["begin"]), int(place["begin"] + place["size"])
            try:
                manifest = parse_manifest(bytes(data[begin:end]))
            except ValueError as error:
                found = f"a damaged manifest of label {place['label']}: {one_line(error)}"
                raise UserError(f"{folder.where}/{name} has {found}") from error
            scales = (2.0 ** np.arange(manifest.num_lods)).astype("<f4").tobytes()
            data[begin + _SCALES_AT : begin + _SCALES_AT + len(scales)] = scales
            moved = manifest.origin_nm + manifest.vertex_offsets[0] + folder.transform[:, 3]
        write_file(into / name, bytes(data))
    sync_filesystem(into)
    write_file(into / "info", json.dumps(document).encode())
    return len(places), -moved
