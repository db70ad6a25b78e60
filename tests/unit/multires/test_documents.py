import dataclasses
import json
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snakemesh.errors import UserError
from snakemesh.job_records import Sharding
from snakemesh.multires.documents import multires_info, segment_properties, write_json
from snakemesh.tables.measures import MEASURES as ALL_MEASURES
from snakemesh.tables.measures import SUMMARY
from snakemesh.tables.properties import (
    NO_PROPERTIES,
    RESERVED_NAMES,
    read_properties,
    rows_of,
)

MEASURES = [
    "volume_um3",
    "area_um2",
    "faces",
    *(f"{axis}_{end}" for end in ("min", "max") for axis in "xyz"),
    "sphericity",
    "border_voxels",
]


def summary(*labels):
    rows = np.zeros(len(labels), SUMMARY)
    rows["label"], rows["faces"], rows["lods"] = labels, np.arange(len(labels)) + 100, 2
    rows["volume"], rows["area"] = 1e9 * (np.arange(len(labels)) + 0.1), 1e12 / 3
    rows["lower"], rows["upper"] = [1.5, 2.5, 3.5], [4, 5, 2**24 + 1]
    return rows


def properties(rows, path=None):
    """The document of these segments, all there are, with the table at `path`."""
    table = NO_PROPERTIES if path is None else read_properties(path)
    return segment_properties(rows, len(rows), table)


def csv(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode(encoding))
    return path


def by_id(doc):
    return {found["id"]: found for found in doc["inline"]["properties"]}


def check(doc):
    """Check the rules of Neuroglancer's segment_properties.md, and those of its own reader."""
    assert doc["@type"] == "neuroglancer_segment_properties"
    inline = doc["inline"]
    assert all(isinstance(label, str) for label in inline["ids"])
    ids = [int(label) for label in inline["ids"]]
    assert ids == sorted(set(ids))
    names = [found["id"].lower() for found in inline["properties"]]
    assert len(set(names)) == len(names)
    assert [found["type"] for found in inline["properties"]].count("label") <= 1
    for found in inline["properties"]:
        assert len(found["values"]) == len(ids)
        assert found["id"].isascii() and found["id"].isidentifier()
        if found["type"] == "number":
            values = np.array(found["values"], dtype=float)
            typed = values.astype(found["data_type"])
            np.testing.assert_array_equal(
                typed.astype(float),
                values.astype(np.float32) if found["data_type"] == "float32" else values,
            )
        else:
            assert "data_type" not in found
            assert all(isinstance(value, str) for value in found["values"])


def test_info():
    sharding = Sharding(3, 5)
    assert multires_info(sharding, 35.2, (0, 0, 0)) == {
        "@type": "neuroglancer_multilod_draco",
        "vertex_quantization_bits": 16,
        "transform": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0],
        "lod_scale_multiplier": 35.2,
        "segment_properties": "segment_properties",
        "sharding": {
            "@type": "neuroglancer_uint64_sharded_v1",
            "preshift_bits": 0,
            "hash": "murmurhash3_x86_128",
            "minishard_bits": 5,
            "shard_bits": 3,
            "minishard_index_encoding": "raw",
            "data_encoding": "raw",
        },
    }
    info = multires_info(None, 1.0, (10**9, -7, 0))
    assert "sharding" not in info
    assert info["transform"] == [1, 0, 0, 10**9, 0, 1, 0, -7, 0, 0, 1, 0]


def test_measures():
    doc = properties(summary(9, 10, 2**64 - 1))
    check(doc)
    assert doc["inline"]["ids"] == ["9", "10", str(2**64 - 1)]
    found = by_id(doc)
    assert list(found) == MEASURES
    assert found["faces"]["values"] == [100, 101, 102]
    # Not all digits of the float64, but the shortest decimals of the nearest float32.
    assert found["volume_um3"]["values"] == [0.1, 1.1, 2.1]
    assert found["area_um2"]["values"] == [333333.34] * 3
    assert found["area_um2"]["description"] == "Surface area in square micrometres"
    assert found["z_max"]["values"] == [2.0**24] * 3
    assert found["x_min"]["values"] == [1.5] * 3
    assert {found[name]["data_type"] for name in MEASURES} == {"float32", "uint32"}


