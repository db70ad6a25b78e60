"""Rule verify_table: what all shards have found, in a table. It fails if anything does."""

import os
from pathlib import Path

import numpy as np

from snakemesh import __version__
from snakemesh.errors import UserError
from snakemesh.output.atomic import replacing
from snakemesh.output.job_log import job_log
from snakemesh.output.markers import remove_markers, write_marker
from snakemesh.output.remove import remove_tree
from snakemesh.output.served import differs
from snakemesh.tables.segments import add_verdicts
from snakemesh.verify.findings import merged_findings
from snakemesh.verify.levels import check_levels
from snakemesh.verify.measured import MeasureKeys, check_measures
from snakemesh.verify.properties import check_lods, check_properties, check_segments
from snakemesh.verify.table import check_manifolds, lines, verdicts, write_table
from snakemesh.verify.voxel_pieces import pieces_of_volume

params = snakemake.params
folder, documents = params.folder, params.documents


def add_to_segments(rows: np.ndarray) -> None:
    """Add what was found to the table of segments, and to its marker what the table is now.

    A run that dies in between finds that the table is not what the marker says, and makes it anew.
    """
    before = os.stat(documents.marker)
    with replacing(folder.segments) as temporary:
        add_verdicts(Path(folder.segments), temporary, rows["label"], verdicts(rows))
    documents.finish_segments()
    # what was made from the documents is as new as before
    os.utime(documents.marker, ns=(before.st_atime_ns, before.st_mtime_ns))


with job_log(snakemake.log[0], "verify_table") as log:
    verdict = merged_findings(params.findings, pieces_of_volume(params.pieces))
    failures = verdict.failures
    for wrong in documents.wrong(differs):
        failures.add("files", wrong)
        documents.discard()
    check_segments(Path(folder.segments), verdict.rows, params.grid, failures)
    check_lods(Path(folder.lods), verdict.rows, verdict.lods, failures)
    check_properties(Path(folder.segment_properties), verdict.rows, params.max_properties, failures)
    check_manifolds(verdict.lods, failures)
    keys = MeasureKeys(params.measures, params.contacts)
    served = Path(folder.multires)
    measured = check_measures(served, params.job, verdict.rows, keys, failures)
    levels = check_levels(params.levels, failures)
    # the run prints the table from the log
    print("\n".join(lines(verdict, levels, measured)))
    remove_markers(folder.work, "verify.*.done")
    facts = {"snakemesh": __version__}
    with replacing(folder.verify_table) as temporary:
        write_table(temporary, verdict, facts | {"failures": str(sum(failures.count.values()))})
    if "files" not in failures.count:  # else nothing was found of what was written
        add_to_segments(verdict.rows)
    remove_tree(Path(folder.verify))
    if not verdict.is_sound:
        named = ", ".join(f"{check} ({n:,})" for check, n in failures.count.items())
        raise UserError(f"{folder.multires} is not sound, failures by check: {named}")
    write_marker(snakemake.output[0], {"labels": verdict.labels})
    log.facts.update(labels=verdict.labels)
