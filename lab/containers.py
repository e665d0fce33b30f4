"""The lab of docker-compose.yml, used like the one of namespaces: the places are the namespaces of its containers."""

import os
import shutil
import subprocess
import tempfile

from lab import netns
from lab.engine import Engine
from lab.netlab import CHASSIS, PLACES, ROOT, Lab, LabError, make_folder

CLUSTER_FILE = "/etc/icr/two-chassis.yaml"  # in the image; the service `keys` adds the keys


def build_image(engine, programs="built"):
    """Builds the image of all services. It contains the programs of the release tree, or compiles them ("source")."""
    engine.run(os.path.join(ROOT, "lab", "make-base-image"), timeout=300)
    if programs == "built":
        engine.run("cmake", "--install", "build/release", "--strip", "--prefix", "build/image")
    engine.compose("build", "--build-arg", f"PROGRAMS={programs}", "left", timeout=1500)


class ContainerLab(Lab):
    """Chassis run in their containers. What is started in a place (traffic programs) runs in the network namespace of its
    container, and outside of its control group. The switch is an empty namespace."""

    def __init__(self, prefix="icr"):
        super().__init__(prefix)
        self._engine = Engine(prefix, ROOT)

    def up(self):
        """Builds the image, and creates the containers, which do not run yet."""
        make_folder(self.folder)
        with open(self.source, encoding="utf-8") as source:
            self._cluster_text = source.read()
        self._engine.__enter__()
        build_image(self._engine)
        self._engine.isolate()
        self._engine.compose("down", "-v", check=False)
        self._engine.compose("up", "--no-start", timeout=120)
        netns.ip_batch(None, [f"netns add {self.namespace('switch')}"])

    def start_containers(self):
        """Starts all containers, with the cluster file of this lab."""
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".yaml") as file:
            file.write(self._cluster_text)
            file.flush()
            os.chmod(file.name, 0o644)
            self._engine.run("docker", "cp", file.name, f"{self._container('keys')}:{CLUSTER_FILE}")
        self._engine.compose("start", timeout=60)
        for place in ("client", "server"):
            shown = self._engine.run("docker", "inspect", "--format", "{{.State.Pid}}", self._container(place))
            subprocess.run(["ip", "netns", "attach", self.namespace(place), shown.stdout.strip()], check=True)

    def _container(self, service):
        return self._engine.compose("ps", "-aq", service).stdout.strip()

    def change_cluster_file(self, pattern, replacement):
        self._cluster_text = self._changed(pattern, replacement)

    def down(self):
        self.processes.end_all()
        self._engine.compose("down", "-v", check=False, timeout=120)
        for place in PLACES:
            if netns.exists(self.namespace(place)):
                subprocess.run(["ip", "netns", "delete", self.namespace(place)], check=True)
        self._engine.__exit__()
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill_chassis(self, name, number="KILL"):
        """Ends icrd at once, as a crash does. The container is not started again."""
        self._engine.run("docker", "kill", "--signal", number, self._container(name))

    def chassis_runs(self, name):
        shown = self._engine.run("docker", "inspect", "--format", "{{.State.Running}}", self._container(name))
        return shown.stdout.strip() == "true"

    def log_text(self, name):
        done = self._engine.run("docker", "logs", self._container(name))
        return done.stdout + done.stderr

    def log_tail(self, name, lines=15):
        if name not in CHASSIS:
            return super().log_tail(name, lines)
        return "".join(self.log_text(name).splitlines(True)[-lines:])

    def icr(self, *words, chassis=None, accept=(0,), timeout=30):
        asked = next((name for name in CHASSIS if self.chassis_runs(name)), None)
        if asked is None:
            raise LabError("no chassis runs")
        command = ["docker", "exec", self._container(asked), "icr"]
        if chassis:
            command += ["--chassis", chassis]
        for part in words:
            command += part.split()
        done = self._engine.run(*command, check=False, timeout=timeout)
        if accept is not None and done.returncode not in accept:
            raise LabError(f"'{' '.join(words)}' ended with {done.returncode}:\n{done.stderr}{done.stdout}")
        return done
