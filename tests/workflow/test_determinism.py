"""The result does not depend on the order of the jobs."""

from running import digests, finish


def test_one_core_makes_the_same_bytes(repository, config, multires, tmp_path):
    """On one core, the jobs run in another order than on two: what is waited for, then by size."""
    output = tmp_path / "out"
    assert digests(finish(repository, config(output), cores=1)) == digests(multires)
    logs = sorted((output / "logs").rglob("*.log"), key=lambda log: log.stat().st_mtime_ns)
    rules = [str(log.relative_to(output / "logs")).split("/")[0].split(".")[0] for log in logs]
    assert rules[:9] == ["pyramid_levels", *["pyramid_super_chunk"] * 2, *["mesh_block"] * 6]
    lods = [log.parent.name for log in logs[3:9]]
    assert lods == ["lod0", "lod1", "lod0", "lod0", "lod2", "lod0"]
