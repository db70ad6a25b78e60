"""The documents lead somewhere: their links, paths, commands, keys, pictures, quoted messages."""

import ast
import re
import shlex
import subprocess
from argparse import ArgumentParser
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml
from snakemake.cli import get_argument_parser

from formats import Placed, write_array, write_zarr
from snakemesh.cli.program import parser
from snakemesh.config.configuration import SCHEMA_PATH, read_settings
from snakemesh.errors import UserError
from snakemesh.fragments.contact import CONTACT
from snakemesh.fragments.container import ALL_ROWS, FRAGMENT
from snakemesh.fragments.container_table import ENTRY, table_bytes
from snakemesh.plan.plan import make_plan
from snakemesh.survey.inputs import check_tables, source_levels
from snakemesh.survey.label_lists import read_lists

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = sorted(str(p.relative_to(REPOSITORY)) for p in REPOSITORY.glob("docs/*.md"))
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "config/README.md", *PAGES)
# For those who use snakemesh. The others quote code.
OTHERS = tuple(f"docs/{n}.md" for n in ("design", "formats", "in-another-workflow", "measurements"))
GUIDES = ["README.md", *(page for page in PAGES if page not in OTHERS)]
KEYS = set(yaml.safe_load(SCHEMA_PATH.read_text())["properties"])
# What the first part of a path in the repository may be. Other paths, such as `multires/info`, are
# in the output.
ROOTS = {
    *(".ci", ".github", "config", "docs", "envs", "lsf", "profiles", "report", "rules", "scripts"),
    *("src", "slurm", "sge", "pbs", "htcondor"),
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


@pytest.mark.parametrize("document", [d for d in DOCUMENTS if d != "docs/glossary.md"])
def test_every_page_links_the_glossary(document):
    assert [link for link in links(text_of(document)) if Path(link).name == "glossary.md"]


def test_the_glossary_explains_what_its_drawing_shows():
    explained = " ".join(re.findall(r"^\| (\*\*.+?) \|", text_of("docs/glossary.md"), re.M))
    drawn = text_of("docs/glossary.svg")
    assert "](glossary.svg)" in text_of("docs/glossary.md")
    for word in ("level", "LOD", "cell", "block", "tile", "fragment", "shard", "super-chunk"):
        assert f"**{word}**" in explained
        assert re.search(rf">[^<]*\b{word}", drawn, re.IGNORECASE)


def test_the_design_is_short():
    assert len(text_of("docs/design.md").split()) <= 4000


def test_details_of_keys_stand_below_their_tables():
    rows = re.findall(r"^\|(.+)\|$", text_of("config/README.md"), re.MULTILINE)
    assert [cell for row in rows for cell in row.split("|") if len(cell.strip()) > 300] == []


def test_the_formats_are_those_of_containers():
    section = text_of("docs/formats.md").split("\n## Containers")[1].split("\n## ")[0]
    sizes = re.findall(r"^\| (\d+)(?: × \w+)? \|", section, re.MULTILINE)
    header, entry, checksum, *rows = map(int, sizes)
    assert header + checksum == table_bytes(0)
    assert entry == ENTRY.itemsize
    assert rows == [kind.dtype.itemsize for kind in ALL_ROWS]
    fields = section.split("\nA record:")[1].split("\nA count:")[0]
    assert re.findall(r"`(\w+)`", fields) == list(FRAGMENT.names)
    fields = re.findall(r"^\| (`[^|]+`) \|", section.split("\nA contact is")[1], re.MULTILINE)
    assert re.findall(r"`(\w+)`", " ".join(fields)) == list(CONTACT.names)


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


def commands(text: str) -> list[list[str]]:
    """The words of the commands of a page: lines of code blocks, and what is in backticks."""
    code = re.findall(r"^    (.+)$", text, re.MULTILINE) + re.findall(r"`([^`]+)`", text)
    parts = [part for line in code for part in re.split(r" && | \| ", line.replace("\n", " "))]
    found = [
        part
        for part in parts
        if re.match(r"(\S*/)?(python|snakemake|snakemesh(?! \w+:)|pytest) ", part)
    ]
    return [shlex.split(part, comments=True) for part in found]


@cache
def snakemake_options() -> set[str]:
    return set(get_argument_parser()._option_string_actions)


@cache
def subcommands() -> dict[str, ArgumentParser]:
    """The parsers of the commands of `snakemesh`, by name."""
    (actions,) = (a for a in parser()._actions if isinstance(a.choices, dict))
    return actions.choices


def unknown_in(command: list[str]) -> list[str]:
    """Scripts, options, targets and keys of a command that do not exist."""
    program, *words = command
    options = {word.split("=")[0] for word in words if word.startswith("-")}
    given = {word.split("=")[0] for word in words if re.match(r"[a-z]\w*=", word)}
    if program.endswith("python"):
        if words[0].startswith("-"):
            return []  # a module of Python
        script = REPOSITORY / words[0]
        known = script.read_text() if script.is_file() else ""
        wrong = [option for option in options if f'"{option}"' not in known]
        tried = words[2:3] if script.stem == "bench_choosing" else []
        return wrong + sorted((given | {k for k in tried if k != "KEY"}) - KEYS - {"KEY"})
    if program.endswith("snakemesh"):
        known = subcommands().get(words[0])
        return sorted(options - set(known._option_string_actions)) if known else [words[0]]
    if program.endswith("snakemake"):
        return sorted(options - snakemake_options()) + sorted(given - KEYS - {"mem_mb"})
    return []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_is_one(document):
    found = commands(text_of(document))
    assert [(command, wrong) for command in found if (wrong := unknown_in(command))] == []


@pytest.mark.parametrize(
    "command",
    [
        "python scripts/nothing.py --ids 7",
        "snakemesh look results",
        "snakemesh view --nothing",
        ".venv/bin/snakemake --nothing",
        ".venv/bin/snakemake --cores all --config num_lod=3",
        "python tests/bench/bench_choosing.py nuclei cell_sizes 64",
    ],
)
def test_a_wrong_command_is_seen(command):
    (words,) = commands(f"    {command}\n")
    assert unknown_in(words)


@pytest.mark.parametrize("document", GUIDES)
def test_every_key_in_a_guide_is_one(document):
    """What is quoted as `key: value` or `key=value`. First cells of tables may be others' keys."""
    text = re.sub(r"^\|[^|]+\|", "|", text_of(document), flags=re.MULTILINE)
    named = set(re.findall(r"`([a-z]\w+)(?:: |=)[^`]*`", text))
    assert named - KEYS == set()


def test_the_quick_start_is_three_commands_which_ci_runs():
    section = text_of("README.md").split("## Quick start")[1].split("\n## ")[0]
    lines = re.findall(r"^    (.+)$", section, re.MULTILINE)
    assert len(lines) == 3
    for line in lines:
        subprocess.run(["bash", "-n", "-c", line], check=True)
    ci = re.sub(r" --quiet( all)?", "", text_of(".ci/run"))
    tests = re.findall(r"^    (.+pytest)$", text_of("README.md"), re.MULTILINE)
    for part in [*lines[1].split(" && "), *tests[0].split(" && ")]:
        assert f"\n{part}\n" in ci


def test_every_picture_is_small_and_shown_and_made_by_the_project():
    shown = {Path(link).name for document in DOCUMENTS for link in links(text_of(document))}
    pictures = sorted((REPOSITORY / "docs/pictures").iterdir())
    scripts = "".join(path.read_text() for path in REPOSITORY.glob("docs/*.py"))
    assert pictures
    for picture in pictures:
        assert picture.name in shown
        assert picture.stat().st_size < 300_000
        assert f'"{picture.stem}"' in scripts


def quoted_messages() -> list[str]:
    """The messages that docs/troubleshooting.md quotes of snakemesh. <...> stands for a value."""
    text = text_of("docs/troubleshooting.md").split("\n## From other programs")[0]
    return [m.strip() for m in re.findall(r"^    (.+)$", text, re.MULTILINE)]


@cache
def texts_of_code() -> list[str]:
    """All texts in the code; of one with values in it, its parts."""
    paths = [*REPOSITORY.glob("scripts/*.py"), *REPOSITORY.glob("src/**/*.py")]
    trees = [ast.parse(path.read_text()) for path in paths]
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return [" ".join(node.value.split()) for node in nodes if isinstance(node.value, str)]


def fixed_parts(message: str) -> list[str]:
    """What of a message is the same each time, in pieces of two words or more."""
    message = re.sub(r"^(\S+: )?(error: )?(config key \w+)?", "", message)
    parts = re.split(r"<[^>]*>|[,;:'()]|\d", message)
    return [" ".join(part.split()) for part in parts if len(part.split()) >= 2]


def planned(config: dict) -> None:
    settings = read_settings(config)
    check_tables(settings)
    plan = make_plan(settings, source_levels(settings))
    read_lists(settings, plan.dtype)


def file(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


LABELS = np.pad(np.full((8, 8, 8), 7, np.uint32), 4)
PLACED = Placed(LABELS, (8.0, 8.0, 8.0), (0.0, 0.0, 0.0), (16, 16, 16))
COMPLEX = Placed(LABELS.astype("c8"), (8.0, 8.0, 8.0), (0.0, 0.0, 0.0), (16, 16, 16))
# By a part of the message what provokes it: keys, from a folder.
PROVOKED: dict[str, Callable[[Path], dict]] = {
    "found no zarr": lambda p: {"input_path": str(p / "nowhere.zarr")},
    "but contains volumes": lambda p: {"input_path": str(p)},
    "do not say how large": lambda p: {"input_path": write_array(p / "bare.zarr", PLACED)},
    "expected a segmentation": lambda p: {"input_path": write_zarr(p / "c.zarr", [COMPLEX])},
    "unknown key": lambda p: {"num_lod": 3},
    "key cell_size": lambda p: {"cell_size": 100},
    "key target_reduction": lambda p: {"target_reduction": 93},
    "outside the volume": lambda p: {"roi": [[5000, 0, 0], [6000, 9, 9]]},
    "of the example": lambda p: {"output_directory": "results/example"},
    "expected a path; Snakemake": lambda p: {"output_directory": 202401},
    "lies inside": lambda p: {"output_directory": str(p / "good.zarr/out")},
    "was not made by": lambda p: {"output_directory": foreign(p / "foreign")},
    "cannot be read": lambda p: {"target_ids": str(p / "nowhere.csv")},
    "has the label": lambda p: {"target_ids": file(p / "i.csv", "id\n7\nseven\n")},
    "the labels are": lambda p: {"target_ids": file(p / "b.csv", "id\n99999999999\n")},
    "again, after line": lambda p: {"segment_properties_csv": file(p / "a.csv", "id,a\n7,1\n7,2")},
    "key segment_colors": lambda p: {"segment_colors": "cell_type"},
    "which is taken": lambda p: {"segment_properties_csv": file(p / "v.csv", "id,volume\n7,1\n")},
}


def foreign(output: Path) -> str:
    (output / "multires").mkdir(parents=True)
    file(output / "multires/info", "{}")
    return str(output)


@pytest.mark.parametrize("part", PROVOKED)
def test_what_is_quoted_is_what_one_sees(part, tmp_path):
    (quoted,) = [message for message in quoted_messages() if part in message]
    good = write_zarr(tmp_path / "good.zarr", [PLACED])
    config = {"input_path": good, "output_directory": str(tmp_path / "out")}
    with pytest.raises(UserError) as error:
        planned(config | PROVOKED[part](tmp_path))
    pattern = re.sub(r"<[^>]*>", ".+", re.escape(quoted).replace(r"\<", "<").replace(r"\>", ">"))
    assert re.fullmatch(pattern, f"snakemesh: {error.value}")


OTHER_MESSAGES = [m for m in quoted_messages() if not any(part in m for part in PROVOKED)]


@pytest.mark.parametrize("message", OTHER_MESSAGES)
def test_the_code_still_says_what_is_quoted(message):
    parts = fixed_parts(message)
    assert parts
    assert [part for part in parts if not any(part in text for text in texts_of_code())] == []