def test_segments_that_are_left_out_are_said():
    """The format has no description of the whole document: that of the first number has it."""
    rows = summary(3, 4)
    whole, part = segment_properties(rows, 2), segment_properties(rows, 12345)
    check(part)
    assert by_id(whole)["volume_um3"]["description"] == "Volume in cubic micrometres"
    said = by_id(part)["volume_um3"]["description"]
    assert "the 2 largest of 12,345 segments" in said and "segments.parquet" in said
    by_id(part)["volume_um3"]["description"] = by_id(whole)["volume_um3"]["description"]
    assert part == whole


def test_every_measure_has_a_reserved_name():
    """No column of a user's table can have the name of a measure."""
    names = {name for m in ALL_MEASURES for name in (m.name, m.viewer_name)}
    assert {*names, "label", "name"} <= RESERVED_NAMES


def test_no_labels_at_all():
    doc = properties(summary())
    check(doc)
    assert doc["inline"]["ids"] == []


labels = st.integers(0, 9) | st.integers(2**64 - 3, 2**64 - 1)


@given(st.lists(labels, unique=True), st.lists(labels))
def test_the_row_of_a_label(rows, asked):
    table = dataclasses.replace(NO_PROPERTIES, labels=np.array(sorted(rows), np.uint64))
    found = rows_of(table.labels, np.array(asked, np.uint64)).to_pylist()
    assert found == [sorted(rows).index(label) if label in rows else None for label in asked]


def test_columns_of_a_csv(tmp_path):
    path = csv(
        tmp_path,
        "\ufeffkind,Segment ID,name,Length (nm),parent,depth,2nd,empty,big,code\r\n"
        '"a, b",10,Anna,1.5,4294967295,-3,7,,1e300,1_2\r\n'
        "\r\n"
        "é,11,,2,0,4,8,,1,3_4\r\n"
        ",12,Cleo,NaN,1,,9,,2,5\r\n"
        "unused,99,Dora,x,1,1,1,,1,1\r\n",
    )
    read_properties(path)
    # Label 99 has no mesh, but its "x" still makes the column a text column. The type of a column
    # must not depend on which labels are in the region that is meshed.
    found = by_id(properties(summary(10, 11, 12), path))
    assert found["Length_nm"]["type"] == "string"
    assert "label" not in by_id(properties(summary(11), path))  # which has no name
    path.write_text(path.read_text(encoding="utf-8").replace("Dora,x", "Dora,3"), encoding="utf-8")
    doc = properties(summary(10, 11, 12, 13), path)
    check(doc)
    found = by_id(doc)
    assert list(found)[12:] == [
        "kind",
        "Length_nm",
        "parent",
        "depth",
        "column_2nd",
        "empty",
        "big",
        "code",
    ]
    assert found["label"]["values"] == ["Anna", "", "Cleo", ""]
    assert found["kind"] == {"id": "kind", "type": "string", "values": ["a, b", "é", "", ""]}
    assert found["Length_nm"] == {
        "id": "Length_nm",
        "type": "number",
        "data_type": "float32",
        "values": [1.5, 2.0, "NaN", "NaN"],
        "description": "Length (nm)",
    }
    assert found["big"]["type"] == found["code"]["type"] == "string"
    assert found["empty"]["values"] == ["", "", "", ""]
    complete = by_id(properties(summary(10, 11), path))
    assert complete["parent"]["data_type"] == "uint32"
    assert complete["parent"]["values"] == [4294967295, 0]
    assert complete["depth"]["data_type"] == "int32" and complete["depth"]["values"] == [-3, 4]
    assert complete["column_2nd"]["description"] == "2nd"


def test_ids_in_a_table_stay_exact(tmp_path):
    """The viewer has numbers of 32 bits alone: whole numbers that those would change are text."""
    text = "id,synapse,parent,count\n1,720575940379279489,16777217,3\n2,5,7,4\n"
    path = csv(tmp_path, text)
    found = by_id(properties(summary(1, 2, 3), path))
    assert found["synapse"] == {
        "id": "synapse",
        "type": "string",
        "values": ["720575940379279489", "5", ""],
    }
    assert found["parent"]["type"] == "string"
    assert found["parent"]["values"] == ["16777217", "7", ""]
    assert found["count"]["data_type"] == "float32"
    assert found["count"]["values"] == [3.0, 4.0, "NaN"]
    # where every label has a number, 32 bits are enough
    parents = by_id(properties(summary(1, 2), path))["parent"]
    assert (parents["data_type"], parents["values"]) == ("uint32", [16777217, 7])


