"""snakemesh: from a segmentation volume to multi-resolution meshes, one block at a time."""

__version__ = "0.6.0"
