"""Jobs are killed in the middle of a write, or just before a written file gets its name.

What they leave must not be taken for a result, and must be gone in the end. The faults happen in
real jobs, inside calls of the C library: see tests/faults/kill_while_writing.c.
"""

import os
import subprocess

from test_resume import leftovers

from preloading import library
from running import command, digests, finish

# Each fault kills one attempt at one job. Their order does not matter.
FAULTS = {
    "half a chunk": "write:_intermediate_scales.zarr/s1/",
    "a chunk without its name": "rename:_intermediate_scales.zarr/s2/",
    "half a container": "write:work/mesh/lod0/",
    "a container without its name": "rename:work/mesh/lod1/",
    "half a shard": "write:multires/",
    "a shard without its name": "rename:multires/",
    "half a summary": "write:work/shards/",
    "contacts without their name": "rename:.contacts",
    "half of what is measured": "write:work/.measured.",
    "a table without its name": "rename:multires/lods.parquet",
    "half a table": "write:multires/.segments.parquet",
    "half an overview": "write:multires/overview/",
    "points without their name": "rename:multires/centroids/by_id/",
    "half a marker of the documents": "write:work/.documents.",
    "a marker without its name": "rename:work/documents.",
    "half a marker of it all": "write:work/.result.",
}


def test_another_attempt_makes_it_good(repository, config, tmp_path):
    """Within one run, every killed job is tried again, as on a cluster."""
    measured = {"measures": ["components"], "segment_colors": "components"}
    output, fresh, done = tmp_path / "out", tmp_path / "fresh", tmp_path / "done"
    done.mkdir()
    faults = {
        "LD_PRELOAD": str(library("kill_while_writing")),
        "KILL_WHILE_WRITING": " ".join(FAULTS.values()),
        "KILL_DONE": str(done),
    }
    ended = subprocess.run(
        command(config(output, **measured), "--retries", "9"),
        cwd=repository,
        env=os.environ | faults,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert {path.name for path in done.iterdir()} == {str(i) for i in range(len(FAULTS))}
    assert digests(output / "multires") == digests(finish(repository, config(fresh, **measured)))
    assert leftovers(output) == []
