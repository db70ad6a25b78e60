"""The patches for Snakemake and its plugins fit the versions that they name."""

import importlib.metadata
import re
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "upstream"
PATCHES = sorted(FOLDER.glob("*.patch"))


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_a_patch_fits(patch, tmp_path):
    first, *_ = text = patch.read_text().splitlines()
    package, version = re.fullmatch(r"For: (\S+) (\S+)", first).groups()
    try:
        installed = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"NOT TESTED: {package} is not installed")
    if installed.version != version:
        pytest.skip(f"NOT TESTED: {package} {installed.version} is installed, not {version}")
    files = [line.removeprefix("--- a/") for line in text if line.startswith("--- a/")]
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(installed.locate_file(name.removeprefix("src/")), tmp_path / name)
    before = [(tmp_path / name).read_text() for name in files]
    subprocess.run(["git", "apply", patch], cwd=tmp_path, check=True)
    for name, text_before in zip(files, before, strict=True):
        assert (tmp_path / name).read_text() != text_before
        compile((tmp_path / name).read_text(), name, "exec")


def test_each_patch_is_listed():
    listed = set(re.findall(r"\((\S+\.patch)\)", (FOLDER / "README.md").read_text()))
    assert listed == {patch.name for patch in PATCHES}
