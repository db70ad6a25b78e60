"""Tiles that are cut by themselves have pieces that fit where the tiles meet."""

from itertools import pairwise, product

import numpy as np
import pytest

from snakemesh.fragments.octree import CELL_STEPS
from surfaces import canonical, face_pieces, noise, open_edges, tile_pieces, voronoi

CELL = (6, 7, 5)  # x y z
# The volumes end inside the last cells, so that tiles there end at faces of the octree.
TILED = {labels_of: labels_of((14, 18, 20), 4, 5) for labels_of in (noise, voronoi)}
N_CELLS = (4, 3, 3)
PARTS = [((0, 2), (0,), (0,)), ((0, 1, 3), (0, 2), (0, 1)), ((0, 1, 2, 3), (0, 1, 2), (0, 1, 2))]


@pytest.mark.parametrize("labels_of", TILED)
@pytest.mark.parametrize("n_iter", [0, 2])
@pytest.mark.parametrize("has_octants", [False, True])
@pytest.mark.parametrize("parts", PARTS)
def test_tiles_fit_at_their_seams(labels_of, n_iter, has_octants, parts):
    labels = TILED[labels_of]
    whole, whole_labels, _ = tile_pieces(labels, CELL, (0, 0, 0), N_CELLS, n_iter, has_octants)
    found, n_dense = {}, 0
    spans = [list(pairwise([*part, n])) for part, n in zip(parts, N_CELLS, strict=True)]
    for box in product(*spans):
        begin, end = zip(*box, strict=True)
        pieces, piece_labels, _ = tile_pieces(labels, CELL, begin, end, n_iter, has_octants)
        n_dense += pieces.dense.sum()
        corners = (pieces.vertices + np.multiply(begin, CELL_STEPS))[pieces.faces]
        for label in np.unique(piece_labels):
            mine = corners[piece_labels[face_pieces(pieces)] == label]
            found[box, label] = mine
            edges = open_edges(mine)
            in_seam = [
                (edges[..., i] == place * CELL_STEPS).all(axis=1)
                for i in range(3)
                for place in box[i]
                if 0 < place < N_CELLS[i]
            ]
            assert np.any(in_seam, axis=0).all() if len(edges) else True
    # all tiles of a seam see the same border edges: together they are the surface of one tile
    assert n_dense == pytest.approx(whole.dense.sum(), rel=1e-5)
    for label in np.unique(whole_labels):
        mine = whole.vertices[whole.faces[whole_labels[face_pieces(whole)] == label]]
        joined = np.concatenate([t for (_, other), t in found.items() if other == label])
        np.testing.assert_array_equal(canonical(joined), canonical(mine))
        assert len(open_edges(joined)) == 0


@pytest.mark.parametrize("labels_of", TILED)
@pytest.mark.parametrize("n_iter", [0, 2])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_two_tiles_find_the_same_border(labels_of, n_iter, axis):
    borders = []
    for is_upper in (False, True):
        begin = [1 if i == axis and is_upper else 0 for i in range(3)]
        end = [1 if i == axis and not is_upper else n for i, n in enumerate(N_CELLS)]
        pieces, labels, _ = tile_pieces(TILED[labels_of], CELL, begin, end, n_iter, True)
        corners = (pieces.vertices + np.multiply(begin, CELL_STEPS))[pieces.faces]
        border = set()
        for label in np.unique(labels).tolist():
            for edge in open_edges(corners[labels[face_pieces(pieces)] == label]).tolist():
                assert edge[0][axis] == edge[1][axis] == CELL_STEPS
                border.add((label, *map(tuple, sorted(edge))))
        borders.append(border)
    assert borders[0] == borders[1]
    assert len(borders[0]) > 100
