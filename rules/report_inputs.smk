# What the rules of the report wait for, and which files the report is made of.

from snakemesh.plan.expected import planned_facts

# Each has a caption in report/.
PICTURES = ["scene", "lods", "bodies", "slice", "sizes", "errors", "detail", "costs"]
REPORT_FILES = ["page.html", *(f"{name}.png" for name in PICTURES), "detail.csv", "costs.csv"]


def is_option(name):
    return any(part == name or part.startswith(f"{name}=") for part in sys.argv)


# Whether Snakemake packs a report, and whether it runs jobs before.
IS_PACKED = workflow.is_main_process and not IS_MODULE and is_option("--report")
IS_MADE_BEFORE = is_option("--report-after-run")


def report_file(name, what, category):
    """An output that Snakemake's report shows.

    what: it is, in a few words. category: the section that shows it.
    """
    caption = f"../report/{name.split('.')[0]}.rst"
    path = OUT.report_file(name, "{made_from}")
    return report(path, caption=caption, category=category, labels={"what": what})


def captions():
    return [workflow.source_path(f"../report/{name}.rst") for name in PICTURES]


def report_files():
    return [OUT.report_file(name, made_from("documents")) for name in REPORT_FILES]


def reported(wildcards):
    """The files of the report. They are made anew, unless they are only packed."""
    files = report_files()
    if IS_PACKED and not IS_MADE_BEFORE:
        return files
    return target(files, [*files, OUT.report_facts(made_from("documents"))])


def reported_if_asked(wildcards):
    """With the option --report, the result of a run has its report with it."""
    return reported(wildcards) if IS_PACKED else []


def finished_and_verified(wildcards):
    """What is reported: the output as it is, or as this run leaves it."""
    return [*finished(wildcards), *verified_if_asked(wildcards)]


def planned(wildcards):
    refuse_older_plan(wildcards, made_from("documents"))
    return planned_facts(MADE_FROM, OUT)


if IS_PACKED and not IS_MADE_BEFORE and not all(map(os.path.exists, report_files())):
    sys.exit(
        f"snakemesh: {OUT.report} has no report of this configuration; "
        "add --report-after-run --cores all to make it"
    )
