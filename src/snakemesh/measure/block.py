"""Measuring the voxels of a block of LOD 0, piece by piece. Everything is z y x."""

import itertools
from collections.abc import Iterable

import numpy as np

from snakemesh.measure.thickness import RIDGES, summed, thickness_of
from snakemesh.measure_job import COMPONENTS, THICKNESS, MeasureJob, margin
from snakemesh.mesh.compact_labels import compact_labels
from snakemesh.mesh.read_labels import read_labels
from snakemesh.source.voxels import open_part, reading_part
from snakemesh.tables.mapping import Mapper
from snakemesh.verify.voxel_pieces import Part, merged, part_of

# Voxels on an axis that are measured at a time.
PIECE = 256
# Voxels with a face, an edge or a corner in common hang together: 26 neighbours.
_MOST_AXES = 3


def measure_block(job: MeasureJob) -> tuple[Part, np.ndarray]:
    """The components of the labels in a box of s0, and the RIDGES of each label.

    What is not asked for has no label. Raises UserError if voxels cannot be read or the input
    changes meanwhile, or if a label is negative.
    """
    if job.watch is not None:
        job.watch.refuse_change()
    with reading_part(job.reads):
        pieces, thickness = zip(*_pieces(job), strict=True)
    if job.watch is not None:
        job.watch.refuse_change()
    labels, voxels = summed(np.concatenate(thickness))
    ridges = np.zeros(len(labels), RIDGES)
    ridges["label"], ridges["voxels"] = labels, voxels
    return merged(pieces), ridges


def _pieces(job: MeasureJob) -> Iterable[tuple[Part, np.ndarray]]:
    """Components and RIDGES of each piece of a box."""
    store, shape = open_part(job.reads), np.array(job.reads.shape)
    mapper = None if job.label_map is None else Mapper(job.label_map)
    axes = [range(b, e, PIECE) for b, e in zip(job.begin, job.end, strict=True)]
    for corner in itertools.product(*axes):
        begin = np.array(corner)
        end = np.minimum(begin + PIECE, job.end)
        low = np.maximum(begin - margin(job.measures, job.voxel_nm), 0)
        high = np.minimum(end + margin(job.measures, job.voxel_nm), shape)
        labels = read_labels(store, job.reads, low.tolist(), high.tolist(), mapper)
        beyond = np.minimum(end + 1, shape)
        here = labels[tuple(map(slice, begin - low, beyond - low))]
        thickness = np.zeros(0, RIDGES)
        if THICKNESS in job.measures and here.any():
            begin_here, size = (begin - low).tolist(), (end - begin).tolist()
            thickness = thickness_of(compact_labels(labels), begin_here, size, job.voxel_nm)
        if COMPONENTS not in job.measures:
            here = np.zeros_like(here)
        part = part_of(here, begin.tolist(), end.tolist(), shape.tolist(), _MOST_AXES)
        yield part, thickness
