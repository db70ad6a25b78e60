"""Formats and units of exported meshes, for the command line, which must not wait for numpy."""

FORMATS = ("ply", "obj", "stl", "glb", "vtp")
COLOURED = ("ply", "glb", "vtp")
WEBKNOSSOS = "webknossos"  # not a file of a label, but shards of all labels
UNITS_NM = {"nm": 1.0, "um": 1000.0}
