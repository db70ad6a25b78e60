"""The page says what is known, and that something is not known."""

from html.parser import HTMLParser

import pytest

from snakemesh.report.page import page, picture

PARTS = dict.fromkeys(
    ("scene", "lods", "bodies", "slice", "sizes", "errors", "detail", "costs"), "<img>"
)
FACTS = {
    "input": "/data/<a&b>.zarr",
    "plan": "The plan\n  LOD 0    1 cell",
    "made": "2026-01-02T03:04:05+00:00",
    "settings": {"min_voxels": 5, "target_ids": list(range(1000)), "verify": True, "roi": None},
    "voxel_nm": [40, 32, 32],
    "shape": [100, 200, 300],
    "num_lods": 1,
    "labels": 7,
    "listed": 7,
    "left_out": {"target_ids": 0, "min_voxels": 3},
    "not_found": {},
    "lods": [{"labels": 7, "fragments": 9, "faces": 1234, "bytes": 5000}],
    "costs": [],
    "verification": None,
    "failures": None,
    "versions": {"numpy": "2"},
}

VERIFIED = {"failures": 0, "read": 7, "labels": 7, "watertight": 7, "broken": []}


class Text(HTMLParser):
    """The text of a page; tags must be closed in their order."""

    def __init__(self):
        super().__init__()
        self.open, self.said = [], []

    def handle_starttag(self, tag, attributes):
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.said.append(data)


def text_of(**changes):
    parser = Text()
    parser.feed(page(FACTS | changes, PARTS))
    assert parser.open == []
    return " ".join(" ".join(parser.said).split())


def test_what_is_known():
    text = text_of()
    assert "Meshes of /data/<a&b>.zarr" in text
    assert "100 x 200 x 300 voxels of 40 x 32 x 32 nm" in text
    assert "LOD 0 7 9 1,234 5,000 4.05" in text
    assert "3 fewer voxels than min_voxels 5" in text
    assert "not in target_ids" not in text
    assert "The plan LOD 0 1 cell" in text
    assert "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ... (1,000 labels)" in text
    assert "roi null" in text and "verify true" in text


def test_what_is_not_known_is_said():
    text = text_of(lods=None)
    assert "Not known: the output has no logs/failures.jsonl" in text
    assert "not verified" in text
    assert "unknown of meshes" in text and "unknown triangles at LOD 0" in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"left_out": {}}, "No label of the volume was left out."),
        ({"not_found": {"labels": 2, "smallest": ["5", "6"]}}, "2 labels of target_ids have no"),
        ({"listed": 4}, "The viewer lists the 4 largest of 7 segments"),
        ({"failures": {"by_rule": {}, "latest": []}}, "No job has failed."),
        (
            {"failures": {"by_rule": {"shard": 2}, "latest": [{"reason": "killed <9>"}]}},
            "shard 2 The latest: time rule job attempt reason log killed <9>",
        ),
        (
            {"verification": VERIFIED | {"failures": 3, "read": 5, "watertight": 4}},
            "5 of 7 meshes were read back, 4 of them are watertight; 3 checks failed",
        ),
        (
            {"verification": VERIFIED},
            "verified 7 of 7 meshes read back",
        ),
        (
            {"verification": VERIFIED | {"broken": [{"whole": 1200, "broken": 3, "outside": 0.1}]}},
            "outside the largest piece 0 1,200 3 10.00%",
        ),
    ],
)
def test_what_depends(changes, said):
    assert said in text_of(**changes)


def test_a_picture_is_part_of_the_page(tmp_path):
    (tmp_path / "a.png").write_bytes(b"png")
    found = picture(tmp_path / "a.png", "What's <seen>\nhere.\n")
    assert "data:image/png;base64,cG5n" in found
    assert "<p class='quiet'>What&#x27;s &lt;seen&gt; here.</p>" in found
