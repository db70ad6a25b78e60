"""Whatever a configuration or metadata say: a plan, or one line that says why not."""

import copy
import json
import math

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from snakemesh.errors import UserError
from snakemesh.plan.configuration import read_settings, typed
from snakemesh.plan.input_state import InputState
from snakemesh.plan.inputs import source_levels
from snakemesh.plan.jobs import mesh_block_job
from snakemesh.plan.made_from import MadeFrom
from snakemesh.plan.plan import make_plan
from snakemesh.plan.settings import Settings
from snakemesh.plan.summary import plan_summary

KEYS = list(Settings.__dataclass_fields__)
EXTREMES = [math.nan, math.inf, -math.inf, 1e308, -1e308, 1e-300, -0.0, 0, -1, 2**63, 2**64, 10**30]
numbers = st.sampled_from(EXTREMES) | st.integers() | st.floats()
texts = st.text(max_size=20) | st.sampled_from(
    [
        "",
        " ",
        "{x}",
        "{",
        "}",
        "a\\b",
        "~",
        "~nobody/x",
        "a\nb",
        "\0",
        "x" * 300,
        "nan",
        "[1]",
        "-x",
    ]
)
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=8,
)
triples = st.lists(numbers, min_size=3, max_size=3)
shaped = triples | st.lists(triples, min_size=2, max_size=2) | st.lists(numbers, max_size=3)


def plan_or_line(config) -> None:
    """Plan a run, or be refused in one line."""
    try:
        chosen = read_settings(typed(config))
        plan = make_plan(chosen, source_levels(chosen))
    except UserError as error:
        assert str(error) and "\n" not in str(error), str(error)
        return
    made_from = MadeFrom(plan, InputState(plan, {}))
    assert made_from.group and made_from.documents
    assert plan_summary(plan, [])
    assert all(mesh_block_job(plan, lod, (0, 0, 0)).keep >= 0 for lod in range(plan.num_lods))
    assert all(math.isfinite(x) for x in (*plan.grid.origin_nm, *plan.grid.cell_nm))


@pytest.fixture(scope="module")
def volume(tmp_path_factory):
    """A small volume of two levels, and an empty folder for the output."""
    folder = tmp_path_factory.mktemp("any")
    group = zarr.create_group(folder / "seg.zarr", zarr_format=2)
    for name, n in (("s0", 24), ("s1", 12)):
        group.create_array(name, data=np.ones((n, n, n), np.uint32), chunks=(12, 12, 12))
    scales = [
        {
            "path": f"s{k}",
            "coordinateTransformations": [
                {"type": "scale", "scale": [8.0 * 2**k] * 3},
                {"type": "translation", "translation": [4.0 * 2**k] * 3},
            ],
        }
        for k in range(2)
    ]
    axes = [{"name": n, "type": "space", "unit": "nanometer"} for n in "zyx"]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": scales}]
    return folder


def test_the_volume_itself_is_planned(volume):
    config = {"input_path": str(volume / "seg.zarr"), "output_directory": str(volume / "out")}
    settings_of = read_settings(config)
    assert len(make_plan(settings_of, source_levels(settings_of)).levels) == 4


@pytest.mark.parametrize("key", KEYS)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_any_value_of_a_key(volume, key, data):
    config = {
        "input_path": str(volume / "seg.zarr"),
        "output_directory": str(volume / "out"),
        "voxel_size_nm": [8, 8, 8],
    }
    plan_or_line(config | {key: data.draw(shaped | values)})


def fields(document, path=()):
    """The path of every member of a document."""
    yield path
    if isinstance(document, dict):
        for key, value in document.items():
            yield from fields(value, (*path, key))
    if isinstance(document, list):
        for i, value in enumerate(document):
            yield from fields(value, (*path, i))


def replaced(document, path, value):
    if not path:
        return value
    changed = copy.deepcopy(document)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return changed


@pytest.mark.parametrize("name", [".zattrs", "s0/.zarray", "s1/.zarray", ".zgroup"])
@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_any_value_of_the_metadata(volume, name, data):
    path = volume / "seg.zarr" / name
    kept = path.read_text()
    document = json.loads(kept)
    where = data.draw(st.sampled_from(list(fields(document))[1:]))
    try:
        path.write_text(json.dumps(replaced(document, where, data.draw(shaped | values))))
        config = {"input_path": str(volume / "seg.zarr"), "output_directory": str(volume / "out")}
        plan_or_line(config)
    finally:
        path.write_text(kept)
