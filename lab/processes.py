"""Processes of a lab: remembered in a file, and never mistaken for somebody else's.

A process is known by its pid together with the time it started; a pid that the kernel gave to another process since is
left alone.
"""

import json
import os
import signal
import subprocess
import time


def _start_time(pid):
    """When the process started, in ticks since boot, or None if there is none (or only its corpse)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


class Processes:
    """The processes of one lab. The file says which they are also to the next program that looks after the lab."""

    def __init__(self, folder):
        self.folder = folder
        self._file = os.path.join(folder, "processes.json")
        self._children = {}

    def _load(self):
        try:
            with open(self._file, encoding="utf-8") as known:
                return json.load(known)
        except FileNotFoundError:
            return {}

    def _save(self, known):
        with open(self._file + ".new", "w", encoding="utf-8") as out:
            json.dump(known, out, indent=1)
        os.replace(self._file + ".new", self._file)

    def start(self, name, command, **options):
        """Starts a process in its own session; what it prints goes to FOLDER/NAME.log (and .out with stdout='out')."""
        if self.pid(name) is not None:
            raise RuntimeError(f"{name} runs already")
        log = open(os.path.join(self.folder, f"{name}.log"), "ab")
        out = log
        if options.pop("stdout", None) == "out":
            out = open(os.path.join(self.folder, f"{name}.out"), "wb")
        with log, out:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=log, start_new_session=True, **options
            )
        self._children[name] = child
        known = self._load()
        known[name] = {"pid": child.pid, "started": _start_time(child.pid), "command": command}
        self._save(known)
        return child.pid

    def pid(self, name):
        """The pid of a process that runs, or None."""
        entry = self._load().get(name)
        if entry is None:
            return None
        child = self._children.get(name)
        if child is not None and child.pid == entry["pid"]:
            child.poll()
        alive = _start_time(entry["pid"])
        return entry["pid"] if alive is not None and alive == entry["started"] else None

    def names(self):
        return list(self._load())

    def signal(self, name, number):
        pid = self.pid(name)
        if pid is None:
            raise RuntimeError(f"{name} does not run; see {self.log_file(name)}")
        os.kill(pid, number)

    def wait(self, name, timeout):
        """Waits for the end of a process. Returns its exit code (None if it was started by another program)."""
        child = self._children.get(name)
        deadline = time.monotonic() + timeout
        while self.pid(name) is not None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} still runs after {timeout} s")
            time.sleep(0.01)
        return child.wait() if child is not None else None

    def end(self, name, timeout=10):
        """SIGTERM, and SIGKILL if that is not heard. Returns the exit code, if this program started it."""
        if self.pid(name) is not None:
            self.signal(name, signal.SIGTERM)
            try:
                return self.wait(name, timeout)
            except TimeoutError:
                self.signal(name, signal.SIGKILL)
        return self.wait(name, timeout)

    def end_all(self):
        for name in self.names():
            self.end(name)

    def log_file(self, name):
        return os.path.join(self.folder, f"{name}.log")

    def output_file(self, name):
        return os.path.join(self.folder, f"{name}.out")
