"""Who may import whom, and what nobody has to pay for.

A room of the package imports only rooms above it. Planning, jobs, and the stages among the jobs
import nothing of each other; the command imports both. Verification shares nothing with what it
verifies but how arrays are opened and functions compiled.
"""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
LIBRARY = REPOSITORY / "src" / "snakemesh"
MAX_LINES = 300

# The rooms, each above those that may import it. "" is the root of the package.
SHARED = ["", "kernels", "source", "output", "tables", "example"]
PLANNING = ["config", "plan", "cost", "survey", "products", "console", "clusters", "run"]
JOBS = ["fragments", "pyramid", "mesh", "multires", "meshes", "overview", "drawing", "view"]
JOBS += ["verify", "measure", "report", "cli"]
MAY_IMPORT = {
    room: {*SHARED, *rooms[:at], room} if rooms is not SHARED else {*rooms[:at], room}
    for rooms in (SHARED, PLANNING, JOBS)
    for at, room in enumerate(rooms)
}
# The stages meet in files alone.
for room in ("pyramid", "mesh", "multires"):
    MAY_IMPORT[room] -= {"pyramid", "mesh", "multires"} - {room}
# The command prints plans and opens results.
MAY_IMPORT["cli"] |= set(PLANNING)
# It compiles the functions of all jobs, and is above them all.
MAY_IMPORT["compiling"] = {*SHARED, *JOBS, "compiling"}
# It must not share the mistakes of what it looks at.
MAY_IMPORT["verify"] = {"", "kernels", "source", "verify"}
# What verification may use of the root: the records that it is handed, the words of lists, and what
# opens an array or compiles a function, but nothing that turns, cuts or writes voxels and meshes.
# It would share their mistakes.
VERIFY_MAY_IMPORT = {"kernels.compiled", "job_records", "label_list", "source.open_array"}
# What a parse of the Snakefile, and so every job of a cluster, must not wait for.
HEAVY = {
    "numba",
    "llvmlite",
    "trimesh",
    "scipy",
    "pandas",
    "pyarrow",
    "zarr",
    "DracoPy",
    "matplotlib",
    "tornado",
    "jsonschema",
}
WORKERS = {*JOBS, "compiling"}


def room_of(module: str) -> str:
    """The room of "snakemesh.room.module"; "" at the root."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in MAY_IMPORT else ""


def imported(source: str) -> set[str]:
    """The modules of snakemesh that a source names, wherever in it the import stands."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where a thing comes from"
            found |= {f"{node.module}.{name.name}" for name in node.names}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return {name for name in found if name.split(".")[0] == "snakemesh"}


def violations(room: str, source: str) -> set[str]:
    """The imports of a module of `room` that break the law."""
    return {name for name in imported(source) if room_of(name) not in MAY_IMPORT[room]}


def modules() -> list[Path]:
    return sorted(LIBRARY.rglob("*.py"))


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(LIBRARY)))
def test_the_law_of_imports(path):
    room = path.relative_to(LIBRARY).parts[0] if path.parent != LIBRARY else ""
    if path.name == "__main__.py" and not room:
        room = "cli"  # it starts the command
    assert room in MAY_IMPORT
    assert violations(room, path.read_text()) == set()


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("plan", "from snakemesh.mesh.tile import Tile"),
        ("plan", "from snakemesh.multires import container"),
        ("mesh", "from snakemesh.plan.plan import Plan"),
        ("multires", "def f():\n    import snakemesh.mesh.surface"),
        ("pyramid", "import snakemesh.plan.jobs as jobs"),
        ("verify", "from snakemesh.fragments.sharding import shard_of"),
        ("output", "from snakemesh.config.settings import Settings"),
        ("", "from snakemesh.output.folder import LOCK"),
    ],
)
def test_the_law_is_seen_to_be_broken(room, line):
    assert violations(room, line) == imported(line) != set()


def shared_by_verify(source: str) -> set[str]:
    """What a module of verification imports of the root that it may not."""
    at_root = {name for name in imported(source) if room_of(name) != "verify"}
    return {name for name in at_root if not name[10:].startswith(tuple(VERIFY_MAY_IMPORT))}


@pytest.mark.parametrize("path", sorted((LIBRARY / "verify").glob("*.py")), ids=lambda p: p.name)
def test_verification_shares_no_code_with_what_it_verifies(path):
    assert shared_by_verify(path.read_text()) == set()
    assert "import_module" not in path.read_text()


@pytest.mark.parametrize(
    "line",
    [
        "from snakemesh.source.voxels import open_part",
        "from snakemesh.fragments.octree import morton",
        "import snakemesh.mesh.surface",
    ],
)
def test_shared_code_is_seen(line):
    assert shared_by_verify(line) == imported(line) != set()


def test_rooms_cost_nothing_by_themselves():
    for room in MAY_IMPORT:
        if room:
            assert (LIBRARY / room / "__init__.py").read_text() == ""


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(LIBRARY)))
def test_every_module_can_be_read_in_one_go(path):
    assert len(path.read_text().splitlines()) <= MAX_LINES


def test_parsing_the_snakefile_imports_nothing_heavy(tmp_path):
    """Every job of a cluster parses the Snakefile again: its imports and a plan, but no tables."""
    rules = [REPOSITORY / "Snakefile", *sorted((REPOSITORY / "rules").glob("*.smk"))]
    imports = [
        line
        for path in rules
        for line in path.read_text().splitlines()
        if re.match(r"(from \S+ import|import \w+$)", line)
    ]
    assert "from snakemesh.run.opening import open_run" in imports
    (tmp_path / "properties.csv").write_text("id,name\n1,one\n")
    code = [
        *imports,
        "from types import SimpleNamespace",
        "config = dict(input_path='example/segmentation.zarr', output_directory='out',",
        "              segment_properties_csv='properties.csv', exclude_ids='properties.csv')",
        "modifier = SimpleNamespace(is_main_snakefile=lambda: True)",
        "workflow = SimpleNamespace(modifier=modifier, main_snakefile='Snakefile')",
        "workflow.is_main_process = {plans}",
        "run = open_run(config, workflow)",
    ]
    planning = [
        "from snakemesh.survey.input_state import write_state",
        "write_state(run.out.input_state, run.input_state, run.mismatches)",
    ]
    job = [
        "block = SimpleNamespace(lod='0', items=dict(lod='0').items)",
        "assert all(f(block) > 0 for f in run.resources('mesh_block').values())",
        "for name in sys.modules: print(name)",
    ]
    said = ""
    for plans, rest in ((True, planning), (False, job)):
        lines = "\n".join([*code, *rest]).replace("{plans}", str(plans))
        found = subprocess.run(
            [sys.executable, "-c", lines],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": f"{REPOSITORY}/src"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode == 0, found.stderr
        said = found.stdout
    names = said.split()
    assert "snakemesh.plan.plan" in names
    assert not HEAVY & {name.split(".")[0] for name in names}
    assert not WORKERS & {room_of(name) for name in names}
