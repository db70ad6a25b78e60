"""snakemesh: from a segmentation volume to multi-resolution meshes for Neuroglancer.

The configuration and the metadata of the volume decide everything. rules/common.smk makes PLAN from
them. The rules follow from PLAN, and their scripts call the library in scripts/snakemesh/.

    rule                  one job per        what it makes in `output_directory`
    pyramid_levels        volume             _intermediate_scales.zarr with empty levels
    pyramid_super_chunk   super-chunk        a box of each missing level, in one pass over the base
    mesh_block            block of an LOD    work/mesh/lod<n>/*.fragments
    mesh_blocks_done      volume             a marker: every block is meshed
    shard                 shard              multires/*.shard and work/shards/*.npy
    multires_index        volume             multires/info, multires/segment_properties/info
    cleanup               volume             nothing: it removes the files that only jobs need

Two more rules: `example` makes the example volume if it is the input, and `pyramid` is a target
that only builds the missing levels.

scripts/snakemesh/output/folder.py has the name of every output. docs/design.md explains the rest.
"""

from snakemake.utils import min_version

min_version("9.6")


configfile: "config/config.yaml"


include: "rules/common.smk"
include: "rules/example.smk"
include: "rules/pyramid_inputs.smk"
include: "rules/pyramid.smk"
include: "rules/mesh_inputs.smk"
include: "rules/mesh.smk"
include: "rules/multires_inputs.smk"
include: "rules/multires.smk"
include: "rules/cleanup.smk"


localrules:
    all,
    pyramid,
    pyramid_levels,
    mesh_blocks_done,
    multires_index,
    cleanup,


rule all:
    default_target: True
    input:
        served,
        kept_pyramid,
        OUT.cleanup_marker,
