"""The plan of a volume whose own levels are looked at before they are used."""

from collections.abc import Mapping

from snakemesh.config.settings import Settings
from snakemesh.plan.jobs import level_part
from snakemesh.plan.levels import NO_MISMATCHES
from snakemesh.plan.plan import Plan, make_plan
from snakemesh.source.level import SourceLevel
from snakemesh.source.voxels import open_part
from snakemesh.survey.level_check import level_mismatches
from snakemesh.tables.bodies import TableFacts


def unfit_levels(
    settings: Settings, source_levels: tuple[SourceLevel, ...], table: TableFacts | None = None
) -> Mapping[str, str]:
    """By path of a level of the source that a plan would use, why its voxels do not fit s0.

    A sample of the part that is meshed is read. Raises UserError if s0 cannot be read, and like
    `make_plan`.
    """
    if settings.use_existing_scales == "trust":
        return NO_MISMATCHES
    found: dict[str, str] = {}
    known: set[str] = set()
    while True:
        plan = make_plan(settings, source_levels, table, mismatches=found)
        own = [k for k, level in enumerate(plan.levels) if k > 0 and not level.is_built]
        paths = [plan.levels[k].path for k in own]
        if known.issuperset(paths):
            return found
        reasons = _reasons(plan, own)
        # another level of the source may take the place of one that does not fit
        found |= {path: why for path, why in zip(paths, reasons, strict=True) if why is not None}
        known.update(paths)


def _reasons(plan: Plan, own: list[int]) -> list[str | None]:
    """Why levels of the source, by their numbers, do not fit s0; None for those that do."""
    base, *levels = (open_part(level_part(plan, k)) for k in (0, *own))
    factors = [plan.levels[k].factor for k in own]
    return level_mismatches(base, list(zip(levels, factors, strict=True)), plan.levels[0].values)
