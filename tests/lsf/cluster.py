"""The cluster: hosts with slots, a queue, and the faults that a test can cause."""

import getpass
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType

import processes
from lsf import records
from lsf.commands import Server
from lsf.job import Job
from lsf.syntax import Submission

TICK = 0.1  # seconds between two looks at the jobs and their memory


class Cluster:
    """A cluster that lives as long as its `with` block.

    hosts: slots by name of host. dispatch_delay: least seconds that a job waits. report_delay:
    seconds until bjobs knows a new job. unit: LSF_UNIT_FOR_LIMITS. queue_limit_mb: of the memory of
    jobs that say none, None for no limit. The commands in `bin` find the cluster through its
    `environment`.
    """

    def __init__(
        self,
        folder: Path,
        hosts: dict[str, int],
        dispatch_delay: float = 0,
        report_delay: float = 0,
        unit: str = "MB",
        queue_limit_mb: float | None = None,
    ) -> None:
        self.folder, self.hosts = folder, hosts
        self.dispatch_delay, self.report_delay = dispatch_delay, report_delay
        self.unit, self.queue_limit_mb = unit, queue_limit_mb
        self.jobs: list[Job] = []
        self.refused: list[str] = []
        self.unanswered = self.turned_away = 0
        self.most_running = self.most_waiting = 0
        self._down: set[str] = set()
        self._silent_for, self._silent_until, self._silent_uses = 0.0, None, 0
        self._stalled_at_start: list[str] = []
        self._turn_away = 0
        self._lock = threading.RLock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Cluster":
        records.write_configuration(self.folder)
        self._server = Server(self.folder, self)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._end.set()
        self._thread.join()
        self._server.close()
        for job in self.jobs:
            if job.process is not None:
                processes.kill(job.process.pid)
                job.process.wait()

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a process on a host of this cluster."""
        bin_folder = Path(__file__).parent / "bin"
        path = f"{bin_folder}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "LSF_ENVDIR": str(self.folder)}

    # Faults

    def fail_host(self, host: str, noticed: bool) -> None:
        """A machine dies with its jobs.

        noticed: LSF knows that the jobs have ended, and they are EXIT. Otherwise LSF only knows
        that it lost contact with the machine, and the jobs are UNKWN from then on.
        """
        with self._lock:
            self._down.add(host)
            for job in self._running_on(host):
                processes.kill(job.process.pid)
                if noticed:
                    self._finish(job, 128 + signal.SIGKILL, "TERM_EXTERNAL_SIGNAL", tells=False)
                else:
                    job.status = "UNKWN"
                    records.log_status(self.folder, job)

    def lose(self, job: Job) -> None:
        """A job is gone, and neither bjobs nor the event log tells so."""
        with self._lock:
            job.lost = True
            if job.process is not None:
                processes.kill(job.process.pid)

    def forget(self, job: Job) -> None:
        """Once a job has ended, bjobs does not know it any more, but the event log does.

        In LSF this happens after the CLEAN_PERIOD of lsb.params.
        """
        job.forgotten = True

    def stall(self, job: Job) -> None:
        """Stop the processes of a job until `go_on`."""
        processes.send(job.process.pid, signal.SIGSTOP)

    def stall_at_start(self, *names: str) -> None:
        """The next jobs whose names begin like these are stopped before they do anything."""
        self._stalled_at_start.extend(names)

    def go_on(self, job: Job) -> None:
        processes.send(job.process.pid, signal.SIGCONT)

    def fall_silent(self, seconds: float, uses: int = 0) -> None:
        """bjobs gets no answer for some seconds, which begin with its next use.

        uses: and not before it was used so often.
        """
        self._silent_for, self._silent_until, self._silent_uses = seconds, None, uses

    def limit_mb(self, job: Job) -> float | None:
        """The memory at which a job is killed, None if there is no limit."""
        own = job.asked.limit_mb(self.unit)
        return self.queue_limit_mb if own is None else own

    def suspend(self, job: Job) -> None:
        """The owner suspends a running job, as bstop does."""
        with self._lock:
            self.stall(job)
            job.status = "USUSP"
            records.log_status(self.folder, job)

    def end_for_time(self, job: Job) -> None:
        """A running job has reached the time limit of `-W`."""
        with self._lock:
            processes.kill(job.process.pid)
            self._finish(job, 128 + signal.SIGUSR2, "TERM_RUNLIMIT")

    def turn_away(self, times: int) -> None:
        """The next uses of bsub fail, whatever they ask for."""
        self._turn_away = times

    # What the commands call

    def takes_jobs(self) -> bool:
        """Whether bsub works now. Counts the times that it does not."""
        with self._lock:
            if not self._turn_away:
                return True
            self._turn_away -= 1
            self.turned_away += 1
            return False

    def submit(self, asked: Submission, cwd: str, environment: dict[str, str], uid: int) -> Job:
        with self._lock:
            job = Job(
                id=len(self.jobs) + 1,
                asked=asked,
                name=asked.options.get("-J", asked.command),
                queue=asked.options.get("-q", records.QUEUE),
                cwd=asked.options.get("-cwd", cwd),
                environment=environment,
                uid=uid,
                user=getpass.getuser(),
                submitted=time.time(),
            )
            self.jobs.append(job)
            records.log_new(self.folder, job)
            return job

    def known(self) -> list[Job]:
        """The jobs that bjobs knows, including finished ones."""
        now = time.time()
        with self._lock:
            return [
                job
                for job in self.jobs
                if not job.lost
                and now >= job.submitted + self.report_delay
                and not (job.forgotten and job.has_ended)
            ]

    def answers(self) -> bool:
        """Whether bjobs gets an answer now. Counts the times that it gets none."""
        with self._lock:
            if self._silent_until is None:
                self._silent_until = time.time() + self._silent_for
            silent = time.time() < self._silent_until or self.unanswered < self._silent_uses
            self.unanswered += silent
            return not silent

    def end(self, job: Job) -> None:
        """Kill a job, as bkill does. One on a host that is down stays UNKWN."""
        with self._lock:
            if job.status == "UNKWN":
                return
            if job.process is not None:
                processes.kill(job.process.pid)
            self._finish(job, 128 + signal.SIGTERM, "TERM_OWNER")

    # The work

    def _running_on(self, host: str) -> list[Job]:
        return [job for job in self.jobs if job.host == host and job.occupies_slots]

    def _run(self) -> None:
        while not self._end.wait(TICK):
            with self._lock:
                self._look_after_running()
                self._dispatch()
                waiting = sum(job.status == "PEND" and not job.lost for job in self.jobs)
                running = sum(job.status == "RUN" for job in self.jobs)
                self.most_waiting = max(self.most_waiting, waiting)
                self.most_running = max(self.most_running, running)

    def _look_after_running(self) -> None:
        running = [job for job in self.jobs if job.status == "RUN" and not job.lost]
        found = processes.sessions() if running else {}
        for job in running:
            code = job.process.poll()
            if code is not None:
                self._finish(job, code if code >= 0 else 128 - code, None)
                continue
            rss = found[job.process.pid].rss
            job.peak = max(job.peak, rss)
            limit = self.limit_mb(job)
            if limit is not None and rss > limit * 2**20:
                processes.kill(job.process.pid)
                self._finish(job, 128 + signal.SIGKILL, "TERM_MEMLIMIT")

    def _dispatch(self) -> None:
        for job in self.jobs:
            if job.status != "PEND" or job.lost:
                continue
            if time.time() < job.submitted + self.dispatch_delay:
                return
            for host, slots in self.hosts.items():
                taken = sum(j.asked.tasks for j in self._running_on(host))
                if host not in self._down and taken + job.asked.tasks <= slots:
                    self._start(job, host)
                    break
            else:
                return  # jobs start in the order of submission

    def _start(self, job: Job, host: str) -> None:
        script, output = self._files(job)
        stalled = [name for name in self._stalled_at_start if job.name.startswith(name)]
        for name in stalled:
            self._stalled_at_start.remove(name)
        # stopped from outside, it could have started another process before
        first = "kill -STOP $$\n" if stalled else ""
        script.write_text(f"#!/bin/sh\n{first}{job.asked.command}\n")
        own = {"LSB_JOBID": str(job.id), "LSB_JOBNAME": job.name, "LSB_HOSTS": host}
        with open(output, "wb") as file:
            job.process = subprocess.Popen(
                ["/bin/sh", script],
                cwd=job.cwd,
                env=job.environment | own,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        job.status, job.host, job.started = "RUN", host, time.time()
        records.log_start(self.folder, job)

    def _finish(self, job: Job, code: int, reason: str | None, tells: bool = True) -> None:
        """End a job. tells: whether a process is left on its host that can write the report."""
        job.status, job.exit_code = "DONE" if code == 0 else "EXIT", code
        job.reason, job.ended = reason, time.time()
        if job.process is not None:
            job.process.wait()
            if tells and "-o" in job.asked.options:
                _, output = self._files(job)
                with open(job.asked.options["-o"].replace("%J", str(job.id)), "a") as file:
                    file.write(records.report(job) + output.read_text(errors="replace"))
        records.log_status(self.folder, job)

    def _files(self, job: Job) -> tuple[Path, Path]:
        return self.folder / f"{job.id}.sh", self.folder / f"{job.id}.out"
