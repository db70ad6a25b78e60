"""Reading the configuration and checking it against its schema, `config.schema.yaml`."""

import json
import re
import reprlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from snakemesh.config.paths import file_path, output_path, source_path
from snakemesh.config.settings import Settings
from snakemesh.errors import UserError
from snakemesh.label_list import LIST_KEYS

if TYPE_CHECKING:
    import jsonschema

SCHEMA_PATH = Path(__file__).with_name("config.schema.yaml")
# Every job reads the schema: in 1.5 ms by libyaml, in 12 where PyYAML was installed without it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# A position in nm can be no larger: 1000 km.
MAX_NM = 1e15
# Whole numbers above it are not exact as floats.
MAX_EXACT_FLOAT = 2**53
# A key takes lists of lists at most.
MAX_DEPTH = 2
# How many characters of a refused value are shown.
MAX_SHOWN = 200
# The keys that are paths, and what checks them.
_PATHS = {
    "input_path": source_path,
    "output_directory": output_path,
    "target_ids": file_path,
    "exclude_ids": file_path,
    "segment_properties_csv": file_path,
    "label_map": file_path,
}
# Keys of earlier versions, and what to do instead.
_REMOVED = {
    "roi_boundary": "remove it: objects are always closed at the sides of the roi",
    "verify_fraction": "remove it: verification always reads all meshes",
}
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_INTEGER = re.compile(r"[+-]?\d{1,300}", re.ASCII)


