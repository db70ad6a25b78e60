"""Verifies an output in this process, as the jobs do, without Snakemake and without checksums."""

from pathlib import Path

import numpy as np

from in_process import planned
from snakemesh.boxes import indices
from snakemesh.label_list import LIST_KEYS
from snakemesh.plan.jobs import own_box, verify_job
from snakemesh.survey.label_lists import read_lists
from snakemesh.verify.findings import merged_findings, save_findings
from snakemesh.verify.labels import by_reason, reasons
from snakemesh.verify.levels import LevelChecks, check_levels
from snakemesh.verify.measured import MeasureKeys, check_measures
from snakemesh.verify.properties import check_properties, check_segments
from snakemesh.verify.shard import verify_shard
from snakemesh.verify.table import Verdict, check_manifolds
from snakemesh.verify.voxel_pieces import VoxelPieces, pieces_of_volume
from snakemesh.verify.voxels import count_box, summed


def verdict(config: dict, multires: Path) -> Verdict:
    """What is found in the meshes in `multires`, of a configuration with a single shard."""
    plan = planned(config)
    job = verify_job(plan)
    lists = read_lists(plan.settings, plan.source.dtype)
    given = [lists[key].labels if key in lists else None for key in LIST_KEYS]
    boxes = [own_box(plan, 0, index) for index in indices(plan.blocks(0))]
    path = Path(config["output_directory"])
    path.mkdir(parents=True, exist_ok=True)
    counts, level_paths, piece_paths = [], [], []
    for number, box in enumerate(boxes):
        levels = LevelChecks(job)
        pieces = VoxelPieces(job)
        counts.append(count_box(job, *box, levels.add, pieces.add))
        piece_paths.append(str(path / f"{number}.pieces.npz"))
        pieces.save(Path(piece_paths[-1]))
        level_paths.append(str(path / f"{number}.levels.npz"))
        levels.save(Path(level_paths[-1]))
    counts = summed(np.concatenate(counts))
    why = reasons(counts, given, job.min_voxels)
    found = verify_shard(multires, 0, job, counts, why == 0)
    facts = {"labels": len(counts), "left_out": by_reason(why)}
    save_findings(path / "findings.npz", found, facts)
    merged = merged_findings([str(path / "findings.npz")], pieces_of_volume(piece_paths))
    check_levels(level_paths, merged.failures)
    if (multires / "segments.parquet").exists():
        check_segments(multires / "segments.parquet", merged.rows, plan.grid, merged.failures)
    properties = multires / "segment_properties" / "info"
    check_properties(properties, merged.rows, plan.settings.max_properties, merged.failures)
    check_manifolds(merged.lods, merged.failures)
    keys, has_contacts = plan.settings, (multires / "contacts.parquet").exists()
    measure_keys = MeasureKeys(keys.measures, has_contacts and keys.contacts)
    check_measures(multires, job, merged.rows, measure_keys, merged.failures)
    return merged
