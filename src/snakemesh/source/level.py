"""One array of the source, as its metadata describe it. All triples are z, y, x; lengths are nm."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from worldarray.retry import is_transient
from worldarray.store import PROBE_KEYS, Refused, is_remote

from snakemesh.boxes import Nanometres, Shape, triple
from snakemesh.chunk_files import ChunkFiles, chunk_files
from snakemesh.errors import UserError, one_line
from snakemesh.label_values import label_type
from snakemesh.source.arrays import array_facts, refuse_multisets
from snakemesh.source.axes import chosen_index, placed_nm, spatial_axes
from snakemesh.source.bounds import refuse_odd_placement, refuse_odd_shape
from snakemesh.source.documents import Node
from snakemesh.source.open_array import open_stored
from snakemesh.source.placement import placement_of
from snakemesh.source.served_chunks import served_metadata
from snakemesh.source.served_shards import refuse_other_served_shards
from snakemesh.source.stored_files import explained
from snakemesh.stored_array import StoredArray
from snakemesh.zip_files import zip_file

# What reading broken documents raises, in worldarray, in tensorstore and here.
ODD_METADATA = (
    *(ValueError, TypeError, LookupError, ArithmeticError, AttributeError),
    *(RuntimeError, AssertionError, MemoryError),
)


@dataclass(frozen=True)
class SourceLevel:
    """One array of the source: where it is, its shape and placement (centre of voxel 0), z y x.

    dtype: of its labels. document: a hash of its metadata documents. files: of its chunks, where
    they can be told. has_unit: whether the metadata name the unit of its sizes. stored: how it is
    opened; None where the path alone says so. fill: the value of voxels that are not stored.
    stored_type: of the values, as numpy names it. given_name: of the volume in OME metadata, or "".
    unusable: why it cannot be used, in words; then only its path and voxel size are known.
    """

    path: str
    name: str | None
    shape: Shape
    chunks: Shape
    dtype: str
    voxel_size: Nanometres
    translation: Nanometres
    format: str
    document: str = ""
    files: ChunkFiles | None = None
    has_unit: bool = True
    stored: StoredArray | None = None
    fill: float = 0
    stored_type: str = ""
    given_name: str = ""
    unusable: str = ""

    @property
    def volume(self) -> float:
        """The volume of a voxel, in nm³."""
        return math.prod(self.voxel_size)


def read_level(
    node: Node,
    group: Node | None,
    name: str,
    index: Mapping[str, int],
    is_placed: bool,
    forbids_missing: bool,
) -> SourceLevel:
    """An array, or a scale of a precomputed volume, as its metadata describe it.

    group: the one that it lies in or that lists it, and `name` its name there. index: see
    `axes.chosen_index`. is_placed: whether its placement is to be known; without, its voxels are 1
    nm. forbids_missing: see `StoredArray`. Raises UserError if it cannot be used.
    """
    path, key = _path(node)
    try:
        # numbers that overflow are refused below
        with np.errstate(all="ignore"):
            level = _read_level(node, path, key, group, name, index, is_placed, forbids_missing)
    except (UserError, Refused):
        raise
    except ODD_METADATA as error:
        if is_transient(error):
            raise
        raise UserError(
            f"config key input_path: the metadata of {path} cannot be read: {one_line(error)}"
        ) from error
    if is_placed:
        refuse_odd_placement(path, level.voxel_size, level.translation)
    return level


def _path(node: Node) -> tuple[str, str | None]:
    """The path of an array; for a scale of a precomputed volume also its name."""
    if node.format != "precomputed":
        return node.path, None
    key = str(node.document["scales"][node.scale or 0]["key"])
    return f"{node.path}/{key}", key


def _read_level(
    node: Node,
    path: str,
    key: str | None,
    group: Node | None,
    name: str,
    index: Mapping[str, int],
    is_placed: bool,
    forbids_missing: bool,
) -> SourceLevel:
    facts = array_facts(node)
    if group is not None:
        refuse_multisets(path, group.attributes)
    refuse_odd_shape(path, facts.shape, facts.chunks)
    if (dtype := label_type(facts.dtype)) is None:
        raise UserError(
            f"config key input_path: {path} holds {facts.dtype}, expected a segmentation of "
            "integers, of bool, or of floats that are whole numbers"
        )
    placement = placement_of(node, facts, group, name, is_placed)
    axes = spatial_axes(path, placement, facts.shape)
    at = chosen_index(path, placement.names, facts.shape, axes, index)
    voxel_size, translation, has_unit = (1.0,) * 3, (0.0,) * 3, True
    if is_placed:
        voxel_size, translation, has_unit = placed_nm(path, placement, axes)
    metadata, is_compressed = explained(node, facts)
    if is_remote(node.path):
        metadata = served_metadata(node, metadata, axes, at)
    if node.format == "precomputed" and (is_remote(node.path) or zip_file(node.path) is not None):
        refuse_other_served_shards(node)
    is_corrected = metadata != facts.metadata or facts.is_shortened or node.is_consolidated
    is_turned = axes != tuple(range(len(at) - 3, len(at))) or any(at)
    stored = StoredArray(
        folder=node.path,
        format=node.format,
        axes=axes,
        index=at,
        scale=node.scale or 0 if node.format == "precomputed" else None,
        metadata=None if metadata is None else json.dumps(metadata),
        is_compressed=is_compressed,
        forbids_missing=forbids_missing,
        is_plain=not is_turned and not is_corrected and np.dtype(facts.dtype).kind in "ui",
    )
    open_stored(stored)  # what a job could not open is refused before
    files = chunk_files(node.format, node.path, metadata or node.document, node.scale, axes, at)
    if files is not None and is_compressed:
        files = replace(files, is_compressed=True)
    return SourceLevel(
        path=path,
        name=key,
        shape=triple(facts.shape[d] for d in axes),
        chunks=triple(facts.chunks[d] for d in axes),
        dtype=dtype,
        voxel_size=triple(voxel_size),
        translation=triple(translation),
        format=node.format,
        document=_fingerprint(node, stored, is_turned or is_corrected),
        files=files,
        has_unit=has_unit,
        stored=stored,
        stored_type=facts.dtype,
        given_name=_given_name(group),
        fill=facts.fill if isinstance(facts.fill, int | float) else 0,
    )


def _given_name(group: Node | None) -> str:
    """The name that a group gives to its first pyramid; "" where there is none."""
    multiscales = [] if group is None else group.multiscales
    name = multiscales[0].get("name") if multiscales else None
    return name if isinstance(name, str) else ""


def _fingerprint(node: Node, stored: StoredArray, is_odd: bool) -> str:
    """A hash of all that decides which voxels are read.

    is_odd: whether the stored array decides it too, because the documents do not say all.
    """
    parts: Any = {key: node.documents[key] for key in PROBE_KEYS if key in node.documents}
    if is_odd:
        parts = [parts, stored.metadata, stored.axes, stored.index]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
