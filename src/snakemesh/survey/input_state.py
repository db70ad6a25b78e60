"""The state of the input's files when a run is planned, so that a run notices changes.

Plans look at the files of chunks of a local input of moderate size (`check_input`). The planning
run writes what it saw beside its work, and its jobs, which plan again, read it there.
"""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from snakemesh.boxes import Box, Index, triple
from snakemesh.chunk_files import Watch, digest, stamps
from snakemesh.errors import BAD_NPZ, UserError
from snakemesh.label_list import LIST_KEYS, NO_LISTS, LabelLists
from snakemesh.output.atomic import replacing
from snakemesh.plan.box_figures import BoxFigures, Sample
from snakemesh.plan.levels import NO_MISMATCHES
from snakemesh.plan.plan import Plan
from snakemesh.survey.label_lists import label_files_of

# Planning looks at the chunks of an input if there are at most this many: it takes some seconds.
MAX_CHUNKS = 200_000
# What `check_input: true` may ask for: it takes minutes.
MAX_CHUNKS_ASKED = 20_000_000
_INSTEAD = "use null, and input_version to say that the input has changed"


@dataclass(frozen=True)
class InputState:
    """The stamps of the chunks that hold the part of each level that is read, and lists of labels.

    stamps: by the number of the level; empty where the input is not checked. lists: the labels
    that the configuration lists.
    """

    plan: Plan
    stamps: Mapping[int, np.ndarray]
    lists: LabelLists = NO_LISTS

    def watch(self, level: int, box: Box) -> Watch | None:
        """The chunks that hold a box of a level, in voxels of the part, or None."""
        if level not in self.stamps:
            return None
        found = self.plan.levels[level]
        assert found.files is not None
        begin = triple(b + o for b, o in zip(box[0], found.origin, strict=True))
        end = triple(e + o for e, o in zip(box[1], found.origin, strict=True))
        chunks = found.files.indices_of((begin, end))
        first = part_chunks(self.plan, level)[0]
        inside = tuple(slice(b - f, e - f) for b, e, f in zip(*chunks, first, strict=True))
        return Watch(found.files, chunks, digest(self.stamps[level][inside]))


def is_checked(plan: Plan) -> bool:
    """Whether plans look at the chunks of the input: it is local and not too large."""
    wanted = plan.settings.check_input
    if wanted is not None:
        return wanted
    can_be = all(plan.levels[k].files is not None for k in _source_levels(plan))
    return can_be and number_of_chunks(plan) <= MAX_CHUNKS


def number_of_chunks(plan: Plan) -> int:
    """Chunks of the source that a run reads."""
    boxes = (part_chunks(plan, k) for k in _source_levels(plan) if plan.levels[k].files)
    return sum(math.prod(e - b for b, e in zip(*box, strict=True)) for box in boxes)


def look_at_input(plan: Plan, lists: LabelLists = NO_LISTS) -> InputState:
    """The state of the input now. Raises UserError if its files cannot be told."""
    if not is_checked(plan):
        return InputState(plan, {}, lists)
    found = {}
    for k in _source_levels(plan):
        files = plan.levels[k].files
        if files is None:
            raise UserError(
                f"config key check_input: found true, but the files of {plan.levels[k].path} "
                f"cannot be checked; {_INSTEAD}"
            )
        if (n := number_of_chunks(plan)) > MAX_CHUNKS_ASKED:
            raise UserError(
                f"config key check_input: found true, but the input has {n:,} chunks, and "
                f"{MAX_CHUNKS_ASKED:,} can be checked; {_INSTEAD}"
            )
        try:
            found[k] = stamps(files, part_chunks(plan, k))
        except (OSError, ValueError) as error:
            raise UserError(
                f"config key input_path: the chunks in {files.root} cannot be accessed: {error}"
            ) from error
    return InputState(plan, found, lists)


def write_state(
    path: str, state: InputState, mismatches: Mapping[str, str] = NO_MISMATCHES
) -> None:
    """Write a state for the jobs of a run, and why levels of the source are not used."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {f"s{k}": found for k, found in state.stamps.items()}
    sample = None if state.plan.sample is None else asdict(state.plan.sample)
    facts = {"is_sparse": state.plan.is_sparse, "mismatches": dict(mismatches), "sample": sample}
    arrays["facts"] = np.array(json.dumps(facts))
    lists = zip(LIST_KEYS, state.lists, strict=True)
    arrays |= {key: np.array(found.digest) for key, found in lists if found is not None}
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)


class Kept(NamedTuple):
    """What the planning run found in the voxels: `Plan.is_sparse`, `Plan.sample`, and by path why
    levels of the source are not used (`survey.good_levels`).
    """

    is_sparse: bool
    mismatches: Mapping[str, str]
    sample: Sample | None


def read_kept(path: str) -> Kept:
    """What the planning run wrote of the voxels."""
    with kept_arrays(path) as kept:
        facts = json.loads(str(kept["facts"]))
    if (sample := facts["sample"]) is not None:
        boxes = [
            BoxFigures(**box | {key: tuple(box[key]) for key in ("faces", "begin", "place")})
            for box in sample["boxes"]
        ]
        sample = Sample(**sample | {"boxes": tuple(boxes)})
    return Kept(facts["is_sparse"], facts["mismatches"], sample)


def read_state(path: str, plan: Plan) -> InputState:
    """The state that the planning run wrote for its jobs."""
    keys = [key for key in LIST_KEYS if getattr(plan.settings, key) is not None]
    levels = _source_levels(plan) if is_checked(plan) else []
    if not keys and not levels:
        return InputState(plan, {})
    with kept_arrays(path) as kept:
        lists = label_files_of(plan, {key: str(kept[key]) for key in keys})
        return InputState(plan, {k: kept[f"s{k}"] for k in levels}, lists)


@contextmanager
def kept_arrays(path: str) -> Iterator[Any]:
    """The arrays of a file that the planning run wrote for its jobs."""
    try:
        with np.load(path) as kept:
            yield kept
    except BAD_NPZ as error:
        raise UserError(
            f"{path}, which a run keeps for its jobs, cannot be read; give the same command again"
        ) from error


def _source_levels(plan: Plan) -> list[int]:
    """The numbers of the levels of the source that a run reads."""
    return [k for k, level in enumerate(plan.levels) if not level.is_built]


def part_chunks(plan: Plan, level: int) -> tuple[Index, Index]:
    """The chunks of a level of the source that hold the part that is meshed."""
    found = plan.levels[level]
    assert found.files is not None
    end = triple(o + n for o, n in zip(found.origin, found.shape, strict=True))
    return found.files.indices_of((found.origin, end))
