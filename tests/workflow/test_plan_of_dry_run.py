"""`snakemesh plan` says what a dry run says, without Snakemake."""

import subprocess
import sys

import pytest

from running import command, dry_run


@pytest.mark.parametrize("finished", [False, True])
def test_the_plan_is_that_of_a_dry_run(repository, config, multires, tmp_path, finished):
    """Also of an output that is there, of which a dry run says besides that nothing is left."""
    keys = config(multires.parent if finished else tmp_path / "out")
    dry = dry_run(repository, keys).partition("The plan for ")
    assert dry[1]
    keys_as_words = command(keys)[6:]
    line = [sys.executable, "-m", "snakemesh", "plan", *keys_as_words]
    done = subprocess.run(line, cwd=repository, capture_output=True, text=True, check=True)
    lines = (dry[1] + dry[2]).splitlines()
    expected = [line for line in lines if not line.startswith("  left ")]
    assert len(lines) - len(expected) == finished
    assert done.stdout.splitlines() == expected
    assert done.stderr == ""
