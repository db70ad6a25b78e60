import dataclasses
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from snakemesh.config.configuration import SCHEMA_PATH, read_settings, typed
from snakemesh.config.settings import Settings
from snakemesh.errors import UserError

CONFIG = Path(__file__).resolve().parents[3] / "config"
SCHEMA = yaml.safe_load(SCHEMA_PATH.read_text())
KEYS = SCHEMA["properties"]
NEEDED = {"input_path": "/data/seg", "output_directory": "/meshes"}


def documented() -> dict[str, str]:
    """For each key in the tables of config/README.md the text in its column "default"."""
    lines = (CONFIG / "README.md").read_text().splitlines()
    rows = [re.match(r"\| `(\w+)` \| (.+?) \| \S.*\|$", line) for line in lines]
    found = [row.groups() for row in rows if row]
    assert len(dict(found)) == len(found)
    return dict(found)


def test_every_key_is_a_field():
    assert [field.name for field in dataclasses.fields(Settings)] == list(KEYS)


def test_every_key_is_documented_with_its_default():
    expected = {
        key: f"`{yaml.safe_dump(rule['default']).splitlines()[0]}`"
        if "default" in rule
        else "required"
        for key, rule in KEYS.items()
    }
    assert documented() == expected


def test_what_is_not_required_has_a_default_that_is_allowed():
    assert {key for key, rule in KEYS.items() if "default" not in rule} == set(SCHEMA["required"])
    for key, rule in KEYS.items():
        if "default" in rule:
            jsonschema.validate(rule["default"], rule)
            default = tuple(rule["default"]) if rule["default"] == [] else rule["default"]
            assert getattr(read_settings(NEEDED), key) == default


def test_the_example_says_only_where():
    config = yaml.safe_load((CONFIG / "config.yaml").read_text())
    assert list(config) == SCHEMA["required"]
    assert read_settings(config).input_path == config["input_path"]


