"""Which vertices a surface net has in a cell: tables over all ways a label can fill it.

A cell is the cube between the centres of 2 x 2 x 2 voxels. Voxel 4 z + 2 y + x of a cell sets that
bit of its *case*, 0 to 255, if it is of the label. An edge of the cell joins two voxels that touch;
the surface crosses it if just one of them is of the label. The crossed edges form cycles, as in the
marching cubes with a consistent table, and each cycle is one vertex of the net (Nielson 2004, "Dual
marching cubes"). The net is the dual of that surface, so it is a manifold like it.

A face of a cell is *ambiguous* if the two voxels of one diagonal are of the label and the other two
are not. The surface joins the two voxels of the label there, as marching cubes does: it cuts off
each of the other two by itself. So voxels that share a face or an edge are joined, and voxels that
share a corner alone are not.

Two net edges cross an ambiguous face. They have the same two ends if in both cells of the face all
four edges of the face are in one cycle. The net would have an edge with four quads there. Such a
face is a *neck*, and a vertex on each of the two net edges keeps them apart (`necks`). A case has
at most one face that can be a neck.
"""

from typing import NamedTuple

import numpy as np

# Positions are in 1/4096 of a voxel.
VOXEL_BITS = 12
VOXEL_STEPS = 1 << VOXEL_BITS
# Edge 4 axis + 2 p + q runs along an axis (0: z, 1: y, 2: x); p and q are its places, 0 or 1, along
# the other two axes in the order z y x. Face 2 axis + side is the lower (0) or upper (1) one.
N_EDGES = 12
N_FACES = 6
# An item is 2 edge + side. This is none.
NO_ITEM = 2 * N_EDGES
_OTHERS = ((1, 2), (0, 2), (0, 1))
_WEIGHT = (4, 2, 1)


class CellCases(NamedTuple):
    """The tables of the 256 cases.

    neck_faces: (256,) int8, the ambiguous face whose four edges are in one cycle, or -1.
    neck_items: (256, 4) uint8, the items of these edges: two around one voxel that is not of the
    label, two around the other; NO_ITEM if there is no such face.
    cycle_starts: (257,) int32, the first cycle of each case. offsets: (cycles, 3) int32, x y z,
    the mean of the middles of a cycle's edges, from the centre of the cell in 1/4096 voxel.
    items: (cycles, 12) uint8, the crossed edges of each cycle as 2 edge + side, where side 0 means
    that the lower voxel is of the label; the last one is repeated to fill the row.
    n_items: (cycles,) uint8, how many there are.
    corners: (24,) uint8, for each item which corner of the edge's quad this cell is.
    new_items: (256, 3) uint8, by case the crossed edges at the last voxel, which no earlier cell
    has; then NO_ITEM. n_new_items: (256,) uint8, how many there are.
    """

    neck_faces: np.ndarray
    neck_items: np.ndarray
    cycle_starts: np.ndarray
    offsets: np.ndarray
    items: np.ndarray
    n_items: np.ndarray
    corners: np.ndarray
    new_items: np.ndarray
    n_new_items: np.ndarray


def _ends(edge: int) -> tuple[int, int]:
    """The lower and the upper voxel of an edge."""
    axis, p, q = edge // 4, edge // 2 % 2, edge % 2
    low = p * _WEIGHT[_OTHERS[axis][0]] + q * _WEIGHT[_OTHERS[axis][1]]
    return low, low + _WEIGHT[axis]


_EDGES = [_ends(edge) for edge in range(N_EDGES)]
# the edges that end at the last voxel of a cell
_LAST_EDGES = [edge for edge, (_, high) in enumerate(_EDGES) if high == 7]
_EDGE_OF = {frozenset(ends): edge for edge, ends in enumerate(_EDGES)}


def _around(face: int) -> list[int]:
    """The four voxels of a face, counterclockwise as seen from outside the cell (in x y z)."""
    axis, side = divmod(face, 2)
    # x y, z x and y z turn counterclockwise as seen from above z, y and x
    first, second = ((2, 1), (0, 2), (1, 0))[axis]
    steps = [(0, 0), (1, 0), (1, 1), (0, 1)]
    ring = [a * _WEIGHT[first] + b * _WEIGHT[second] + side * _WEIGHT[axis] for a, b in steps]
    return ring if side else ring[::-1]


_RINGS = [_around(face) for face in range(N_FACES)]


