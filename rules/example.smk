# The embedded example: only where the configuration asks for it.

if SETTINGS.input_path == EXAMPLE_PATH:

    localrules:
        example,

    rule example:
        output:
            directory(EXAMPLE_PATH),
        log:
            f"{LOGS}/example.log",
        benchmark:
            f"{BENCHMARKS}/example.tsv"
        conda:
            ENVIRONMENT
        resources:
            mem_mb=1000,
            runtime=5,
        script:
            "../scripts/example.py"
