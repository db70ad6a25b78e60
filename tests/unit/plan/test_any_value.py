"""Whatever a configuration or metadata say: a plan, or one line that says why not."""

import copy
import json
import math
import resource
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from by_hand import ome_group, scale, translation, write_n5
from formats import Placed, write_precomputed
from snakemesh.config.configuration import read_settings, typed
from snakemesh.config.settings import Settings
from snakemesh.console.summary import plan_summary
from snakemesh.errors import UserError
from snakemesh.plan.jobs import mesh_block_job, super_chunk_job
from snakemesh.plan.plan import make_plan
from snakemesh.products.fingerprints import Fingerprints
from snakemesh.products.provenance import run_document
from snakemesh.survey.input_state import look_at_input, number_of_chunks
from snakemesh.survey.inputs import check_tables, source_levels

KEYS = list(Settings.__dataclass_fields__)
LABELS = np.ones((24, 24, 24), np.uint32)
# What a single value may take, on a machine with other things to do.
SECONDS = timedelta(seconds=20)
MAX_GROWTH_KB = 1_000_000

numbers = (
    st.sampled_from([math.nan, math.inf, -math.inf, 1e308, -1e308, 1e-300, -0.0, 0, -1, 0.5, 1, 8])
    | st.sampled_from([2**31, 2**40, 2**53 + 1, 2**62, 2**63, 2**64, 10**30, 10**400, 7.2e17])
    | st.integers()
    | st.integers(0, 100)
    | st.floats()
)
texts = st.text(max_size=20) | st.sampled_from(
    [
        *("", " ", ".", "..", "/", "//", "-x", "~", "~/x", "~nobody/x", "{x}", "{", "}", "a\\b"),
        *("a\nb", "\0", "\x1b[31m", "\u2028", "\udc80", "\ud800x", "x" * 300, "x/" * 3000),
        *("nan", ".nan", "1e400", "[1]", "null", "true", "1_000", "١٢", "0x10", "9" * 5000),
        *("file:///x", "precomputed://x", "zarr://s3://x", "/dev/zero", "/dev/null", "../s0", "s0"),
        *("<u4", "|b1", ">i8", "<f4", "uint8", "int64", "object", "um", "degree", "z", "time"),
    ]
)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=8,
)
triples = st.lists(numbers, min_size=3, max_size=3)
shaped = triples | st.lists(triples, min_size=2, max_size=2) | st.lists(numbers, max_size=3)


def plan_or_line(config) -> None:
    """Plan a run as the Snakefile does, or be refused in one line."""
    try:
        chosen = read_settings(typed(config))
        plan = make_plan(chosen, source_levels(chosen))
        check_tables(chosen)
        state = look_at_input(plan)
    except UserError as error:
        assert str(error).isprintable(), repr(str(error))
        assert str(error).startswith(("config key ", "config: "))
        return
    fingerprints = Fingerprints(plan, state)
    assert json.dumps(run_document(fingerprints))
    assert plan_summary(plan, []) and number_of_chunks(plan) >= 0
    blocks = [mesh_block_job(plan, lod, (0, 0, 0)) for lod in range(plan.num_lods)]
    assert all(0 <= block.keep <= 1 for block in blocks)
    assert all(super_chunk_job(plan, stage, (0, 0, 0)).end > (0, 0, 0) for stage in plan.stages)
    assert all(math.isfinite(x) for x in (*plan.grid.origin_nm, *plan.grid.cell_nm))
    assert 0 < plan.grid.scale_nm < math.inf


@pytest.fixture(autouse=True)
def memory_is_bounded():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + MAX_GROWTH_KB


# -- small volumes of every format ------------------------------------------------------------


