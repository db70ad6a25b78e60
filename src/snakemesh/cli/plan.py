"""Print the plan of a run: levels, LODs, jobs, CPU time, memory and disk. Nothing is written.

    snakemesh plan
    snakemesh plan input_path=/data/segmentation.zarr
    snakemesh plan input_path=/data/segmentation.zarr num_lods=5 "roi=[[0,0,0],[4000,4000,4000]]"

Keys and values are those that `snakemake --config` takes. They replace keys of config/config.yaml
in the working directory, if there is such a file. Without an output_directory beside it, an
input_path is planned for the directory meshes. `snakemake -n` also says which jobs are left.
"""

import argparse
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from snakemesh.errors import UserError, one_line

# The configuration that `snakemake` reads in the working directory.
CONFIGURATION = Path("config/config.yaml")
# The output directory of an input that is only looked at.
NEW_OUTPUT = "meshes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    parser.add_argument("keys", nargs="*", metavar="KEY=VALUE", help="keys of the configuration")
    parser.add_argument(
        "--configfile", type=Path, metavar="FILE", help=f"replaces keys of {CONFIGURATION}"
    )


def run(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Print the plan."""
    # here, because the other commands and shell completion need no planning
    from snakemesh.run.opening import look_at
    from snakemesh.run.plan_in_words import plan_in_words

    try:
        print(plan_in_words(look_at(_configuration(options.keys, options.configfile))))
    except UserError as error:
        sys.exit(f"snakemesh: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def key_value(text: str) -> dict[str, Any]:
    """A key and its value, as the option --config of Snakemake reads them.

    Written again here, because `snakemake.cli.parse_config` takes a third of a second to import. In
    lists and mappings, numbers stay texts. Raises UserError.
    """
    import yaml

    found = re.fullmatch(r"([a-zA-Z_][\w-]*\w)=(.*)", text, re.DOTALL)
    if found is None:
        raise UserError(f"found {text}, expected KEY=VALUE, such as num_lods=5")
    key, value = found[1], found[2].strip("'\"")
    for read in (int, float):
        with suppress(ValueError):
            return {key: read(value)}
    if value in ("", "True", "False"):
        return {key: value == "True" if value else None}
    with suppress(yaml.YAMLError):
        return {key: yaml.load(value, yaml.BaseLoader)}
    return {key: value}


def _configuration(keys: list[str], file: Path | None) -> dict[str, Any]:
    """The configuration as Snakemake reads it: a later one of these replaces keys of the earlier.

    Raises UserError for what cannot be read.
    """
    from snakemake.utils import update_config

    given: dict[str, Any] = {}
    for text in keys:
        update_config(given, key_value(text))
    files = [CONFIGURATION] if CONFIGURATION.exists() else []
    config: dict[str, Any] = {}
    for path in [*files, *([] if file is None else [file])]:
        update_config(config, _read(path))
    if not config and not given:
        raise UserError(
            f"there is no {CONFIGURATION} here; give input_path=/data/segmentation.zarr, or go to "
            "the folder of the run"
        )
    if "input_path" in given:
        config["output_directory"] = NEW_OUTPUT
    update_config(config, given)
    return config


def _read(path: Path) -> Mapping[str, Any]:
    """The keys of a file, JSON or YAML. Raises UserError."""
    from snakemake.common.configfile import load_configfile
    from snakemake_interface_common.exceptions import WorkflowError

    try:
        return load_configfile(path)  # type: ignore[no-any-return]
    except (WorkflowError, OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else one_line(error)
        raise UserError(f"{path} cannot be read: {why}") from error
