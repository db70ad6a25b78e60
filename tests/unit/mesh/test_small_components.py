import numpy as np
import pytest

from snakemesh.mesh.compact_labels import compact_labels
from snakemesh.mesh.net import label_nets
from snakemesh.mesh.small_components import MOST_VOXELS, small_components
from snakemesh.mesh.surface import extract_surfaces
from surfaces import noise

WAYS = [way for way in np.argwhere(np.ones((3, 3, 3))) - 1 if 0 < np.abs(way).sum() < 3]


def parts(labels):
    """The label and the voxels, (n, 3), of every component, found voxel by voxel."""
    left = {tuple(at) for at in np.argwhere(labels).tolist()}
    found = []
    while left:
        mine = [left.pop()]
        for at in mine:
            for way in WAYS:
                other = tuple((np.array(at) + way).tolist())
                if other in left and labels[other] == labels[at]:
                    left.remove(other)
                    mine.append(other)
        found.append((labels[mine[0]], np.array(mine)))
    return found


@pytest.mark.parametrize(("n_labels", "seed"), [(8, 1), (30, 2)])
def test_every_small_component_is_found_with_the_moments_of_its_part_in_the_tile(n_labels, seed):
    labels = noise((12, 13, 11), n_labels, seed)
    origin, end = (2, 1, 3), (7.5, 9.0, 6.0)
    expected = []
    for label, voxels in parts(labels):
        if len(voxels) <= MOST_VOXELS:
            lower = np.maximum(voxels - origin, 0)
            upper = np.minimum(voxels - origin + 1, end)
            volumes = np.maximum(upper - lower, 0).prod(axis=1)
            moments = (volumes[:, None] * (lower + upper) / 2).sum(axis=0)
            expected.append((label, volumes.sum(), *moments[::-1]))
    compact = compact_labels(labels)
    before = compact.numbers.copy()
    nets = label_nets(compact)
    found = small_components(compact, nets, origin, end)
    np.testing.assert_array_equal(compact.numbers, before)
    names = np.repeat(nets.labels, np.diff(found.starts))
    rows = sorted(map(tuple, np.column_stack([names, found.moments]).tolist()))
    np.testing.assert_allclose(rows, sorted(expected))


@pytest.mark.parametrize(("n_labels", "seed"), [(3, 1), (8, 2)])
def test_owners_share_no_vertex_and_their_volumes_add_up_to_their_label(n_labels, seed):
    labels = noise((12, 13, 11), n_labels, seed)
    (found,) = extract_surfaces(compact_labels(labels), (0, 0, 0), 1, end=(12.0, 13.0, 11.0))
    assert len(found.rows) > len(found.labels)
    owners = np.repeat(np.arange(len(found.rows)), np.diff(found.face_starts))
    pairs = np.unique(np.column_stack([found.faces.ravel(), np.repeat(owners, 3)]), axis=0)
    assert len(pairs) == len(np.unique(found.faces))
    whole = np.bincount(labels.ravel())[1:]
    moments = np.zeros((len(whole), 4))
    moments[:, 0] = whole
    totals = np.bincount(found.rows, found.of_owners(moments)[:, 0])
    np.testing.assert_allclose(totals, whole)
