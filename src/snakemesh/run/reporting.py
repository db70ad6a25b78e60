"""What the rules of the report wait for and are told."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from snakemesh.console.expected import levels_there, planned_facts
from snakemesh.errors import UserError
from snakemesh.run.run import Run, Wildcards
from snakemesh.run.verification import Verification

# By file what it is, in a few words, and the section that shows it. report/ has a caption for each.
REPORTED = [
    ("overview.rst", "The numbers of the first page, as text", "Overview"),
    ("scene.png", "The largest segments together", "Meshes"),
    ("lods.png", "One segment at each LOD", "Meshes"),
    ("bodies.png", "The largest segments one by one", "Meshes"),
    ("slice.png", "A slice with the outlines of the meshes", "Meshes"),
    ("sizes.png", "Sizes of segments", "Numbers"),
    ("errors.png", "Volumes of meshes against voxels", "Numbers"),
    ("detail.png", "Segments, triangles and bytes by LOD", "Numbers"),
    ("detail.csv", "The same as a table", "Numbers"),
    ("costs.png", "Time and memory, against what was expected", "Run"),
    ("costs.csv", "The same as a table", "Run"),
]


@dataclass(frozen=True)
class Reporting:
    """The report of a result."""

    run: Run
    verification: Verification

    @property
    def is_packed(self) -> bool:
        """Whether Snakemake packs a report."""
        return self.run.plans and not self.run.is_module and _is_option("--report")

    @property
    def is_only_packed(self) -> bool:
        """Whether it does so without running jobs before."""
        return self.is_packed and not _is_option("--report-after-run")

    def files(self) -> list[str]:
        """The files of the report."""
        name = self.run.fingerprint("documents")
        return [self.run.out.report_file(file, name) for file, _, _ in REPORTED]

    def refuse_if_not_there(self) -> None:
        """Raise UserError if a report is to be packed that was not made."""
        if self.is_only_packed and not all(map(os.path.exists, self.files())):
            raise UserError(
                f"{self.run.out.report} has no report of this configuration; "
                "add --report-after-run --cores all to make it"
            )

    def outputs(self, marked: Callable[..., Any]) -> list[Any]:
        """The outputs of the rule that makes the files. marked: Snakemake's `report`."""
        return [
            marked(
                self.run.out.report_file(name, "{fingerprint}"),
                caption=f"../report/{name.split('.')[0]}.rst",
                category=category,
                labels={"what": what},
            )
            for name, what, category in REPORTED
        ]

    def target(self, wildcards: Wildcards) -> list[str]:
        """The files of the report. They are made anew, unless they are only packed."""
        files = self.files()
        if self.is_only_packed:
            return files
        facts = self.run.out.report_facts(self.run.fingerprint("documents"))
        return self.run.target(files, [*files, facts])

    def if_packed(self, wildcards: Wildcards) -> list[str]:
        """With the option --report, the result of a run has its report with it."""
        return self.target(wildcards) if self.is_packed else []

    def before_facts(self, wildcards: Wildcards) -> list[str]:
        """What is reported: the output as it is, or as this run leaves it."""
        return [*self.verification.finished(wildcards), *self.verification.if_asked(wildcards)]

    def planned(self, wildcards: Wildcards) -> dict[str, Any]:
        """What planning knows for the report."""
        self.run.refuse_older_plan(wildcards, self.run.fingerprint("documents"))
        return planned_facts(self.run.fingerprints, self.run.out)

    def levels(self, wildcards: Wildcards) -> list[dict[str, Any]]:
        """The levels that are there to be drawn."""
        return levels_there(self.run.plan)

    def table(self, wildcards: Wildcards) -> str:
        """The sorted table of bodies."""
        return self.run.products.table

    def table_marker(self, wildcards: Wildcards) -> str:
        """The marker of that table."""
        return self.run.products.table_marker


def _is_option(name: str) -> bool:
    return any(part == name or part.startswith(f"{name}=") for part in sys.argv)
