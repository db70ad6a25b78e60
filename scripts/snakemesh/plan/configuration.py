"""Reading the configuration and checking it against its schema, `config/config.schema.yaml`.

Only planning imports this module. Jobs do not, because importing jsonschema takes 0.2 s.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from snakemesh.errors import UserError
from snakemesh.plan.settings import Settings

SCHEMA_PATH = Path(__file__).resolve().parents[3] / "config" / "config.schema.yaml"


def typed(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with the texts "true", "false", "null" and numbers in lists converted.

    Snakemake leaves these as text when they are given with `--config`. It has converted numbers
    outside lists already, so other texts stay as they are.
    """
    return {key: _typed(value) for key, value in config.items()}


def _typed(value: Any) -> Any:
    if isinstance(value, list):
        return [_typed(entry) if isinstance(entry, list) else _number(entry) for entry in value]
    words = {"true": True, "false": False, "null": None}
    return words.get(value, value) if isinstance(value, str) else value


def _number(text: Any) -> Any:
    """The number that the text spells; anything else is returned as it is."""
    for kind in (int, float):
        try:
            return kind(text) if isinstance(text, str) else text
        except ValueError:
            pass
    return text


def read_settings(config: Mapping[str, Any]) -> Settings:
    """The settings of a configuration. Keys that it does not have get the schema's defaults.

    Raises UserError if the schema does not allow a key or a value, or if translation_nm is set
    without voxel_size_nm. The message is one line and names the key.
    """
    schema = yaml.safe_load(SCHEMA_PATH.read_text())
    errors = jsonschema.Draft202012Validator(schema).iter_errors(dict(config))
    # report unknown and missing keys first: their path is the shortest
    if first := min(errors, key=lambda error: len(error.absolute_path), default=None):
        raise UserError(_message(first, schema, config))
    values = {key: rule.get("default") for key, rule in schema["properties"].items()}
    values.update(config)
    if values["translation_nm"] is not None and values["voxel_size_nm"] is None:
        raise UserError(
            f"config key translation_nm: found {values['translation_nm']!r} without a "
            "voxel_size_nm, expected both or neither; set voxel_size_nm too"
        )
    return Settings(**{key: _frozen(value) for key, value in values.items()})


def _message(
    error: jsonschema.ValidationError, schema: dict[str, Any], config: Mapping[str, Any]
) -> str:
    """What is wrong with the configuration, in one line."""
    if error.validator == "additionalProperties":
        unknown = sorted(set(config) - set(schema["properties"]))
        known = ", ".join(schema["properties"])
        return f"config: unknown key {unknown[0]!r}; the keys are {known}"
    if error.validator == "required":
        missing = [key for key in schema["required"] if key not in config]
        return f"config: the key {missing[0]} is missing"
    key = error.absolute_path[0]
    rule = schema["properties"][key]
    return f"config key {key}: found {error.instance!r}, expected {_expected(error, rule)}"


def _expected(error: jsonschema.ValidationError, rule: dict[str, Any]) -> str:
    """What the schema allows for a key. rule: the schema of the key."""
    if error.validator == "enum":
        return "one of " + ", ".join(map(str, rule["enum"]))
    if "description" in rule:
        return str(rule["description"])
    if error.validator == "type":
        kinds = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
        return "a value of type " + " or ".join(kinds)
    bounds = {
        "minimum": "at least {}",
        "exclusiveMinimum": "more than {}",
        "maximum": "at most {}",
        "exclusiveMaximum": "less than {}",
        "minLength": "a text of at least {} character",
    }
    if error.validator in bounds:
        return bounds[error.validator].format(error.validator_value)
    # target_ids: the only key with `oneOf` and without a description
    return "null or a list of whole numbers from 1"


def _frozen(value: Any) -> Any:
    """Lists as tuples, and whole numbers as int: to the schema, 4.0 is a whole number too."""
    if isinstance(value, list | tuple):
        return tuple(map(_frozen, value))
    return int(value) if isinstance(value, float) and value.is_integer() else value
