"""Splitting faces at edges that have more than two faces, or may get them beside a plane.

Where there is no room for anything else, `simplify` drops a vertex of a curve by force. Two parts
of a body may then share an edge, which has four faces. Or a piece gets a *chord*: an edge between
two vertices of a plane that is no part of the curve there. The piece beyond the plane may have the
same chord. In both cases two faces at the edge are split, at a new vertex between them that lies
in no plane.

Everything is x y z, in steps of the lattice.
"""

import numpy as np

from snakemesh.mesh.pieces import Planes, codes_between, on_planes, push_back

# Each round mends edges that share no face. Noise takes three.
_ROUNDS = 20


def split_crowded_edges(
    vertices: np.ndarray,
    codes: np.ndarray,
    faces: np.ndarray,
    pieces: np.ndarray,
    is_crowded: np.ndarray,
    is_kept: np.ndarray,
    planes: Planes,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Split faces until no edge of a piece has more than two of them, and no chord is left.

    vertices: (N, 3) int32. codes: (N,) int32, as in `Pieces`. faces: (K, 3) int32. pieces: (K,)
    int32, the piece of each, ascending. is_crowded: (K,) bool, the faces that have an edge with
    more than two faces of their piece; of the others, only those with an edge in a plane are looked
    at. is_kept: (N,) bool, whether a vertex is KEPT. planes: that cut.

    Returns the first four, with new vertices after the others, and faces still by piece.
    """
    # only the edges of these faces, and of those that they are split into, can be split
    seen = np.flatnonzero(is_crowded | _has_edge_in_plane(on_planes(codes), faces))
    n_faces = len(faces)
    for _ in range(_ROUNDS):
        is_kept = np.pad(is_kept, (0, len(codes) - len(is_kept)))
        pairs = _pairs_to_split(on_planes(codes), is_kept, faces[seen], pieces[seen])
        if not len(pairs):
            break
        pairs = 3 * seen[pairs // 3] + pairs % 3
        # the faces u v w and v u x become u m w, m v w, v m x and m u x
        u, v, w = _corners_from(faces, pairs[:, 0])
        x = _corners_from(faces, pairs[:, 1])[2]
        m = np.arange(len(vertices), len(vertices) + len(pairs), dtype=np.int32)
        around = np.stack([u, v, w, x])
        places = vertices[around].astype(np.int64)
        middles = (2 * places[0] + 2 * places[1] + places[2] + places[3]) // 6
        vertices = np.concatenate([vertices, middles.astype(np.int32)])
        codes = np.concatenate([codes, codes_between(codes[around])])
        push_back(vertices, codes, planes)
        first, second = pairs.T // 3
        seen = np.concatenate([seen, np.arange(len(faces), len(faces) + 2 * len(pairs))])
        faces = np.concatenate([faces, np.stack([m, v, w], 1), np.stack([m, u, x], 1)])
        faces[first], faces[second] = np.stack([u, m, w], 1), np.stack([v, m, x], 1)
        pieces = np.concatenate([pieces, pieces[first], pieces[second]])
    at = np.searchsorted(pieces[:n_faces], pieces[n_faces:], side="right")
    faces = np.insert(faces[:n_faces], at, faces[n_faces:], axis=0)
    return vertices, codes, faces, np.insert(pieces[:n_faces], at, pieces[n_faces:])


def _has_edge_in_plane(planes: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Whether two corners of a face lie in one plane: (K,) bool. planes: of each vertex."""
    a, b, c = (planes[faces[:, i]] for i in range(3))
    found: np.ndarray = ((a & b) | (b & c) | (c & a)) != 0
    return found


def _pairs_to_split(
    planes: np.ndarray, is_kept: np.ndarray, faces: np.ndarray, pieces: np.ndarray
) -> np.ndarray:
    """Pairs of faces that share an edge to be split, (P, 2) int64; no face is in two pairs.

    Corner 3 f + i stands for face f and the edge that begins at its corner i.
    """
    corners = np.arange(3 * len(faces))
    starts, ends, thirds = _corners_from(faces, corners)
    low, high, owners = np.minimum(starts, ends), np.maximum(starts, ends), np.repeat(pieces, 3)
    order = np.lexsort((high, low, owners))
    keys = np.stack([owners, low, high])[:, order]
    begins = np.flatnonzero((np.diff(keys, axis=1, prepend=-1) != 0).any(axis=0))
    sizes = np.diff(np.append(begins, len(order)))
    shared = planes[starts] & planes[ends]
    is_flat = shared & planes[thirds] != 0
    is_chord = (shared != 0) & ~is_flat
    # beside a face in the plane, the piece beyond has the same chord only if a curve has its ends
    is_known = (shared != 0) & is_kept[starts] & is_kept[ends]
    is_between = np.logical_and.reduceat((is_chord | is_known)[order], begins)
    is_between &= np.logical_or.reduceat(is_chord[order], begins)
    is_bad = (sizes > 2) | ((sizes == 2) & is_between)
    used: set[int] = set()
    pairs = []
    for begin, size in zip(begins[is_bad].tolist(), sizes[is_bad].tolist(), strict=True):
        # of more than two faces, those that lie in no plane come first
        mine = sorted(order[begin : begin + size].tolist(), key=is_flat.__getitem__)
        ways: list[list[int]] = [[], []]
        for corner in mine:
            if corner // 3 not in used:
                ways[int(starts[corner] < ends[corner])].append(corner)
        # between two faces of a plane there is no room off it
        if ways[0] and ways[1] and not (is_flat[ways[0][0]] and is_flat[ways[1][0]]):
            pairs.append((ways[0][0], ways[1][0]))
            used |= {ways[0][0] // 3, ways[1][0] // 3}
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _corners_from(faces: np.ndarray, corners: np.ndarray) -> tuple[np.ndarray, ...]:
    """The vertices at corners, 3 f + i, of faces, and at the two after each in its face."""
    face, i = corners // 3, corners % 3
    return faces[face, i], faces[face, (i + 1) % 3], faces[face, (i + 2) % 3]
