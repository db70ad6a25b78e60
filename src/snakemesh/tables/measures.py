"""What is known of every segment: the numbers of the viewer's properties and of the table.

A number of a later step is one more `Measure` here, and a field of SUMMARY.
"""

from dataclasses import dataclass

import numpy as np

# A row of a summary: one label of a shard. voxels: of s0; centroid: the mean of their centres, x y
# z in nm. volume (nm^3), area (nm^2), faces: sums over its fragments at LOD 0. lower, upper: bounds
# of these fragments, x y z in nm. lods: how many LODs it keeps. sphericity, axes (nm), direction:
# as `multires.shape` has them. border: voxels at the border of what is meshed.
SUMMARY = np.dtype(
    [
        ("label", "<u8"),
        ("voxels", "<u8"),
        ("volume", "<f8"),
        ("area", "<f8"),
        ("faces", "<u4"),
        ("lower", "<f8", (3,)),
        ("upper", "<f8", (3,)),
        ("lods", "u1"),
        ("centroid", "<f8", (3,)),
        ("sphericity", "<f8"),
        ("axes", "<f8", (3,)),
        ("direction", "<f8", (3,)),
        ("border", "<u8"),
    ]
)
# What a shard job hands on of two labels that touch. label: the smaller one, of the shard. other:
# the larger one, or 0 for the background. area: of contact, nm^2. faces: voxel faces. patches: of
# contact. centroid: the mean of the centres of the voxel faces of the patch with the largest area,
# x y z in nm.
TOUCHING = np.dtype(
    [
        ("label", "<u8"),
        ("other", "<u8"),
        ("area", "<f8"),
        ("faces", "<u8"),
        ("patches", "<u4"),
        ("centroid", "<f8", (3,)),
    ]
)
# A row with what only all shards together know. neighbours: how many segments it touches.
WITH_NEIGHBOURS = np.dtype([*SUMMARY.descr, ("neighbours", "<u4")])


@dataclass(frozen=True)
class Measure:
    """A number of every segment.

    name: in the table; no column of a user's table can have it. field, axis: of WITH_NEIGHBOURS;
    axis is 0 to 2 for x y z, None for a number that has none. viewer_type: its data type in the
    viewer, which knows numbers of 32 bits alone; None if the viewer does not get it. micrometres: 3
    for a volume and 2 for an area, which the viewer gets in cubic and square micrometres; 0 where
    it gets the number of the table.
    """

    name: str
    description: str
    field: str
    axis: int | None = None
    viewer_type: str | None = None
    micrometres: int = 0

    @property
    def viewer_name(self) -> str:
        """Its name in the viewer's queries, such as `volume_um3>1`, which tells the unit."""
        return f"{self.name}_um{self.micrometres}" if self.micrometres else self.name

    def for_viewer(self, rows: np.ndarray) -> np.ndarray:
        """This number of some rows of dtype SUMMARY, shape (rows,), in the viewer's unit."""
        values = self.of(rows)
        return values / 1000.0**self.micrometres if self.micrometres else values

    @property
    def viewer_description(self) -> str:
        """Its description, with the viewer's unit."""
        unit = "micrometres" if self.micrometres else "nanometres"
        return self.description.replace("nanometres", unit)

    def of(self, rows: np.ndarray) -> np.ndarray:
        """This number of some rows of dtype SUMMARY, shape (rows,), in its own type."""
        values = rows[self.field]
        return np.ascontiguousarray(values if self.axis is None else values[:, self.axis])

    @property
    def dtype(self) -> np.dtype:
        """Its data type in the table."""
        return WITH_NEIGHBOURS[self.field].base


def _along_axes(
    name: str, description: str, field: str, viewer_type: str | None = None
) -> list[Measure]:
    """A measure for each axis; the description has the axis instead of "{}"."""
    return [
        Measure(f"{axis}_{name}", description.format(axis), field, i, viewer_type)
        for i, axis in enumerate("xyz")
    ]


