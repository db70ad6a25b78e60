"""What is collected for the report: benchmarks, markers, failures."""

import json

import numpy as np
import pytest

from snakemesh.output.markers import write_marker
from snakemesh.report.costs import as_rows, measured_costs, read_benchmark
from snakemesh.report.facts import failures, lod_sums

HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def benchmark(path, seconds, rss):
    path.write_text(f"{HEAD}{seconds}\t0:00:01\t{rss}\t0\t0\t0\t0\t0\t0\t0\n")
    return str(path)


def test_benchmarks(tmp_path):
    assert read_benchmark(benchmark(tmp_path / "a", 12.5, 300.25)) == (12.5, 300.25)
    seconds, peak = read_benchmark(benchmark(tmp_path / "b", 0.1, "NA"))
    assert seconds == 0.1 and np.isnan(peak)
    (tmp_path / "c").write_text(HEAD)
    (tmp_path / "d").write_text("nonsense\n1\n")
    assert read_benchmark(tmp_path / "c") is None
    assert read_benchmark(tmp_path / "d") is None
    assert read_benchmark(tmp_path / "nowhere") is None


def test_costs_of_steps(tmp_path):
    jobs = [
        (benchmark(tmp_path / "a", 10, 200), 8.0),
        (benchmark(tmp_path / "b", 30, "NA"), 16.0),
        (str(tmp_path / "nowhere"), 8.0),
    ]
    step = {"name": "mesh_block, LOD 0", "count": 6, "mem_mb": 900, "minutes": 10, "jobs": jobs}
    unknown = step | {"name": "shard", "jobs": [(str(tmp_path / "nowhere"), 1.0)]}
    costs = measured_costs([step, unknown])
    assert [cost.step for cost in costs] == ["mesh_block, LOD 0"]
    assert as_rows(costs) == [
        {
            "step": "mesh_block, LOD 0",
            "jobs": 6,
            "measured": 2,
            # two of six jobs took 40 s
            "total_s": 120.0,
            "expected_total_s": 72.0,
            "longest_job_s": 30.0,
            "expected_longest_job_s": 16.0,
            "time_asked_s": 600,
            "peak_mb": 200,
            "memory_asked_mb": 900,
        }
    ]


def test_sums_over_shards(tmp_path):
    paths = [str(tmp_path / name) for name in "ab"]
    one = {"labels": 1, "fragments": 2, "faces": 2**60, "bytes": 4}
    for path in paths:
        write_marker(path, {"lods": [one, dict.fromkeys(one, 0)]})
    total = {name: 2 * n for name, n in one.items()}
    assert lod_sums(paths, 2) == [total, dict.fromkeys(one, 0)]
    write_marker(paths[1], {"served": {}})
    assert lod_sums(paths, 2) is None
    assert lod_sums([*paths[:1], str(tmp_path / "nowhere")], 2) is None


@pytest.mark.parametrize("end", ["", '{"rule": "shard", "half'])
def test_failures(tmp_path, end):
    path = tmp_path / "failures.jsonl"
    assert failures(path) is None
    entries = [{"rule": "mesh_block", "attempt": n, "reason": "memory"} for n in range(30)]
    path.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries) + end)
    assert failures(path) == entries
