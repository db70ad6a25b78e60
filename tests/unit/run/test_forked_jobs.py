"""Jobs that are forked from a server are what jobs in a new Python are, and end as these do."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import snakemake.cli  # noqa: F401 the modules of snakemake import each other: this one comes first
from snakemake.benchmark import BenchmarkRecord
from snakemake.shell import shell

from snakemesh.run.forked_jobs import SERVER, ForkServer, environment_of

ENVIRONMENT = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
# What a script can learn of the Python that runs it.
SELF_PORTRAIT = """
names = sorted(name for name in globals() if not name.startswith("__"))
import json, os, signal, sys, threading
descriptors = [os.path.realpath(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")]
told = {
    "names": names,
    "name": __name__,
    "file": __file__,
    "main": sys.modules["__main__"].__file__,
    "arguments": sys.argv,
    "folder": os.getcwd(),
    "first in path": sys.path[0],
    "environment": dict(os.environ),
    "ctrl-c is left to the system": signal.getsignal(signal.SIGINT) == signal.SIG_DFL,
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "threads": threading.active_count(),
    "sockets": sum("socket" in path for path in descriptors),
    "collects garbage": __import__("gc").isenabled(),
}
with open(sys.argv[0] + ".json", "w") as file:
    json.dump(told, file)
"""
PATIENCE_S = 120  # for what happens soon, on the slowest machine
# Python runs this before the server.
SECOND_THREAD = (
    "import threading, time; threading.Thread(target=time.sleep, args=(600,), daemon=True).start()"
)


@pytest.fixture(scope="module", autouse=True)
def ctrl_c():
    """What starts here is ended by Ctrl-C, also where a shell has started the tests with `&`."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def server():
    return ForkServer(SERVER)


@pytest.fixture
def run(server, tmp_path):
    """Runs a text as a script that is forked."""
    return lambda text, record=None: run_by(server, tmp_path, text, record)


def run_by(server, folder, text, record=None, environment=ENVIRONMENT):
    path = folder / f"{time.monotonic_ns()}.script.py"
    path.write_text(text)
    return server.run(str(path), [], environment, record)


def process_of(start):
    """The server that `start` starts, as a process."""
    before = set(psutil.Process().children())
    start()
    return next(p for p in psutil.Process().children() if p not in before)


def portrait(path):
    return json.loads(Path(f"{path}.json").read_text())


def test_a_fork_is_what_a_new_python_is(server, tmp_path):
    path = tmp_path / "script.py"
    path.write_text(SELF_PORTRAIT)
    head = "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL); del signal\n"
    path.write_text(head + SELF_PORTRAIT)
    subprocess.run([sys.executable, path], env=ENVIRONMENT, check=True)
    new = portrait(path)
    for _ in range(2):  # the second one is forked from the same server
        assert server.run(str(path), [], ENVIRONMENT, None)
        assert portrait(path) == new
    assert new["arguments"] == [str(path)] and new["sockets"] == 0


def test_what_takes_long_is_loaded_before(server, run, tmp_path):
    assert run("import sys; assert {'tensorstore', 'snakemake.iocontainers'} <= set(sys.modules)")
    path = tmp_path / "script.py"
    path.write_text(
        "import sys\n"
        "mapping = sys.modules['snakemesh.tables.mapping']\n"
        "assert mapping.number.signatures and mapping.replace.signatures\n"
    )
    assert server.run(str(path), ["bodies"], ENVIRONMENT, None)


def test_what_a_job_does_stays_in_it(run):
    assert run("import json, os; json.left = 1; os.environ['LEFT'] = '1'; os.chdir('/')")
    assert run("import json, os; assert not hasattr(json, 'left') and 'LEFT' not in os.environ")


def test_the_end_of_a_job_is_that_of_python(run, tmp_path):
    """What is registered for the end is called, and what was printed is written."""
    text = f"""
import atexit, sys
from pathlib import Path
sys.stdout = open({str(tmp_path / "printed")!r}, "w")
print("in a buffer")
atexit.register(Path({str(tmp_path / "at_exit")!r}).touch)
"""
    assert run(text)
    assert (tmp_path / "printed").read_text() == "in a buffer\n"
    assert (tmp_path / "at_exit").exists()


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("import sys; sys.exit(3)", 3),
        ("import sys; sys.exit('disk full')", 1),
        ("1 / 0", 1),
        ("import no_such_module", 1),
        ("this is no Python", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("import os, signal; os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT),
    ],
)
def test_a_job_that_fails_raises_like_subprocess(run, text, status):
    with pytest.raises(subprocess.CalledProcessError) as raised:
        run(text)
    assert raised.value.returncode == status
    assert run("pass")  # the server lives


def test_jobs_run_side_by_side(run, tmp_path):
    """Each ends only when all have begun."""
    text = f"""
import os, time
from pathlib import Path
begun = Path({str(tmp_path)!r})
(begun / f"{{os.getpid()}}.begun").touch()
for _ in range(3000):
    if len(list(begun.glob("*.begun"))) == 8:
        break
    time.sleep(0.02)
else:
    raise SystemExit("the others have not begun")
"""
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: run(text), range(8)))


