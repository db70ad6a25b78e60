# The embedded example. It is made if the input is its path.

# An input of the rules that read the source: they wait for the example, if it is the source.
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
