"""The workflow as part of another one, and started from elsewhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from running import digests

EMBEDDING = """
configfile: "config.yaml"

module snakemesh:
    snakefile: "{repository}/Snakefile"
    config: config["snakemesh"]

use rule * from snakemesh{prefix}

rule listing:
    default_target: True
    input: rules.{name}.input
    output: "listing.txt"
    shell: "ls meshes/multires > {{output}}"
"""


def snakemake(folder: Path, *arguments: str) -> str:
    """Run Snakemake in a folder that has nothing of ours, not even the profile."""
    line = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("prefix", "name"), [("", "all"), (" as snakemesh_*", "snakemesh_all")], ids=["plain", "prefix"]
)
def test_as_a_module(repository, config, multires, tmp_path, prefix, name):
    text = EMBEDDING.format(repository=repository, prefix=prefix, name=name)
    (tmp_path / "Snakefile").write_text(text)
    keys = {key: value for key, value in config(Path("meshes")).items()}
    keys |= {"input_path": str(keys["input_path"]), "output_directory": "meshes"}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"snakemesh": keys}))
    planned = snakemake(tmp_path, "-n")
    assert "in all   9 jobs" in planned and "left" not in planned
    assert not (tmp_path / "meshes").exists()
    snakemake(tmp_path)
    assert digests(tmp_path / "meshes" / "multires") == digests(multires)
    assert "0.shard" in (tmp_path / "listing.txt").read_text()
    assert "Nothing to be done" in snakemake(tmp_path)
    assert "left     0 of these jobs" in snakemake(tmp_path, "-n")


def test_from_elsewhere(repository, config, multires, tmp_path):
    """With --snakefile and --directory, and from another folder with a path that leads there."""
    keys = config(Path("meshes")).items()
    ours = ["--config", *(f"{key}={value}" for key, value in keys)]
    there = tmp_path / "there"
    there.mkdir()
    snakefile = ["--snakefile", str(repository / "Snakefile")]
    snakemake(tmp_path, *snakefile, "--directory", str(there), *ours)
    assert digests(there / "meshes" / "multires") == digests(multires)
    assert "Nothing to be done" in snakemake(there, *snakefile, *ours)
    os.symlink(there, tmp_path / "link")
    assert "Nothing to be done" in snakemake(tmp_path / "link", *snakefile, *ours)