def test_a_job_is_measured_as_others_are(run, tmp_path):
    """Its memory and time go into Snakemake's record, even of one that ends at once."""
    record = BenchmarkRecord()
    seen = tmp_path / "seen"
    text = f"import os, time; kept = bytearray(150 << 20)\nwhile not os.path.exists({str(seen)!r}):"
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(run, f"{text} time.sleep(0.02)", record)
        try:
            wait_for(lambda: (record.max_rss or 0) > 150)
            time.sleep(1)  # time for the record
        finally:
            seen.touch()
        assert job.result(PATIENCE_S)
    assert record.max_rss > 150 and record.running_time > 1
    for _ in range(5):
        assert run("pass", BenchmarkRecord())


def test_another_environment_is_left_to_others(server, run, tmp_path):
    assert run("pass")
    assert not run_by(server, tmp_path, "1 / 0", environment=ENVIRONMENT | {"OMP_NUM_THREADS": "2"})


def test_nothing_is_forked_beside_a_thread(tmp_path):
    """A lock that another thread holds would never be released in the fork."""
    (tmp_path / "sitecustomize.py").write_text(SECOND_THREAD)
    environment = ENVIRONMENT | {"PYTHONPATH": str(tmp_path)}
    server = ForkServer(SERVER)
    assert not run_by(server, tmp_path, "1 / 0", environment=environment)
    assert not run_by(server, tmp_path, "1 / 0", environment=environment)


def test_the_environment_is_that_of_a_script_of_snakemake(monkeypatch):
    given = []

    def refuse(*arguments, env, **options):
        given.append(env)
        raise OSError("seen enough")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    resources = {"tmpdir": "/some/folder", "mem_mb": 500}
    with pytest.raises(OSError, match="seen enough"):
        shell("true", threads=1, resources=resources)
    assert environment_of(resources["tmpdir"]) == given[0]


def test_a_server_that_starts_early_has_loaded_what_jobs_need(tmp_path):
    server, loaded = ForkServer(SERVER), tmp_path / "loaded"
    process = process_of(lambda: server.start(ENVIRONMENT, ["bodies"]))
    text = "import sys; assert sys.modules['snakemesh.tables.mapping'].number.signatures"
    assert run_by(server, tmp_path, f"{text}; open({str(loaded)!r}, 'w')")
    assert loaded.exists() and process.is_running()
    server.end()
    assert is_over(process.pid)


@pytest.mark.parametrize("changed", ["environment", "folder"])
def test_a_server_that_starts_early_for_other_jobs_starts_anew(tmp_path, monkeypatch, changed):
    server, given = ForkServer(SERVER), ENVIRONMENT | {"CHANGED": "1"}
    process = process_of(lambda: server.start(given if changed == "environment" else ENVIRONMENT))
    if changed == "folder":
        monkeypatch.chdir(tmp_path)
    text = f"import os; assert 'CHANGED' not in os.environ and os.getcwd() == {os.getcwd()!r}"
    assert run_by(server, tmp_path, text)
    assert is_over(process.pid)
    # its jobs may still run, so it stays what it is
    assert not run_by(server, tmp_path, "1 / 0", environment=given)


def test_a_server_without_jobs_does_not_delay_the_end(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import time; time.sleep(600)")
    server = ForkServer(SERVER)
    server.start(ENVIRONMENT | {"PYTHONPATH": str(tmp_path)})
    begin = time.monotonic()
    server.end()
    assert time.monotonic() - begin < 300


def test_a_server_that_cannot_start(tmp_path):
    server = ForkServer(["-m", "no.such.module"])
    assert not run_by(server, tmp_path, "1 / 0")
    assert not run_by(server, tmp_path, "1 / 0")


def test_a_server_that_is_killed(tmp_path):
    """Its job fails and does not go on unseen; further jobs are started in another way."""
    server, pid = ForkServer(SERVER), tmp_path / "pid"
    text = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    process = process_of(lambda: run_by(server, tmp_path, "pass"))
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(run_by, server, tmp_path, text)
        wait_for(lambda: pid.exists() and pid.read_text())
        process.kill()
        with pytest.raises(ChildProcessError, match="forked from has ended"):
            job.result(PATIENCE_S)
    wait_for(lambda: is_over(int(pid.read_text())))
    assert not run_by(server, tmp_path, "1 / 0")


def test_ctrl_c_before_a_job_is_forked_ends_it(tmp_path):
    """The terminal has sent it to the server too, which goes on until all jobs have ended."""
    server = ForkServer(SERVER)
    process = process_of(lambda: run_by(server, tmp_path, "pass"))
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.CalledProcessError) as raised:
        run_by(server, tmp_path, "import time; time.sleep(60)")
    assert raised.value.returncode == -signal.SIGINT


def test_jobs_end_with_the_run(tmp_path):
    """Also if it is killed: nothing goes on beside the run that comes next."""
    pid, job = tmp_path / "pid", tmp_path / "job.py"
    job.write_text(
        f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    )
    text = f"""
import os
from pathlib import Path
import snakemake.cli
from snakemesh.run.forked_jobs import ForkServer
ForkServer({SERVER!r}).run({str(job)!r}, [], dict(os.environ), None)
"""
    environment = ENVIRONMENT | {"PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.Popen([sys.executable, "-c", text], env=environment)
    wait_for(lambda: pid.exists() and pid.read_text())
    (server,) = psutil.Process(run.pid).children()
    run.kill()
    run.wait()
    wait_for(lambda: is_over(server.pid) and is_over(int(pid.read_text())))


def is_over(pid):
    """Whether a process has ended, even if nobody has taken note of its end."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_for(moment, seconds=PATIENCE_S):
    end = time.monotonic() + seconds
    while not moment():
        assert time.monotonic() < end
        time.sleep(0.02)
