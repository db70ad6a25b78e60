"""What has changed or is gone is made again, with what depends on it and nothing else."""

import shutil

from running import digests, finish, planned

MESHING = {"mesh_block": 6, "mesh_blocks_done": 1, "shard": 1, "multires_index": 1, "cleanup": 1}
PYRAMID = {"pyramid_levels": 1, "pyramid_super_chunk": 2}
COARSER = {"target_reduction": 0.8}


def test_changes_with_and_without_a_kept_pyramid(
    repository, config, multires, unsharded, table, tmp_path
):
    """Each result must have the same bytes as that of a run in an empty folder."""
    kept, deleted = tmp_path / "kept", tmp_path / "deleted"

    def keeping(**changes):
        return config(kept, delete_intermediate_scales=False, **changes)

    finish(repository, keeping(downsample_method="nearest"))
    assert planned(repository, keeping()) == PYRAMID | MESHING
    assert digests(finish(repository, keeping())) == digests(multires)
    assert planned(repository, keeping()) == {}
    assert planned(repository, keeping(**COARSER)) == MESHING
    coarser = digests(finish(repository, keeping(**COARSER)))
    assert coarser != digests(multires)

    assert digests(finish(repository, config(deleted, **COARSER))) == coarser
    assert planned(repository, config(deleted)) == PYRAMID | MESHING
    # files that only the sharded run wrote must be gone
    single = config(deleted, sharded=False, segment_properties_csv=table)
    assert digests(finish(repository, single)) == digests(unsharded)


def test_what_somebody_has_removed(repository, config, multires, tmp_path):
    """Served files and kept levels that somebody has removed are made again."""
    ours = config(tmp_path / "out", delete_intermediate_scales=False)
    served = finish(repository, ours)
    (served / "info").unlink()
    assert planned(repository, ours) == {"multires_index": 1, "cleanup": 1}
    (served / "0.shard").unlink()
    assert planned(repository, ours) == MESHING
    shutil.rmtree(tmp_path / "out" / "_intermediate_scales.zarr")
    assert planned(repository, ours) == PYRAMID | MESHING
    assert digests(finish(repository, ours)) == digests(multires)
