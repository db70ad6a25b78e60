"""The command line of `bsub` as LSF 10.1 documents it, and a reader that refuses any other.

Source: IBM Spectrum LSF 10.1, command reference, `bsub` and the page of each option, at
https://www.ibm.com/docs/en/spectrum-lsf/10.1.0?topic=bsub-options; for `-R` also "Resource
requirement strings". Only the options are known that this workflow, the plugin or a user's
`lsf_extra` is likely to pass. Any other option is refused, although LSF may have it.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# Job names, file names and the command: "up to 4094 characters for UNIX and Linux"
LONGEST = 4094
LONGEST_PROJECT = 511
# By the first letter of a unit, how many MB it is
MB_OF = {"K": 2**-10, "M": 1, "G": 2**10, "T": 2**20, "P": 2**30, "E": 2**40}


class SyntaxRefusedError(ValueError):
    """A command line that LSF's documentation does not allow."""


@dataclass(frozen=True)
class Submission:
    """What a `bsub` line asks for.

    options: the value of each option except `-R`. resources: all values of `-R`, in order. tasks:
    from `-n`. run_minutes: from `-W`, None if not given. mem: from `rusage[mem=]`, in the cluster's
    unit, None if not given. limit: from `-M`, the number and its unit, None if not given; "" stands
    for the cluster's unit.
    """

    options: dict[str, str]
    resources: tuple[str, ...]
    command: str
    tasks: int
    run_minutes: int | None
    mem: float | None
    limit: tuple[int, str] | None

    def limit_mb(self, unit: str) -> float | None:
        """The memory limit in MB, on a cluster whose LSF_UNIT_FOR_LIMITS is `unit`."""
        if self.limit is None:
            return None
        number, own = self.limit
        return number * MB_OF[(own or unit)[0]]


def read_bsub(arguments: Sequence[str]) -> Submission:
    """Read the arguments of `bsub`, as the shell passes them.

    Raises SyntaxRefusedError, which names the option and the rule of the documentation.
    """
    options, resources, rest = {}, [], list(arguments)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option in FLAGS:
            options[option] = ""
            continue
        if option not in OPTIONS:
            raise SyntaxRefusedError(f"{option}: not an option known here")
        if not rest:
            raise SyntaxRefusedError(f"{option}: its value is missing")
        value = rest.pop(0)
        problem = OPTIONS[option](value)
        if problem:
            raise SyntaxRefusedError(f"{option} {value[:200]}: {problem}")
        if option == "-R":
            resources.append(value)
        elif option in options:
            raise SyntaxRefusedError(f"{option}: given twice")
        else:
            options[option] = value
    command = " ".join(rest)
    if not command.strip():
        raise SyntaxRefusedError("no command (reading it from standard input is not known here)")
    if len(command) > LONGEST:
        raise SyntaxRefusedError(
            f"the command has {len(command)} characters, and can be up to {LONGEST} characters long"
        )
    mem = re.search(r"rusage\[(?:[^\]]*[,:])?mem=([0-9.]+)", " ".join(resources))
    return Submission(
        options=options,
        resources=tuple(resources),
        command=command,
        tasks=int(options.get("-n", "1").split(",")[0]),
        run_minutes=_minutes(options["-W"]) if "-W" in options else None,
        mem=float(mem[1]) if mem else None,
        limit=_limit(options["-M"]) if "-M" in options else None,
    )


def _matches(pattern: str, says: str) -> Callable[[str], str | None]:
    return lambda value: None if re.fullmatch(pattern, value) else says


def _at_most(length: int) -> Callable[[str], str | None]:
    says = f"can have 1 to {length} characters"
    return lambda value: None if 0 < len(value) <= length else says


def _job_name(value: str) -> str | None:
    """Check a job name, or the name of a job array, whose indices are in square brackets."""
    if "[" in value and not re.fullmatch(r"[^\[\]]+\[[0-9,:-]+\](%[0-9]+)?", value):
        return "square brackets are for the indices of a job array"
    return _at_most(LONGEST)(value)


def _requirement(value: str) -> str | None:
    """Check `section[...] section[...]`, with one blank between sections.

    The usage string is `res=value:res=value`, as in rusage[r1m=0.5:mem=20:swp=40]. A value may have
    a decimal part, a unit (from 10.1.0.2) and `/host`, `/job` or `/task` (from 10.1.0.9).
    """
    number = r"[0-9]+(\.[0-9]+)?([KMGTPEZ]B?)?(/(host|job|task))?"
    usage = rf"\w+={number}([,:]\s*\w+={number})*(:duration=[0-9]+[smh]?(:decay=[01])?)?"
    sections = {
        "rusage": rf"{usage}(\s*\|\|\s*{usage})*",
        "span": r"hosts=1|hosts=-1|ptile=[0-9]+|ptile='!'|block=[0-9]+|stripe(=[0-9]+)?",
        "select": r"[^\[\]]+",
        "order": r"-?\w+(:-?\w+)*",
        "same": r"\w+(:\w+)*",
    }
    found = re.findall(r"(\w+)\[([^\]]*)\]", value)
    if not found or " ".join(f"{name}[{text}]" for name, text in found) != value:
        return "is not section[...] section[...]"
    for name, text in found:
        if name not in sections or not re.fullmatch(sections[name], text):
            return f"{name}[{text}] is not of the documented form"
    return None


def _minutes(value: str) -> int:
    hours, minutes = re.fullmatch(r"(?:([0-9]+):)?([0-9]+)(?:/.*)?", value).groups()
    return 60 * int(hours or 0) + int(minutes)


def _limit(value: str) -> tuple[int, str]:
    number, unit = re.fullmatch(r"([0-9]+)([A-Z]*)!?", value).groups()
    return int(number), unit


# The check of each option's value: it returns what is wrong with it, or None.
OPTIONS: dict[str, Callable[[str], str | None]] = {
    "-J": _job_name,
    "-o": _at_most(LONGEST),
    "-oo": _at_most(LONGEST),
    "-e": _at_most(LONGEST),
    "-eo": _at_most(LONGEST),
    "-cwd": _at_most(LONGEST),
    "-env": _matches(r"none|all(, ?~?\w+(=.*)?)*|\w+(=.*)?(, ?\w+(=.*)?)*", "none, all or names"),
    "-P": _at_most(LONGEST_PROJECT),
    "-q": _matches(r"[\w.-]+( [\w.-]+)*", "names of queues, blanks between them"),
    "-W": _matches(r"([0-9]+:)?[0-9]+(/[\w.-]+)?", "[hour:]minute[/host_name | /host_model]"),
    "-n": _matches(r"[1-9][0-9]*(,[1-9][0-9]*)?", "min_tasks[,max_tasks]"),
    "-R": _requirement,
    "-M": _matches(r"[0-9]+([KMGTPEZ]B?)?!?", "mem_limit[!]"),
    "-G": _at_most(LONGEST),
    "-g": _matches(r"/.+", "the path of a job group"),
    "-app": _at_most(LONGEST),
    "-m": _at_most(LONGEST),
    "-sla": _at_most(LONGEST),
}
FLAGS = {"-x", "-r", "-rn", "-N", "-B", "-H"}
