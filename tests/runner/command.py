"""Runs the commands of jobs. Their output carries the name of the job, and jobs that only compute run at low priority."""

import contextlib
import os
import signal
import subprocess
import threading

from runner.count import ROOT

# Compilers and the like allocate and free much memory. Huge pages, and not giving memory back, save them up to a fifth of
# their time, and more on machines where a page fault is expensive. lab/build has the same.
MUCH_MEMORY = {
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.top_pad=67108864:glibc.malloc.mmap_threshold=1073741824"
    ":glibc.malloc.trim_threshold=4294967296"
}

_here = threading.local()  # the name of this thread's job
_print = threading.Lock()
_running = set()
_used = {}  # processor time of the commands of each job that have ended


def name_thread(job):
    _here.job = job


def say(text):
    with _print:
        print(f"[{getattr(_here, 'job', 'run-tests')}] {text}", flush=True)


def processor_seconds(job):
    """Returns the processor time of the commands of a job that have ended, with all that they started and waited for."""
    with _print:
        return _used.get(job, 0.0)


def _wait(process):
    """Waits until a process has ended, adds its processor time to that of this thread's job, and returns its exit code."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    job = getattr(_here, "job", None)
    with _print:
        _used[job] = _used.get(job, 0.0) + usage.ru_utime + usage.ru_stime
    return process.returncode


def _give_way():
    """Lowers the priority of the child, also where the kernel groups processes by session (autogroup)."""
    os.nice(15)
    with contextlib.suppress(OSError), open("/proc/self/autogroup", "w", encoding="ascii") as group:
        group.write("15")


def run(*command, background=False, quiet=False, folder=ROOT, **options):
    """Runs a command in a folder, and returns its exit code. A `background` command only computes, and runs at low priority.
    The output of a `quiet` command is shown only if it fails."""
    process = subprocess.Popen(
        [str(word) for word in command], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        stderr=subprocess.STDOUT, errors="replace", start_new_session=background,
        preexec_fn=_give_way if background else None, **options,
    )  # fmt: skip
    _running.add(process)
    try:
        kept = []
        for line in process.stdout:
            (kept.append if quiet else say)(line.rstrip("\n"))
        code = _wait(process)
        for line in kept if code != 0 else ():
            say(line)
        return code
    finally:
        _running.discard(process)


def end_all():
    """Ends the commands that still run, after the person who started them has interrupted the run."""
    for process in list(_running):
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(process.pid) == process.pid:
                os.killpg(process.pid, signal.SIGTERM)
            else:
                process.terminate()
