"""In how many passes the missing levels are built. All triples are z, y, x."""

from dataclasses import dataclass

from snakemesh.boxes import Shape, ceil_div, triple
from snakemesh.job_records import MAX_STAGE_FACTOR
from snakemesh.plan.blocks import worthwhile_super_chunk
from snakemesh.plan.levels import Level

# Limits of the length of a chunk of the levels that are built, on each axis, in voxels
MIN_CHUNK = 32
MAX_CHUNK = 128


@dataclass(frozen=True)
class Stage:
    """The levels that are built in one pass over their base.

    base: the number of the level that is read. targets: the numbers of the levels of the stage.
    They follow the base without a gap, so some of them may exist already; these are not written.
    steps: for each target its factor over the level before it. super_chunk: voxels of the base that
    one job reads. grid: the number of super-chunks on each axis.
    """

    base: int
    targets: tuple[int, ...]
    steps: tuple[Shape, ...]
    super_chunk: Shape
    grid: Shape


def built_chunks(source_chunks: Shape) -> Shape:
    """Chunk shape of the levels that are built: the source's, clamped, a whole number of cubes."""
    clamped = (min(max(c, MIN_CHUNK), MAX_CHUNK) for c in source_chunks)
    return triple(c // MAX_STAGE_FACTOR * MAX_STAGE_FACTOR for c in clamped)


def stages_of(levels: tuple[Level, ...], chunks: Shape, grown: Shape) -> tuple[Stage, ...]:
    """The stages that build the missing levels.

    A stage ends before the level that would be more than MAX_STAGE_FACTOR times coarser than its
    base. The last level of a stage is the base of the next one. chunks: of the levels that are
    built. grown: how many times longer than worthwhile super-chunks are on each axis.
    """
    stages = []
    base = 0
    while base < len(levels) - 1:
        targets = [base + 1]
        while targets[-1] + 1 < len(levels):
            factor = levels[targets[-1] + 1].relative_to(levels[base])
            if max(factor) > MAX_STAGE_FACTOR:
                break
            targets.append(targets[-1] + 1)
        # a stage whose levels all exist is left out
        if any(levels[k].is_built for k in targets):
            last = levels[targets[-1]].relative_to(levels[base])
            least = triple(c * f for c, f in zip(chunks, last, strict=True))
            worthwhile = worthwhile_super_chunk(least, levels[base].shape)
            super_chunk = triple(n * g for n, g in zip(worthwhile, grown, strict=True))
            stages.append(
                Stage(
                    base=base,
                    targets=tuple(targets),
                    steps=tuple(levels[k].relative_to(levels[k - 1]) for k in targets),
                    super_chunk=super_chunk,
                    grid=ceil_div(levels[base].shape, super_chunk),
                )
            )
        base = targets[-1]
    return tuple(stages)