def write_zarr(path, version):
    placed = {f"s{k}": [scale(*[8.0 * 2**k] * 3), translation(*[4.0 * 2**k] * 3)] for k in range(2)}
    ome_group(path, placed, version="0.4" if version == 2 else "0.5")
    for k in range(2):
        more = {"shards": (12, 12, 12)} if version == 3 and k == 0 else {}
        step = 2**k
        data = LABELS[::step, ::step, ::step]
        chunks = (12 // (1 + len(more)),) * 3
        zarr.create_array(path / f"s{k}", data=data, chunks=chunks, zarr_format=version, **more)


def write_funlib(path):
    """An array whose own attributes place it."""
    array = zarr.create_array(path, data=LABELS, chunks=(12, 12, 12), zarr_format=2)
    array.attrs.update(
        {"resolution": [8, 8, 8], "offset": [0, 80, 0], "units": ["nm"] * 3, "axis_names": [*"zyx"]}
    )


def write_n5_group(path):
    pixel = {"dimensions": [8.0, 8.0, 8.0], "unit": "nm"}
    placed = {"pixelResolution": pixel, "downsamplingFactors": [1, 1, 1], "offset": [0, 80, 0]}
    write_n5(path / "s0", LABELS, 12, **placed)
    transform = {"scale": [8.0] * 3, "translate": [4.0] * 3, "units": ["nm"] * 3, "axes": [*"zyx"]}
    datasets = [{"path": "s0", "transform": transform}]
    (path / "attributes.json").write_text(json.dumps({"multiscales": [{"datasets": datasets}]}))


def write_scales(path):
    corner, chunks = (0, 32, 48), (12, 12, 12)
    steps = [(step, LABELS[::step, ::step, ::step]) for step in (1, 2)]
    write_precomputed(path, [Placed(data, (8 * n,) * 3, corner, chunks) for n, data in steps])


WRITERS = {
    "zarr2": lambda path: write_zarr(path, 2),
    "zarr3": lambda path: write_zarr(path, 3),
    "funlib": write_funlib,
    "n5": write_n5_group,
    "precomputed": write_scales,
}
DOCUMENTS = [
    *(("zarr2", name) for name in (".zattrs", ".zgroup", "s0/.zarray", "s1/.zarray", "s1/.zattrs")),
    *(("zarr3", name) for name in ("zarr.json", "s0/zarr.json", "s1/zarr.json")),
    *(("funlib", name) for name in (".zarray", ".zattrs")),
    *(("n5", name) for name in ("attributes.json", "s0/attributes.json")),
    ("precomputed", "info"),
]


@pytest.fixture(scope="module")
def volumes(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("any")
    for name, write in WRITERS.items():
        write(folder / name)
    return folder


def config_of(volumes, name, **changes):
    return {
        "input_path": str(volumes / name),
        "output_directory": str(volumes / "out"),
        **changes,
    }


@pytest.mark.parametrize("name", WRITERS)
def test_the_volumes_themselves_are_planned(volumes, name):
    chosen = read_settings(config_of(volumes, name, num_lods=4))
    assert len(make_plan(chosen, source_levels(chosen)).levels) == 4


# -- the configuration ------------------------------------------------------------------------


@pytest.mark.parametrize("key", KEYS)
@settings(deadline=SECONDS, max_examples=40)
@given(data=st.data())
def test_any_value_of_a_key(volumes, key, data):
    placed = data.draw(st.sampled_from([{}, {"voxel_size_nm": [8, 8, 8]}]))
    config = config_of(volumes, "zarr2", **placed)
    plan_or_line(config | {key: data.draw(shaped | values)})


ODD = [date(2026, 1, 1), {1}, b"x", 1j, 16**5000, -(16**5000), [16**5000], [[[16**5000]]], {1: 2}]


@pytest.mark.parametrize("key", KEYS)
def test_values_that_yaml_can_have_and_deep_ones(volumes, key):
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    endless: list = []
    endless.append(endless)
    mapping: dict = {}
    mapping["a"] = mapping
    for value in (*ODD, deep, endless, mapping, [0] * 10_000, ["x"] * 10_000):
        with pytest.raises(UserError) as error:
            read_settings(typed(config_of(volumes, "zarr2") | {key: value}))
        assert str(error.value).startswith(f"config key {key}: found ")
        assert str(error.value).isprintable() and len(str(error.value)) < 500


@pytest.mark.parametrize("key", [1, None, "a\nb", "x" * 10_000, (1, 2), date(2026, 1, 1)])
def test_any_key(volumes, key):
    with pytest.raises(UserError, match="^config: unknown key [^\n]*$"):
        read_settings(typed(config_of(volumes, "zarr2") | {key: 1, "other": 2}))


# -- the metadata -----------------------------------------------------------------------------


def fields(document, path=()):
    """The path of every member of a document, and of the document itself."""
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


def as_json(value) -> bytes:
    """JSON as other programs may have written it: with NaN, long numbers and lone surrogates."""
    return json.dumps(value).encode()


@pytest.mark.parametrize(("name", "document"), DOCUMENTS)
@settings(deadline=SECONDS, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_value_of_the_metadata(volumes, name, document, data):
    path = volumes / name / document
    kept = path.read_bytes()
    where = data.draw(st.sampled_from(list(fields(json.loads(kept)))))
    value = data.draw(shaped | values)
    changes = data.draw(
        st.sampled_from([{}, {"voxel_size_nm": [8, 8, 8]}, {"roi": [[0, 0, 0], [99, 99, 99]]}])
    )
    try:
        path.write_bytes(as_json(replaced(json.loads(kept), where, value)))
        plan_or_line(config_of(volumes, name, **changes))
    finally:
        path.write_bytes(kept)


@pytest.mark.parametrize(("name", "document"), DOCUMENTS)
def test_documents_that_are_no_json(volumes, name, document):
    path = volumes / name / document
    kept = path.read_bytes()
    try:
        for text in (b"", b"\0", b"\xff\xfe", kept[:-2], b"[" * 100_000, b"1" * 10_000, b"{}"):
            path.write_bytes(text)
            plan_or_line(config_of(volumes, name))
    finally:
        path.write_bytes(kept)
