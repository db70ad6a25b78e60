"""How the page looks that `snakemake --report` packs, besides the files of the report."""

from contextlib import suppress
from typing import Any

# Hides Snakemake's statistics and its graph of rules. Both show only the jobs of its DAG, which are
# those that made the report; the report itself has the times of the jobs that made the meshes. The
# entry "Statistics" of the menu is known by its icon, because it has no name in the page. The last
# two lines let the tables of the first page take its width.
_STYLE = """
li:has(> a > svg > path[d^="M2 11a1 1 0 011-1h2"]) { display: none }
#rulegraph { display: none }
.overflow-auto:has(.prose table) { align-items: flex-start }
.prose:has(table) { max-width: none }
"""
_INIT = "__post_init__"


def style_page() -> None:
    """Have Snakemake's reporter add our style to the page. Another reporter is left as it is."""
    with suppress(ImportError):
        from snakemake.report.html_reporter import Reporter

        init = getattr(Reporter, _INIT)

        def with_style(reporter: Any) -> None:
            init(reporter)
            reporter.custom_stylesheet = f"{_STYLE}{reporter.custom_stylesheet or ''}"

        setattr(Reporter, _INIT, with_style)
