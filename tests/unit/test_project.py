"""What the documents say of the project is so: rules, packages, versions, keys."""

import re
from pathlib import Path

import yaml

import snakemesh

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
    # the target `pyramid` is not part of a whole run, nor are verification and the report; the
    # size of a volume decides about small LODs and bundles
    others = {name for name in rules() if name.startswith(("verify", "report"))}
    others |= {"pyramid", "mesh_small_lods", "mesh_bundle"}
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
