"""The placement of an array in every format.

`ome` reads OME-NGFF. worldarray reads the others: attributes of COSEM, funlib and tensorstore in
zarr, N5 and precomputed.
"""

from typing import Any

from worldarray.placement import ArrayMeta, default_axes, read_meta_light
from worldarray.store import Node as StoreNode

from snakemesh.boxes import Nanometres
from snakemesh.source.axes import Placement, placed_nm, spatial_axes
from snakemesh.source.documents import Node, dataset_name, datasets, parent_attributes
from snakemesh.source.ome import ome_placement

# What an N5 group says of all arrays in it.
_N5_INHERITED = ("resolution", "pixelResolution", "offset", "units", "axes", "downsamplingFactors")
# Attributes of zarr arrays and groups that are sizes of voxels.
_SIZES = ("voxel_size", "resolution", "scale", "transform")


def placement_of(
    node: Node, ndim: int, listed: tuple[Node, str] | None, is_placed: bool = True
) -> Placement:
    """The placement of an array, or of a scale of a precomputed volume, with `ndim` dimensions.

    listed: the group whose metadata list it, and its name there. is_placed: False where only the
    axes are needed. Raises UserError for transformations that do more than scale and move, and
    ValueError, LookupError or TypeError for metadata that are none.
    """
    if node.format in ("zarr2", "zarr3") and listed is not None and listed[0].multiscales:
        group, name = listed
        where = f"{group.path}/{name}"
        return ome_placement(group.multiscales[0], _dataset(group, name), ndim, where, is_placed)
    documents = dict(node.documents)
    if node.format == "n5":
        of_group = parent_attributes(node) if listed is None else listed[0].attributes
        inherited = _of_group(node, of_group)
        documents["attributes.json"] = inherited | node.document
    stored = StoreNode(node.format, "array", node.path, documents)
    try:
        meta = read_meta_light(stored, scale_index=node.scale, conflicts="error")
    except (ValueError, LookupError, TypeError, AttributeError):
        if is_placed:
            raise
        names = tuple(default_axes(ndim))
        return Placement(names, ("",) * ndim, ("",) * ndim, None, (0.0,) * ndim)
    # worldarray leaves out the only channel of a precomputed volume
    spare = ndim - meta.ndim
    return Placement(
        names=("c",) * spare + tuple(name.lower() for name in meta.axes),
        kinds=("",) * ndim,
        units=("",) * spare + meta.units,
        voxel_size=(1.0,) * spare + meta.voxel_size if _has_size(meta) else None,
        translation=(0.0,) * spare + meta.translation,
    )


def placed_by_group(group: Node, name: str) -> Nanometres | None:
    """The size of a level's voxels, z y x in nm, by the OME-NGFF metadata of its group alone.

    None if they do not tell.
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


def _dataset(group: Node, name: str) -> dict[str, Any]:
    """What a group lists of a level; {} if it does not list it."""
    return next((entry for entry in datasets(group) if dataset_name(entry) == name), {})


def _has_size(meta: ArrayMeta) -> bool:
    """Whether a size of voxels is written, not only a position."""
    if meta.placed_by != "funlib":
        return meta.placed_by is not None
    return any(key in found for found in (meta.attrs, meta.group_attrs) for key in _SIZES)


def _of_group(node: Node, group: dict[str, Any]) -> dict[str, Any]:
    """The attributes of its group that hold for an N5 array.

    Groups of Fiji and BigDataViewer list the factors of all levels, of which that of the array `s2`
    is the third.
    """
    found = {key: group[key] for key in _N5_INHERITED if key in group}
    factors = group.get("scales", found.get("downsamplingFactors"))
    if isinstance(factors, list) and factors and isinstance(factors[0], list):
        found.pop("downsamplingFactors", None)
        number = node.path.rsplit("/", 1)[-1].removeprefix("s")
        if number.isdecimal() and int(number) < len(factors):
            found["downsamplingFactors"] = factors[int(number)]
    return found
