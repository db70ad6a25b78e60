"""The result does not depend on the order of the jobs."""

from running import digests, finish


def test_one_core_makes_the_same_bytes(repository, config, multires, tmp_path):
    """On one core, the jobs run in another order than on two."""
    again = finish(repository, config(tmp_path / "out"), cores=1)
    assert digests(again) == digests(multires)
