"""snakemesh: from a segmentation volume to multi-resolution meshes for Neuroglancer.

The configuration and the metadata of the volume decide everything. rules/common.smk opens the RUN
with its plan. The rules follow from it, and their scripts call the library in src/snakemesh/.

    rule                  what it makes, one job per
    label_map             work/label_map/, the sorted table of bodies         volume
    pyramid_levels        _intermediate_scales.zarr with empty levels         volume
    pyramid_super_chunk   every missing level there, from one pass over s0    super-chunk
    mesh_block            work/mesh/lod<n>/*.fragments, its container         block of an LOD
    mesh_small_lods       the containers of the last LODs, if these are small volume
    mesh_bundle           work/mesh/bundles/, the containers of many blocks   bundle of an LOD
    mesh_blocks_done      a marker that every block is meshed                 volume
    measure_block         work/measured/, what is measured of its voxels      block of LOD 0
    shard                 multires/*.shard, its marker and summary            shard
    measure_shard         work/measured/, the curvature of its meshes         shard
    measure_labels        measures of all labels, for segments.parquet        volume
    multires_index        multires/info and the documents beside it           volume
    cleanup               removes what was only there between jobs            volume

More rules: `example` makes the example volume if it is the input, and `pyramid` is a target that
only builds the missing levels. `verify` is a target that reads the finished output back:

    verify_voxels         the labels of a box of s0, counted afresh           block of LOD 0
    verify_voxels_done    a marker that all of s0 is counted                  volume
    verify_shard          what is found in the meshes of a shard              shard
    verify_table          a table of it all, verify.parquet                   volume

`report` is a target that makes pictures, plots and tables for `snakemake --report`:

    report_facts          what planning knows, for the report                 volume
    report_files          pictures, tables, and a first page of numbers       volume

src/snakemesh/output/folder.py has the name of every output. docs/design.md explains the rest.
"""

import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.17")
try:
    from snakemesh.installed import refuse_other_package
except ModuleNotFoundError:
    sys.exit(
        "snakemesh: the package snakemesh is not installed for this Python; in the clone, type "
        f"{sys.executable} -m pip install -e ."
    )
refuse_other_package("0.6.0", workflow.current_basedir)


report: "report/workflow.rst"


CONFIGURATION = "config/config.yaml"


# of the working directory, or else the one beside this file
configfile: CONFIGURATION if Path(CONFIGURATION).exists() else workflow.source_path(CONFIGURATION)


include: "rules/common.smk"
include: "rules/example.smk"
include: "rules/label_map.smk"
include: "rules/pyramid.smk"
include: "rules/mesh.smk"
include: "rules/measure.smk"
include: "rules/multires.smk"
include: "rules/cleanup.smk"
include: "rules/verify.smk"
include: "rules/report.smk"


rule all:
    input:
        RESULT.target,
        VERIFICATION.if_asked,
        REPORTING.if_packed,
    localrule: True
