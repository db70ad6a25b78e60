# The folder with the files of this repository, wherever Snakemake reads this Snakefile from.

import os
import sys
import tarfile
import tempfile
from pathlib import Path

from snakemake.common import LockFreeWritableFile


def clone_folder(base, cache):
    """The folder of a clone, or else of a copy of the scripts and the configuration.

    Snakemake fetches Snakefiles and scripts from github(...) or gitlab(...) one by one, but not the
    library that they import, nor the schema of the configuration. The first process that needs them
    unpacks them in Snakemake's cache of sources, in a folder that is named after the commit.

    base: where the Snakefile is. cache: Snakemake's cache of sources.
    """
    if isinstance(base, os.PathLike):
        return Path(base)
    if not hasattr(base, "repo"):
        sys.exit(
            f"snakemesh: {base}/Snakefile cannot be used alone, because its library is not fetched "
            'with it; write github("OWNER/NAME", path="Snakefile", tag="TAG") or gitlab(...), or '
            "clone the repository and give the path of its Snakefile"
        )
    snakefile = base.join("Snakefile")
    # Snakemake keeps the Snakefile of a tag for good, and that of a branch for one run and its
    # jobs. The commit is kept beside it, so that jobs use what the run uses if the branch moves on.
    known = Path(f"{cache.get_path(snakefile)}.commit")
    if not known.exists():
        with LockFreeWritableFile(known) as file:
            file.write(snakefile.hosted_repo.repo.commit(base.ref).hexsha)
    commit = known.read_text()
    folder = cache.cache_path / "snakemesh" / commit / base.path
    if not folder.is_dir():
        unpack(snakefile.hosted_repo.repo, commit, base, folder)
    return folder


def unpack(repository, commit, base, folder):
    """Unpack scripts and configuration of a commit. Several processes may do so at once."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    paths = [base.join(name).path for name in ("scripts", "config")]
    with (
        tempfile.TemporaryFile() as packed,
        tempfile.TemporaryDirectory(dir=folder.parent) as temporary,
    ):
        repository.archive(packed, commit, prefix="clone/", path=paths)
        packed.seek(0)
        with tarfile.open(fileobj=packed) as files:
            files.extractall(temporary, filter="data")
        try:
            os.rename(Path(temporary, "clone", base.path), folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster
                raise
