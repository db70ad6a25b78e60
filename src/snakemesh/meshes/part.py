"""The mesh of a label as a file of another program holds it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from snakemesh.meshes.normals import vertex_normals


@dataclass(frozen=True)
class Part:
    """The mesh of one label.

    vertices: (n, 3), x y z in the unit of the file, float64, at least `step` apart. faces: (m, 3),
    int64, whose corners run counterclockwise seen from outside. colour: RGB, uint8 (3,), of sRGB.
    """

    label: int
    vertices: np.ndarray
    faces: np.ndarray
    step: float
    colour: np.ndarray

    @cached_property
    def normals(self) -> np.ndarray:
        """The unit normals of the vertices, (n, 3)."""
        return vertex_normals(self.vertices, self.faces)

    @cached_property
    def centre(self) -> np.ndarray:
        """The middle of the bounding box, (3,), rounded to float32."""
        ends = self.vertices.min(axis=0), self.vertices.max(axis=0)
        return np.asarray(np.mean(ends, axis=0).astype(np.float32), float)


def together(parts: list[Part]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All vertices (n, 3), all faces (m, 3) and the number of the part of each face (m,)."""
    starts = np.cumsum([0, *(len(part.vertices) for part in parts[:-1])])
    faces = [part.faces + start for part, start in zip(parts, starts, strict=True)]
    numbers = np.repeat(np.arange(len(parts)), [len(part.faces) for part in parts])
    return np.concatenate([part.vertices for part in parts]), np.concatenate(faces), numbers


def is_blurred(vertices: np.ndarray, step: float) -> bool:
    """Whether vertices (n, 3) that are at least `step` apart fall together as float32."""
    rounded = vertices.astype(np.float32)
    if np.spacing(np.abs(rounded).max(initial=0)) < step / 2:
        return False
    return len(np.unique(rounded, axis=0)) < len(rounded)
