"""How much memory a job takes that meshes a block, from the contents of the volume.

The bytes per voxel, face and fragment were measured with tests/bench/bench_memory.py.
"""

import math
from collections.abc import Sequence

import numpy as np

from snakemesh.cost.content import alike, cell_of_s0, dense_faces, expected, filled
from snakemesh.halo import halo_voxels
from snakemesh.plan.jobs import smoothing_iterations
from snakemesh.plan.plan import Plan

# tensorstore holds at most this many chunks of the base at a time: it decodes on as many threads as
# the job has, and worldarray lets it read 8 files at once.
CHUNKS_IN_FLIGHT = 8
# The number of a label, for every voxel while nets are made
_NUMBER_BYTES = 4
# Copies of its labels that a tile needs while they are read
_LABEL_COPIES = 2
# A net holds half a quad of 16 bytes for a triangle, and half a vertex; of each contact face, which
# has four triangles, a key and a patch are kept.
_NET_BYTES_PER_FACE = 18
# Triangles of a batch of surfaces (`mesh.surface`), which end with a whole label, and what
# smoothing, cutting and simplifying take for each.
BATCH_FACES = 3_000_000
_BATCH_BYTES_PER_FACE = 90
# In noise, with more triangles a voxel than this, vertices do not merge: each further triangle a
# voxel adds this many bytes to those of a triangle of a batch.
_FACES_OF_NOISE, _NOISE_BYTES = 4, 9
# A fragment that is written or read: its records, counts and moments, with the copies that sort
# them, and the header of its Draco bytes
_BYTES_PER_FRAGMENT = 560
# Draco bytes of a triangle
_PAYLOAD_PER_FACE = 2.5
# Bytes of a triangle in an octant of a cell that is made of fragments, while the octant is made; of
# one that is left, while other octants are made; and of one that is left while octants are joined
_OCTANT_BYTES_PER_FACE, _HELD_BYTES_PER_FACE, _JOINED_BYTES_PER_FACE = 100, 60, 190


def block_bytes(plan: Plan, lod: int, processes: int = 1) -> float:
    """Bytes that the largest job of an LOD takes, besides what it imports.

    processes: how many work on a block that is made of fragments.
    """
    if plan.is_of_fragments(lod):
        return _of_fragments(plan, lod, processes)
    return _of_voxels(plan, lod)


def _of_voxels(plan: Plan, lod: int) -> float:
    """Bytes of a job that meshes its level: what reading, the nets or a batch of surfaces takes."""
    shape, factor = plan.levels[lod].shape, math.prod(plan.levels[lod].factor)
    tile = [t * c for t, c in zip(plan.tile_cells[lod], plan.cell_voxels[lod], strict=True)]
    box = _with_halo(plan, lod, tile)
    voxels = math.prod(box)
    labels = voxels * np.dtype(plan.dtype).itemsize
    # at both ends of the volume surfaces are closed
    ends: float = 4 * sum(voxels // side for side, n in zip(box, shape, strict=True) if side >= n)
    ends *= filled(plan, voxels * factor)
    density = dense_faces(plan, lod, voxels * factor)
    faces = density * voxels + ends
    nets = _NET_BYTES_PER_FACE * faces
    per_face = _BATCH_BYTES_PER_FACE + _NOISE_BYTES * max(density - _FACES_OF_NOISE, 0)
    batch = per_face * min(faces, BATCH_FACES + alike(plan) * faces)
    block = [b * c for b, c in zip(plan.block_cells[lod], plan.cell_voxels[lod], strict=True)]
    written = _written(plan, lod, math.prod(map(min, block, shape)) * factor)
    reading = max(_in_flight(plan, lod, box), (_LABEL_COPIES - 1) * labels)
    return labels + max(reading, nets + _NUMBER_BYTES * voxels, nets + batch) + written


def _of_fragments(plan: Plan, lod: int, processes: int) -> float:
    """Bytes of a job that is made of fragments: those of its block, and the surfaces of a cell.

    Each process makes an octant.
    """
    shape = plan.levels[0].shape
    cell = cell_of_s0(plan, lod)
    cells = math.prod(cell)
    block = math.prod(
        min(b * c, n) for b, c, n in zip(plan.block_cells[lod], cell, shape, strict=True)
    )
    octant = math.prod(cell_of_s0(plan, lod - 1))
    read = octant * expected(plan, lod - 1, octant).faces
    left = cells * expected(plan, lod, cells).faces
    held = left * (1 - octant / cells)
    making = processes * _OCTANT_BYTES_PER_FACE * read + _HELD_BYTES_PER_FACE * held
    surfaces = max(making, _JOINED_BYTES_PER_FACE * left)
    return _written(plan, lod - 1, block) + _written(plan, lod, block) + surfaces


def _written(plan: Plan, lod: int, voxels: float) -> float:
    """Bytes of the fragments of an LOD in a part of the volume. voxels: of s0."""
    found = expected(plan, lod, voxels)
    return voxels * (found.fragments * _BYTES_PER_FRAGMENT + found.faces * _PAYLOAD_PER_FACE)


def _with_halo(plan: Plan, lod: int, tile: Sequence[int]) -> list[int]:
    """Voxels of a tile with its halo, which ends with the volume."""
    both_halos = 2 * halo_voxels(smoothing_iterations(plan, lod))
    return [min(t + both_halos, n) for t, n in zip(tile, plan.levels[lod].shape, strict=True)]


def _in_flight(plan: Plan, lod: int, box: Sequence[int]) -> int:
    """Bytes of the chunks that are decoded at once while a box of a level is read."""
    chunks = plan.chunks if plan.levels[lod].is_built else plan.source.chunks
    touched = math.prod(-(-n // c) + 1 for n, c in zip(box, chunks, strict=True))
    return min(touched, CHUNKS_IN_FLIGHT) * math.prod(chunks) * np.dtype(plan.dtype).itemsize