def _next_edges(case: int) -> dict[int, int]:
    """By crossed edge, the one that follows it in its cycle.

    Around a face, an edge enters the label or leaves it, and on the two faces of an edge it does
    one each. A face joins each edge that enters to the last that left, which cuts off the voxels
    between them, none of which is of the label.
    """
    follows = {}
    for ring in _RINGS:
        inside = [case >> voxel & 1 for voxel in ring]
        for i in range(4):
            if inside[i - 1] < inside[i]:
                j = i - 1
                while not inside[j - 1] > inside[j]:
                    j -= 1
                follows[_edge_before(ring, i)] = _edge_before(ring, j)
    return follows


def _edge_before(ring: list[int], i: int) -> int:
    """The edge between a voxel of a ring and the one before it."""
    return _EDGE_OF[frozenset((ring[i - 1], ring[i]))]


def cycles_of(case: int) -> list[list[int]]:
    """The cycles of crossed edges of a case."""
    follows = _next_edges(case)
    cycles = []
    while follows:
        cycle = [next(iter(follows))]
        while (edge := follows.pop(cycle[-1])) != cycle[0]:
            cycle.append(edge)
        cycles.append(cycle)
    return cycles


def _neck(case: int, cycles: list[list[int]]) -> tuple[int, list[int]]:
    """The face whose four edges are in one cycle and their items, or -1 and NO_ITEM four times.

    There is at most one. Its edges are in pairs, each pair around a voxel that is not of the label.
    """
    for face, ring in enumerate(_RINGS):
        outside = case >> ring[0] & 1  # 0 if the first voxel is outside, or else the second is
        edges = [_edge_before(ring, (i + outside) % 4) for i in range(4)]
        if any(set(edges) <= set(cycle) for cycle in cycles):
            return face, [_item(case, edge) for edge in edges]
    return -1, [NO_ITEM] * 4


def _offset(cycle: list[int]) -> list[int]:
    """The mean of the middles of edges from the centre of the cell, x y z, in 1/4096 voxel."""
    voxels = [voxel for edge in cycle for voxel in _EDGES[edge]]
    total = [sum((voxel // w % 2) * 2 - 1 for voxel in voxels) for w in reversed(_WEIGHT)]
    return [(t * VOXEL_STEPS + 2 * len(cycle)) // (4 * len(cycle)) for t in total]


def _item(case: int, edge: int) -> int:
    """A crossed edge of a case, and whether its upper voxel is of the label: 2 edge + side."""
    return 2 * edge + (case >> _EDGES[edge][1] & 1)


def _corner(item: int) -> int:
    """Which corner of the quad of an edge a cell is.

    Quads begin at the lowest of the four cells of the edge and face away from the label.
    """
    edge, side = divmod(item, 2)
    axis, place = edge // 4, (edge // 2 % 2, edge % 2)
    # the lowest cell has the edge in its last place
    corner = [(1, 1), (1, 0), (0, 0), (0, 1)].index(place)
    # this order turns counterclockwise as seen from above x and z, and clockwise from above y
    faces_up = axis != 1
    return corner if faces_up == (side == 0) else -corner % 4


def make_cases() -> CellCases:
    """Compute the tables."""
    cases = [cycles_of(case) for case in range(256)]
    necks = [_neck(case, cycles) for case, cycles in enumerate(cases)]
    cycle_starts = [0]
    offsets, items, new_items = [], [], []
    for case, cycles in enumerate(cases):
        for cycle in cycles:
            offsets.append(_offset(cycle))
            items.append([_item(case, edge) for edge in cycle])
        cycle_starts.append(len(offsets))
        crossed = {edge for cycle in cycles for edge in cycle}
        new_items.append([_item(case, edge) for edge in _LAST_EDGES if edge in crossed])
    return CellCases(
        neck_faces=np.array([face for face, _ in necks], dtype=np.int8),
        neck_items=np.array([own for _, own in necks], dtype=np.uint8),
        cycle_starts=np.array(cycle_starts, dtype=np.int32),
        offsets=np.array(offsets, dtype=np.int32),
        items=np.array([own + own[-1:] * (N_EDGES - len(own)) for own in items], dtype=np.uint8),
        n_items=np.array([len(own) for own in items], dtype=np.uint8),
        corners=np.array([_corner(item) for item in range(2 * N_EDGES)], dtype=np.uint8),
        new_items=np.array([new + [NO_ITEM] * (3 - len(new)) for new in new_items], dtype=np.uint8),
        n_new_items=np.array([len(new) for new in new_items], dtype=np.uint8),
    )
