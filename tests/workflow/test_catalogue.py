"""`.test`, which the catalogue of workflows runs to draw this one."""

import re

from running import REPOSITORY, copy_repository
from snakemake_server import run_snakemake


def test_the_example_of_the_catalogue_is_planned_as_the_catalogue_does(tmp_path):
    clone = copy_repository(tmp_path / "clone")
    line = ["-s", "Snakefile", "-c", "1", "-d", ".test", "--forceall", "--rulegraph"]
    done = run_snakemake(line, clone)
    assert done.returncode == 0, done.stderr
    drawn = set(re.findall(r'label = "(\w+)"', done.stdout))
    assert {"all", "example", "mesh_block", "shard", "multires_index", "cleanup"} <= drawn
    assert not (clone / ".test" / "results").exists()


def test_it_is_the_example():
    keys = (REPOSITORY / ".test/config/config.yaml").read_text()
    assert keys.split("\n\n")[1] == (REPOSITORY / "config/config.yaml").read_text().split("\n\n")[1]
