"""VTK's legacy text format, read by the rules of src/datasource/vtk/parse.ts of Neuroglancer.

Lines that this reader refuses, Neuroglancer refuses too, or waits for without end.
"""

import gzip
import re
from pathlib import Path

import numpy as np

_HEADER = (
    r"[ \t]*#[ \t]+vtk[ \t]+DataFile[ \t]+Version[ \t]+([^\s]+)[ \t]*\n(.*)\n"
    r"[ \t]*ASCII[ \t]*\n[ \t]*DATASET[ \t]+POLYDATA[ \t]*\n"
)
_POINTS = r"[ \t]*POINTS[ \t]+([0-9]+)[ \t]+([^\s]+)[ \t]*"
_POLYGONS = r"[ \t]*POLYGONS[ \t]+([0-9]+)[ \t]+([0-9]+)[ \t]*"
_TRIANGLE = r"[ \t]*3[ \t]+([0-9]+)[ \t]+([0-9]+)[ \t]+([0-9]+)[ \t]*"
_POINT_DATA = r"[ \t]*POINT_DATA[ \t]+([0-9]+)[ \t]*"
_SCALARS = r"[ \t]*SCALARS[ \t]+([^\s]+)[ \t]+([^\s]+)[ \t]*"
_LOOKUP = r"[ \t]*LOOKUP_TABLE[ \t]+([^\s]+)[ \t]*"


def read_vtk(path: Path) -> tuple[str, np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Title, vertices (n, 3) float64, faces (m, 3) and attributes of the vertices by name."""
    text = gzip.decompress(path.read_bytes()).decode("ascii")
    header = re.match(_HEADER, text[:1000])
    lines = iter(text[header.end() :].split("\n"))

    def matched(pattern: str) -> re.Match:
        return re.fullmatch(pattern, next(lines))

    count = int(matched(_POINTS)[1])
    vertices = np.array([next(lines).split() for _ in range(count)], float).reshape(-1, 3)
    n_faces, n_numbers = map(int, matched(_POLYGONS).groups())
    assert n_numbers == 4 * n_faces
    faces = np.array([matched(_TRIANGLE).groups() for _ in range(n_faces)], int).reshape(-1, 3)
    assert int(matched(_POINT_DATA)[1]) == count
    attributes = {}
    for line in lines:
        if line:
            name = re.fullmatch(_SCALARS, line)[1]
            assert matched(_LOOKUP)
            attributes[name] = np.array([float(next(lines)) for _ in range(count)])
    assert faces.max(initial=-1) < count
    return header[2], vertices, faces, attributes
