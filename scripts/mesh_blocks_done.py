"""Rule mesh_blocks_done: every block is meshed. The marker lists what the shards read.

Containers that are in bundles are removed, so that the disk holds the fragments twice at most.
"""

from pathlib import Path

from snakemesh.errors import DamagedError
from snakemesh.fragments.container import read_origin
from snakemesh.output.job_log import job_log
from snakemesh.output.markers import discard_if_damaged, write_marker

params = snakemake.params
blocks = params.folder.blocks


def refuse_damaged_bundles() -> None:
    """Before the containers of the bundles are removed, see that the bundles are there."""
    for path in map(Path, params.containers):
        if read_origin(path) is None:
            raise DamagedError(path, "is gone" if not path.exists() else "is damaged")


with job_log(snakemake.log[0], "mesh_blocks_done"), discard_if_damaged([]):
    if params.bundled:
        refuse_damaged_bundles()
    containers = [str(Path(path).relative_to(blocks)) for path in params.containers]
    write_marker(snakemake.output[0], {"containers": containers})
    for path in params.bundled:
        Path(path).unlink(missing_ok=True)
