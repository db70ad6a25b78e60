"""Listens for jobs that fail: says why, and keeps a list of them in the output directory."""

import json
import logging
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from snakemesh.cost.failure_reasons import (
    INTERRUPTED,
    is_interruption,
    log_says_success,
    reason_in_cluster_logs,
    reason_in_exception,
    reason_in_log,
    reason_in_message,
    short_of,
)
from snakemesh.cost.shortages import Shortages
from snakemesh.output.folder import OutputFolder

# The attribute of a record about a failed group that holds its executor's message.
CLUSTER_SAYS = "cluster_says"


@dataclass(frozen=True)
class Failure:
    """A failed attempt at a job.

    time: ISO 8601, UTC. rule: such as "mesh_block". job: which job of the rule, such as "lod 0
    0_0_1"; "" if the rule has only one. attempt: counted from 1. reason: one line. log: the file
    that says more; "" if there is none.
    """

    time: str
    rule: str
    job: str
    attempt: int
    reason: str
    log: str


@dataclass(frozen=True)
class Attempt:
    """An attempt at a job of ours. before: the state of its log when the attempt began."""

    rule: str
    wildcards: Mapping[str, str]
    number: int
    log: str
    before: tuple[int, ...] | None

    @property
    def job(self) -> str:
        """Which job of its rule it is, in the words of its log: "lod 0 0_0_1"."""
        words = (
            f"{key} {value}" if key in ("lod", "stage") else value
            for key, value in self.wildcards.items()
            if key != "fingerprint"
        )
        return " ".join(words)

    @property
    def name(self) -> str:
        """Rule and job."""
        return f"{self.rule} {self.job}".strip()

    @property
    def has_log(self) -> bool:
        """Whether this attempt has written to its log."""
        return _state(self.log) not in (None, self.before)


