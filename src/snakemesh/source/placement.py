"""The placement of an array in every format.

`ome` reads OME-NGFF. worldarray reads the others: attributes of COSEM, funlib and tensorstore in
zarr, N5 and precomputed. It gets complete documents, so it reads no others.
"""

from collections.abc import Mapping
from typing import Any

from worldarray.placement import ArrayMeta, corner_to_centre, default_axes, read_meta_light
from worldarray.store import Node as StoreNode

from snakemesh.boxes import Nanometres
from snakemesh.errors import UserError
from snakemesh.source.arrays import ArrayFacts
from snakemesh.source.axes import Placement, placed_nm, spatial_axes
from snakemesh.source.documents import Node, dataset_name, datasets
from snakemesh.source.ome import ome_placement

# What an N5 group says of all arrays in it, and what a zarr group says for funlib.
_N5_OF_GROUP = ("resolution", "pixelResolution", "offset", "units", "axes", "downsamplingFactors")
_FUNLIB_OF_GROUP = ("voxel_size", "resolution", "offset", "units", "axis_names")
# Attributes that say how large a voxel is.
_SIZES = ("voxel_size", "resolution", "scale", "transform")
# A path with nothing above it where worldarray would look for groups.
_NOWHERE = "/"


def placement_of(
    node: Node, facts: ArrayFacts, group: Node | None, name: str, is_placed: bool = True
) -> Placement:
    """The placement of an array, or of a scale of a precomputed volume.

    group: the one that it lies in or that lists it, and `name` its name there. is_placed: False
    where only the axes are needed. Raises UserError for transformations that do more than scale and
    move, or if numbers are missing; ValueError, LookupError or TypeError for broken metadata.
    """
    ndim = len(facts.shape)
    dataset = {} if group is None else _dataset(group, name)
    if node.format in ("zarr2", "zarr3") and group is not None and dataset:
        where = f"{group.path}/{name}"
        return ome_placement(group.multiscales[0], dataset, ndim, where, is_placed)
    of_group = {} if group is None else group.attributes
    stored = _complete(node, facts, of_group, dataset)
    try:
        meta = read_meta_light(stored, scale_index=node.scale, conflicts="error")
    except (ValueError, LookupError, TypeError, AttributeError):
        if is_placed:
            raise
        names = tuple(default_axes(ndim))
        return Placement(names, ("",) * ndim, ("",) * ndim, None, (0.0,) * ndim)
    if is_placed:
        _refuse_few_numbers(node.path, meta)
    translation = meta.translation
    if meta.placed_by == "dimension_units":  # a size, and nothing of a place: the corner is at 0
        translation = corner_to_centre((0.0,) * meta.ndim, meta.voxel_size, meta.axes)
    # worldarray leaves out the only channel of a precomputed volume
    spare = ndim - meta.ndim
    return Placement(
        names=("c",) * spare + tuple(name.lower() for name in meta.axes),
        kinds=("",) * ndim,
        units=("",) * spare + meta.units,
        voxel_size=(1.0,) * spare + meta.voxel_size if _has_size(meta) else None,
        translation=(0.0,) * spare + translation,
    )


def placed_by_group(group: Node, name: str) -> Nanometres | None:
    """The size of a level's voxels, z y x in nm, by the OME-NGFF metadata of its group alone.

    None if they do not say it.
    """
    dataset = _dataset(group, name)
    transformations = dataset.get("coordinateTransformations") or []
    try:
        ndim = next(len(t["scale"]) for t in transformations if t.get("type") == "scale")
        placement = ome_placement(group.multiscales[0], dataset, ndim, group.path)
        axes = spatial_axes(group.path, placement, (0,) * ndim)
        return placed_nm(group.path, placement, axes)[0]
    except (ValueError, LookupError, TypeError, AttributeError, StopIteration):
        return None


def _complete(
    node: Node, facts: ArrayFacts, of_group: dict[str, Any], dataset: dict[str, Any]
) -> StoreNode:
    """An array whose only document says everything about its placement."""
    if node.format == "precomputed":
        return StoreNode("precomputed", "group", _NOWHERE, dict(node.documents))
    if node.format == "n5":
        known = _n5_of_group(node, of_group)
        if isinstance(dataset.get("transform"), dict):
            known["transform"] = dataset["transform"]
        document = _with_ordering(known | node.document)
        return StoreNode("n5", "array", _NOWHERE, {"attributes.json": document})
    attributes = _with_ordering(node.attributes)
    if not any(key in attributes for key in (*_SIZES, "offset")):
        attributes = {k: of_group[k] for k in _FUNLIB_OF_GROUP if k in of_group} | attributes
    document = {
        "shape": facts.shape,
        "data_type": facts.dtype,
        "chunk_grid": {"configuration": {"chunk_shape": facts.chunks}},
        "attributes": attributes,
        "dimension_names": node.document.get("dimension_names"),
    }
    return StoreNode("zarr3", "array", _NOWHERE, {"zarr.json": document})


def _refuse_few_numbers(path: str, meta: ArrayMeta) -> None:
    """Raise UserError if sizes or positions lack the number of an axis of space.

    worldarray takes a list that is shorter than the axes for the last ones.
    """
    attributes = meta.attrs
    transform, pixel = (attributes.get(key) for key in ("transform", "pixelResolution"))
    lists = [attributes.get(key) for key in (*_SIZES, "offset", "downsamplingFactors")]
    lists += (
        [transform.get(k) for k in ("scale", "translate")] if isinstance(transform, dict) else []
    )
    lists.append(pixel.get("dimensions") if isinstance(pixel, dict) else pixel)
    for found in lists:
        if isinstance(found, list) and min(meta.spatial) < meta.ndim - len(found):
            raise UserError(
                f"config key voxel_size_nm: the metadata of {path} give the numbers {found} for "
                f"the axes {' '.join(meta.axes)}, expected one for each; set the key to [z, y, x] "
                "in nm"
            )


def _with_ordering(attributes: dict[str, Any]) -> dict[str, Any]:
    """Attributes in which a COSEM `transform` calls the order of its axes `ordering`.

    Newer programs call it `order`. https://github.com/janelia-cellmap/cellmap-schemas
    """
    transform = attributes.get("transform")
    if not isinstance(transform, Mapping) or "order" not in transform:
        return attributes
    return attributes | {"transform": {"ordering": transform["order"], **transform}}


def _dataset(group: Node, name: str) -> dict[str, Any]:
    """What a group lists of a level; {} if it does not list it."""
    return next((entry for entry in datasets(group) if dataset_name(entry) == name), {})


def _has_size(meta: ArrayMeta) -> bool:
    """Whether a size of voxels is written, not only a position."""
    if meta.placed_by != "funlib":
        return meta.placed_by is not None
    return any(key in meta.attrs for key in _SIZES)


def _n5_of_group(node: Node, group: dict[str, Any]) -> dict[str, Any]:
    """The attributes of its group that hold for an N5 array.

    Groups of Fiji and BigDataViewer list the factors of all levels, of which that of the array `s2`
    is the third.
    """
    found = {key: group[key] for key in _N5_OF_GROUP if key in group}
    factors = group.get("scales", found.get("downsamplingFactors"))
    if isinstance(factors, list) and factors and isinstance(factors[0], list):
        found.pop("downsamplingFactors", None)
        number = node.path.rsplit("/", 1)[-1].removeprefix("s")
        if number.isdecimal() and int(number) < len(factors):
            found["downsamplingFactors"] = factors[int(number)]
    return found
