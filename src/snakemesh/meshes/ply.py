"""Meshes as binary PLY.

Format: http://paulbourke.net/dataformats/ply
"""

import numpy as np

from snakemesh.errors import UserError
from snakemesh.meshes.part import Part, together

MOST_VERTICES = (1 << 31) - 1  # readers take the indices of corners for int32


def ply(parts: list[Part], unit: str) -> bytes:
    """The bytes of a file. Comments say the unit, and the label of each segment.

    Vertices are float64, with the colour of their segment. Each face has the number of its segment,
    from 0 on: the types of the format are too small for labels.
    """
    vertices, faces, numbers = together(parts)
    if len(vertices) > MOST_VERTICES:
        raise UserError(
            f"--scene: found {len(vertices):,} vertices, a PLY has at most {MOST_VERTICES:,}: name "
            "fewer ids, a coarser --lod, or a .vtp file"
        )
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"comment unit {unit}",
        *(f"comment segment {number} label {part.label}" for number, part in enumerate(parts)),
        f"element vertex {len(vertices)}",
        *(f"property double {axis}" for axis in "xyz"),
        *(f"property uchar {colour}" for colour in ("red", "green", "blue")),
        f"element face {len(faces)}",
        "property list uchar int vertex_indices",
        "property int segment",
        "end_header\n",
    ]
    points = np.empty(len(vertices), [("place", "<f8", 3), ("colour", "u1", 3)])
    points["place"] = vertices
    sizes = [len(part.vertices) for part in parts]
    points["colour"] = np.repeat([part.colour for part in parts], sizes, axis=0)
    rows = np.empty(len(faces), [("corners", "u1"), ("vertices", "<i4", 3), ("segment", "<i4")])
    rows["corners"], rows["vertices"], rows["segment"] = 3, faces, numbers
    return "\n".join(header).encode() + points.tobytes() + rows.tobytes()
