"""What a shell that has asked `register-python-argcomplete` offers after `snakemesh`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
# Every press of the key waits for what is imported before the answer.
PROGRAM = """
import sys
slow = {"numpy", "snakemake", "tornado"}
from snakemesh.cli.program import main
if slow & set(sys.modules): sys.exit("slow")
main()
"""


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("snakemesh ", {"plan", "view", "serve", "shot", "export"}),
        ("snakemesh v", {"view"}),
        ("snakemesh export --form", {"--format"}),
        ("snakemesh export --format ", {"ply", "obj", "stl", "glb", "vtp", "webknossos"}),
        ("snakemesh plan --c", {"--configfile"}),
    ],
)
def test_commands_options_and_choices_are_offered(line, offered, tmp_path):
    asked = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(tmp_path / "offered"),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "PYTHONPATH": str(REPOSITORY / "src"),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | asked,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    words = (tmp_path / "offered").read_text().split("\n")
    assert {word.strip() for word in words} - {"-h", "--help", "--version"} == offered
