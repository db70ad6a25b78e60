"""The first page says what is known, and that something is not known."""

import json
import re
from html import unescape

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from docutils.core import publish_parts

from snakemesh.output.folder import OutputFolder
from snakemesh.output.markers import write_marker
from snakemesh.report.costs import Cost
from snakemesh.report.overview import overview, plain, table

SETTINGS = {"min_voxels": 5, "target_ids": list(range(1000)), "verify": True, "roi": None}
LODS = [{"labels": 7, "fragments": 9, "faces": 1234, "bytes": 5000}]
DOCUMENTS = {"labels": 7, "listed": 7, "left_out": {"target_ids": 0, "min_voxels": 3}}


def as_text(page: str) -> str:
    """A page as docutils reads it, which must have nothing to complain about."""
    strict = {"halt_level": 2, "report_level": 2}
    html = publish_parts(page, writer="html5", settings_overrides=strict)["body"]
    return " ".join(unescape(re.sub("<[^>]+>", " ", html)).split())


@pytest.fixture
def text_of(tmp_path):
    """The text of a page. documents: of the marker. failures: one a line."""

    def text_of(documents=DOCUMENTS, failures=None, lods=LODS, costs=(), verified=None):
        folder = OutputFolder(str(tmp_path))
        write_marker(str(tmp_path / "documents.done"), documents)
        if failures is not None:
            (tmp_path / "logs").mkdir()
            lines = "".join(json.dumps(entry) + "\n" for entry in failures)
            (tmp_path / "logs/failures.jsonl").write_text(lines)
        if verified is not None:
            watertight, facts = verified
            rows = pa.table({"watertight": watertight}).replace_schema_metadata(facts)
            pq.write_table(rows, folder.verify_table)
        planned = {
            "name": "<a&b>_*x*",
            "view": "snakemesh view out_*x*",
            "plan": "The plan\n  LOD 0    1 cell_",
            "settings": SETTINGS,
            "voxel_nm": [40, 32, 32],
            "shape": [100, 200, 300],
            "num_lods": 1,
            "documents": str(tmp_path / "documents.done"),
        }
        return as_text(overview(planned, folder, lods, costs))

    return text_of


def test_what_is_known(text_of):
    cost = Cost("shard", 3, np.ones(2), np.full(2, 5.0), np.full(2, np.nan), 600, 10)
    text = text_of(costs=[cost])
    assert "Meshes of <a&b>_*x* voxels" in text
    assert "in the viewer snakemesh view out_*x*" in text
    assert "100 x 200 x 300 size of a voxel 40 x 32 x 32 nm" in text
    assert "LOD 0 7 9 1,234 5,000 4.05" in text
    assert "3 with fewer voxels than min_voxels 5" in text
    assert "not in target_ids" not in text
    assert "The plan LOD 0 1 cell_" in text
    assert "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ... (1,000 labels)" in text
    assert "roi null" in text and "verify true" in text
    assert "shard 3 (2 measured) 3 s 15 s 1 s 10 min too short 600 MB" in text


def test_what_is_not_known_is_said(text_of):
    text = text_of(documents={}, lods=None)
    assert "segments with a mesh unknown" in text
    assert "triangles at LOD 0 unknown" in text and "meshes unknown" in text
    assert "Not known: an older version made some shards" in text
    assert "Not known: the output has no logs/failures.jsonl" in text
    assert "Not known: there are no benchmarks" in text
    assert "verification not verified: run snakemake verify" in text
    assert "These meshes were not verified. snakemake verify reads them back" in text
    assert "No label of the volume was left out." in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"documents": {"not_found": {"labels": 2, "smallest": ["5", "6"]}}},
            "2 labels of target_ids have no voxel here: 5, 6",
        ),
        ({"documents": DOCUMENTS | {"listed": 4}}, "The viewer lists the 4 largest of 7 segments"),
        ({"failures": []}, "No job has failed."),
        (
            {"failures": [{"rule": "shard"}, {"rule": "shard", "reason": "`killed_ <9>"}]},
            "shard 2 The latest: time rule job attempt reason log shard shard `killed_ <9>",
        ),
        (
            {"verified": ([True, False, None], {"failures": "3"})},
            "2 of 3 meshes were read back, 1 of them are watertight; 3 checks failed",
        ),
        (
            {"verified": ([True], {"broken": '[{"whole": 1200, "broken": 3, "outside": 0.1}]'})},
            "nothing failed. LOD labels that are one piece in s0 of these in several pieces "
            "part of their volume outside the largest piece 0 1,200 3 10.00%",
        ),
    ],
    ids=["not found", "listed", "no failure", "failures", "not sound", "broken"],
)
def test_what_depends(text_of, changes, said):
    assert said in text_of(**changes)


@pytest.mark.parametrize(
    "text",
    ["*a* `b` _c d_ |e| :f:`g`", "..", "a::", '"', "a, b", "\\", "- x", "x\ny", "", "1.", "==="],
)
def test_no_character_has_a_meaning(text):
    shown = " ".join(text.split())
    assert as_text(table(("key", "value"), [("a", text)])) == f"key value a {shown}".strip()
    if shown:
        assert as_text(f"x\n\n{plain(text)}\n").removeprefix("x ") == shown
