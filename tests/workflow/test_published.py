"""The workflow as a module that Snakemake fetches from GitHub or GitLab.

git is told to find these sites in a folder, so that no test needs the network.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from running import PARTS, digests
from snakemesh import __version__
from web_server import served

# The layout that snakedeploy writes: this file in workflow/, and the keys in config/config.yaml.
DEPLOYED = """
configfile: "config/config.yaml"

module snakemesh:
    snakefile: {source}
    config: config

use rule * from snakemesh
"""
TAG = 'github("owner/snakemesh", path="Snakefile", tag="v1")'
SITES = ("github.com", "gitlab.com")


@pytest.fixture(scope="module")
def remote(repository, tmp_path_factory) -> Path:
    """A folder with the bare repository of both sites; its commit is tagged v1, on branch main."""
    folder = tmp_path_factory.mktemp("remote")
    bare = folder / "owner" / "snakemesh"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", bare], check=True)
    author = ("-c", "user.name=nobody", "-c", "user.email=nobody@localhost")
    git = ["git", f"--git-dir={bare}", f"--work-tree={repository}", *author]
    (bare / "info" / "exclude").write_text("__pycache__\n")
    subprocess.run([*git, "add", *PARTS], cwd=repository, check=True)
    subprocess.run([*git, "commit", "-q", "-m", "all"], check=True)
    subprocess.run([*git, "tag", "v1"], check=True)
    return folder


@pytest.fixture
def snakemake(remote, repository, config, tmp_path):
    """Runs Snakemake in a folder that takes the workflow from a source; `cache` is its own."""
    there = [(f"url.file://{remote}/.insteadOf", f"https://{site}/") for site in SITES]
    git = {f"GIT_CONFIG_KEY_{n}": key for n, (key, _) in enumerate(there)}
    git |= {f"GIT_CONFIG_VALUE_{n}": value for n, (_, value) in enumerate(there)}
    git["GIT_CONFIG_COUNT"] = str(len(there))
    environment = os.environ | git | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment["PYTHONPATH"] = str(repository / "src")
    keys = {key: str(v) if isinstance(v, Path) else v for key, v in config("meshes").items()}

    def call(source: str, *arguments: str, fails: bool = False) -> str:
        for name, text in (
            ("workflow/Snakefile", DEPLOYED.format(source=source)),
            ("config/config.yaml", yaml.safe_dump(keys)),
        ):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        line = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
        done = subprocess.run(
            line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    return call


def test_a_tag(snakemake, multires, tmp_path):
    """All jobs find the installed package, and make the same bytes."""
    assert "in all   13 jobs" in snakemake(TAG, "-n")
    said = snakemake(TAG)
    assert "snakemesh view meshes" in said
    assert digests(tmp_path / "meshes" / "multires") == digests(multires)
    assert "Nothing to be done" in snakemake(TAG)


def test_a_branch_of_another_version(snakemake, remote, repository, tmp_path):
    """The package of another version is refused before a job runs."""
    branch = 'gitlab("owner/snakemesh", path="Snakefile", branch="main")'
    assert "in all   13 jobs" in snakemake(branch, "-n")
    later = tmp_path / "later"
    subprocess.run(["git", "clone", "-q", remote / "owner" / "snakemesh", later], check=True)
    snakefile = later / "Snakefile"
    snakefile.write_text(snakefile.read_text().replace(f'"{__version__}"', '"99.0.0"'))
    author = ("-c", "user.name=nobody", "-c", "user.email=nobody@localhost")
    for line in (["commit", "-q", "-a", "-m", "later"], ["push", "-q", "origin", "HEAD:main"]):
        subprocess.run(["git", *author, *line], cwd=later, check=True)
    (refused,) = (
        line for line in snakemake(branch, "-n", fails=True).splitlines() if line[:5] == "snake"
    )
    assert f"version {__version__} in {repository}/src, this Snakefile is 99.0.0" in refused
    assert refused.endswith(
        "-m pip install 'snakemesh @ git+https://github.com/OWNER/snakemesh@v99.0.0'"
    )


def test_an_address(snakemake, repository):
    """Files that are fetched one by one find the installed package too."""
    with served(repository) as url:
        assert "in all   13 jobs" in snakemake(f'"{url}/Snakefile"', "-n")
