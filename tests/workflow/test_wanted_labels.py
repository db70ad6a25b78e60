"""Which labels are meshed: what a change makes again, and what a run says of those left out."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from running import digests, finish, planned, succeeds
from snakemesh.verify.reader import read_entries

MESHING = {"mesh_block": 6, "mesh_blocks_done": 1, "shard": 1, "multires_index": 1, "cleanup": 1}
DOCUMENTS = {"multires_index": 1, "cleanup": 1}
SHARDS = DOCUMENTS | {"shard": 1, "mesh_blocks_done": 1}


def shards(served):
    """The digests of the meshes, without the documents that quote the configuration."""
    return {name: found for name, found in digests(served).items() if name.endswith(".shard")}


def test_what_a_change_of_the_labels_makes_again(repository, config, volume, tmp_path):
    ids, voxels = np.unique(volume.labels[volume.labels > 0], return_counts=True)
    wanted, missing = ids[::2].tolist(), [5, 6]
    least = int(np.median(voxels))

    def ours(output="out", **changes):
        kept = {"keep_fragments": True, "delete_intermediate_scales": False}
        return config(tmp_path / output, **kept, **changes)

    served = finish(repository, ours(target_ids=[*wanted, *missing]))
    before = shards(served)
    assert [*read_entries(served)] == wanted

    # the same labels from a file
    path = tmp_path / "wanted.csv"
    path.write_text("\n".join(["body", *map(str, [*missing, *wanted[::-1]])]))
    assert planned(repository, ours(target_ids=path)) == DOCUMENTS
    text = succeeds(repository, ours(target_ids=path))
    assert "target_ids: the meshed volume has no voxel of label 5, 6\n" in text
    assert f"labels left out: {len(ids) - len(wanted)} not in target_ids\n" in text
    assert shards(served) == before
    assert planned(repository, ours(target_ids=path)) == {}

    # only the shards depend on min_voxels
    larger = {"target_ids": path, "min_voxels": least}
    assert planned(repository, ours(**larger)) == SHARDS
    text = succeeds(repository, ours(**larger))
    of_size = voxels[::2] >= least
    assert f", {(~of_size).sum()} with fewer voxels than min_voxels\n" in text
    assert [*read_entries(served)] == ids[::2][of_size].tolist()
    assert digests(served) == digests(finish(repository, ours("fresh", **larger)))

    # other labels in the same file: the levels stay
    path.write_text("\n".join(["body", *map(str, wanted[1:])]))
    assert planned(repository, ours(**larger)) == MESHING
    assert "changed  the labels in target_ids" in succeeds(repository, ours(**larger), "--dry-run")

    # what is left out, from Parquet, without shards
    table = tmp_path / "others.parquet"
    others = np.setdiff1d(ids, wanted[1:])
    pyarrow.parquet.write_table(pa.table({"id": others}), table)
    served = finish(repository, ours(exclude_ids=table, min_voxels=least, sharded=False))
    expected = finish(repository, ours("lists", sharded=False, **larger))
    assert [*read_entries(served)] == [*read_entries(expected)]
    for label in read_entries(served):
        for name in (str(label), f"{label}.index"):
            assert (served / name).read_bytes() == (expected / name).read_bytes()
