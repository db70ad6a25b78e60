"""What a further attempt asks for, by what the ones before were short of."""

import re
from pathlib import Path

from snakemesh.cost.failure_reasons import MEMORY, TIME
from snakemesh.cost.shortages import Shortages

RULES = sorted((Path(__file__).resolve().parents[3] / "rules").glob("*.smk"))
A, B = {"lod": "0", "box": "0_0_0"}, {"lod": "0", "box": "0_0_1"}


def test_twice_as_much_of_what_was_short_each_time():
    shortages = Shortages()
    for short_of in ((MEMORY,), (), (TIME,), (MEMORY, TIME)):
        shortages.note("mesh_block", A, short_of)
    assert shortages.factor("mesh_block", A, MEMORY) == 4
    assert shortages.factor("mesh_block", dict(reversed(A.items())), TIME) == 4
    assert shortages.factor("mesh_block", B, MEMORY) == 1
    assert shortages.factor("verify_voxels", A, TIME) == 1


def test_each_rule_asks_for_itself():
    """By the name that its logs begin with: failures are known by it."""
    n_asked = 0
    for path in RULES:
        for text in re.split(r"^ *rule ", path.read_text(), flags=re.MULTILINE)[1:]:
            asked = set(re.findall(r"RUN\.resources\(\"(\w+)\"", text))
            if not asked:
                continue
            n_asked += 1
            name = re.match(r"\w+", text)[0]
            assert asked == {name}
            assert re.search(rf'OUT\.log\(f?"{name}[./"]', text), name
    assert n_asked > 8
