"""Meshes as Wavefront OBJ, which is text: an object and a group for each label.

Format: http://paulbourke.net/dataformats/obj
"""

import numpy as np

from snakemesh.meshes.part import Part

DIGITS = {"nm": 5, "um": 8}  # of a position: 1/100,000 nm


def obj(parts: list[Part], unit: str) -> bytes:
    """The bytes of a file. Programs split it by `o` or by `g`; both are the label."""
    lines, before = [f"# unit {unit}\n"], 1
    for part in parts:
        lines.append(f"o {part.label}\ng {part.label}\n")
        lines.append(_rows("v", f"%.{DIGITS[unit]}f", part.vertices))
        lines.append(_rows("f", "%d", part.faces + before))
        before += len(part.vertices)
    return "".join(lines).encode()


def _rows(word: str, form: str, values: np.ndarray) -> str:
    """Rows of three numbers (n, 3), each after a word."""
    return (
        (" ".join([word, form, form, form]) + "\n") * len(values) % tuple(values.ravel().tolist())
    )
