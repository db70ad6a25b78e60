"""Which bodies are drawn, at which LOD, and their meshes, so that a picture stays cheap."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from snakemesh.meshes.mesh_folder import MeshFolder
from snakemesh.meshes.stored_meshes import StoredMesh, fragment_bytes, places_of, stored_meshes
from snakemesh.meshes.whole_mesh import WholeMesh, whole_mesh

# The most bytes of all fragments in a picture, at about 3 bytes a triangle.
MAX_BYTES = 3_000_000


@dataclass(frozen=True)
class Body:
    """A body as it is drawn: its label, the LOD and the mesh."""

    label: int
    lod: int
    mesh: WholeMesh


def meshes_of(folder: MeshFolder, labels: Sequence[int]) -> list[StoredMesh]:
    """Where the meshes of labels are, in the order of the labels."""
    found = stored_meshes(folder, places_of(folder, np.unique(np.array(labels, np.uint64))))
    by_label = {mesh.label: mesh for mesh in found}
    return [by_label[label] for label in labels]


def size_at(mesh: StoredMesh, lod: int) -> int:
    """The bytes of a mesh at an LOD, or at its coarsest if it does not have that LOD."""
    sizes = mesh.manifest.sizes
    return int(sizes[min(lod, len(sizes) - 1)].sum())


def finest_lod(meshes: Iterable[StoredMesh], max_bytes: int) -> int | None:
    """The finest LOD at which all these meshes together have at most `max_bytes` bytes, or None."""
    meshes = list(meshes)
    lods = max((mesh.manifest.num_lods for mesh in meshes), default=1)
    fitting = (n for n in range(lods) if sum(size_at(mesh, n) for mesh in meshes) <= max_bytes)
    return next(fitting, None)


def together(meshes: Sequence[StoredMesh], max_bytes: int = MAX_BYTES) -> tuple[int, int]:
    """How many of the meshes fit into one picture, from the first on, and at which LOD.

    Where they do not fit at any LOD, half of them are left out. (0, 0) if none fits.
    """
    count = len(meshes)
    while count:
        lod = finest_lod(meshes[:count], max_bytes)
        if lod is not None:
            return count, lod
        count //= 2
    return 0, 0


def with_most_lods(
    meshes: Sequence[StoredMesh], volumes: Sequence[float], max_bytes: int = MAX_BYTES
) -> StoredMesh | None:
    """A typical mesh among those with the most LODs; None if no mesh fits into the pictures.

    Only meshes that fit at all of their LODs are looked at. The typical one is in the middle of
    their order by bytes for their volume: balls have the least, thin sheets the most.
    """
    fitting = [
        (mesh.manifest.num_lods, size_at(mesh, 0) / max(volume, 1e-9) ** (2 / 3), i)
        for i, (mesh, volume) in enumerate(zip(meshes, volumes, strict=True))
        if mesh.manifest.bytes_before(mesh.manifest.num_lods) <= max_bytes
    ]
    if not fitting:
        return None
    alike = sorted(found for found in fitting if found[0] == max(fitting)[0])
    return meshes[alike[len(alike) // 2][-1]]


def read_bodies(folder: MeshFolder, wanted: Iterable[tuple[StoredMesh, int]]) -> Iterator[Body]:
    """The meshes at their LODs, or at their coarsest."""
    for stored, lod in wanted:
        lod = min(lod, stored.manifest.num_lods - 1)
        for mesh, data in fragment_bytes(folder, [stored], lod):
            yield Body(mesh.label, lod, whole_mesh(folder, mesh, lod, data))
