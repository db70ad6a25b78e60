"""Meshes as binary glTF: a node for each label, in its colour, with normals, in metres.

Format: https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html
"""

import json
import struct
from typing import Any

import numpy as np

from snakemesh.errors import UserError
from snakemesh.meshes.part import Part

FLOAT, UINT = 5126, 5125
VERTICES, INDICES = 34962, 34963
MOST_BYTES = (1 << 32) - 1  # the format stores the length of the file in 32 bits
ROUGHNESS = 0.7


def glb(parts: list[Part], unit_m: float) -> bytes:
    """The bytes of a file. unit_m: the unit of the vertices, in metres.

    Vertices keep their unit. The node above all others scales them to metres, as the format
    demands; each node below it is named after its label and moves its mesh, whose vertices are
    relative to their middle, to its place: float32 would round large coordinates.
    """
    file = _File()
    for number, part in enumerate(parts):
        file.add(part, number)
    root = {"name": "metres", "scale": [unit_m] * 3, "children": list(range(1, len(parts) + 1))}
    document = {
        "asset": {"version": "2.0", "generator": "snakemesh"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [root, *file.nodes],
        "meshes": file.meshes,
        "materials": file.materials,
        "accessors": file.accessors,
        "bufferViews": file.views,
        "buffers": [{"byteLength": file.size}],
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    length = 12 + 8 + len(text) + 8 + file.size
    if length > MOST_BYTES:
        raise UserError(
            f"--scene: found {length:,} bytes, a GLB has at most {MOST_BYTES:,}: name fewer ids, a "
            "coarser --lod, or a .ply or .vtp file"
        )
    head = struct.pack("<4sII", b"glTF", 2, length) + struct.pack("<I4s", len(text), b"JSON")
    return b"".join([head, text, struct.pack("<I4s", file.size, b"BIN\0"), *file.data])


class _File:
    """The lists of the document, and the bytes that they point into."""

    def __init__(self) -> None:
        self.nodes: list[dict[str, Any]] = []
        self.meshes: list[dict[str, Any]] = []
        self.materials: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []
        self.views: list[dict[str, Any]] = []
        self.data: list[bytes] = []
        self.size = 0

    def add(self, part: Part, number: int) -> None:
        name = str(part.label)
        positions = (part.vertices - part.centre).astype("<f4")
        ends = {"min": positions.min(axis=0).tolist(), "max": positions.max(axis=0).tolist()}
        primitive = {
            "attributes": {
                "POSITION": self._accessor(positions, FLOAT, "VEC3", VERTICES, **ends),
                "NORMAL": self._accessor(part.normals.astype("<f4"), FLOAT, "VEC3", VERTICES),
            },
            "indices": self._accessor(part.faces.astype("<u4").ravel(), UINT, "SCALAR", INDICES),
            "material": number,
        }
        self.meshes.append({"name": name, "primitives": [primitive]})
        surface = {
            "baseColorFactor": [*_linear(part.colour), 1.0],
            "metallicFactor": 0.0,
            "roughnessFactor": ROUGHNESS,
        }
        self.materials.append({"name": name, "pbrMetallicRoughness": surface})
        self.nodes.append({"name": name, "mesh": number, "translation": part.centre.tolist()})

    def _accessor(
        self, values: np.ndarray, component: int, kind: str, target: int, **more: Any
    ) -> int:
        """Append values of 4 bytes; returns the number of their accessor."""
        view = {"buffer": 0, "byteOffset": self.size, "byteLength": values.nbytes, "target": target}
        self.accessors.append(
            {"bufferView": len(self.views), "componentType": component, "type": kind}
            | {"count": len(values)}
            | more
        )
        self.views.append(view)
        self.data.append(values.tobytes())
        self.size += values.nbytes
        return len(self.accessors) - 1


def _linear(colour: np.ndarray) -> list[float]:
    """A colour of sRGB, uint8 (3,), as linear factors from 0 to 1 (IEC 61966-2-1)."""
    value = colour / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return [round(factor, 6) for factor in linear.tolist()]
