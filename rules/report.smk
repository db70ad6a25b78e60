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
        folder=OUT,
    script:
        "../scripts/report_facts.py"


rule report_charts:
    input:
        facts=OUT.report_facts("{made_from}"),
    output:
        sizes=report_file("sizes.png", "Sizes of segments", "Numbers"),
        errors=report_file("errors.png", "Volumes of meshes against voxels", "Numbers"),
        detail=report_file("detail.png", "Segments, triangles and bytes by LOD", "Numbers"),
        detail_table=report_file("detail.csv", "The same as a table", "Numbers"),
        costs=report_file("costs.png", "Time and memory, against what was expected", "Run"),
        costs_table=report_file("costs.csv", "The same as a table", "Run"),
    log:
        OUT.log("report_charts.{made_from}"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=enough(MEMORY, "report_charts", lambda wildcards: 1500),
        runtime=30,
    params:
        segments=OUT.segments,
    script:
        "../scripts/report_charts.py"


rule report_meshes:
    input:
        facts=OUT.report_facts("{made_from}"),
    output:
        scene=report_file("scene.png", "The largest segments together", "Meshes"),
        lods=report_file("lods.png", "One segment at each LOD", "Meshes"),
        bodies=report_file("bodies.png", "The largest segments one by one", "Meshes"),
    log:
        OUT.log("report_meshes.{made_from}"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=enough(MEMORY, "report_meshes", lambda wildcards: 3000),
        runtime=30,
    params:
        segments=OUT.segments,
        meshes=OUT.multires,
    script:
        "../scripts/report_meshes.py"


rule report_slice:
    input:
        lambda wildcards: missing(label_map_marker(True)),
        facts=OUT.report_facts("{made_from}"),
    output:
        report_file("slice.png", "A slice with the outlines of the meshes", "Meshes"),
    log:
        OUT.log("report_slice.{made_from}"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=enough(MEMORY, "report_slice", lambda wildcards: 2000),
        runtime=30,
    params:
        segments=OUT.segments,
        meshes=OUT.multires,
        table=lambda wildcards: OUT.label_map(MADE_FROM.label_map),
        table_marker=lambda wildcards: OUT.label_map_marker(MADE_FROM.label_map),
    script:
        "../scripts/report_slice.py"


rule report_page:
    input:
        **{name: OUT.report_file(f"{name}.png", "{made_from}") for name in PICTURES},
        captions=captions(),
        facts=OUT.report_facts("{made_from}"),
    output:
        report_file("page.html", "Everything on one page", "Overview"),
    log:
        OUT.log("report_page.{made_from}"),
    localrule: True
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=30,
    script:
        "../scripts/report_page.py"
