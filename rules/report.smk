# The report: pictures, plots and tables of a finished output, which `snakemake --report` packs.


rule report:
    input:
        reported,
    localrule: True


rule report_facts:
    input:
        finished_and_verified,
    output:
        OUT.report_facts("{made_from}"),
    log:
        OUT.log("report_facts.{made_from}"),
    localrule: True
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        planned=planned,
    script:
        "../scripts/report_facts.py"


rule report_files:
    input:
        lambda wildcards: missing(label_map_marker(True)),
        planned=OUT.report_facts("{made_from}"),
    output:
        [report_file(*entry) for entry in REPORTED],
    log:
        OUT.log("report_files.{made_from}"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=enough(MEMORY, "report_files", lambda wildcards: 3000),
        runtime=30,
    params:
        folder=OUT,
        levels=lambda wildcards: levels_there(PLAN),
        table=lambda wildcards: OUT.label_map(MADE_FROM.label_map),
        table_marker=lambda wildcards: OUT.label_map_marker(MADE_FROM.label_map),
        keep_rest=SETTINGS.label_map_rest == "keep",
    script:
        "../scripts/report_files.py"