@pytest.mark.parametrize(
    ("changes", "key", "expected"),
    [
        ({"num_lods": 0}, "num_lods", "found 0, expected at least 1"),
        ({"num_lods": 17}, "num_lods", "found 17, expected at most 16"),
        ({"num_lods": 2.5}, "num_lods", "found 2.5, expected a value of type integer or null"),
        ({"num_lods": "many"}, "num_lods", "found 'many', expected a value of type integer or"),
        ({"roi": [[0, 0, 0]]}, "roi", "begin and end in nm"),
        ({"roi": [[0, 0, 0], [1, 1]]}, "roi", "begin and end in nm"),
        ({"roi": [[0, 0, 0], [1, 1, "a"]]}, "roi", "begin and end in nm"),
        ({"pyramid_alignment_mode": "x"}, "pyramid_alignment_mode", "one of halo, snap"),
        ({"voxel_size_nm": [8, 8, 0]}, "voxel_size_nm", "[z, y, x]"),
        ({"voxel_size_nm": 8}, "voxel_size_nm", "[z, y, x]"),
        ({"translation_nm": [4, 4]}, "translation_nm", "[z, y, x], the centre of voxel 0"),
        ({"translation_nm": [4, -4, 4.5]}, "translation_nm", "set voxel_size_nm too"),
        ({"downsample_method": "mean"}, "downsample_method", "one of mode, "),
        (
            {"use_existing_scales": "no"},
            "use_existing_scales",
            "found 'no', expected one of true, false, trust",
        ),
        ({"input_changed": "yes"}, "input_changed", "a value of type boolean"),
        ({"target_reduction": 1}, "target_reduction", "found 1, expected less than 1"),
        ({"target_reduction": -0.1}, "target_reduction", "at least 0"),
        ({"decimation_factor": 0.5}, "decimation_factor", "at least 1"),
        ({"max_error": 0}, "max_error", "more than 0"),
        ({"target_ids": []}, "target_ids", "a list of whole numbers from 1"),
        ({"target_ids": [0]}, "target_ids", "a list of whole numbers from 1"),
        ({"target_ids": 3}, "target_ids", "a list of whole numbers from 1"),
        ({"target_ids": [-1]}, "target_ids", "a list of whole numbers from 1"),
        ({"target_ids": [1.5]}, "target_ids", "a list of whole numbers from 1"),
        ({"target_ids": [2**64]}, "target_ids", "a list of whole numbers from 1"),
        ({"exclude_ids": []}, "exclude_ids", "or a path"),
        ({"exclude_ids": [0]}, "exclude_ids", "a list of whole numbers from 1"),
        ({"exclude_ids": ""}, "exclude_ids", "or a path"),
        ({"min_voxels": -1}, "min_voxels", "at least 0"),
        ({"min_voxels": 1.5}, "min_voxels", "a value of type integer"),
        ({"contacts": "all"}, "contacts", "background"),
        ({"segment_properties_csv": 3}, "segment_properties_csv", "expected a path; Snakemake"),
        ({"segment_colors": ""}, "segment_colors", "a text of at least 1 character"),
        ({"segment_colors": 7}, "segment_colors", "a value of type string or null"),
        ({"max_properties": -1}, "max_properties", "null or a whole number, 0 or more"),
        ({"max_properties": 2.5}, "max_properties", "null or a whole number, 0 or more"),
        ({"max_properties": "all"}, "max_properties", "null or a whole number, 0 or more"),
        (
            {"measures": ["thicknes"]},
            "measures",
            "one of components, thickness, curvature, did you mean thick",
        ),
        ({"measures": "thickness"}, "measures", "a list of components, thickness and curv"),
        ({"measures": ["thickness"] * 2}, "measures", "a list of components, thickness and"),
        ({"cell_size": 2048}, "cell_size", "one of 32, 64, 128, 256, 512, 1024"),
        ({"verify": "all"}, "verify", "a value of type boolean"),
        ({"max_jobs": 99}, "max_jobs", "at least 100"),
        ({"max_jobs": 100_001}, "max_jobs", "at most 100000"),
        ({"input_path": ""}, "input_path", "a text of at least 1 character"),
        # 007, 2024_01 and 1e3, as Snakemake reads them
        ({"input_path": 7}, "input_path", "found 7, expected a path; Snakemake reads names such"),
        ({"output_directory": 202401}, "output_directory", "write ./ in front of them: ./2024_01"),
        ({"output_directory": 10**40}, "output_directory", "write ./ in front of them: ./2024_01"),
        ({"label_map": 1e3}, "label_map", "found 1000.0, expected a path; Snakemake reads"),
        ({"output_directory": True}, "output_directory", "found True, expected a value of type"),
        ({"downsample_method": "binry"}, "downsample_method", "nearest, did you mean binary?"),
        ({"cell_size": 250}, "cell_size", "1024, did you mean 256?"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(changes, key, expected):
    with pytest.raises(UserError) as error:
        read_settings({**NEEDED, **changes})
    message = str(error.value)
    assert message.startswith(f"config key {key}: found ")
    assert expected in message
    assert "\n" not in message


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", [{"a": 1}, "line one\nline two", ["x", "y"], [[["x"]]]])
def test_nonsense_names_the_key_in_a_line(key, value):
    if "string" in KEYS[key].get("type", ()) and isinstance(value, str):
        return
    if key == "index" and value == {"a": 1}:
        return
    with pytest.raises(UserError, match=f"^config key {key}: found [^\n]*$"):
        read_settings({**NEEDED, key: value})


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        *(
            ("num_lod", "num_lods"),
            ("Num-LODs", "num_lods"),
            ("outputdirectory", "output_directory"),
        ),
        *(("voxel_size", "voxel_size_nm"), ("qwerty", None)),
    ],
)
def test_an_unknown_key_and_the_known_ones(key, meant):
    hint = "" if meant is None else f", did you mean {meant}?"
    known = ", ".join(KEYS)
    with pytest.raises(UserError) as error:
        read_settings({**NEEDED, key: 3})
    assert str(error.value) == f"config: unknown key {key!r}{hint}; the keys are {known}"


@pytest.mark.parametrize(
    ("key", "value", "instead"),
    [("roi_boundary", "open", "always closed"), ("verify_fraction", 0.5, "reads all meshes")],
)
def test_a_key_of_an_earlier_version_says_what_to_do(key, value, instead):
    with pytest.raises(UserError, match=f"^config: the key {key} is gone, remove it: .*{instead}"):
        read_settings({**NEEDED, key: value})


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        # as YAML and as Snakemake's --config give it
        ("index", {"t": 3, "c": 0}, (("c", 0), ("t", 3))),
        ("index", {"t": "3"}, (("t", 3),)),
        ("background", ["-1", "0"], (-1, 0)),
        ("use_existing_scales", "trust", "trust"),
        ("use_existing_scales", "false", False),
    ],
)
def test_what_a_command_line_gives(key, value, expected):
    assert getattr(read_settings(typed({**NEEDED, key: value})), key) == expected


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("index", {"t": -1}),
        ("index", {"t": 1.5}),
        ("index", {"t": [1]}),
        ("index", {1: 1}),
        ("background", []),
        ("background", [0.5]),
        ("background", [1 << 64]),
        ("background", -1),
    ],
)
def test_no_index_and_no_background(key, value):
    with pytest.raises(
        UserError, match=f"^config key {key}: found [^\n]*, expected null, or [^\n]*$"
    ):
        read_settings({**NEEDED, key: value})


