"""The workflow as a module that Snakemake fetches from GitHub or GitLab.

git is told to find these sites in a folder, so that no test needs the network.
"""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml

from running import PARTS, digests

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
def snakemake(remote, config, tmp_path):
    """Runs Snakemake in a folder that takes the workflow from a source; `cache` is its own."""
    there = [(f"url.file://{remote}/.insteadOf", f"https://{site}/") for site in SITES]
    git = {f"GIT_CONFIG_KEY_{n}": key for n, (key, _) in enumerate(there)}
    git |= {f"GIT_CONFIG_VALUE_{n}": value for n, (_, value) in enumerate(there)}
    git["GIT_CONFIG_COUNT"] = str(len(there))
    environment = os.environ | git | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
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


def unpacked(folder: Path) -> list[Path]:
    """The copies of the library that are in the cache, and what is left of unpacking them."""
    return list((folder / "cache/snakemake/snakemake/source-cache/snakemesh").iterdir())


def test_a_tag(snakemake, repository, multires, tmp_path):
    """Two processes unpack the library at once. Then all jobs find it, and make the same bytes."""
    snakemake(TAG, "-n")
    shutil.rmtree(unpacked(tmp_path)[0])
    with ThreadPoolExecutor(2) as pool:
        for said in pool.map(lambda _: snakemake(TAG, "-n"), range(2)):
            assert "in all   9 jobs" in said
    (copy,) = unpacked(tmp_path)
    for compiled in (repository / "scripts").rglob("__pycache__"):
        there = copy / compiled.relative_to(repository)
        shutil.copytree(compiled, there, dirs_exist_ok=True)  # spares minutes of numba's
    said = snakemake(TAG)
    assert f"{copy.relative_to(tmp_path)}/scripts/view.py meshes" in said
    assert digests(tmp_path / "meshes" / "multires") == digests(multires)
    assert "Nothing to be done" in snakemake(TAG)
    assert unpacked(tmp_path) == [copy]


def test_a_branch_and_what_it_becomes(snakemake, remote, tmp_path):
    """Each commit has its own copy of the library."""
    branch = 'gitlab("owner/snakemesh", path="Snakefile", branch="main")'
    assert "in all   9 jobs" in snakemake(branch, "-n")
    assert len(unpacked(tmp_path)) == 1
    bare = remote / "owner" / "snakemesh"
    git = [
        "git",
        f"--git-dir={bare}",
        "-c",
        "user.name=nobody",
        "-c",
        "user.email=nobody@localhost",
    ]
    commit = [*git, "commit-tree", "main^{tree}", "-p", "main", "-m", "later"]
    later = subprocess.run(commit, check=True, capture_output=True, text=True).stdout.strip()
    subprocess.run([*git, "update-ref", "refs/heads/main", later], check=True)
    assert "in all   9 jobs" in snakemake(branch, "-n")
    assert tmp_path.joinpath(unpacked(tmp_path)[0].parent, later) in unpacked(tmp_path)
    assert len(unpacked(tmp_path)) == 2


def test_an_address_without_a_repository(snakemake, repository):
    """Files that are fetched one by one come without the library."""
    handler = partial(SimpleHTTPRequestHandler, directory=repository)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/Snakefile"
        said = snakemake(f'"{address}"', "-n", fails=True)
        server.shutdown()
    assert said.endswith("clone the repository and give the path of its Snakefile\n")
    assert said.splitlines()[-1].startswith(f"snakemesh: {address} cannot be used alone")
