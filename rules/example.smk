# The embedded example: only where the configuration asks for it.

# The example has to be made first. A volume of the user's is there already.
EXAMPLE = EXAMPLE_PATH if SETTINGS.input_path == EXAMPLE_PATH else []


if EXAMPLE:

    localrules:
        example,

    rule example:
        output:
            directory(EXAMPLE_PATH),
        log:
            OUT.log("example"),
        benchmark:
            OUT.benchmark("example")
        conda:
            ENVIRONMENT
        resources:
            mem_mb=1000,
            runtime=5,
        script:
            "../scripts/example.py"
