"""Planning with Snakemake in less time, where it does the same again for every job; and its end.

For each job, Snakemake asks 23 times which parameters a function of a rule takes, and reads the
script of the rule to see that it is there. With 20,000 jobs, these two take 9 of 46 CPU seconds.
Both only depend on the rule, so they are done once for each function and each rule.

Only the process that plans uses this, but for `skip_notebooks`. Snakemake's own functions are
called, so the answers are the same; a version of Snakemake without these functions plans as slowly
as it does by itself.

While jobs run, Snakemake looks again after a second whether more may start, and sets a timer for
that. The last timer would hold up the end of a run.
"""

import gc
import inspect
import threading
from collections.abc import Callable, Mapping
from types import MethodType
from typing import Any

import snakemake.common
import snakemake.dag
import snakemake.rules
import snakemake.script
from snakemake.common import get_function_params
from snakemake.scheduling.job_scheduler import JobScheduler

# How Snakemake calls the function that says which parameters another one takes.
_ASKED = "get_function_params"
# How it calls the function that says in which language a script is.
_LANGUAGE = "get_language"
# Its method that looks again after some seconds, and what it then releases.
_AGAIN, _OPEN = "_schedule_reevalutation", "_open_jobs"
# When Python looks for garbage: after this many new objects, and at all objects after 20 times 100
# such looks. A plan is millions of objects, which all stay. Looking at them as often as Python does
# by itself took 4.6 of the 24 CPU seconds of planning 20,011 jobs.
_GARBAGE_THRESHOLDS = (50_000, 20, 100)
_LOOK_AT_SCRIPT = snakemake.dag.ScriptProcessor.process_job


def use_quick_planning() -> None:
    """Have this process remember what Snakemake asks for every job."""
    gc.set_threshold(*_GARBAGE_THRESHOLDS)
    _remember_parameters()
    _look_at_scripts_once()


def skip_notebooks() -> None:
    """Keep Snakemake from importing what reads notebooks, which takes 0.12 s, for other scripts."""
    asked = getattr(snakemake.script, _LANGUAGE, None)
    if asked is None:
        return

    def language(file: Any, source: str) -> Any:
        return "python" if file.get_filename().endswith(".py") else asked(file, source)

    setattr(snakemake.script, _LANGUAGE, language)


def end_at_once() -> None:
    """Have this process end when the last job has ended, and not up to a second later."""
    look_again = getattr(JobScheduler, _AGAIN, None)
    if look_again is None:
        return

    def look_again_until_the_end(scheduler: JobScheduler, delay: float) -> None:
        if not hasattr(scheduler, _OPEN):
            look_again(scheduler, delay)
            return
        timer = threading.Timer(delay, getattr(scheduler, _OPEN).release)
        timer.daemon = True
        timer.start()

    setattr(JobScheduler, _AGAIN, look_again_until_the_end)


def _remember_parameters() -> None:
    """Answer which parameters a function takes from memory, wherever Snakemake asks."""
    known: dict[tuple[bool, Callable[..., Any]], Mapping[str, inspect.Parameter]] = {}

    def remembered(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
        # methods of a class take the same parameters, whatever the object
        is_method = isinstance(function, MethodType)
        key = (is_method, getattr(function, "__func__", function))
        if not inspect.isfunction(key[1]):
            found: Mapping[str, inspect.Parameter] = get_function_params(function)
            return found
        if key not in known:
            known[key] = get_function_params(function)
        return known[key]

    for module in (snakemake.common, snakemake.rules):
        if hasattr(module, _ASKED):
            setattr(module, _ASKED, remembered)


def _look_at_scripts_once() -> None:
    """Look for the script of a rule once, and not for every job of the rule."""
    seen = set()

    def process_job(processor: Any, job: Any) -> None:
        script = job.rule.script
        key = (processor.script_type, job.rule.basedir, script)
        # a name with braces may differ from job to job
        if not isinstance(script, str) or "{" in script or key not in seen:
            _LOOK_AT_SCRIPT(processor, job)
            seen.add(key)

    snakemake.dag.ScriptProcessor.process_job = process_job
