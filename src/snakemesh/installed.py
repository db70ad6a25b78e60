"""Whether the package that Python imports is the one that a Snakefile was written for."""

import os
import sys
from pathlib import Path

from snakemesh import __version__

PACKAGE = Path(__file__).resolve().parent


def refuse_other_package(version: str, base: object) -> None:
    """End the program, with one line, if rules and package do not belong together.

    version: of the Snakefile. base: the folder of the Snakefile; no path if Snakemake has fetched
    it, as `github(...)` does.
    """
    source = f"'snakemesh @ git+https://github.com/OWNER/snakemesh@v{version}'"
    is_of_another_clone = False
    if isinstance(base, str | os.PathLike):
        clone = Path(base).resolve()
        source = f"-e {clone}"
        # where a package lies in a folder src, it is that of a clone
        own = clone / "src" / "snakemesh"
        is_of_another_clone = PACKAGE.parent.name == "src" and own.is_dir() and own != PACKAGE
    if version != __version__ or is_of_another_clone:
        sys.exit(
            f"snakemesh: the installed package is version {__version__} in {PACKAGE.parent}, this "
            f"Snakefile is {version}; install its own: {sys.executable} -m pip install {source}"
        )


def tell_environments() -> None:
    """Say in the process's environment what pip installs to get this package elsewhere.

    That is a folder or a version. envs/environment.post-deploy.sh reads it.
    """
    clone = PACKAGE.parents[1]
    has_source = (clone / "pyproject.toml").is_file()
    source = str(clone) if has_source else f"snakemesh=={__version__}"
    os.environ["SNAKEMESH_REQUIREMENT"] = source
