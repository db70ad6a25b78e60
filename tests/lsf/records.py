"""The files that LSF writes: its event log, a cluster's parameters and the report of a job.

Sources: IBM Spectrum LSF 10.1, configuration reference, `lsb.events` and `lsb.params`;
"Termination reasons displayed by bacct, bhist, and bjobs".
"""

import time
from pathlib import Path

from lsf.job import Job

NAME = "standin"
QUEUE = "normal"
# lsbatch.h; UNKWN is "local cluster contact lost"
STATUS = {"USUSP": 16, "EXIT": 32, "DONE": 64, "UNKWN": 65536}
REASONS = {
    "TERM_MEMLIMIT": "job killed after reaching LSF memory usage limit",
    "TERM_RUNLIMIT": "job killed after reaching LSF run time limit",
    "TERM_OWNER": "job killed by owner",
    "TERM_EXTERNAL_SIGNAL": "job killed by a signal external to LSF",
}


def write_configuration(folder: Path) -> None:
    """Make the folders of a cluster, with the one parameter that the plugin reads."""
    params = folder / "conf" / "lsbatch" / NAME / "configdir" / "lsb.params"
    params.parent.mkdir(parents=True)
    params.write_text(
        f"Begin Parameters\nDEFAULT_QUEUE = {QUEUE}  # of jobs without -q\nEnd Parameters\n"
    )
    events_file(folder).parent.mkdir(parents=True)
    events_file(folder).write_text("#1\n")


def configuration(folder: Path, unit: str) -> dict[str, str]:
    """The part of the configuration that `badmin showconf mbd` shows here. unit: of limits."""
    return {
        "LSF_CONFDIR": f"{folder}/conf",
        "LSB_SHAREDIR": f"{folder}/work",
        "LSF_UNIT_FOR_LIMITS": unit,
    }


def events_file(folder: Path) -> Path:
    return folder / "work" / NAME / "logdir" / "lsb.events"


def _append(folder: Path, fields: list) -> None:
    texts = (
        '"' + field.replace('"', '""') + '"' if isinstance(field, str) else str(field)
        for field in fields
    )
    with open(events_file(folder), "a") as file:
        file.write(" ".join(texts) + "\n")


def log_new(folder: Path, job: Job) -> None:
    """Log JOB_NEW up to the command. The fields after it are left out, as nothing reads them."""
    now, options = int(time.time()), job.asked.options
    limits = [-1] * 11
    limits[9] = -1 if job.asked.run_minutes is None else 60 * job.asked.run_minutes
    fields = ["JOB_NEW", "10.1", now, job.id, job.uid, 0, job.asked.tasks, now, 0, 0, 0, 0, 0]
    fields += [job.user, *limits, "", 1.0, 0o022, job.queue, " ".join(job.asked.resources)]
    fields += ["submit", job.cwd, "", "/dev/null", options.get("-o", ""), options.get("-e", "")]
    fields += [job.environment.get("HOME", "/"), f"{now}.{job.id}", 0, "", "", job.name]
    _append(folder, [*fields, job.asked.command])


def log_start(folder: Path, job: Job) -> None:
    """Log JOB_START. The 4 is the new status, RUN."""
    fields = ["JOB_START", "10.1", int(time.time()), job.id, 4, job.process.pid, job.process.pid]
    _append(folder, [*fields, 1.0, 1, job.host, "", "", 0, "", 0])


def log_status(folder: Path, job: Job) -> None:
    """Log JOB_STATUS, without resource usage (ru is 0) and without fields of newer versions."""
    now = int(time.time())
    ended = now if job.has_ended else 0
    fields = ["JOB_STATUS", "10.1", now, job.id, STATUS[job.status], 0, 0, 0.0, ended, 0]
    _append(folder, [*fields, job.exit_code << 8, 0, 0])


def report(job: Job) -> str:
    """The report that LSF appends to the file of `-o`, before the output of the job."""
    word = "Done" if job.status == "DONE" else "Exited"
    result = (
        "Successfully completed." if word == "Done" else f"Exited with exit code {job.exit_code}."
    )
    reason = f"{job.reason}: {REASONS[job.reason]}.\n" if job.reason else ""
    rule = "-" * 60
    return (
        f"Sender: LSF System <lsfadmin@{job.host}>\n"
        f"Subject: Job {job.id}: <{job.name}> in cluster <{NAME}> {word}\n\n"
        f"Job was executed on host(s) <{job.host}>, in queue <{job.queue}>, as user <{job.user}>\n"
        f"<{job.cwd}> was used as the working directory.\n\n"
        f"Your job looked like:\n\n{rule}\n# LSBATCH: User input\n{job.asked.command}\n{rule}\n\n"
        f"{reason}{result}\n\nResource usage summary:\n\n"
        f"    Max Memory :   {job.peak >> 20} MB\n"
        f"    Run time :     {time.time() - job.started:.0f} sec.\n\n"
        "The output (if any) follows:\n\n"
    )
