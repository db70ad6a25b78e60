# What the rules of the report wait for, and which files the report is made of.

from snakemesh.console.expected import levels_there, planned_facts

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


def is_option(name):
    return any(part == name or part.startswith(f"{name}=") for part in sys.argv)


# Whether Snakemake packs a report, and whether it runs jobs before.
IS_PACKED = workflow.is_main_process and not IS_MODULE and is_option("--report")
IS_MADE_BEFORE = is_option("--report-after-run")


def report_file(name, what, category):
    """An output that Snakemake's report shows."""
    caption = f"../report/{name.split('.')[0]}.rst"
    path = OUT.report_file(name, "{made_from}")
    return report(path, caption=caption, category=category, labels={"what": what})


def report_files():
    return [OUT.report_file(name, made_from("documents")) for name, _, _ in REPORTED]


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
