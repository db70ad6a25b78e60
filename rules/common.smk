# What every rule needs: the run, with what its rules wait for and are told.

import sys

from snakemesh.errors import UserError
from snakemesh.installed import tell_environments
from snakemesh.run.measuring import Measuring
from snakemesh.run.meshing import Meshing
from snakemesh.run.opening import open_run
from snakemesh.run.pyramid import Pyramid
from snakemesh.run.reporting import Reporting
from snakemesh.run.result import Result
from snakemesh.run.verification import Verification

try:
    RUN = open_run(config, workflow)
    PYRAMID, MESHING = Pyramid(RUN), Meshing(RUN)
    MEASURING = Measuring(RUN)
    RESULT = Result(RUN, PYRAMID, MESHING, MEASURING)
    VERIFICATION = Verification(RUN, RESULT)
    REPORTING = Reporting(RUN, VERIFICATION)
    REPORTING.refuse_if_not_there()
except UserError as error:
    sys.exit(f"snakemesh: {error}")

OUT, PLAN, SETTINGS = RUN.out, RUN.plan, RUN.settings
ENVIRONMENT = "../envs/environment.yaml"
tell_environments()
# The priority of the jobs that coarse blocks wait for. A block has fewer voxels.
FIRST = 1 << 60


wildcard_constraints:
    stage=r"\d+",
    lod=r"\d+",
    box=r"\d+_\d+_\d+",
    bundle=r"\d+",
    shard=r"[0-9a-f]+",
    fingerprint=r"[0-9a-f]{16}",


# imported here, because these import most of Snakemake, and jobs plan nothing
if workflow.is_main_process:
    from snakemesh.run.start_and_end import prepare

    prepare(RUN)
    REPORTING.style_page()
else:
    from snakemesh.console.quick_snakemake import skip_notebooks

    skip_notebooks()
