"""What jobs take for allowed without jsonschema is what jsonschema allows."""

import math

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemesh.config.configuration import SCHEMA_PATH
from snakemesh.config.quick_check import is_surely_valid

SCHEMA = yaml.safe_load(SCHEMA_PATH.read_text())
KEYS = SCHEMA["properties"]
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
NEEDED = {"input_path": "/data/seg", "output_directory": "/meshes"}

numbers = (
    st.integers(-3, 20)
    | st.floats(-3, 1100)
    | st.sampled_from([2**63, 2**64 - 1, 2**64, -(2**63) - 1, 10**30, 256, 256.0, 1000001])
    | st.sampled_from([math.nan, math.inf, -math.inf, 1e308])
)
listed = [entry for rule in KEYS.values() for entry in rule.get("enum", ())]
plain = st.none() | st.booleans() | numbers | st.text(max_size=2) | st.sampled_from(listed)
triples = st.lists(numbers, min_size=3, max_size=3)
values = (
    plain
    | triples
    | st.lists(triples, min_size=1, max_size=3)
    | st.lists(plain, max_size=101)
    | st.dictionaries(st.text(max_size=101), plain, max_size=2)
)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from([*KEYS, "unknown"]), values, max_size=3),
    st.sampled_from([NEEDED, {}]),
)
def test_nothing_is_allowed_that_jsonschema_refuses(changes, needed):
    config = needed | changes
    assert not is_surely_valid(config, SCHEMA) or VALIDATOR.is_valid(config)


ALLOWED = [
    *((key, rule["default"]) for key, rule in KEYS.items() if "default" in rule),
    *((key, entry) for key, rule in KEYS.items() for entry in rule.get("enum", ())),
    ("num_lods", 4),
    ("roi", [[0, 0, 0.5], [1e3, 1e3, 1e3]]),
    ("voxel_size_nm", [40, 4.5, 4]),
    ("translation_nm", [0, -1, 1e9]),
    ("index", {"t": 3}),
    ("background", [-1, 2**64 - 1]),
    ("label_map", "/table.csv"),
    ("target_ids", [1, 2**64 - 1]),
    ("exclude_ids", "/labels.npy"),
    ("input_version", 7),
    ("max_properties", None),
]


@pytest.mark.parametrize(("key", "value"), ALLOWED, ids=lambda part: repr(part)[:30])
def test_usual_values_need_no_jsonschema(key, value):
    assert is_surely_valid(NEEDED | {key: value}, SCHEMA)


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (1, {"multipleOf": 2}),
        (True, {"type": "integer"}),
        (1, {"type": "boolean"}),
        (True, {"enum": [1]}),
        (4.0, {"type": "integer"}),
        (math.nan, {"type": "number", "minimum": 0}),
        ("a", {"oneOf": [{"type": "string"}, {"minLength": 1}]}),
        ({"a": 1}, {"type": "object", "additionalProperties": False}),
        ({"a": 0}, {"type": "object", "additionalProperties": {"minimum": 1}}),
    ],
    ids=str,
)
def test_what_is_not_sure_is_left_to_jsonschema(value, schema):
    assert not is_surely_valid(value, schema)