whole_numbers = st.integers(-(2**70), 2**70) | st.integers(2**24 - 3, 2**24 + 3)


@given(st.lists(st.none() | whole_numbers, min_size=1, max_size=6), st.booleans())
def test_every_whole_number_can_be_read_back(tmp_path_factory, numbers, with_a_point):
    ending = ".0" if with_a_point else ""
    rows = [f"{i},{'' if n is None else f'{n}{ending}'}" for i, n in enumerate(numbers, 1)]
    path = csv(tmp_path_factory.mktemp("table"), "\n".join(["id,parent", *rows]))
    labels = range(1, len(numbers) + 1)
    values = by_id(properties(summary(*labels), path))["parent"]["values"]
    read = [None if value in ("", "NaN") else int(Decimal(str(value))) for value in values]
    assert read == numbers


@pytest.mark.parametrize(
    ("header", "labels"),
    [("label,type", "7,8"), (",id", "0,7"), ("x,Object ID", "0,7"), ("type,segment_id", "x,7")],
)
def test_which_column_holds_the_labels(tmp_path, header, labels):
    path = csv(tmp_path, f"{header}\n{labels}\n")
    if header == ",id":
        with pytest.raises(UserError, match="line 1 has no name for column 1"):
            read_properties(path)
    else:
        values = [found["values"] for found in by_id(properties(summary(7), path)).values()]
        assert len(values) == 12 and values[-1] != [""]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("id,a\n1,2\n\n3\n", "line 4 has 1 values, expected 2"),
        ("id,a\n1,2\n-3,4\n", "line 3 has the label '-3'"),
        ("id,a\n1.0,2\n", "line 2 has the label '1.0'"),
        ("id,a\n,2\n", "line 2 has the label ''"),
        (f"id,a\n{2**64},2\n", f"line 2 has the label '{2**64}'"),
        (f"id,a\n{'9' * 5000},2\n", "line 2 has the label '9999"),
        ("id,a\n5,2\n6,2\n05,2\n", "line 4 has label 5 again, after line 2"),
        ('id,a\n5,"2\n6,2\n', "is not CSV"),
        ("id,a,A\n5,2,3\n", "'a' and 'A'"),
        ("id,a b,a-b\n5,2,3\n", "'a b' and 'a-b'"),
        ("id,volume\n5,2\n", "line 1 names a column 'volume'"),
        ("id,x max\n5,2\n", "line 1 names a column 'x max'"),
        ("segment_id,id\n5,2\n", "line 1 names a column 'id'"),
        ("id,label,label\n5,2,3\n", "line 1 names a column 'label'"),
        ("id,label,name\n5,2,3\n", "line 1 names a column 'name'"),
        ("id,Voxels\n5,2\n", "line 1 names a column 'Voxels'"),
        ("id,%\n5,2\n", "line 1 has no name for column 2"),
    ],
)
def test_bad_csv(tmp_path, text, says):
    path = csv(tmp_path, text)
    for use in (read_properties, lambda path: properties(summary(5), path)):
        with pytest.raises(UserError) as caught:
            use(path)
        message = str(caught.value)
        assert says in message and str(path) in message and "segment_properties_csv" in message
        assert "\n" not in message


def test_csv_that_is_no_text(tmp_path):
    with pytest.raises(UserError, match="table.csv is not text in UTF-8"):
        read_properties(csv(tmp_path, "id,é\n1,2\n", "latin-1"))
    with pytest.raises(UserError, match="none.csv cannot be read .No such file"):
        read_properties(tmp_path / "none.csv")
    with pytest.raises(UserError, match="cannot be read"):
        read_properties(tmp_path)


def test_documents_are_written_whole(tmp_path):
    path = tmp_path / "multires" / "segment_properties" / "info"
    doc = properties(summary(3, 4), csv(tmp_path, "id,name\n3,é\n"))
    write_json(path, doc)
    assert json.loads(path.read_text(encoding="utf-8")) == doc
    first = path.read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"value": float("nan")})
    assert path.read_bytes() == first
    assert [p.name for p in path.parent.iterdir()] == ["info"]
    write_json(path, doc)
    assert path.read_bytes() == first
