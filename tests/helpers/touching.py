"""Which labels touch, face by face and edge by edge: slow, and of another kind than the product."""

from collections import defaultdict

import numpy as np


def contact_faces(labels, with_background=False):
    """By contact face, its two labels: (smaller, larger), or (label, 0) with the background.

    A face is (z, y, x, axis), of its upper voxel.
    """
    faces = {}
    for axis in range(3):
        upper, lower = np.delete(labels, 0, axis), np.delete(labels, -1, axis)
        for place in np.argwhere(upper != lower).tolist():
            pair = sorted(int(side[tuple(place)]) for side in (upper, lower))
            if pair[0] == 0 and not with_background:
                continue
            place[axis] += 1
            faces[(*place, axis)] = tuple(pair) if pair[0] else (pair[1], 0)
    return faces


def edges_of(face):
    """The four edges of a face: each the lower end and the axis."""
    *place, axis = face
    for across in {0, 1, 2} - {axis}:
        for side in (0, 1):
            end = list(place)
            end[across] += side
            yield (*end, 3 - axis - across)


def patches(labels, with_background=False):
    """By pair of labels, the sets of faces of its patches."""
    faces = contact_faces(labels, with_background)
    around = defaultdict(list)
    for face, pair in faces.items():
        for edge in edges_of(face):
            around[edge, pair].append(face)
    found, left = defaultdict(list), set(faces)
    while left:
        first = left.pop()
        patch, new = {first}, [first]
        while new:
            face = new.pop()
            for edge in edges_of(face):
                more = set(around[edge, faces[first]]) & left
                left -= more
                patch |= more
                new += more
        found[faces[first]].append(patch)
    return dict(found)


def moment(patch):
    """The sum of the centres of some faces, x y z, in half voxels."""
    places = np.array(sorted(patch))
    centres = 2 * places[:, :3] + 1
    centres[np.arange(len(places)), places[:, 3]] -= 1
    return centres.sum(axis=0)[::-1].tolist()
