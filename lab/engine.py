"""A container engine for the compose test: the one that runs, or one of our own for as long as it is needed.

One of our own builds images in the machine's network, since it has to reach package sources. Before it runs containers it
is started again in a network namespace of its own (isolate()): there its bridges and its packet filter rules are nobody
else's, and nothing that an earlier engine left on the machine (a FORWARD policy of DROP that bridged packets meet as well,
by bridge-nf-call-iptables) stops what passes between the containers.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time

from lab import netns


class NoEngine(Exception):
    """No engine runs and none can be started; the message says why."""


def _answers(environment):
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    return subprocess.run(command, env=environment, capture_output=True, check=False, timeout=30).returncode == 0


def _dockerd():
    return shutil.which("dockerd") or shutil.which("dockerd", path="/usr/sbin:/sbin")


class Engine:
    """`with Engine() as engine:` then engine.run("docker", ...), engine.compose(...)."""

    def __init__(self, project, folder):
        self.project, self.folder = project, folder
        self.environment = dict(os.environ)
        self._daemon, self._state, self._namespace = None, None, f"{project}-engine"

    def __enter__(self):
        if not shutil.which("docker"):
            raise NoEngine("docker is not installed")
        if not _answers(self.environment):
            self._prepare()
        try:
            self._compose = self._find_compose()
        except NoEngine:
            self.__exit__()
            raise
        return self

    def _find_compose(self):
        for command in (["docker", "compose"], ["docker-compose"]):
            if shutil.which(command[0]) and subprocess.run(
                [*command, "version"], env=self.environment, capture_output=True, check=False
            ).returncode == 0:  # fmt: skip
                return command
        raise NoEngine("neither 'docker compose' nor 'docker-compose' is installed")

    def _prepare(self):
        dockerd = _dockerd()
        if not dockerd:
            raise NoEngine("no container engine runs, and dockerd is not installed")
        if os.geteuid() != 0:
            raise NoEngine("no container engine runs, and starting one needs root")
        self._state = tempfile.mkdtemp(prefix="icr-engine-", dir="/run")
        self.environment["DOCKER_HOST"] = f"unix://{self._state}/docker.sock"
        # It changes nothing in the machine's own network: no bridge, no packet filter rules, no forwarding.
        self._start([dockerd, "--bridge=none", "--iptables=false", "--ip-forward=false"])

    def _start(self, command):
        log = os.path.join(self._state, "log")
        options = ["--host", self.environment["DOCKER_HOST"], "--exec-root", f"{self._state}/exec", "--pidfile",
                   f"{self._state}/pid"]  # fmt: skip
        with open(log, "wb") as out:
            self._daemon = subprocess.Popen(
                [*command, *options], stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        deadline = time.monotonic() + 60
        while not _answers(self.environment):
            if self._daemon.poll() is not None or time.monotonic() > deadline:
                with open(log, encoding="utf-8", errors="replace") as text:
                    told = [line.strip() for line in text if "fatal" in line or "failed" in line or "error" in line]
                self.__exit__()
                raise NoEngine("dockerd does not start here: " + (told[-1] if told else "it says nothing"))
            time.sleep(0.2)

    def isolate(self):
        """Call this after images are built and before containers run. An engine that we did not start is left alone."""
        if self._daemon is None:
            return
        self._stop()
        if netns.exists(self._namespace):
            subprocess.run(["ip", "netns", "delete", self._namespace], check=True)
        netns.ip_batch(None, [f"netns add {self._namespace}"])
        netns.ip_batch(self._namespace, ["link set lo up"])
        self._start(["nsenter", f"--net={netns.path(self._namespace)}", "--", _dockerd(), "--bridge=none"])

    def _stop(self):
        self._daemon.send_signal(signal.SIGTERM)
        try:
            self._daemon.wait(30)
        except subprocess.TimeoutExpired:
            self._daemon.kill()
            self._daemon.wait()
        self._daemon = None

    def __exit__(self, *_):
        if self._daemon is not None:
            self._stop()
        if netns.exists(self._namespace):
            subprocess.run(["ip", "netns", "delete", self._namespace], check=True)
        if self._state:
            shutil.rmtree(self._state, ignore_errors=True)

    def run(self, *command, check=True, timeout=60):
        done = subprocess.run(
            [str(word) for word in command], cwd=self.folder, env=self.environment, text=True, capture_output=True,
            timeout=timeout, check=False,
        )  # fmt: skip
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def compose(self, *words, check=True, timeout=60):
        return self.run(*self._compose, "--project-name", self.project, *words, check=check, timeout=timeout)

    def container(self, service):
        return self.compose("ps", "-q", service).stdout.strip()
