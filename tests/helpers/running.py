"""Running the workflow as its users do, from a command line, in a copy of the repository."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PARTS = ("Snakefile", "rules", "scripts", "config", "profiles", "lsf", "slurm", "envs")
# Few jobs that still cut the test volume along two axes and into two super-chunks, and faces
# enough for small bodies to have every LOD.
SMALL = {"cell_size": 64, "num_lods": 3, "target_reduction": 0.5, "decimation_factor": 4}


def copy_repository(target: Path) -> Path:
    """What a run needs, in `target`; compiled functions come along, as copies keep their dates."""
    target.mkdir(parents=True)
    for part in PARTS:
        source = REPOSITORY / part
        if source.is_dir():
            shutil.copytree(source, target / part)
        else:
            shutil.copy2(source, target)
    return target


def command(config: dict, *arguments: str, cores: int = 2) -> list[str]:
    """The command line of a run whose configuration is changed by `config`."""
    line = [sys.executable, "-m", "snakemake", "--cores", str(cores), *arguments]
    values = (
        f"{key}={value if isinstance(value, str | Path) else json.dumps(value)}"
        for key, value in config.items()
    )
    return [*line, "--config", *values] if config else line


def run(
    repository: Path, config: dict, *arguments: str, cores: int = 2
) -> subprocess.CompletedProcess:
    """Run the workflow to its end, however that is."""
    line = command(config, *arguments, cores=cores)
    return subprocess.run(line, cwd=repository, capture_output=True, text=True, check=False)


def finish(repository: Path, config: dict, cores: int = 2) -> Path:
    """Run the workflow, which must succeed. Returns what is to be served."""
    done = run(repository, config, cores=cores)
    assert done.returncode == 0, done.stdout + done.stderr
    return Path(config["output_directory"]) / "multires"


def planned(repository: Path, config: dict) -> dict[str, int]:
    """Jobs by rule that a run would do now, without the target `all`; empty for none."""
    done = run(repository, config, "--dry-run")
    assert done.returncode == 0, done.stdout + done.stderr
    if "Nothing to be done" in done.stdout:
        return {}
    table = done.stdout.split("Job stats:")[-1].split("total")[0]
    counts = {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}
    del counts["all"]
    return counts


def kill_when(
    repository: Path, config: dict, moment: Callable[[], bool], whole_group: bool
) -> None:
    """Start a run and kill it when `moment` has come: all its processes, or just Snakemake's own.

    Nothing is asked to stop, as when a machine dies or a scheduler loses patience.
    """
    process = subprocess.Popen(
        command(config),
        cwd=repository,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not moment():
            assert process.poll() is None, "the run ended before it could be killed"
            time.sleep(0.02)
    finally:
        if whole_group:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()


def digests(folder: Path) -> dict[str, str]:
    """The hash of every file below a folder, by its path in there."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