def typed(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration in which texts such as "true", "null" and "[1, 2]" are what they say.

    Snakemake leaves some values of --config as text.
    """
    return {key: _typed(value) for key, value in config.items()}


def _typed(value: Any, depth: int = 0) -> Any:
    if isinstance(value, list):
        return [_typed(entry, depth + 1) for entry in value] if depth < MAX_DEPTH else value
    if isinstance(value, dict):
        return {key: _typed(v, depth + 1) for key, v in value.items()} if not depth else value
    if isinstance(value, str):
        return _number(value) if depth else _WORDS.get(value, value)
    return value


def _number(text: str) -> int | float | str:
    """The number that a text says, or else the text. Whole numbers stay exact."""
    if _INTEGER.fullmatch(text):
        return int(text)
    try:
        # Python would also read "1_000" and digits of other scripts
        return float(text) if text.isascii() and "_" not in text else text
    except ValueError:
        return text


def read_settings(config: Mapping[str, Any], is_checked: bool = False) -> Settings:
    """The settings of a configuration, with the schema's defaults for what it does not say.

    is_checked: whether the run that plans has found that the schema allows it: jobs need not wait
    0.1 s for jsonschema. Raises UserError, one line that names the key, for anything that is not
    allowed.
    """
    schema = yaml.load(SCHEMA_PATH.read_text(encoding="utf-8"), _LOADER)
    for key in config.keys() & schema["properties"].keys():
        if not _is_json(config[key]):
            expected = schema["properties"][key].get("expected", "a value of another type")
            raise UserError(f"config key {key}: found {_shown(config[key])}, expected {expected}")
    if not is_checked:
        _refuse_invalid(config, schema)
    values = {key: rule.get("default") for key, rule in schema["properties"].items()}
    values.update(config)
    _refuse_odd_numbers(values)
    if values["translation_nm"] is not None and values["voxel_size_nm"] is None:
        raise UserError(
            f"config key translation_nm: found {values['translation_nm']!r} without a "
            "voxel_size_nm, expected both or neither; set voxel_size_nm too"
        )
    for key, checked in _PATHS.items():
        if isinstance(values[key], str):
            values[key] = checked(key, values[key])
    return Settings(**{key: _frozen(value) for key, value in values.items()})


def _is_json(value: Any) -> bool:
    """Whether JSON can hold a value, so that a schema can check it: YAML has dates, too."""
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return not isinstance(value, dict) or all(isinstance(key, str) for key in value)


def _refuse_invalid(config: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Raise UserError for what the schema does not allow, if there is anything."""
    import jsonschema  # here, because no job has to wait for it

    errors = jsonschema.Draft202012Validator(schema).iter_errors(config)
    # report unknown and missing keys first: their path is the shortest
    if first := min(errors, key=lambda error: len(error.absolute_path), default=None):
        raise UserError(_message(first, schema))


def _shown(value: Any) -> str:
    """A value as a message quotes it: not too long, and whatever it is."""
    try:
        text = reprlib.repr(value) if isinstance(value, list | dict) else repr(value)
    except (ValueError, RecursionError):
        return f"a huge {type(value).__name__}"
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _refuse_odd_numbers(values: Mapping[str, Any]) -> None:
    """Refuse what a schema cannot: numbers that are none, too large, or not exact."""
    for key, value in values.items():
        for number in _numbers_in(value):
            if key in ("roi", "translation_nm", "voxel_size_nm") and abs(number) > MAX_NM:
                raise UserError(
                    f"config key {key}: found {_shown(number)}, expected nanometres, "
                    f"at most {MAX_NM:g}"
                )
            if not abs(number) <= sys.float_info.max:
                raise UserError(f"config key {key}: found {_shown(number)}, expected a finite one")
            is_float = isinstance(number, float)
            if key in LIST_KEYS and is_float and number > MAX_EXACT_FLOAT:
                raise UserError(
                    f"config key {key}: found {number!r}, which stands for several labels; "
                    "write all digits of the label"
                )


def _numbers_in(value: Any) -> Iterator[int | float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for entry in value:
            yield from _numbers_in(entry)
    elif isinstance(value, int | float):
        yield value


def _message(error: "jsonschema.ValidationError", schema: Mapping[str, Any]) -> str:
    found: Any = error.instance
    if error.validator == "additionalProperties":
        unknown = sorted(set(map(str, found)) - set(schema["properties"]))
        if unknown[0] in _REMOVED:
            return f"config: the key {unknown[0]} is gone, {_REMOVED[unknown[0]]}"
        known = ", ".join(schema["properties"])
        hint = _meant(unknown[0].lower().replace("-", "_"), schema["properties"])
        return f"config: unknown key {_shown(unknown[0])}{hint}; the keys are {known}"
    if error.validator == "required":
        missing = [key for key in schema["required"] if key not in found]
        return f"config: the key {missing[0]} is missing"
    key = str(error.absolute_path[0])
    rule = schema["properties"][key]
    return f"config key {key}: found {_quoted(error)}, expected {_expected(error, rule)}"


def _meant(text: str, known: Iterable[str]) -> str:
    """The end of a message that names the most similar of some words; "" if none is similar."""
    found = get_close_matches(text, known, n=1)
    return f", did you mean {found[0]}?" if found else ""


def _quoted(error: "jsonschema.ValidationError") -> str:
    """The wrong value; of a long list only the wrong entry."""
    found = error.instance
    text = repr(found)
    if len(text) <= MAX_SHOWN or not isinstance(found, list):
        return _shown(found)
    inner = max(error.context or [error], key=lambda e: len(e.absolute_path))
    return _shown(found) if inner.instance is found else f"{_shown(inner.instance)} in a list"


def _expected(error: "jsonschema.ValidationError", rule: Mapping[str, Any]) -> str:
    if error.validator == "enum":
        values: Any = error.validator_value
        # as they are written in a configuration
        known = [str(each).lower() if isinstance(each, bool) else str(each) for each in values]
        return f"one of {', '.join(known)}{_meant(str(error.instance), known)}"
    if "expected" in rule:
        return str(rule["expected"])
    is_number = isinstance(error.instance, int | float) and not isinstance(error.instance, bool)
    if error.validator == "type" and error.absolute_path[0] in _PATHS and is_number:
        return (
            "a path; Snakemake reads names such as 2024_01, 007 and 1.5 as numbers, unless you "
            "write ./ in front of them: ./2024_01"
        )
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
    return bounds[str(error.validator)].format(error.validator_value)


def _frozen(value: Any) -> Any:
    """Lists as tuples, mappings as sorted pairs; 4.0, which is whole to the schema, as 4."""
    if isinstance(value, dict):
        return tuple(sorted((key, _frozen(entry)) for key, entry in value.items()))
    if isinstance(value, list | tuple):
        return tuple(map(_frozen, value))
    return int(value) if isinstance(value, float) and value.is_integer() else value
