"""The report of an output as a page of a published folder."""

from pathlib import Path

from snakemesh.output.folder import REPORT
from snakemesh.view.output import Output

_TO_THE_VIEWER = "`Open the meshes in the viewer <../index.html>`__\n\n"
# In the order of the page, below its numbers.
_PICTURES = ("scene", "bodies", "lods", "slice", "sizes", "errors", "detail", "costs")


def published_report(output: Output) -> tuple[dict[str, Path | bytes], str | None, list[str]]:
    """The files of the report, which of them is opened, and what the user is told, in lines.

    It is report.html of the output, as Snakemake packs it, or else what `snakemake report` made.
    """
    packed = output.root / "report.html"
    private = "The report has paths of this machine and the whole configuration."
    if packed.is_file():
        if packed.stat().st_mtime >= Path(output.folder.info).stat().st_mtime:
            return {packed.name: packed}, packed.name, [private]
        return {}, None, [f"{packed} is older than the meshes, and is left out."]
    made = Path(output.folder.report_file("", output.product("documents")))
    if not (made / "overview.rst").is_file():
        return {}, None, []
    shown = [made / f"{name}.png" for name in _PICTURES]
    found: dict[str, Path | bytes] = {f"{REPORT}/{p.name}": p for p in shown if p.is_file()}
    page = _page((made / "overview.rst").read_text(encoding="utf-8"), list(found))
    return found | {f"{REPORT}/index.html": page}, f"{REPORT}/index.html", [private]


def _page(overview: str, pictures: list[str]) -> bytes:
    """The page, HTML: the numbers, reStructuredText, and the pictures."""
    from docutils.core import publish_string

    images = (f"\n.. image:: {Path(name).name}\n   :width: 100%\n" for name in pictures)
    settings = {
        "file_insertion_enabled": False,
        "raw_enabled": False,
        "report_level": 5,
        "output_encoding": "utf-8",
    }
    page: bytes = publish_string(
        _TO_THE_VIEWER + overview + "".join(images), writer="html5", settings_overrides=settings
    )
    return page
