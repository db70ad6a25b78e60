# What the rules share: the plan, the folders, and how jobs are named after their boxes.

import atexit
import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from snakemake.logging import logger

from snakemesh import jobs, lock
from snakemesh.errors import UserError
from snakemesh.estimates import job_work
from snakemesh.inputs import EXAMPLE_PATH, source_levels
from snakemesh.plan import make_plan
from snakemesh.progress import ProgressHandler
from snakemesh.resources import mesh_mem_mb, mesh_runtime
from snakemesh.resources import pyramid_mem_mb, pyramid_runtime
from snakemesh.resources import shard_mem_mb, shard_runtime
from snakemesh.configuration import read_settings, typed
from snakemesh.sharding import shard_name
from snakemesh.summary import plan_summary

try:
    SETTINGS = read_settings(typed(config))
    PLAN = make_plan(SETTINGS, source_levels(SETTINGS))
except UserError as error:
    sys.exit(f"snakemesh: {error}")

OUT = SETTINGS.output_directory.rstrip("/")
MULTIRES = f"{OUT}/multires"
INFO = f"{MULTIRES}/info"
PROPERTIES = f"{MULTIRES}/segment_properties/info"
SHARD = f"{MULTIRES}/{{shard}}.shard"
WORK = f"{OUT}/work"
LOGS = f"{OUT}/logs"
BENCHMARKS = f"{OUT}/benchmarks"
# The group's own document: a group that somebody has removed is missed, whatever the markers say.
GROUP = jobs.pyramid_group(PLAN)
PYRAMID_DOCUMENT = f"{GROUP.path}/{'.zattrs' if GROUP.format == 'zarr2' else 'zarr.json'}"
ENVIRONMENT = "../envs/environment.yaml"
# Jobs that take longer than this are not grouped with others into one job of a cluster.
SHORT_S = 120
# Snakemake sees changes of plain params only, not of objects: these stand for them. Hashed, as the
# record of every job holds it.
MADE_FROM = hashlib.sha256(repr((jobs.made_from(PLAN), PLAN.block_cells)).encode()).hexdigest()
# Named after what they are made from: a job of an older configuration that a cluster still runs
# cannot replace one.
CONTAINER = f"{WORK}/mesh/lod{{lod}}/{{box}}.{MADE_FROM[:16]}.fragments"


wildcard_constraints:
    stage=r"\d+",
    lod=r"\d+",
    box=r"\d+_\d+_\d+",
    shard=r"[0-9a-f]+",


# a dry run lists its jobs first; what it comes to is its last word
if workflow.output_settings.dryrun:
    atexit.register(lambda: print(f"\n{plan_summary(PLAN, works_left().values())}"))


onstart:
    try:
        lock.acquire(Path(WORK))
    except UserError as error:
        sys.exit(f"snakemesh: {error}")
    works = works_left()
    logger.info(plan_summary(PLAN, works.values()))
    logger.addHandler(ProgressHandler(works, logger.info))


def works_left():
    """The work of every job that is to be run, by Snakemake's number of the job."""
    return {
        job.jobid: job_work(PLAN, job.rule.name, job.wildcards_dict)
        for job in workflow.dag.needrun_jobs()
    }


def digest(text):
    """What a marker holds, as Snakemake checks it: one of another configuration is not taken."""
    return hashlib.sha256(text.encode()).hexdigest()


def box_name(index):
    return "{}_{}_{}".format(*index)


def box_index(wildcards):
    return tuple(map(int, wildcards.box.split("_")))


def if_short(rule, group):
    """The group of a job: None where the job takes minutes by itself, as in large volumes."""

    def group_of(wildcards):
        seconds = job_work(PLAN, rule, dict(wildcards.items())).seconds
        return group.format(**wildcards) if seconds < SHORT_S else None

    return group_of


def doubled(amount):
    """A resource that the plan tells, doubled at each further attempt at a job."""
    return lambda wildcards, attempt: amount(wildcards) * 2 ** (attempt - 1)


def example_volume(wildcards=None):
    """The example has to be made first; what is the user's is there already."""
    return EXAMPLE_PATH if SETTINGS.input_path == EXAMPLE_PATH else []


def temp_pyramid(path):
    """Markers of a pyramid that gets deleted go with it, so that a later run builds it again."""
    return temp(path) if SETTINGS.delete_intermediate_scales else path


def super_chunk_marker(stage, index):
    return f"{WORK}/pyramid/stage{stage}/{box_name(index)}.done"


def super_chunk(wildcards):
    return jobs.super_chunk_job(PLAN, PLAN.stages[int(wildcards.stage)], box_index(wildcards))


def whole_pyramid(wildcards=None):
    """The group with its super-chunks, all filled; nothing where no level is missing."""
    chunks = [
        super_chunk_marker(number, index)
        for number, stage in enumerate(PLAN.stages)
        for index in jobs.indices(stage.grid)
    ]
    return [PYRAMID_DOCUMENT, f"{WORK}/pyramid/levels.done", *chunks] if chunks else []


def kept_pyramid(wildcards=None):
    """A pyramid that is to be kept is a result like the meshes."""
    return [] if SETTINGS.delete_intermediate_scales else whole_pyramid()


def earlier_stage(wildcards):
    """The super-chunks of earlier stages that make what a super-chunk reads."""
    stage = PLAN.stages[int(wildcards.stage)]
    needed = jobs.super_chunks_for_super_chunk(PLAN, stage, box_index(wildcards))
    return [super_chunk_marker(*chunk) for chunk in needed]


def level_of_block(wildcards):
    """The super-chunks that make what a block reads; nothing where the level is there already."""
    needed = jobs.super_chunks_for_block(PLAN, int(wildcards.lod), box_index(wildcards))
    markers = [super_chunk_marker(*chunk) for chunk in needed]
    return [PYRAMID_DOCUMENT, *markers] if markers else []


def all_blocks(wildcards):
    return [
        f"{WORK}/mesh/lod{lod}/{box_name(index)}.done"
        for lod in range(PLAN.num_lods)
        for index in jobs.indices(PLAN.blocks(lod))
    ]


def shard_names():
    shards = range(PLAN.sharding.num_shards)
    return [Path(shard_name(shard, PLAN.sharding)).stem for shard in shards]


def all_summaries(wildcards):
    return [f"{WORK}/shards/{name}.npy" for name in shard_names()]


def served(wildcards):
    """What a viewer needs. Files of single labels are not known before they are made."""
    shards = [SHARD.format(shard=name) for name in shard_names()] if SETTINGS.sharded else []
    return [INFO, PROPERTIES, *shards]
