"""What the rules of the report wait for and are told."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from snakemesh.console.expected import planned_facts
from snakemesh.console.report_page import style_page
from snakemesh.errors import UserError
from snakemesh.run.run import Run, Wildcards
from snakemesh.run.verification import Verification

# The files, what each is in a few words, and its section. report/ has a caption for each.
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
        """Whether Snakemake packs files that exist, without running jobs before."""
        return self.is_packed and not _is_option("--report-after-run")

    def files(self) -> list[str]:
        """The files of the report."""
        name = self.run.fingerprint("documents")
        return [self.run.out.report_file(file, name) for file, _, _ in REPORTED]

    def refuse_if_not_there(self) -> None:
        """Raise UserError if Snakemake is to pack a report that does not exist."""
        if self.is_only_packed and not all(map(os.path.exists, self.files())):
            raise UserError(
                f"{self.run.out.report} has no report of this configuration; "
                "add --report-after-run --cores all to make it"
            )

    def style_page(self) -> None:
        """Prepare Snakemake for packing, if it packs a report."""
        if self.is_packed:
            style_page()

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
        """The files of the report if Snakemake packs it: the target `all` then makes them too."""
        return self.target(wildcards) if self.is_packed else []

    def before_facts(self, wildcards: Wildcards) -> list[str]:
        """What comes before the report: the result and its verification, if this run makes them."""
        return [*self.verification.finished(wildcards), *self.verification.if_asked(wildcards)]

    def planned(self, wildcards: Wildcards) -> dict[str, Any]:
        """What planning knows for the report."""
        self.run.refuse_older_plan(wildcards, self.run.fingerprint("documents"))
        return planned_facts(self.run.fingerprints, self.run.out)


def _is_option(name: str) -> bool:
    return any(part == name or part.startswith(f"{name}=") for part in sys.argv)
