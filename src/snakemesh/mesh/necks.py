"""Vertices that keep the two sides of a neck apart.

A neck is a face between two cells across which two net edges have the same two ends (`cell_cases`).
Here it is seen from one of the two cells; X are the centres of voxels of the label, o of others:

    o----X      Both net edges pass through the face, from the vertex u in the cell before it to v
    | L  |      in the cell behind. A vertex in the middle of each edge, L and R, tells them apart.
    |  R |      Every side of the face has a quad, four in all: those of the two sides that end at
    X----o      the left o have L between u and v, the other two have R.

So quads become pentagons, or hexagons where two opposite sides of a quad are at necks.

A vertex lies at the mean of the corners of its two quads. Before smoothing this is a quarter of a
voxel from the middle of the face, towards the voxel that is cut off. Smoothing moves the corners of
the quads as if there were no neck.
"""

import numpy as np


def neck_vertices(
    vertices: np.ndarray, quads: np.ndarray, necks: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the vertices of necks lie, and which sides of which quads have them.

    vertices: (N, 3) int32. quads: (M, 4) int32. necks: (K, 4) int32, from `net.Nets`.

    Returns their positions, (2 K, 3) int32; the rows of the quads at necks, (Q,) int64 ascending;
    and for each side of these, from a corner to the next, the vertex of a neck that lies on it, -1
    if none does, (Q, 4) int32.
    """
    pairs = necks.reshape(-1, 2)
    corners = quads[pairs]
    # int64, rounded once, as in `smoothing`: the result does not depend on where positions start
    places = (vertices[corners].sum(axis=(1, 2), dtype=np.int64) + 4) >> 3
    is_end = (corners[:, :, :, None] == corners[:, ::-1, None, :]).any(axis=3)
    sides = (is_end & np.roll(is_end, -1, axis=2)).argmax(axis=2)
    rows, at = np.unique(pairs, return_inverse=True)
    on_sides = np.full((len(rows), 4), -1, dtype=np.int32)
    on_sides[at.reshape(-1, 2), sides] = np.arange(len(pairs))[:, None]
    return places.astype(np.int32), rows, on_sides
