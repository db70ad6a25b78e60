"""The plan of a volume whose own levels are checked before they are used."""

from collections.abc import Mapping

from snakemesh.config.settings import Settings
from snakemesh.plan.levels import NO_MISMATCHES
from snakemesh.plan.plan import make_plan
from snakemesh.source.level import SourceLevel
from snakemesh.source.voxels import open_part
from snakemesh.survey.level_check import level_mismatches
from snakemesh.tables.bodies import TableFacts


def unfit_levels(
    settings: Settings, source_levels: tuple[SourceLevel, ...], table: TableFacts | None = None
) -> Mapping[str, str]:
    """By path of a level of the source that a plan would use, why its voxels do not fit s0.

    Reads a sample of the part that is meshed. Raises UserError if s0 cannot be read, and like
    `make_plan`.
    """
    if settings.use_existing_scales == "trust":
        return NO_MISMATCHES
    found: dict[str, str] = {}
    known: set[str] = set()
    while True:
        plan = make_plan(settings, source_levels, table, mismatches=found)
        own = [level for level in plan.levels[1:] if not level.is_built]
        paths = [level.path for level in own]
        if known.issuperset(paths):
            return found
        s0 = open_part(plan.levels[0].part)
        compared = [(open_part(level.part), level.factor) for level in own]
        reasons = level_mismatches(s0, compared, plan.levels[0].values)
        # another level of the source may take the place of one that does not fit
        found |= {path: why for path, why in zip(paths, reasons, strict=True) if why is not None}
        known.update(paths)
