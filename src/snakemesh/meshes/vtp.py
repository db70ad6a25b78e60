"""Meshes as VTK XML PolyData, for ParaView and VTK.

Format: https://docs.vtk.org/en/latest/vtk_file_formats/vtkxml_file_format.html
"""

import struct

import numpy as np

from snakemesh.meshes.part import Part, together

_TYPES = {
    **{"<f8": "Float64", "<f4": "Float32", "<i4": "Int32", "<i8": "Int64"},
    **{"<u8": "UInt64", "|u1": "UInt8"},
}


def vtp(parts: list[Part], unit: str) -> bytes:
    """The bytes of a file: points in `unit` with normals, and triangles with label and colour.

    The data of faces are `label`, uint64, and `colour`, RGB. The data of the whole is the text
    `unit`.
    """
    vertices, faces, numbers = together(parts)
    labels = np.array([part.label for part in parts], np.uint64)
    colours = np.array([part.colour for part in parts], np.uint8)
    normals = np.concatenate([part.normals for part in parts])
    index = "<i4" if 3 * len(faces) < 1 << 31 else "<i8"
    data: list[bytes] = []

    def array(name: str, values: np.ndarray, kind: str) -> str:
        at = sum(map(len, data))
        raw = values.astype(kind).tobytes()
        data.extend([struct.pack("<Q", len(raw)), raw])
        width = 1 if values.ndim == 1 else values.shape[1]
        shape = f'NumberOfComponents="{width}" format="appended" offset="{at}"'
        return f'<DataArray type="{_TYPES[kind]}" Name="{name}" {shape}/>'

    letters = " ".join(str(ord(letter)) for letter in f"{unit}\0")
    counts = f'NumberOfPoints="{len(vertices)}" NumberOfPolys="{len(faces)}"'
    lines = [
        '<?xml version="1.0"?>',
        '<VTKFile type="PolyData" version="1.0" byte_order="LittleEndian" header_type="UInt64">',
        "<PolyData>",
        f'<FieldData><Array type="String" Name="unit" NumberOfTuples="1" format="ascii">{letters}',
        "</Array></FieldData>",
        f"<Piece {counts}>",
        f"<Points>{array('Points', vertices, '<f8')}</Points>",
        f'<PointData Normals="Normals">{array("Normals", normals, "<f4")}</PointData>',
        f"<Polys>{array('connectivity', faces.ravel(), index)}",
        f"{array('offsets', np.arange(1, len(faces) + 1) * 3, index)}</Polys>",
        f'<CellData Scalars="label">{array("label", labels[numbers], "<u8")}',
        f"{array('colour', colours[numbers], '|u1')}</CellData>",
        "</Piece>",
        "</PolyData>",
        '<AppendedData encoding="raw">',
        "_",
    ]
    tail = b"\n</AppendedData>\n</VTKFile>\n"
    return b"".join(["\n".join(lines).encode(), *data, tail])