@pytest.mark.parametrize("key", NEEDED)
def test_a_missing_key(key):
    config = {name: value for name, value in NEEDED.items() if name != key}
    with pytest.raises(UserError, match=f"^config: the key {key} is missing$"):
        read_settings({**config, "num_lods": 0})


def test_settings_are_frozen_and_hashable():
    lists = {"roi": [[0, 0, 0], [8, 16, 32.5]], "target_ids": [3, 5], "voxel_size_nm": [1, 2, 3]}
    settings = read_settings({**NEEDED, **lists})
    assert settings.roi == ((0, 0, 0), (8, 16, 32.5))
    assert settings.target_ids == (3, 5)
    assert hash(settings) == hash(dataclasses.replace(settings))
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.num_lods = 3


def test_whole_numbers_are_ints_however_they_are_written():
    written = {"num_lods": 3.0, "cell_size": 128.0, "decimation_factor": 6.0, "target_ids": [7.0]}
    settings = read_settings({**NEEDED, **written})
    same = read_settings(
        {**NEEDED, "num_lods": 3, "cell_size": 128, "decimation_factor": 6, "target_ids": [7]}
    )
    assert repr(settings) == repr(same)
    assert len(range(settings.num_lods)) == 3


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert Path(SCHEMA_PATH).name == "config.schema.yaml"


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_described_in_a_sentence(key):
    """The catalogue of workflows shows it in the cell of a table."""
    text = KEYS[key].get("description", "")
    assert re.fullmatch(r"[A-Z][^|\n]{20,180}[^.|]\.", text)


def test_libyaml_reads_the_schema_as_python_does():
    text = SCHEMA_PATH.read_text()
    assert yaml.load(text, yaml.CSafeLoader) == yaml.load(text, yaml.SafeLoader)


def test_texts_of_the_command_line_become_what_they_say():
    found = typed({"sharded": "false", "roi": [["0", "1.5", "2"], [3, 4, 5]], "input_path": "12"})
    assert found == {"sharded": False, "roi": [[0, 1.5, 2], [3, 4, 5]], "input_path": "12"}
    assert typed({"segment_properties_csv": "null"}) == {"segment_properties_csv": None}


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    "key",
    [
        "target_reduction",
        "max_error",
        "decimation_factor",
        "translation_nm",
        "voxel_size_nm",
        "roi",
    ],
)
def test_what_is_no_number(key, number):
    triple = [number, 8, 8]
    value = {"roi": [triple, triple]}.get(key, triple if key.endswith("_nm") else number)
    with pytest.raises(UserError, match=f"^config key {key}: found [^\n]*$"):
        read_settings({**NEEDED, "voxel_size_nm": [8, 8, 8], key: value})


def test_labels_of_64_bits_are_exact_or_refused():
    label = 720575940379279489
    assert read_settings({**NEEDED, "target_ids": [label]}).target_ids == (label,)
    assert read_settings(typed({**NEEDED, "target_ids": [str(label)]})).target_ids == (label,)
    for rounded in (float(label), "7.2e17", "7.2057594037927949e17"):
        with pytest.raises(UserError, match="^config key target_ids: .*write all digits"):
            read_settings(typed({**NEEDED, "target_ids": [17, rounded]}))


@pytest.mark.parametrize("text", ["1_000", "١٧", "0x11", "9" * 5000, "1e400", "17 18", "", "true"])
def test_texts_that_are_no_label(text):
    with pytest.raises(UserError, match="^config key target_ids: found [^\n]*$"):
        read_settings(typed({**NEEDED, "target_ids": [17, text]}))


def test_one_wrong_label_of_many_is_shown():
    with pytest.raises(UserError, match="^config key target_ids: found 'x' in a list, expected "):
        read_settings({**NEEDED, "target_ids": [*range(1, 1000), "x"]})


@pytest.mark.parametrize("key", ["num_lods", "n_smoothing_iter", "max_jobs", "max_error"])
@pytest.mark.parametrize("value", [True, 10**30, -(10**30), 1e308, 10**400])
def test_numbers_that_no_key_takes(key, value):
    with pytest.raises(UserError, match=f"^config key {key}: found [^\n]*$"):
        read_settings({**NEEDED, key: value})


