"""The table of bodies of a run: its state when the run is planned, and what a change of it affects.

Jobs record which labels they have seen (`tables.seen`). If the table has changed since, the
recorded labels are looked up in the new one, which is read once and not sorted. If all labels of a
job still have the same bodies, its token stays, and so do the names of its products.
"""

from contextlib import suppress
from pathlib import Path

import numpy as np

from snakemesh.ascending import find
from snakemesh.boxes import Index, box_name, indices, triple
from snakemesh.config.settings import Settings
from snakemesh.errors import DamagedError, UserError
from snakemesh.job_records import LabelMap
from snakemesh.output.atomic import replacing
from snakemesh.output.folder import OutputFolder
from snakemesh.products.fingerprints import Fingerprints, Tokens
from snakemesh.survey.input_state import kept_arrays
from snakemesh.tables.bodies import TableFacts, batches, content_hash, table_facts
from snakemesh.tables.seen import read_record, record_path, tokens_in
from snakemesh.tables.sorted_bodies import bodies_in, once, open_sorted


def look_at_table(settings: Settings, folder: OutputFolder) -> TableFacts | None:
    """The table of bodies as it is now; None if there is none.

    It is read whole unless the run before has seen the same content. Raises UserError, one line,
    for a table that cannot be used.
    """
    path = settings.label_map
    if path is None:
        return None
    content = content_hash(path)
    if Path(folder.label_map_state).exists():
        with suppress(UserError):
            before = read_table_of_run(settings, folder)
            if before and before.content == content:
                return before
    return table_facts(path, content)


def read_table_of_run(settings: Settings, folder: OutputFolder) -> TableFacts | None:
    """The table of bodies as the planning run saw it, or as it is now if no run has planned yet."""
    if settings.label_map is None:
        return None
    if not Path(folder.label_map_state).exists():
        return table_facts(settings.label_map, content_hash(settings.label_map))
    kept = _kept(folder)
    return TableFacts(str(kept["content"]), int(kept["rows"]), int(kept["largest"]))


def look_at_tokens(fingerprints: Fingerprints, folder: OutputFolder) -> Tokens | None:
    """The tokens of all jobs that read labels, by what earlier runs have seen there.

    fingerprints: without tokens. None if labels are meshed as they are. Raises UserError if the
    table gives a label that was seen to two bodies.
    """
    if fingerprints.plan.table is None:
        return None
    now = np.uint64(int(fingerprints.label_map, 16))
    stages = fingerprints.plan.stages
    grids = {"stage": stages[0].grid if stages else (0, 0, 0), "lod": fingerprints.plan.blocks(0)}
    tokens = {kind: np.full(grid, now) for kind, grid in grids.items()}
    others = []
    for kind, grid in grids.items():
        known = tokens_in(Path(folder.seen(kind, "*", "*")).parent)
        for index in indices(grid):
            place = _place(fingerprints, folder, kind, index)
            found = known.get(Path(place).name, [])
            if found and now not in found and (seen := read_record(place, found[0])) is not None:
                others.append((tokens[kind], index, found[0], seen))
    if others:
        labels = np.unique(np.concatenate([seen.labels for *_, seen in others]))
        bodies = _bodies_now(fingerprints, folder, labels)
        for array, index, token, seen in others:
            if np.array_equal(bodies[np.searchsorted(labels, seen.labels)], seen.bodies):
                array[index] = token
    return tokens


def read_tokens_of_run(fingerprints: Fingerprints, folder: OutputFolder) -> Tokens | None:
    """The tokens as the planning run saw them, or as they are now if no run has planned yet."""
    if fingerprints.plan.table is None:
        return None
    if not Path(folder.label_map_state).exists():
        return look_at_tokens(fingerprints, folder)
    kept = _kept(folder)
    return {kind: kept[kind] for kind in ("stage", "lod")}


def write_label_map_state(fingerprints: Fingerprints, folder: OutputFolder) -> None:
    """Write what the run has seen of the table, for its jobs."""
    table, tokens = fingerprints.plan.table, fingerprints.tokens
    if table is None or tokens is None:
        return
    with replacing(folder.label_map_state) as temporary, open(temporary, "wb") as file:
        facts = {"content": np.array(table.content), "rows": np.uint64(table.rows)}
        np.savez(file, **facts, **tokens, largest=np.uint64(table.largest))  # type: ignore[arg-type]


def label_map_of(
    fingerprints: Fingerprints, folder: OutputFolder, kind: str, number: int, index: Index
) -> LabelMap | None:
    """How a job maps the labels that it reads; None if it reads bodies, or no table is set.

    kind, number: of `Tokens`, and the number of its stage or of its LOD.
    """
    if fingerprints.tokens is None or number > 0:
        return None
    return LabelMap(
        path=folder.label_map(fingerprints.label_map),
        marker=folder.label_map_marker(fingerprints.label_map),
        keep_rest=fingerprints.plan.settings.label_map_rest == "keep",
        dtype=fingerprints.plan.dtype,
        record=_place(fingerprints, folder, kind, index),
        token=int(fingerprints.tokens[kind][index]),
    )


def records_of_run(fingerprints: Fingerprints, folder: OutputFolder) -> list[str]:
    """The files that say which labels the jobs of a run have seen."""
    return [
        record_path(_place(fingerprints, folder, kind, index), int(tokens[index]))
        for kind, tokens in (fingerprints.tokens or {}).items()
        for index in indices(triple(tokens.shape))
    ]


def _place(fingerprints: Fingerprints, folder: OutputFolder, kind: str, index: Index) -> str:
    return folder.seen(kind, box_name(index), fingerprints.seen(kind, index))


def _bodies_now(fingerprints: Fingerprints, folder: OutputFolder, labels: np.ndarray) -> np.ndarray:
    """The bodies of ascending labels in the table as it is now, which may not be sorted yet."""
    settings, name = fingerprints.plan.settings, fingerprints.label_map
    keep_rest = settings.label_map_rest == "keep"
    try:
        table = open_sorted(folder.label_map(name), folder.label_map_marker(name))
        return table.bodies_of(labels, keep_rest)
    except DamagedError:
        assert settings.label_map is not None
        found = [rows[find(labels, rows["label"])[1]] for rows in batches(settings.label_map)]
        rows = once(np.sort(np.concatenate(found), order="label"), settings.label_map)
        return bodies_in(rows, labels, keep_rest)


def _kept(folder: OutputFolder) -> dict[str, np.ndarray]:
    with kept_arrays(folder.label_map_state) as kept:
        return {name: kept[name] for name in ("content", "rows", "largest", "stage", "lod")}
