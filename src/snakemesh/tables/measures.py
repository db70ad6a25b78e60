"""What is known of every segment: the numbers of the viewer's properties and of the table.

A number of a later step is one more `Measure` here, and a field of SUMMARY.
"""

from dataclasses import dataclass

import numpy as np

# A row of a summary: one label of a shard. voxels: of s0; centroid: the mean of their centres, x y
# z in nm. volume (nm^3), area (nm^2), faces: sums over its fragments at LOD 0. lower, upper: bounds
# of these fragments, x y z in nm. lods: how many LODs it keeps.
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
    ]
)


@dataclass(frozen=True)
class Measure:
    """A number of every segment.

    name: in the table and in the viewer's queries (`volume>1e9`); no column of a user's table can
    have it. field, axis: of SUMMARY; axis is 0 to 2 for x y z, None for a number that has none.
    viewer_type: its data type in the viewer, which knows numbers of 32 bits alone; None if the
    viewer does not get it.
    """

    name: str
    description: str
    field: str
    axis: int | None = None
    viewer_type: str | None = None

    def of(self, rows: np.ndarray) -> np.ndarray:
        """This number of some rows of dtype SUMMARY, shape (rows,), in its own type."""
        values = rows[self.field]
        return np.ascontiguousarray(values if self.axis is None else values[:, self.axis])

    @property
    def dtype(self) -> np.dtype:
        """Its data type in the table."""
        return SUMMARY[self.field].base


def _along_axes(name: str, description: str, field: str, viewer_type: str | None) -> list[Measure]:
    return [
        Measure(f"{axis}_{name}", f"{description} in {axis}, nanometres", field, i, viewer_type)
        for i, axis in enumerate("xyz")
    ]


# In the order of the table, which is also that in which the viewer shows them.
MEASURES = (
    Measure("volume", "Volume in cubic nanometres", "volume", viewer_type="float32"),
    Measure("voxels", "Voxels at the finest level, in all that is meshed", "voxels"),
    Measure("area", "Surface area in square nanometres", "area", viewer_type="float32"),
    Measure("faces", "Triangles at the finest level of detail", "faces", viewer_type="uint32"),
    Measure("lods", "Levels of detail", "lods"),
    *_along_axes("min", "Lower end of the bounding box", "lower", "float32"),
    *_along_axes("max", "Upper end of the bounding box", "upper", "float32"),
    *_along_axes("centroid", "Mean of the voxels' centres", "centroid", None),
)
