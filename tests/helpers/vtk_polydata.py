"""A reader of VTK XML PolyData for tests, written from the description of the format.

https://docs.vtk.org/en/latest/vtk_file_formats/vtkxml_file_format.html
"""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

TYPES = {
    "Float64": "f8",
    "Float32": "f4",
    "Int32": "i4",
    "Int64": "i8",
    "UInt64": "u8",
    "UInt8": "u1",
}


def read_polydata(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays of a file by the name of their section and their own, and the texts by name.

    Raises AssertionError where the file breaks the rules of the format.
    """
    before, _, appended = path.read_bytes().partition(b'<AppendedData encoding="raw">')
    raw, mark, _ = appended.rpartition(b"\n</AppendedData>\n</VTKFile>\n")
    raw = raw.lstrip(b"\n ")
    assert mark and raw[:1] == b"_"
    root = ElementTree.fromstring(before + b"</VTKFile>")
    assert (root.tag, root.get("type"), root.get("header_type")) == (
        "VTKFile",
        "PolyData",
        "UInt64",
    )
    order = {"LittleEndian": "<", "BigEndian": ">"}[root.get("byte_order")]
    (piece,) = root.iter("Piece")
    arrays, end = {}, 1
    for section in piece:
        for array in section.iter("DataArray"):
            begin = 1 + int(array.get("offset"))
            assert array.get("format") == "appended" and begin == end
            size = int(np.frombuffer(raw, f"{order}u8", 1, begin)[0])
            end = begin + 8 + size
            values = np.frombuffer(raw[begin + 8 : end], order + TYPES[array.get("type")])
            width = int(array.get("NumberOfComponents", 1))
            found = values.reshape(-1, width) if width > 1 else values
            arrays[f"{section.tag}/{array.get('Name')}"] = found
    assert end == len(raw)
    counts = {
        "Points": "NumberOfPoints",
        "PointData": "NumberOfPoints",
        "CellData": "NumberOfPolys",
    }
    for name, values in arrays.items():
        if count := counts.get(name.split("/")[0]):
            assert len(values) == int(piece.get(count)), name
    assert len(arrays["Polys/offsets"]) == int(piece.get("NumberOfPolys"))
    texts = {}
    for text in root.iter("Array"):
        letters = [int(code) for code in text.text.split()]
        assert text.get("type") == "String" and letters[-1] == 0
        texts[text.get("Name")] = "".join(map(chr, letters[:-1]))
    return arrays, texts
