"""What a run on this machine starts: jobs share what takes long to load."""

import os
import subprocess

from running import command, meshes

# Every Python that starts adds a line. A fork is no start.
TELL_STARTS = """
import os
with open("/proc/self/cmdline") as line, open(os.environ["STARTS"], "a") as file:
    print(line.read().replace("\\0", " "), file=file)
"""


def test_jobs_are_forked_from_one_process(repository, config, multires, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(TELL_STARTS)
    output, starts = tmp_path / "out", tmp_path / "starts"
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}src", "STARTS": str(starts)}
    line = command(config(output))
    subprocess.run(line, cwd=repository, env=environment, check=True, capture_output=True)
    started = starts.read_text().splitlines()
    assert len(list((output / "benchmarks").rglob("*.tsv"))) > 10
    assert [" -m snakemake " in started[0], "fork_server" in started[1]] == [True, True]
    assert len(started) == 2
    assert meshes(output / "multires") == meshes(multires)
