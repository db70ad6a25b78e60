"""snakemesh: from a segmentation volume to multi-resolution meshes for Neuroglancer.

config -> plan -> rules -> scripts -> library. Everything below follows from PLAN, which is made
from the configuration and the volume's metadata alone.
"""


configfile: "config/config.yaml"


include: "rules/common.smk"
include: "rules/example.smk"
include: "rules/pyramid.smk"
include: "rules/mesh.smk"
include: "rules/multires.smk"
include: "rules/cleanup.smk"


localrules:
    all,
    pyramid,
    pyramid_levels,
    fragments,
    multires_index,
    cleanup,


rule all:
    default_target: True
    input:
        served,
        kept_pyramid,
        f"{WORK}/cleanup.done",
