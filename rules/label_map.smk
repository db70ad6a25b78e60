# The table of bodies, sorted once for all jobs that read labels.


rule label_map:
    output:
        OUT.label_map_marker("{fingerprint}"),
    log:
        OUT.log("label_map.{fingerprint}"),
    benchmark:
        OUT.benchmark("label_map.{fingerprint}")
    priority: FIRST
    conda:
        ENVIRONMENT
    resources:
        **RUN.resources("label_map"),
    params:
        path=RESULT.sorted_table,
        table=SETTINGS.label_map,
        content=PLAN.table.content if PLAN.table else None,
    script:
        "../scripts/label_map.py"
