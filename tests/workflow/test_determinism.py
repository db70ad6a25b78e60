from running import digests, finish


def test_one_core_makes_the_same_bytes(repository, config, multires, tmp_path):
    """A second run, on one core, so that jobs come in another order."""
    again = finish(repository, config(tmp_path / "out"), cores=1)
    assert digests(again) == digests(multires)
