"""The pieces of a label's voxels: what hangs together in an array.

Arrays are z y x.
"""

import itertools

import numpy as np

from snakemesh.compiled import njit


def neighbours(most_axes: int) -> np.ndarray:
    """Offsets (n, 3) int64, z y x, to the neighbours of a voxel that come before it in the array.

    most_axes: 1 for voxels with a face in common, 2 with a face or an edge, 3 with a corner too.
    These are half of the 6, 18 or 26 neighbours.
    """
    cube = itertools.product((-1, 0, 1), repeat=3)
    return np.array([d for d in cube if d < (0, 0, 0) and np.count_nonzero(d) <= most_axes])


@njit(cache=True, nogil=True)
def components(labels, offsets):
    """Which voxels of a label hang together.

    labels: (z, y, x) unsigned integers, 0 is background. offsets: of `neighbours`. Returns the
    component of each voxel, int32 of the same shape, 0 for background and others counted from 1 in
    the order of their first voxels; and the label of each component, uint64, the first one 0.

    A union-find over the voxels: every voxel points at an earlier one of its component, the first
    one at itself. At most 2^31 voxels.
    """
    nz, ny, nx = labels.shape
    flat = labels.reshape(-1)
    parent = np.empty(len(flat), np.int32)
    count = 1
    for z in range(nz):
        for y in range(ny):
            for x in range(nx):
                i = (z * ny + y) * nx + x
                parent[i] = i
                if flat[i] == 0:
                    continue
                root = i
                goes_on = x > 0 and flat[i - 1] == flat[i]
                for k in range(len(offsets) - 1, -1, -1):
                    u, v, w = z + offsets[k, 0], y + offsets[k, 1], x + offsets[k, 2]
                    if u < 0 or v < 0 or w < 0 or v >= ny or w >= nx:
                        continue
                    j = (u * ny + v) * nx + w
                    if flat[j] != flat[i]:
                        continue
                    # the voxels before both are joined in the same way already
                    if goes_on and k < len(offsets) - 1 and w > 0 and flat[j - 1] == flat[j]:
                        continue
                    while parent[j] != j:
                        parent[j] = parent[parent[j]]
                        j = parent[j]
                    if j < root:
                        parent[root] = j
                        root = j
                    elif j > root:
                        parent[j] = root
                parent[i] = root
                count += root == i
    owners = np.zeros(count, np.uint64)
    count = 0
    for i in range(len(flat)):
        # what a voxel points at comes before it and has its number already
        if flat[i] == 0:
            parent[i] = 0
        elif parent[i] == i:
            count += 1
            parent[i] = count
            owners[count] = flat[i]
        else:
            parent[i] = parent[parent[i]]
    return parent.reshape(labels.shape), owners[: count + 1]