@pytest.mark.parametrize(
    "key",
    ["input_path", "output_directory", "segment_properties_csv", "target_ids", "exclude_ids"],
)
def test_home_is_expanded(key, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = read_settings({**NEEDED, key: "~/data"})
    assert getattr(settings, key) == f"{tmp_path}/data"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("  ", "a path"),
        ("/", "for the results only"),
        ("//", "for the results only"),
        (str(CONFIG.parent), "for the results only"),
        ("s3://bucket/meshes", "not an address"),
        pytest.param("a\udc80b", "in UTF-8 without control characters", id="not UTF-8"),
        ("a\u2028b", "without control characters"),
        ("a\0b", "without control characters"),
        ("a\nb", "without control characters"),
        ("~nobody-is-called-so/x", "a known user"),
        ("x" * 300, "at most 255 bytes"),
        ("x/" * 1970, "at most 3900 bytes"),
        ("{x}", "without braces and backslashes"),
        ("a\\b", "without braces and backslashes"),
        ("{file}", "is a file or leads nowhere"),
        ("{file}/meshes", "is a file or leads nowhere"),
    ],
)
def test_paths_that_no_output_can_have(tmp_path, path, expected):
    (tmp_path / "file").write_text("")
    path = path.replace("{file}", str(tmp_path / "file"))
    with pytest.raises(UserError, match=f"^config key output_directory: found .*{expected}[^\n]*$"):
        read_settings({**NEEDED, "output_directory": path})


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("out/", "out"),
        ("./a//b/", "a/b"),
        (".", "{here}"),
        ("..", ".."),
        ("-x", "{here}/-x"),
        ("./~", "{here}/~"),
        ("//tmp/x", "/tmp/x"),
        ("a b,c=[d]?*'$", "a b,c=[d]?*'$"),
    ],
)
def test_paths_of_an_output_as_snakemake_takes_them(tmp_path, monkeypatch, path, expected):
    monkeypatch.chdir(tmp_path)
    settings = read_settings({**NEEDED, "output_directory": path})
    assert settings.output_directory == expected.format(here=tmp_path)


def test_an_output_in_a_folder_with_braces(tmp_path, monkeypatch):
    """The levels that are built are named by their whole path."""
    (tmp_path / "{a}").mkdir()
    monkeypatch.chdir(tmp_path / "{a}")
    with pytest.raises(UserError, match="^config key output_directory: .*without braces"):
        read_settings({**NEEDED, "output_directory": "out"})


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/data/seg/", "/data/seg"),
        ("precomputed:///data/seg", "/data/seg"),
        ("/data/{x} y", "/data/{x} y"),
        ("/", "/"),
        ("precomputed://gs://bucket/seg", "gs://bucket/seg"),
        ("file:///data/a%20seg", "/data/a seg"),
        ("zarr://s3://bucket/seg", "s3://bucket/seg"),
        ("n5://file:///data/seg/", "/data/seg"),
        ("file:///data/seg.zip|zip:inside/|zarr3:", "/data/seg.zip/inside"),
        ("https://host/seg|neuroglancer-precomputed:", "https://host/seg"),
        ("https://host/{x}/seg.zarr/", "https://host/{x}/seg.zarr/"),
    ],
)
def test_paths_of_an_input(path, expected):
    assert read_settings({**NEEDED, "input_path": path}).input_path == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("ftp://host/seg", "an address with http://, https://, s3://, gs://, not ftp://"),
        ("zarr://ftp://bucket/seg", "not ftp://"),
        ("precomputed://", "a path"),
        ("C:\\data\\seg", "without backslashes"),
        ("s3://bucket/a\nb", "without control characters"),
        ("x/" * 3000, "at most 4095 bytes"),
    ],
)
def test_paths_that_no_input_can_have(path, expected):
    with pytest.raises(UserError, match=f"^config key input_path: found .*{expected}[^\n]*$"):
        read_settings({**NEEDED, "input_path": path})


@pytest.mark.parametrize("path", ["$DATA/seg", "/data/${DATA}/seg", "$UNKNOWN/seg"])
@pytest.mark.parametrize("key", ["input_path", "output_directory", "segment_properties_csv"])
def test_variables_in_paths_are_refused(key, path, monkeypatch):
    """The shell replaces them on the command line, and nobody does in a file."""
    monkeypatch.setenv("DATA", "/elsewhere")
    found = f"^config key {key}: found '[^\n]*, expected a path with its variables written out$"
    with pytest.raises(UserError, match=found):
        read_settings({**NEEDED, key: path})


@pytest.mark.parametrize("path", [".", "/dev/zero"])
@pytest.mark.parametrize("key", ["segment_properties_csv", "target_ids", "exclude_ids"])
def test_a_table_is_a_file(key, path):
    with pytest.raises(UserError, match=f"^config key {key}: .*expected a file$"):
        read_settings({**NEEDED, key: path})