class FailedJobsHandler(logging.Handler):
    """Listens to Snakemake for failed jobs of ours, and appends each to the list of failures.

    folder: where our jobs have their logs. shortages: gets what each job was short of. say: is
    called with each failure. again: is called when a job that failed is started again, with the
    attempt and the resources it asks for now.
    """

    def __init__(
        self,
        folder: OutputFolder,
        shortages: Shortages,
        say: Callable[[Failure], None],
        again: Callable[[Attempt, Mapping[str, object]], None],
    ) -> None:
        super().__init__()
        self._folder = folder
        self._shortages = shortages
        self._say = say
        self._again = again
        self._attempts: dict[int, Attempt] = {}
        self._failed: set[int] = set()
        self._raised: dict[int | None, str] = {}
        self._read: dict[str, int] = {}  # bytes of the logs of clusters that earlier attempts wrote
        self._is_interrupted = False
        self._append("")  # an empty list says that nothing has failed

    @property
    def count(self) -> int:
        """How many jobs have failed and were not started again."""
        return len(self._failed)

    def emit(self, record: logging.LogRecord) -> None:
        """Take note of a job that starts or fails."""
        match getattr(record, "event", None):
            case "job_info":
                self._begin(record)
            case "error":
                self._error(record)
            case "job_error" if not getattr(record, "indent", False):
                self._fail(record)
            case "group_error":
                self._fail_group(record)
            case None if record.getMessage().startswith(INTERRUPTED):
                self._is_interrupted = True

    def _begin(self, record: logging.LogRecord) -> None:
        facts = vars(record)
        if (rule := self._folder.rule_of_logs(facts["log"])) is None:
            return
        number, log, wildcards = facts["jobid"], facts["log"][0], dict(facts["wildcards"].items())
        count = self._attempts[number].number + 1 if number in self._attempts else 1
        attempt = self._attempts[number] = Attempt(rule, wildcards, count, log, _state(log))
        if number in self._failed:
            self._failed.discard(number)
            self._again(attempt, dict(facts["resources"].items()))

    def _error(self, record: logging.LogRecord) -> None:
        """Keep the exception of a local job. Its failure comes next, from the same thread."""
        text = record.getMessage()
        missing = re.search(r"Job (\d+) +completed successfully, but some output files", text)
        if missing is None:
            self._raised[record.thread] = text
        elif attempt := self._attempts.get(int(missing[1])):
            reason = f"it succeeded, but a file is missing: {text.splitlines()[-1].strip()}"
            self._add(record, int(missing[1]), attempt, reason, attempt.log)

    def _fail(self, record: logging.LogRecord) -> None:
        facts = vars(record)
        raised = self._raised.pop(record.thread, "")
        attempt = self._attempts.get(facts["jobid"])
        if attempt is None or self._is_interrupted or is_interruption(raised):
            return
        clusters = [path for path in facts["log"] if path != attempt.log]
        said = reason_in_message(facts["rule_msg"] or "")
        reasons = self._reasons(attempt, clusters)
        texts = [text for text, _ in reasons]
        if raised and not said:
            said = reason_in_exception(raised)
            texts.append(said)
        reason, log = _told(attempt, reasons, clusters, said or "the reason is unknown")
        self._note([attempt], texts, said, clusters)
        self._add(record, facts["jobid"], attempt, reason, log)

    def _fail_group(self, record: logging.LogRecord) -> None:
        """Report those jobs of a group whose logs say so, or else the first unfinished one."""
        facts = vars(record)
        attempts = {
            number: self._attempts[number]
            for number in (info["jobid"] for info in facts["job_error_info"])
            if number in self._attempts
        }
        left = {
            number: attempt
            for number, attempt in attempts.items()
            if not (attempt.has_log and log_says_success(attempt.log))
        }
        said = {
            number: attempt
            for number, attempt in left.items()
            if attempt.has_log and reason_in_log(attempt.log, attempt.name) is not None
        }
        if not said:  # one that has begun, if there is one
            order = sorted(left or attempts, key=lambda number: not attempts[number].has_log)
            said = {number: attempts[number] for number in order[:1]}
        external = facts.get("external_jobid")
        message = f"the cluster's job {external} failed"
        if external is None:
            message = "the cluster refused its group; --verbose shows the command"
        clusters, texts = facts["aux_logs"], []
        for number, attempt in said.items():
            reasons = self._reasons(attempt, clusters)
            texts += [text for text, _ in reasons]
            reason, log = _told(attempt, reasons, clusters, message)
            self._add(record, number, attempt, reason, log)
        # a group asks for what its largest job takes, or for that of several jobs
        self._note(list(attempts.values()), texts, facts.get(CLUSTER_SAYS) or "", clusters)

    def _reasons(self, attempt: Attempt, clusters: list[str]) -> list[tuple[str, str]]:
        """Lines that say why an attempt failed, and their logs: of the cluster, then of the job."""
        found = [reason_in_cluster_logs(clusters, self._read)]
        if attempt.has_log and (reason := reason_in_log(attempt.log, attempt.name)):
            found.append((reason, attempt.log))
        return [line for line in found if line is not None]

    def _note(
        self, attempts: list[Attempt], texts: list[str], message: str, clusters: list[str]
    ) -> None:
        """Record what these attempts, which failed together, were short of."""
        if not texts and clusters and not any(map(os.path.exists, clusters)):
            texts = ["the cluster could not even say that they have ended: their node is lost"]
        for attempt in attempts:
            self._shortages.note(attempt.rule, attempt.wildcards, short_of(texts, message))
        for path in clusters:
            with suppress(OSError):
                self._read[path] = os.path.getsize(path)

    def _add(
        self, record: logging.LogRecord, number: int, attempt: Attempt, reason: str, log: str
    ) -> None:
        self._failed.add(number)
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="seconds")
        failure = Failure(time, attempt.rule, attempt.job, attempt.number, reason, log)
        self._append(json.dumps(asdict(failure)) + "\n")
        self._say(failure)

    def _append(self, text: str) -> None:
        with suppress(OSError):  # jobs fail because the disk is full: the run must go on, to say so
            os.makedirs(os.path.dirname(self._folder.failures), exist_ok=True)
            with open(self._folder.failures, "a") as file:
                file.write(text)


def _told(
    attempt: Attempt, reasons: list[tuple[str, str]], clusters: list[str], otherwise: str
) -> tuple[str, str]:
    """Why an attempt failed, and the path of the log that says more.

    The log of the job knows best; then the logs of the cluster; then what the executor says.
    """
    if reasons:
        return reasons[-1]
    there = [path for path in clusters if os.path.exists(path)]
    return otherwise, (there or [attempt.log if attempt.has_log else ""])[0]


def _state(path: str) -> tuple[int, ...] | None:
    """Numbers that change when a file is written; None if there is no file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
