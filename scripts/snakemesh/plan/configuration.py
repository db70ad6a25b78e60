"""Reading the configuration and checking it against its schema, `config/config.schema.yaml`.

No job imports this module: what checks a schema takes 0.2 s to import.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from snakemesh.errors import UserError
from snakemesh.plan.paths import local_path, output_path
from snakemesh.plan.settings import Settings

SCHEMA_PATH = Path(__file__).resolve().parents[3] / "config" / "config.schema.yaml"
# A position in nm can be no larger: 1000 km.
MAX_NM = 1e15
# Whole numbers above it are not exact as floats.
MAX_EXACT_FLOAT = 2**53
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


def typed(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration in which texts such as "true", "null" and "[1, 2]" are what they say.

    Snakemake leaves some values of --config as text.
    """
    return {key: _typed(value) for key, value in config.items()}


def _typed(value: Any) -> Any:
    if isinstance(value, list):
        return [_typed(entry) if isinstance(entry, list) else _number(entry) for entry in value]
    return _WORDS.get(value, value) if isinstance(value, str) else value


def _number(text: Any) -> Any:
    """The number that a text says, or else the text."""
    for kind in (int, float):
        try:
            return kind(text) if isinstance(text, str) else text
        except ValueError:
            pass
    return text


def read_settings(config: Mapping[str, Any]) -> Settings:
    """The settings of a configuration, with the schema's defaults for what it does not say.

    Raises UserError, one line that names the key, for anything that is not allowed.
    """
    schema = yaml.safe_load(SCHEMA_PATH.read_text())
    errors = jsonschema.Draft202012Validator(schema).iter_errors(dict(config))
    # report unknown and missing keys first: their path is the shortest
    if first := min(errors, key=lambda error: len(error.absolute_path), default=None):
        raise UserError(_message(first, schema))
    values = {key: rule.get("default") for key, rule in schema["properties"].items()}
    values.update(config)
    _refuse_odd_numbers(values)
    if values["translation_nm"] is not None and values["voxel_size_nm"] is None:
        raise UserError(
            f"config key translation_nm: found {values['translation_nm']!r} without a "
            "voxel_size_nm, expected both or neither; set voxel_size_nm too"
        )
    values["output_directory"] = output_path("output_directory", values["output_directory"])
    for key in ("input_path", "segment_properties_csv"):
        if values[key] is not None:
            values[key] = local_path(key, values[key])
    return Settings(**{key: _frozen(value) for key, value in values.items()})


def _refuse_odd_numbers(values: Mapping[str, Any]) -> None:
    """Refuse what a schema cannot: numbers that are none, too large, or not exact."""
    for key, value in values.items():
        for number in _numbers_in(value):
            if not math.isfinite(number):
                raise UserError(f"config key {key}: found {number}, expected a finite number")
            if key in ("roi", "translation_nm", "voxel_size_nm") and abs(number) > MAX_NM:
                raise UserError(
                    f"config key {key}: found {number}, expected nanometres, at most {MAX_NM:g}"
                )
            is_float = isinstance(number, float)
            if key == "target_ids" and is_float and number > MAX_EXACT_FLOAT:
                raise UserError(
                    f"config key target_ids: found {number!r}, which stands for several labels; "
                    "write all digits of the label"
                )


def _numbers_in(value: Any) -> Iterator[int | float]:
    if isinstance(value, list | tuple):
        for entry in value:
            yield from _numbers_in(entry)
    elif isinstance(value, int | float):
        yield value


def _message(error: jsonschema.ValidationError, schema: Mapping[str, Any]) -> str:
    found: Any = error.instance
    if error.validator == "additionalProperties":
        unknown = sorted(set(map(str, found)) - set(schema["properties"]))
        known = ", ".join(schema["properties"])
        return f"config: unknown key {unknown[0]!r}; the keys are {known}"
    if error.validator == "required":
        missing = [key for key in schema["required"] if key not in found]
        return f"config: the key {missing[0]} is missing"
    key = str(error.absolute_path[0])
    rule = schema["properties"][key]
    return f"config key {key}: found {found!r}, expected {_expected(error, rule)}"


def _expected(error: jsonschema.ValidationError, rule: Mapping[str, Any]) -> str:
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
        return bounds[str(error.validator)].format(error.validator_value)
    return "null or a list of whole numbers from 1"


def _frozen(value: Any) -> Any:
    """Lists as tuples; 4.0, which is a whole number to the schema, as 4."""
    if isinstance(value, list | tuple):
        return tuple(map(_frozen, value))
    return int(value) if isinstance(value, float) and value.is_integer() else value
