"""The configuration, checked against its schema.

A module of its own, as no job reads it: what checks a schema takes 0.2 s to import.
"""

from collections.abc import Mapping
from pathlib import Path

import jsonschema
import yaml

from snakemesh.errors import UserError
from snakemesh.plan.settings import Settings

SCHEMA_PATH = Path(__file__).resolve().parents[3] / "config" / "config.schema.yaml"


def typed(config: Mapping) -> dict:
    """A configuration whose texts are what they say: true, false, null, numbers in lists.

    Of the values of a --config, Snakemake leaves these as text.
    """
    return {key: _typed(value) for key, value in config.items()}


def _typed(value):
    if isinstance(value, list):
        return [_typed(entry) if isinstance(entry, list) else _number(entry) for entry in value]
    words = {"true": True, "false": False, "null": None}
    return words.get(value, value) if isinstance(value, str) else value


def _number(text):
    """The number that a text is, or the text."""
    for kind in (int, float):
        try:
            return kind(text) if isinstance(text, str) else text
        except ValueError:
            pass
    return text


def read_settings(config: Mapping) -> Settings:
    """The settings of a configuration, with the schema's defaults for what it does not say.

    Raises UserError, one line that names the key, for anything the schema does not allow.
    """
    schema = yaml.safe_load(SCHEMA_PATH.read_text())
    errors = jsonschema.Draft202012Validator(schema).iter_errors(dict(config))
    # what is wrong with the whole document comes first
    if first := min(errors, key=lambda error: len(error.absolute_path), default=None):
        raise UserError(_message(first, schema))
    values = {key: rule.get("default") for key, rule in schema["properties"].items()}
    values.update(config)
    if values["translation_nm"] is not None and values["voxel_size_nm"] is None:
        raise UserError(
            f"config key translation_nm: found {values['translation_nm']!r} without a "
            "voxel_size_nm, expected both or neither; set voxel_size_nm too"
        )
    return Settings(**{key: _frozen(value) for key, value in values.items()})


def _message(error: jsonschema.ValidationError, schema: dict) -> str:
    if error.validator == "additionalProperties":
        unknown = sorted(set(error.instance) - set(schema["properties"]))
        known = ", ".join(schema["properties"])
        return f"config: unknown key {unknown[0]!r}; the keys are {known}"
    if error.validator == "required":
        missing = [key for key in schema["required"] if key not in error.instance]
        return f"config: the key {missing[0]} is missing"
    key = error.absolute_path[0]
    rule = schema["properties"][key]
    return f"config key {key}: found {error.instance!r}, expected {_expected(error, rule)}"


def _expected(error: jsonschema.ValidationError, rule: dict) -> str:
    if error.validator == "enum":
        return "one of " + ", ".join(map(str, rule["enum"]))
    if "description" in rule:
        return rule["description"]
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
    return "null or a list of whole numbers from 1"


def _frozen(value):
    """Lists as tuples; 4.0, which to the schema is a whole number, as 4."""
    if isinstance(value, list | tuple):
        return tuple(map(_frozen, value))
    return int(value) if isinstance(value, float) and value.is_integer() else value
