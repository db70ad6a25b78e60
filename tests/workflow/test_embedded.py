"""The workflow as a module of another one, and started from elsewhere. Both without our profile.

So Snakemake's own triggers are in force. A second run must find nothing to be done all the same.
"""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from running import digests, meshes

# Its first rule is its target. Jobs of `run` read the workflow again, each in a process of its own.
EMBEDDING = """
configfile: "config/config.yaml"

rule everything:
    input: "listing.txt", "theirs.txt"

module snakemesh:
    snakefile: "{repository}/Snakefile"
    config: config["snakemesh"]

use rule * from snakemesh{prefix}

rule listing:
    input: rules.{all}.input
    output: "listing.txt"
    shell: "ls meshes/multires > {{output}}"

rule theirs:
    input: rules.{all}.input
    output: "theirs.txt"
    run: Path(output[0]).write_text(config["input_path"])

rule before:
    output: "before.txt"
    run: Path(output[0]).touch()
"""


@pytest.fixture(autouse=True)
def own_library(repository, monkeypatch):
    """The library of the copy, from whatever folder it is started."""
    monkeypatch.setenv("PYTHONPATH", str(repository / "src"))


def snakemake(folder: Path, *arguments: str, fails: bool = False) -> str:
    """Run Snakemake in a folder, and return what it says."""
    line = [sys.executable, "-m", "snakemake", "--cores", "2", "--workflow-profile", "none"]
    done = subprocess.run(
        [*line, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def embedding(repository, config, tmp_path):
    """Makes the folder of another workflow that gives our rules a prefix or suffix, or none."""

    def make(prefix: str) -> Path:
        name = prefix.removeprefix(" as ").replace("*", "all") or "all"
        text = EMBEDDING.format(repository=repository, prefix=prefix, all=name)
        (tmp_path / "Snakefile").write_text(text)
        ours = config("meshes")
        ours["input_path"] = str(ours["input_path"])
        (tmp_path / "config").mkdir()
        keys = {"input_path": "theirs", "snakemesh": ours}
        (tmp_path / "config" / "config.yaml").write_text(yaml.safe_dump(keys))
        return tmp_path

    return make


@pytest.mark.parametrize("prefix", ["", " as snakemesh_*"], ids=["plain", "prefix"])
def test_as_a_module(embedding, multires, prefix):
    folder = embedding(prefix)
    said = snakemake(folder)
    assert "in all   13 jobs" in said and "to run" not in said
    assert "progress: 100 % of the work, 13 jobs, " in said
    # what Snakemake prints of another workflow is left as it is
    assert "rule theirs:" in said and "Finished jobid: 0 (Rule: everything)" in said
    assert said.count("Finished jobid: ") == 16 and "16 of 16 steps (100%) done" in said
    assert digests(folder / "meshes" / "multires") == digests(multires)
    assert "0.shard" in (folder / "listing.txt").read_text()
    assert (folder / "theirs.txt").read_text() == "theirs"
    assert "Nothing to be done" in snakemake(folder)
    assert "to run   nothing" in snakemake(folder, "-n")


def test_nothing_is_written_but_by_our_jobs(embedding):
    folder = embedding(" as *_of_snakemesh")
    said = snakemake(folder, "-n")
    assert "in all   13 jobs" in said and "to run" not in said
    snakemake(folder, "--summary")
    assert "The plan" not in snakemake(folder, "before.txt")
    assert not (folder / "meshes").exists()


def test_one_run_at_a_time(embedding):
    folder = embedding(" as snakemesh_*")
    work = folder / "meshes" / "work"
    work.mkdir(parents=True)
    with open(work / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = snakemake(folder, fails=True)
    assert said.endswith("\nsnakemesh: another run is writing to meshes; wait for it to end\n")
    assert os.listdir(work) == ["lock"]


def test_from_elsewhere(repository, config, multires, tmp_path):
    """With --directory, and from another folder with relative paths: the files are the same."""
    near, there = tmp_path / "near", tmp_path / "there"
    near.mkdir()
    there.mkdir()

    def keys(**changes) -> list[str]:
        return ["--config", *(f"{k}={v}" for k, v in (config("meshes") | changes).items())]

    clone = ["--snakefile", str(repository / "Snakefile"), "--directory", str(there)]
    snakemake(tmp_path, *clone, *keys())
    assert digests(there / "meshes" / "multires") == digests(multires)
    assert "Nothing to be done" in snakemake(tmp_path, *clone, *keys())

    volume = os.path.relpath(config("meshes")["input_path"], near)
    clone = ["--snakefile", os.path.relpath(repository / "Snakefile", near)]
    snakemake(near, *clone, *keys(input_path=volume))
    # all but the document that names the input as it was given
    assert meshes(near / "meshes" / "multires") == meshes(multires)
    assert "Nothing to be done" in snakemake(near, *clone, *keys(input_path=volume))
