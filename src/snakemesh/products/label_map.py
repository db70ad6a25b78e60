"""The table of bodies of a run: what it is when a run is planned, and what a change of it touches.

Jobs record which labels they have met (`bodies.met`). Where the table is another one than then, the
recorded labels are looked up in it, without sorting it: it is read once. A cell all of whose labels
have the bodies that they had keeps its token, and what is made of it keeps its name.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np

from snakemesh.ascending import find
from snakemesh.boxes import Index, box_name, indices, slices, triple
from snakemesh.config.settings import Settings
from snakemesh.errors import DamagedError, UserError
from snakemesh.job_records import LabelMap
from snakemesh.output.atomic import replacing
from snakemesh.output.folder import OutputFolder
from snakemesh.plan.jobs import super_chunk_box
from snakemesh.plan.label_cells import Tokens, cell_grid, cell_shape, cells_of
from snakemesh.products.made_from import MadeFrom
from snakemesh.survey.input_state import kept_arrays
from snakemesh.tables.bodies import TableFacts, batches, content_hash, refused, table_facts
from snakemesh.tables.seen import Record, read_record, read_tokens
from snakemesh.tables.sorted_bodies import open_sorted

_THREADS = 16
# The file of a record, and its tokens in an array of `Tokens`.
_Recorded = tuple[str, np.ndarray]


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
    """The table of bodies as the run that plans has seen it, or as it is if none has yet."""
    if settings.label_map is None:
        return None
    if not Path(folder.label_map_state).exists():
        return table_facts(settings.label_map, content_hash(settings.label_map))
    kept = _kept(folder)
    return TableFacts(str(kept["content"]), int(kept["rows"]), int(kept["largest"]))


def look_at_tokens(made_from: MadeFrom, folder: OutputFolder) -> Tokens | None:
    """The tokens of all that labels are read for, by what earlier runs have met there.

    made_from: without tokens. None if labels are meshed as they are. Raises UserError if the table
    gives a label that was met to two bodies.
    """
    if made_from.plan.table is None:
        return None
    token = np.uint64(int(made_from.label_map, 16))
    tokens = Tokens(
        np.full(cell_grid(made_from.plan), token), np.full(made_from.plan.blocks(0), token)
    )
    recorded = list(_recorded(made_from, folder, tokens))

    def is_open(item: _Recorded) -> bool:
        found = read_tokens(item[0], item[1].size)
        return found is not None and bool((found != token).any())

    with ThreadPoolExecutor(_THREADS) as pool:
        is_other = list(pool.map(is_open, recorded))
    others = [item for item, other in zip(recorded, is_other, strict=True) if other]
    records = [(read_record(path), where) for path, where in others]
    _settle(made_from, folder, [(r, w) for r, w in records if r is not None])
    return tokens


def read_tokens_of_run(made_from: MadeFrom, folder: OutputFolder) -> Tokens | None:
    """The tokens as the run that plans has seen them, or as they are if none has yet."""
    if made_from.plan.table is None:
        return None
    if not Path(folder.label_map_state).exists():
        return look_at_tokens(made_from, folder)
    kept = _kept(folder)
    return Tokens(kept["cells"], kept["blocks"])


def write_label_map_state(made_from: MadeFrom, folder: OutputFolder) -> None:
    """Keep for the jobs of a run what it has seen of the table."""
    table, tokens = made_from.plan.table, made_from.tokens
    if table is None or tokens is None:
        return
    with replacing(folder.label_map_state) as temporary, open(temporary, "wb") as file:
        np.savez(
            file,
            content=np.array(table.content),
            rows=np.uint64(table.rows),
            largest=np.uint64(table.largest),
            cells=tokens.cells,
            blocks=tokens.blocks,
        )


def damaged_label_map(made_from: MadeFrom, folder: OutputFolder) -> dict[str, str]:
    """By marker what is wrong with the sorted table."""
    if made_from.plan.table is None:
        return {}
    marker = folder.label_map_marker(made_from.label_map)
    try:
        if Path(marker).exists():
            open_sorted(folder.label_map(made_from.label_map), marker)
    except DamagedError as error:
        return {marker: str(error).split(";")[0]}
    return {}


def label_map_of_super_chunk(
    made_from: MadeFrom, folder: OutputFolder, stage: int, index: Index
) -> LabelMap | None:
    """How a super-chunk maps what it reads; None if that are bodies already, or no table is set."""
    if made_from.tokens is None or stage > 0:
        return None
    return _label_map(
        made_from, folder, _of_super_chunk(made_from, folder, made_from.tokens, index)
    )


def label_map_of_block(
    made_from: MadeFrom, folder: OutputFolder, lod: int, index: Index
) -> LabelMap | None:
    """The same of a block."""
    if made_from.tokens is None or lod > 0:
        return None
    return _label_map(made_from, folder, _of_block(made_from, folder, made_from.tokens, index))


def _label_map(made_from: MadeFrom, folder: OutputFolder, recorded: _Recorded) -> LabelMap:
    record, tokens = recorded
    return LabelMap(
        path=folder.label_map(made_from.label_map),
        marker=folder.label_map_marker(made_from.label_map),
        keep_rest=_keeps_rest(made_from.plan.settings),
        dtype=made_from.plan.dtype,
        record=record,
        cell=cell_shape(made_from.plan),
        tokens=tuple(tokens.ravel().tolist()),
    )


def records_of_run(made_from: MadeFrom, folder: OutputFolder) -> list[str]:
    """The files that say which labels the jobs of a run have met."""
    tokens = made_from.tokens
    return [] if tokens is None else [path for path, _ in _recorded(made_from, folder, tokens)]


def _keeps_rest(settings: Settings) -> bool:
    return settings.label_map_rest == "keep"


def _recorded(made_from: MadeFrom, folder: OutputFolder, tokens: Tokens) -> Iterator[_Recorded]:
    """The record of every job that reads labels, and the place of its tokens."""
    for stage in made_from.plan.stages[:1]:
        for index in indices(stage.grid):
            yield _of_super_chunk(made_from, folder, tokens, index)
    for index in indices(made_from.plan.blocks(0)):
        yield _of_block(made_from, folder, tokens, index)


def _of_super_chunk(
    made_from: MadeFrom, folder: OutputFolder, tokens: Tokens, index: Index
) -> _Recorded:
    plan = made_from.plan
    path = folder.met("stage0", box_name(index), made_from.met_super_chunk(index))
    box = super_chunk_box(plan, plan.stages[0], index)
    return path, tokens.cells[slices(*cells_of(plan, 0, box))]


def _of_block(made_from: MadeFrom, folder: OutputFolder, tokens: Tokens, index: Index) -> _Recorded:
    path = folder.met("lod0", box_name(index), made_from.met_block(index))
    return path, tokens.blocks[slices(index, triple(i + 1 for i in index))]


def _settle(
    made_from: MadeFrom, folder: OutputFolder, records: list[tuple[Record, np.ndarray]]
) -> None:
    """Give cells their recorded tokens where their labels have the bodies that they had."""
    if not records:
        return
    labels = np.unique(np.concatenate([record.labels for record, _ in records]))
    bodies = _bodies_now(made_from, folder, labels)
    for record, tokens in records:
        found = record.digests_of(bodies[np.searchsorted(labels, record.labels)])
        is_same = (found == record.digests).reshape(tokens.shape)
        tokens[is_same] = record.tokens.reshape(tokens.shape)[is_same]


def _bodies_now(made_from: MadeFrom, folder: OutputFolder, labels: np.ndarray) -> np.ndarray:
    """The bodies of ascending labels in the table as it is now."""
    keep = _keeps_rest(made_from.plan.settings)
    name = made_from.label_map
    try:
        table = open_sorted(folder.label_map(name), folder.label_map_marker(name))
        return table.bodies_of(labels, keep)
    except DamagedError:
        path = made_from.plan.settings.label_map
        assert path is not None
        return _bodies_in_file(path, labels, keep)


def _bodies_in_file(path: str, labels: np.ndarray, keep_rest: bool) -> np.ndarray:
    """The bodies of ascending labels, from the user's table."""
    bodies = labels.copy() if keep_rest else np.zeros_like(labels)
    is_known = np.zeros(len(labels), bool)
    for pairs in batches(path):
        at, is_met = find(labels, pairs["label"])
        at, their = at[is_met], pairs["body"][is_met]
        is_twice = is_known[at] & (bodies[at] != their)
        bodies[at] = their
        is_twice |= bodies[at] != their
        is_known[at] = True
        if is_twice.any():
            label = labels[at[is_twice][0]]
            raise refused(path, f"gives label {label} to two bodies; leave one of the rows out")
    return bodies


def _kept(folder: OutputFolder) -> dict[str, np.ndarray]:
    with kept_arrays(folder.label_map_state) as kept:
        return {name: kept[name] for name in ("content", "rows", "largest", "cells", "blocks")}
