"""How much around a tile a job reads."""

from snakemesh.smoothing_passes import pass_steps


def halo_voxels(n_smoothing_iter: int) -> int:
    """The width of the halo, in voxels.

    With a halo of this width, a tile gets exactly the surface that it has in the whole volume.
    Number the cells outside the tile from 0, which is centred on its border, and so half inside. A
    face that reaches into the tile has a vertex in cell 0, or merged with one there, in a cluster
    of the cells 0 and 1 (`vertex_clusters`). Its other vertices are then in a cluster of the cells
    2 and 3. Whether these are merged depends on quads that end in cell 4, and a vertex of cell 4 on
    the fifth voxel. The vertex of a neck (`necks`) depends only on cells next to those of its quad:
    cell 4 at most. Each pass of smoothing looks one voxel further. Two more voxels are for vertices
    that smoothing moves by more than a voxel.
    """
    return len(pass_steps(n_smoothing_iter)) + 7
