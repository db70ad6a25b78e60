# The report: pictures, plots and tables of a finished output, which `snakemake --report` packs.

from snakemesh.console.expected import levels_there


rule report:
    input:
        REPORTING.target,
    localrule: True


rule report_facts:
    input:
        REPORTING.before_facts,
    output:
        OUT.report_facts("{fingerprint}"),
    log:
        OUT.log("report_facts.{fingerprint}"),
    localrule: True
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        planned=REPORTING.planned,
    script:
        "../scripts/report_facts.py"


rule report_files:
    input:
        lambda wildcards: RUN.missing(RUN.label_map_marker()),
        planned=OUT.report_facts("{fingerprint}"),
    output:
        REPORTING.outputs(report),
    log:
        OUT.log("report_files.{fingerprint}"),
    conda:
        ENVIRONMENT
    resources:
        **RUN.resources("report_files"),
    params:
        folder=OUT,
        levels=lambda wildcards: levels_there(PLAN),
        table=lambda wildcards: RUN.products.table,
        table_marker=lambda wildcards: RUN.products.table_marker,
        keep_rest=SETTINGS.label_map_rest == "keep",
    script:
        "../scripts/report_files.py"
