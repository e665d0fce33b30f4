"""A container engine for the compose test: the one that runs, or one of our own for as long as it is needed."""

import os
import shutil
import signal
import subprocess
import tempfile
import time


class NoEngine(Exception):
    """No engine runs and none can be started; the message says why."""


def _answers(environment):
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    return subprocess.run(command, env=environment, capture_output=True, check=False, timeout=30).returncode == 0


class Engine:
    """`with Engine() as engine:` then engine.run("docker", ...), engine.compose(...)."""

    def __init__(self, project, folder):
        self.project, self.folder = project, folder
        self.environment = dict(os.environ)
        self._daemon, self._state = None, None

    def __enter__(self):
        if not shutil.which("docker"):
            raise NoEngine("docker is not installed")
        if not _answers(self.environment):
            self._start()
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

    def _start(self):
        """An engine that leaves the machine's own network alone: no bridge, no packet filter rules, no forwarding."""
        dockerd = shutil.which("dockerd") or shutil.which("dockerd", path="/usr/sbin:/sbin")
        if not dockerd:
            raise NoEngine("no container engine runs, and dockerd is not installed")
        if os.geteuid() != 0:
            raise NoEngine("no container engine runs, and starting one needs root")
        self._state = tempfile.mkdtemp(prefix="icr-engine-", dir="/run")
        socket = f"unix://{self._state}/docker.sock"
        log = os.path.join(self._state, "log")
        with open(log, "wb") as out:
            self._daemon = subprocess.Popen(
                [dockerd, "--host", socket, "--exec-root", f"{self._state}/exec", "--pidfile", f"{self._state}/pid",
                 "--bridge=none", "--iptables=false", "--ip-forward=false"],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        self.environment["DOCKER_HOST"] = socket
        deadline = time.monotonic() + 60
        while not _answers(self.environment):
            if self._daemon.poll() is not None or time.monotonic() > deadline:
                with open(log, encoding="utf-8", errors="replace") as text:
                    told = [line.strip() for line in text if "fatal" in line or "failed" in line or "error" in line]
                self.__exit__()
                raise NoEngine("dockerd does not start here: " + (told[-1] if told else "it says nothing"))
            time.sleep(0.2)

    def __exit__(self, *_):
        if self._daemon is not None:
            self._daemon.send_signal(signal.SIGTERM)
            try:
                self._daemon.wait(30)
            except subprocess.TimeoutExpired:
                self._daemon.kill()
                self._daemon.wait()
            self._daemon = None
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
