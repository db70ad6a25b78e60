"""What the documents say of the project is so: paths, rules, packages, versions, keys."""

import re
from pathlib import Path

import pytest
import yaml

import snakemesh

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "config/README.md", "docs/design.md")
# What the first part of a path in the repository may be. Other paths, such as `multires/info`, are
# in the output.
ROOTS = {
    *(".ci", ".github", "config", "docs", "envs", "lsf", "profiles", "report", "rules", "scripts"),
    "slurm",
    *("tests", "Snakefile", "pyproject.toml", "README.md", "CONTRIBUTING.md", "CHANGELOG.md"),
}
# A file that is named without its folder
BARE_NAME = re.compile(r"\w+\.(py|smk)")


def text_of(path: str) -> str:
    return (REPOSITORY / path).read_text(encoding="utf-8")


def quoted_paths(text: str) -> list[str]:
    """What of the words in backticks is a path in the repository, or a bare name of a file."""
    quoted = re.findall(r"`([^`\s]+)`", text)
    return [q for q in quoted if q.split("/")[0] in ROOTS or BARE_NAME.fullmatch(q)]


def links(text: str) -> list[str]:
    """The targets of links and pictures that are not on the web."""
    return [t for t in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in t]


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def wrong_references(document: str, text: str) -> list[str]:
    """The paths and links of a document that lead nowhere."""
    wrong = [
        path
        for path in quoted_paths(text)
        if not (REPOSITORY / path).exists()
        and not (BARE_NAME.fullmatch(path) and any(REPOSITORY.glob(f"[a-z]*/**/{path}")))
    ]
    for link in links(text):
        path, _, anchor = link.partition("#")
        target = (REPOSITORY / document).parent / path if path else REPOSITORY / document
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            wrong.append(link)
    return wrong


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_and_link_leads_somewhere(document):
    assert wrong_references(document, text_of(document)) == []


def test_the_walk_names_a_path_for_every_question():
    walk = text_of("CONTRIBUTING.md").split("## A stranger's walk")[1]
    rows = re.findall(r"^\| (.+\?) \| (.+) \|$", walk, re.MULTILINE)
    assert len(rows) >= 10
    assert [question for question, answer in rows if not quoted_paths(answer)] == []


@pytest.mark.parametrize(
    "reference",
    [
        "`scripts/nothing.py`",
        "`nothing.py`",
        "`rules/nothing.smk`",
        "[a page](docs/nothing.md)",
        "[a section](config/README.md#nothing)",
        "![a picture](nothing.svg)",
        "[here](#nothing)",
    ],
)
def test_a_wrong_path_is_seen(reference):
    assert len(wrong_references("README.md", f"See {reference}.\n\n# Here\n")) == 1


def rules() -> set[str]:
    """The rules of the workflow, without the target `all`."""
    found = [re.findall(r"^ *rule (\w+):", p.read_text(), re.M) for p in REPOSITORY.glob("rules/*")]
    return {name for names in found for name in names}


def test_every_rule_is_in_the_design_and_its_picture():
    section = text_of("docs/design.md").split("## The DAG")[1].split("\n## ")[0]
    assert rules() - set(re.findall(r"`(\w+)`", section)) == set()
    drawn = set(re.findall(r"<text .*>(\w+)</text>", text_of("docs/rulegraph.svg")))
    # the target `pyramid` is not part of a whole run, nor are verification and the report
    others = {name for name in rules() if name.startswith(("verify", "report"))} | {"pyramid"}
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
    keys = yaml.safe_load(text_of("config/config.schema.yaml"))["properties"]
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| (.+) \|$", text_of("config/README.md"), re.M)
    assert sorted(key for key, explanation in rows if explanation.strip()) == sorted(keys)
