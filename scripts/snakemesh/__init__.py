"""snakemesh: from a segmentation volume to multi-resolution meshes, one block at a time."""
