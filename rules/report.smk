# The report: pictures, plots and tables of a finished output, which `snakemake --report` packs.


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
        VERIFICATION.before_voxels,
        planned=OUT.report_facts("{fingerprint}"),
    output:
        REPORTING.outputs(report),
    log:
        OUT.log("report_files.{fingerprint}"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=RUN.mem_mb("report_files"),
        runtime=30,
    params:
        folder=OUT,
        levels=REPORTING.levels,
        table=REPORTING.table,
        table_marker=REPORTING.table_marker,
        keep_rest=SETTINGS.label_map_rest == "keep",
    script:
        "../scripts/report_files.py"
