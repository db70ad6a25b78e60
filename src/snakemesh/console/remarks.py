"""Lines that a run prints besides the plan: what it assumes, and why it makes things again."""

import os
import shlex
import shutil
import sys
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches

import numpy as np

from snakemesh.label_list import WHY_LEFT_OUT
from snakemesh.output.folder import OutputFolder
from snakemesh.output.markers import read_marker
from snakemesh.plan.placement import FAR_VOXELS
from snakemesh.products.fingerprints import Fingerprints
from snakemesh.products.products import Products
from snakemesh.products.provenance import changes, run_document
from snakemesh.survey.input_state import is_checked, number_of_chunks
from snakemesh.survey.inputs import EXAMPLE_PATH

# How many lines about damaged files are shown.
MAX_LINES = 5
# The rules that people ask for by name.
_TARGETS = ("all", "pyramid", "verify", "report")


def remarks_before(
    fingerprints: Fingerprints,
    folder: OutputFolder,
    damage: Mapping[str, str],
    made: Collection[str] | None = None,
) -> list[str]:
    """The lines below the plan.

    damage: by marker, what is damaged. made: the files that the jobs of the run make; None if a
    run of the target `all` is meant, which makes everything again that is damaged.
    """
    is_example = fingerprints.plan.settings.input_path == EXAMPLE_PATH
    lines = [] if is_example else [_input_line(fingerprints)]
    if not fingerprints.plan.source.has_unit:
        path = fingerprints.plan.source.path
        lines.append(f"  units    the metadata of {path} name no unit: nanometres are assumed")
    if (far := fingerprints.plan.voxels_from_zero) > FAR_VOXELS:
        off = np.spacing(np.float32(far))
        lines.append(
            f"  far away {far:,.0f} voxels from 0: Neuroglancer, which computes in 32 bits, draws "
            f"voxels and meshes about {off:g} voxels off; `snakemesh view` shows them near 0"
        )
    lines += _shortened(
        "damaged",
        (
            f"{what}: made again"
            if made is None or marker in made
            else f"{what}: not made again by this target"
            for marker, what in damage.items()
        ),
    )
    before = read_marker(folder.run_document)
    if before is not None:
        lines += _shortened("changed", changes(before, run_document(fingerprints)))
    elif os.path.exists(Products(fingerprints, folder).documents.marker):
        lines.append(f"  damaged  {folder.run_document} is gone or cannot be read: written again")
    elif os.path.exists(folder.info):
        lines.append(
            f"  older    a version that kept no record of its input made {folder.multires}: made "
            "again"
        )
    return lines


def result_lines(facts: Mapping[str, object] | None, folder: OutputFolder) -> list[str]:
    """Lines that say where the result of a run is. facts: from the marker of the documents."""
    if facts is None:
        return []
    lines = [f"  meshes   {folder.multires}, the folder to serve", f"  table    {folder.segments}"]
    labels, listed = facts.get("labels"), facts.get("listed")
    if isinstance(labels, int) and isinstance(listed, int):
        lines[1] += f" of all {labels:,} segments"
        if listed < labels:
            lines.append(
                f"  listed   the {listed:,} largest segments in the viewer (config key "
                "max_properties)"
            )
        for word, name in (("overview", "in_overview"), ("points", "points")):
            shown = facts.get(name)
            if isinstance(shown, int) and shown < labels:
                lines.append(f"  {word:8} of the {shown:,} largest segments")
    return lines


def view_command(folder: OutputFolder) -> str:
    """The command that shows a result in Neuroglancer, as it is typed in the working directory."""
    own = os.path.join(os.path.dirname(sys.executable), "snakemesh")
    # an environment that is not activated has its commands elsewhere
    shortest = own if (below := os.path.relpath(own)).startswith(os.pardir) else below
    word = "snakemesh" if shutil.which("snakemesh") == own else shortest
    return shlex.join([word, "view", folder.root])


def remarks_after(facts: Mapping[str, object] | None) -> list[str]:
    """The last lines of a run. facts: what the marker of the documents says of the result."""
    if facts is None:
        return []
    lines = []
    missing = facts.get("not_found")
    if isinstance(missing, dict) and missing["labels"]:
        n, smallest = missing["labels"], missing["smallest"][:MAX_LINES]
        shown = ", ".join(smallest) + (f", ... ({n:,} labels)" if n > len(smallest) else "")
        lines.append(f"config key target_ids: the meshed volume has no voxel of label {shown}")
    out = facts.get("left_out")
    if isinstance(out, dict) and any(out.values()):
        said = (f"{n:,} {WHY_LEFT_OUT[key]}" for key, n in out.items() if n and key in WHY_LEFT_OUT)
        lines.append(f"labels left out: {', '.join(said)}")
    if facts.get("labels") == 0:
        lines.append("the meshed volume has no labels: the layer is empty")
    return lines


def target_remarks(unknown: Iterable[str]) -> list[str]:
    """For each target that is no rule, a line with the one that may have been meant, if any."""
    near = {name: get_close_matches(name, _TARGETS, n=1) for name in unknown}
    return [
        f"there is no target {name}, did you mean {found[0]}?"
        for name, found in near.items()
        if found
    ]


def _input_line(fingerprints: Fingerprints) -> str:
    plan = fingerprints.plan
    if is_checked(plan):
        return f"  input    {number_of_chunks(plan):,} chunks, checked for changes"
    return (
        "  input    only its metadata are checked for changes: when its voxels change, give config "
        "key input_version another value"
    )


def _shortened(word: str, lines: Iterable[str]) -> list[str]:
    found = list(lines)
    shown = [f"  {word:8} {line}" for line in found[:MAX_LINES]]
    more = len(found) - MAX_LINES
    return [*shown, f"  {'':8} and {more:,} more"] if more > 0 else shown
