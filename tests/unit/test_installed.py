"""Rules and package must belong together."""

import os

import pytest

import snakemesh
from snakemesh import installed
from snakemesh.installed import refuse_other_package, tell_environments


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A clone whose package is in use."""
    monkeypatch.setenv("SNAKEMESH_REQUIREMENT", "")
    package = tmp_path / "clone" / "src" / "snakemesh"
    package.mkdir(parents=True)
    (tmp_path / "clone" / "pyproject.toml").touch()
    monkeypatch.setattr(installed, "PACKAGE", package)
    return tmp_path / "clone"


def test_its_own_and_that_of_a_wheel(clone, tmp_path, monkeypatch):
    refuse_other_package(snakemesh.__version__, str(clone))
    tell_environments()
    assert os.environ["SNAKEMESH_REQUIREMENT"] == str(clone)
    monkeypatch.setattr(installed, "PACKAGE", tmp_path / "site-packages" / "snakemesh")
    refuse_other_package(snakemesh.__version__, str(clone))
    refuse_other_package(snakemesh.__version__, object())
    tell_environments()
    assert os.environ["SNAKEMESH_REQUIREMENT"] == f"snakemesh=={snakemesh.__version__}"


def test_another_clone_of_the_same_version(clone, tmp_path):
    other = tmp_path / "other"
    (other / "src" / "snakemesh").mkdir(parents=True)
    with pytest.raises(SystemExit, match=rf"in {clone}/src, .* -m pip install -e {other}$"):
        refuse_other_package(snakemesh.__version__, other)


def test_another_version(clone):
    with pytest.raises(SystemExit, match=rf"version {snakemesh.__version__} .* is 99\.0;"):
        refuse_other_package("99.0", clone)
    with pytest.raises(SystemExit, match=r"pip install 'snakemesh @ git\+https:.*@v99.0'$"):
        refuse_other_package("99.0", object())