_ELLIPSOID = "axis of the ellipsoid with the second moments of the voxels, nanometres"
_AXES = (("major", "Longest"), ("middle", "Middle"), ("minor", "Shortest"))
# In the order of the table, which is also that in which the viewer shows them.
MEASURES = (
    Measure("volume", "Volume in cubic nanometres", "volume", None, "float32", 3),
    Measure("voxels", "Voxels at the finest level, in all that is meshed", "voxels"),
    Measure("area", "Surface area in square nanometres", "area", None, "float32", 2),
    Measure("faces", "Triangles at the finest level of detail", "faces", viewer_type="uint32"),
    Measure("lods", "Levels of detail", "lods"),
    Measure("neighbours", "Segments that it touches", "neighbours", viewer_type="uint32"),
    *_along_axes("min", "Lower end of the bounding box in {}, nanometres", "lower", "float32"),
    *_along_axes("max", "Upper end of the bounding box in {}, nanometres", "upper", "float32"),
    *_along_axes("centroid", "Mean of the voxels' centres in {}, nanometres", "centroid"),
    Measure(
        "sphericity",
        "Area of the ball of the same volume / surface area: 1 for a ball, less for all else",
        "sphericity",
        viewer_type="float32",
    ),
    Measure(
        "border_voxels",
        "Voxels at the border of what is meshed: above 0, the segment may be cut off there",
        "border",
        viewer_type="float32",
    ),
    *(
        Measure(f"{name}_axis", f"{which} {_ELLIPSOID}", "axes", i)
        for i, (name, which) in enumerate(_AXES)
    ),
    *_along_axes("direction", "Direction of the longest axis in {}, of length 1", "direction"),
)
# The numbers of every LOD of a segment: name, data type and description.
LOD_MEASURES = (
    ("faces", "<u8", "Triangles"),
    ("fragments", "<u4", "Cells in which the segment has a mesh"),
    ("bytes", "<u8", "Bytes of the fragments"),
    ("error", "<f8", "Root mean square distance from the surface of the voxels, nanometres"),
    ("volume", "<f8", "Volume of the mesh in cubic nanometres"),
    ("area", "<f8", "Surface area of the mesh in square nanometres"),
)

# The numbers that a run measures only if the config key `measures` asks for them, by its values:
# name, data type and description.
ASKED_MEASURES = {
    "components": (
        ("components", "<u8", "Parts of the voxels that touch nowhere, not even at a corner"),
    ),
    "thickness": (
        ("thickness", "<f8", "Mean thickness, nanometres"),
        ("thickness_95", "<f8", "Thickness that 95 % of the segment does not exceed, nanometres"),
    ),
    "curvature": (
        ("curvature", "<f8", "Mean curvature of the surface, above 0 if convex, 1 / nanometres"),
        ("curvature_sd", "<f8", "Standard deviation of the mean curvature, 1 / nanometres"),
    ),
}
# A row of what is measured of the meshes of a shard.
CURVATURE = np.dtype([("label", "<u8"), ("curvature", "<f8"), ("curvature_sd", "<f8")])
MEASURED = np.dtype(
    [("label", "<u8"), *((c, kind) for group in ASKED_MEASURES.values() for c, kind, _ in group)]
)


def lods_dtype(num_lods: int) -> np.dtype:
    """A row of a summary of LODs: one label, and LOD_MEASURES of each of `num_lods` LODs.

    lods: how many LODs the label keeps; the entries of the others mean nothing.
    """
    per_lod = [(name, kind, (num_lods,)) for name, kind, _ in LOD_MEASURES]
    return np.dtype([("label", "<u8"), ("lods", "u1"), *per_lod])


def measures_of(rows: np.dtype) -> list[Measure]:
    """The measures of rows of a type, SUMMARY or WITH_NEIGHBOURS, in their order."""
    return [measure for measure in MEASURES if measure.field in (rows.names or ())]
