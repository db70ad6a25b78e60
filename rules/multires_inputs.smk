# What the rules of multires wait for, and what a run makes in the end.

from snakemesh.products.provenance import read_document, served_document
from snakemesh.cost.resources import index_mem_mb, index_runtime, shard_mem_mb, shard_runtime


def all_shard_markers():
    return [OUT.shard_marker(name, MADE_FROM.shards) for name in jobs.shard_names(PLAN)]


def all_summaries():
    return [OUT.summary(name, MADE_FROM.shards) for name in jobs.shard_names(PLAN)]


def products_kept():
    """The markers of all that is there when a run is done, but for that of the clean-up."""
    documents = OUT.documents_marker(MADE_FROM.documents)
    return [*all_shard_markers(), documents, *kept_pyramid(), *kept_containers()]


def result(wildcards):
    """The marker of the result. The clean-up looks at everything again when anything is made."""
    marker = OUT.result_marker(MADE_FROM.result)
    return target([marker], [marker] if missing(products_kept()) else [])


def made_from(product):
    """What a product is made from. To a job the run's document says it: it takes a second else."""
    if workflow.is_main_process:
        return getattr(MADE_FROM, product)
    return read_document(OUT.run_document)["products"][product]


def blocks_marker(wildcards):
    return OUT.blocks_marker(made_from("blocks"))


def shard_job(wildcards):
    refuse_older_plan(wildcards, made_from("shards"))
    return jobs.shard_job(PLAN)


# Whether the run that plans has nothing to make.
IS_DONE = workflow.is_main_process and not missing(
    [*products_kept(), OUT.result_marker(MADE_FROM.result)]
)
