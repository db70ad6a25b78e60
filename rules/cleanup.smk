# The last job: it looks at what is served, and removes what was only there between jobs.

# Where nothing is to be made, the marker of the result is a file like any other, and no rule's: then
# nothing that Snakemake remembers of the rule can have it made again.
if not RESULT.is_done:

    rule cleanup:
        input:
            lambda wildcards: RUN.missing(RESULT.products()),
        output:
            OUT.result_marker("{fingerprint}"),
        log:
            OUT.log("cleanup.{fingerprint}"),
        benchmark:
            OUT.benchmark("cleanup.{fingerprint}")
        localrule: True
        conda:
            ENVIRONMENT
        resources:
            mem_mb=500,
            runtime=60,
        params:
            folder=OUT,
            sharded=SETTINGS.sharded,
            shards=lambda wildcards: RUN.products.shards,
            containers=lambda wildcards: MESHING.kept(),
            measured=MEASURING.products,
            measured_blocks=MEASURING.kept,
            label_map=RESULT.kept_of_label_map,
            keep_fragments=SETTINGS.keep_fragments,
            pyramid=PYRAMID.removed(),
        script:
            "../scripts/cleanup.py"
