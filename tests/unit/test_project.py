"""What the documents say of the project is so: rules, packages, versions, keys."""

import re
import tomllib
from pathlib import Path

import yaml

import snakemesh
from running import FOLDERS
from snakemesh.compiling.stages import STAGES

REPOSITORY = Path(__file__).resolve().parents[2]


def text_of(path: str) -> str:
    return (REPOSITORY / path).read_text(encoding="utf-8")


def rules() -> set[str]:
    """The rules of the workflow, without the target `all`."""
    found = [re.findall(r"^ *rule (\w+):", p.read_text(), re.M) for p in REPOSITORY.glob("rules/*")]
    return {name for names in found for name in names}


def test_every_rule_is_in_the_design_and_its_picture():
    section = text_of("docs/design.md").split("## The DAG")[1].split("\n## ")[0]
    assert rules() - set(re.findall(r"`(\w+)`", section)) == set()
    drawn = set(re.findall(r"<text .*>(\w+)</text>", text_of("docs/rulegraph.svg")))
    # the target `pyramid` is not part of a whole run, nor are verification and the report; only
    # large volumes have bundles
    others = {name for name in rules() if name.startswith(("verify", "report"))}
    others |= {"pyramid", "mesh_bundle"}
    assert drawn == rules() - others | {"all"}


def requirements(path: str) -> list[str]:
    lines = (line.strip() for line in text_of(path).splitlines())
    return sorted(line for line in lines if line and line[0] not in "#-")


def test_conda_and_pip_install_the_same():
    dependencies = yaml.safe_load(text_of("envs/environment.yaml"))["dependencies"]
    packages = next(entry["pip"] for entry in dependencies if isinstance(entry, dict))
    assert sorted(packages) == requirements("envs/requirements.txt")


def test_one_version_and_one_date():
    entries = re.findall(r"^## \[(\S+)\] - (\S+)$", text_of("CHANGELOG.md"), re.MULTILINE)
    version, date = entries[0]
    assert version == snakemesh.__version__
    assert f'refuse_other_package("{version}", ' in text_of("Snakefile")
    assert entries == sorted(entries, key=lambda e: list(map(int, e[0].split("."))), reverse=True)
    citation = yaml.safe_load(text_of("CITATION.cff"))
    assert (str(citation["version"]), str(citation["date-released"])) == (version, date)


def test_commits_are_checked_by_the_versions_that_ci_uses():
    pinned = [r for r in requirements("envs/requirements-test.txt") if "==" in r]
    hooks = yaml.safe_load(text_of(".pre-commit-config.yaml"))["repos"][0]["hooks"]
    installed = {package for hook in hooks for package in hook.get("additional_dependencies", ())}
    assert {package.split("==")[0] for package in installed} == {"ruff", "snakefmt"}
    assert installed <= set(pinned)


def test_every_key_is_explained_and_no_other():
    keys = yaml.safe_load(text_of("src/snakemesh/config/config.schema.yaml"))["properties"]
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| (.+) \|$", text_of("config/README.md"), re.M)
    assert sorted(key for key, explanation in rows if explanation.strip()) == sorted(keys)


def test_the_catalogue_of_workflows_finds_the_schema_and_what_a_run_can_do():
    """It shows config/schemas/config.schema.yaml as a table, and reads only flags that it knows."""
    shown = REPOSITORY / "config/schemas/config.schema.yaml"
    assert shown.resolve() == (REPOSITORY / "src/snakemesh/config/config.schema.yaml").resolve()
    flags = yaml.safe_load(text_of(".snakemake-workflow-catalog.yml"))["usage"]
    assert flags == {"software-stack-deployment": {"conda": True, "report": True}}


def test_no_two_tests_have_a_name():
    """pytest imports them by their names, without their folders."""
    names = [path.name for path in (REPOSITORY / "tests").rglob("test_*.py")]
    assert sorted(set(names)) == sorted(names)


def test_the_versions_of_python_that_are_named_are_those_that_are_tested():
    jobs = yaml.safe_load(text_of(".github/workflows/ci.yml"))["jobs"]
    tested = jobs["run"]["strategy"]["matrix"]["python"]
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    marks = "Programming Language :: Python :: "
    named = [c.removeprefix(marks) for c in project["classifiers"] if c.startswith(marks)]
    assert named == tested
    assert project["requires-python"] == f">={tested[0]}"
    line = text_of("envs/requirements.txt").splitlines()[0]
    assert re.findall(r"3\.\d+", line) == tested


def test_the_container_has_what_a_run_needs():
    image = text_of("Dockerfile")
    (compiled,) = re.findall(r"^RUN python -m snakemesh.compiling \d+ (.+)$", image, re.M)
    assert compiled.split() == sorted(STAGES)
    kept = {line[1:] for line in text_of(".dockerignore").splitlines() if line[0] == "!"}
    assert {"Snakefile", "profiles", *FOLDERS} - {".test/config"} <= kept
    assert all((REPOSITORY / name).exists() for name in kept)
