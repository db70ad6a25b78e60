# The embedded example. It is made if the input is its path.

from snakemesh.survey.inputs import EXAMPLE_PATH

IS_EXAMPLE = SETTINGS.input_path == EXAMPLE_PATH
# The example has to be made first. A volume of the user's is there already.
EXAMPLE = (lambda wildcards: RUN.missing([EXAMPLE_PATH])) if IS_EXAMPLE else []


if IS_EXAMPLE:

    rule example:
        output:
            directory(EXAMPLE_PATH),
        log:
            OUT.log("example"),
        benchmark:
            OUT.benchmark("example")
        localrule: True
        conda:
            ENVIRONMENT
        resources:
            mem_mb=1000,
            runtime=5,
        script:
            "../scripts/example.py"
