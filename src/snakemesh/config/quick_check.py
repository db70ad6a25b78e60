"""Whether a value is allowed by a JSON schema, told without the library that says what is wrong.

Every job of a cluster reads the configuration again, and jsonschema takes 0.1 s to import. A value
that this module is sure of needs no more; of any other, jsonschema says what is wrong.
"""

from collections.abc import Callable, Mapping
from typing import Any

# By name of a type of JSON schema, the types of Python that surely are of it. A float such as 4.0
# is an integer to JSON schema too: these are left to jsonschema.
_TYPES: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "array": (list,),
    "object": (dict,),
}
# Words that say nothing about what is allowed.
_SILENT = {"$schema", "default", "description"}


def is_surely_valid(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a schema allows a value, for sure.

    False for what it does not allow, and where a word of the schema is not known here.
    """
    for word, rule in schema.items():
        if word in _SILENT:
            continue
        if word not in _CHECKS or not _CHECKS[word](value, rule, schema):
            return False
    return True


def _is_of_type(value: Any, names: str | list[str]) -> bool:
    # bool is an int to Python, and a type of its own to JSON schema
    wanted = [_TYPES[name] for name in ([names] if isinstance(names, str) else names)]
    return any(type(value) in types for types in wanted)


def _is_listed(value: Any, listed: list[Any]) -> bool:
    return any(type(value) is type(entry) and value == entry for entry in listed)


def _is_one_of(value: Any, schemas: list[Mapping[str, Any]]) -> bool:
    """Whether just one of some schemas can be that of a value, by its type, and allows it."""
    of_type = [s for s in schemas if "type" not in s or _is_of_type(value, s["type"])]
    return len(of_type) == 1 and is_surely_valid(value, of_type[0])


def _has_known_keys(value: Any, rest: Any, schema: Mapping[str, Any]) -> bool:
    """Whether the keys of an object are known, or their values as the schema of the rest says."""
    unknown = [entry for key, entry in value.items() if key not in schema.get("properties", ())]
    return all(is_surely_valid(v, rest) for v in unknown) if rest else not unknown


# By word of a schema, a check of (value, what the schema says, the schema). `type` comes first in
# our schema, so the others are asked about values that they can be asked about.
_CHECKS: dict[str, Callable[[Any, Any, Mapping[str, Any]], bool]] = {
    "type": lambda value, names, _: _is_of_type(value, names),
    "enum": lambda value, listed, _: _is_listed(value, listed),
    "oneOf": lambda value, schemas, _: _is_one_of(value, schemas),
    "minimum": lambda value, least, _: value is None or value >= least,
    "maximum": lambda value, most, _: value is None or value <= most,
    "exclusiveMinimum": lambda value, least, _: value > least,
    "exclusiveMaximum": lambda value, most, _: value < most,
    "minLength": lambda value, least, _: len(value) >= least,
    "maxLength": lambda value, most, _: len(value) <= most,
    "minItems": lambda value, least, _: len(value) >= least,
    "maxItems": lambda value, most, _: len(value) <= most,
    "items": lambda value, schema, _: all(is_surely_valid(entry, schema) for entry in value),
    "required": lambda value, keys, _: all(key in value for key in keys),
    "properties": lambda value, rules, _: all(
        is_surely_valid(entry, rules[key]) for key, entry in value.items() if key in rules
    ),
    "propertyNames": lambda value, schema, _: all(is_surely_valid(key, schema) for key in value),
    "additionalProperties": _has_known_keys,
}
