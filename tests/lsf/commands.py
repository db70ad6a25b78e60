"""The answers of LSF's commands. The programs in `bin` only fetch them through a socket.

Sources: IBM Spectrum LSF 10.1, command reference, `bsub`, `bjobs`, `bkill`, `bhist`, `badmin` and
`lsclusters`. `bjobs` and `bhist` answer only the command lines that the plugin uses.
"""

import json
import socketserver
import threading
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from lsf import records
from lsf.syntax import SyntaxRefusedError, read_bsub

if TYPE_CHECKING:
    from lsf.cluster import Cluster

SOCKET = "mbatchd.socket"
Answer = tuple[str, str, int]  # standard output, standard error, exit code


class Server:
    """Answers the commands of one cluster, each in its own thread, until it is closed."""

    def __init__(self, folder: Path, cluster: "Cluster") -> None:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                asked = json.loads(self.rfile.readline())
                answer = COMMANDS[asked["command"]](cluster, asked)
                self.wfile.write(json.dumps(answer).encode())

        self._server = socketserver.ThreadingUnixStreamServer(str(folder / SOCKET), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def bsub(cluster: "Cluster", asked: dict) -> Answer:
    try:
        submission = read_bsub(asked["arguments"])
    except SyntaxRefusedError as error:
        cluster.refused.append(str(error))
        return "", f"{error}. Job not submitted.\n", 255
    if not cluster.takes_jobs():
        return "", "Communication time out. Job not submitted.\n", 255
    job = cluster.submit(submission, asked["cwd"], asked["environment"], asked["uid"])
    which = "" if "-q" in submission.options else "default "
    return f"Job <{job.id}> is submitted to {which}queue <{job.queue}>.\n", "", 0


def bjobs(cluster: "Cluster", asked: dict) -> Answer:
    """`bjobs -noheader -o 'jobid stat' -aJ PATTERN`: jobs in all states whose name matches."""
    *options, pattern = asked["arguments"]
    if options != ["-noheader", "-o", "jobid stat", "-aJ"]:
        return "", f"not known here: bjobs {' '.join(asked['arguments'])}\n", 255
    if not cluster.answers():
        return "", "LSF is down. Please wait ...\n", 255
    jobs = [job for job in cluster.known() if fnmatchcase(job.name, pattern)]
    if not jobs:
        return "", f"Job <{pattern}> is not found\n", 255
    return "".join(f"{job.id:<7} {job.status:<5}\n" for job in jobs), "", 0


def bkill(cluster: "Cluster", asked: dict) -> Answer:
    jobs = {str(job.id): job for job in cluster.known()}
    out, problems = "", ""
    for number in asked["arguments"]:
        if number not in jobs:
            problems += f"Job <{number}>: No matching job found\n"
        elif jobs[number].has_ended:
            problems += f"Job <{number}>: Job has already finished\n"
        else:
            cluster.end(jobs[number])
            out += f"Job <{number}> is being terminated\n"
    return out, problems, 255 if problems else 0


def bhist(cluster: "Cluster", asked: dict) -> Answer:
    """`bhist -l -a`. The plugin reads the projects in its answer."""
    if not cluster.jobs:
        return "", "No matching job found\n", 255
    lines = (
        f"Job <{job.id}>, Job Name <{job.name}>, User <{job.user}>, "
        f"Project <{job.asked.options.get('-P', 'default')}>, Command <{job.asked.command}>\n"
        for job in cluster.jobs
    )
    return "".join(lines), "", 0


def badmin(cluster: "Cluster", asked: dict) -> Answer:
    found = records.configuration(cluster.folder, cluster.unit)
    lines = (f"        {key} = {value}\n" for key, value in found.items())
    return "MBD configuration at Mon Jan  1 00:00:00 2024\n" + "".join(lines), "", 0


def lsclusters(cluster: "Cluster", asked: dict) -> Answer:
    heading = "CLUSTER_NAME   STATUS   MASTER_HOST   ADMIN      HOSTS  SERVERS\n"
    hosts = len(cluster.hosts)
    first = next(iter(cluster.hosts))
    return f"{heading}{records.NAME}   ok   {first}   lsfadmin   {hosts}   {hosts}\n", "", 0


COMMANDS = {
    "bsub": bsub,
    "bjobs": bjobs,
    "bkill": bkill,
    "bhist": bhist,
    "badmin": badmin,
    "lsclusters": lsclusters,
}
