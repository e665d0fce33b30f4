"""The traffic of the lab: starts the servers and clients of lab/traffic in a Lab, and reads their figures."""

import json
import os
import shlex
import sys
import time

from lab.netlab import CLIENT, SERVER, SINK, LabError, wait_until
from lab.traffic import content, ping_log

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "traffic")
HTTP_PORT, ECHO_PORT = 8000, 7


def _json_lines(path):
    try:
        with open(path, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines if line.endswith("\n")]
    except FileNotFoundError:
        return []


class Workload:
    """Servers on the outside, clients on the inside, unless told otherwise. One of each stream at a time."""

    def __init__(self, lab, client_place="client", server_place="server", echo_address=SERVER):
        self.lab = lab
        self.client_place = client_place
        self.server_place = server_place
        self.echo_address = echo_address
        self._size = 0

    # --- servers -----------------------------------------------------------------------------------------------------

    def start_servers(self):
        self.lab.start_tool("http-server", self.server_place, "http_server.py", "--port", HTTP_PORT, stdout="out")
        self.lab.start_tool(
            "echo-server", self.server_place, "udp_echo_server.py", "--address", self.echo_address, stdout="out"
        )
        echo = f"[{self.echo_address}]" if ":" in self.echo_address else self.echo_address

        def listening():
            sockets = self.lab.run(self.server_place, "ss", "-Hlntu").stdout
            return f":{HTTP_PORT} " in sockets and f"{echo}:{ECHO_PORT} " in sockets

        wait_until(listening, 10, "the servers to listen")

    def http_notes(self, event=None):
        notes = _json_lines(self.lab.processes.output_file("http-server"))
        return [entry for entry in notes if event in (None, entry["event"])]

    def http_peers(self):
        """Every client address and port that the HTTP server has seen, in order of appearance."""
        return list(dict.fromkeys(entry["peer"] for entry in self.http_notes()))

    def echo_peers(self):
        return [entry["peer"] for entry in _json_lines(self.lab.processes.output_file("echo-server"))]

    def connections_at_server(self):
        """Peers of the TCP connections that the server's kernel has open on the HTTP port."""
        lines = self.lab.run(
            self.server_place, "ss", "-Htn", "state", "established", f"sport = :{HTTP_PORT}"
        ).stdout.splitlines()
        return [line.split()[-1].replace("[::ffff:", "").replace("]", "") for line in lines]

    # --- the download ------------------------------------------------------------------------------------------------

    def start_download(self, size=200_000_000, seconds=15, server=SERVER):
        """Starts curl; the server paces it to last about `seconds`."""
        self._size = size
        host = f"[{server}]" if ":" in server else server
        url = f"http://{host}:{HTTP_PORT}/download?size={size}&rate={size / seconds:.0f}"
        curl = f"curl --silent --show-error --no-buffer --fail --max-time 120 {shlex.quote(url)}"
        # What curl says of the connection goes to the log; what it fetched, to the meter.
        told = "%{stderr}connections=%{num_connects} status=%{http_code} local=%{local_ip}:%{local_port}\\n"
        meter = f"{sys.executable} {TOOLS}/meter.py --state {self._state('download')}"
        self.lab.start(
            "download",
            self.client_place,
            "bash",
            "-c",
            f"set -o pipefail; {curl} -w {shlex.quote(told)} | {meter}",
            stdout="out",
        )
        wait_until(lambda: self.download_progress().get("bytes"), 10, "the download to begin")

    def _state(self, name):
        return os.path.join(self.lab.folder, f"{name}.state")

    def _read_state(self, name):
        try:
            with open(self._state(name), encoding="ascii") as state:
                return json.load(state)
        except FileNotFoundError:
            return {}

    def download_progress(self):
        return self._read_state("download")

    def download_runs(self):
        return self.lab.processes.pid("download") is not None

    def wait_for_download(self, timeout=60):
        """Waits for its end. Returns the meter's figures with `checksum_ok` and `connections` added."""
        try:
            code = self.lab.processes.wait("download", timeout)
        except TimeoutError:
            raise LabError(f"the download did not end within {timeout} s; so far: {self.download_progress()}") from None
        with open(self.lab.processes.log_file("download"), encoding="utf-8") as log:
            told = log.read()
        if code != 0:
            raise LabError(f"the download failed (exit code {code}) after {self.download_progress()}: {told}")
        result = _json_lines(self.lab.processes.output_file("download"))[-1]
        result["checksum_ok"] = result["bytes"] == self._size and result["sha256"] == content.checksum(self._size)
        last = told.strip().splitlines()[-1]
        result["connections"] = int(dict(word.split("=") for word in last.split())["connections"])
        return result

    # --- UDP and ping ------------------------------------------------------------------------------------------------

    def start_udp(self, rate=100, server=SERVER):
        self.lab.start_tool(
            "udp-client", self.client_place, "udp_client.py", "--server", server, "--rate", rate, "--state", self._state("udp"),
            stdout="out",
        )  # fmt: skip
        wait_until(lambda: self._read_state("udp").get("received"), 10, "the first UDP answer")

    def udp_progress(self):
        return self._read_state("udp")

    def stop_udp(self):
        self.lab.processes.end("udp-client")
        return _json_lines(self.lab.processes.output_file("udp-client"))[-1]

    def start_ping(self, server=SERVER):
        self.lab.start("ping", self.client_place, "ping", "-n", "-D", "-i", "0.05", server, stdout="out")
        wait_until(lambda: self._ping_text().count("bytes from") > 0, 10, "the first ping answer")

    def _ping_text(self):
        try:
            with open(self.lab.processes.output_file("ping"), encoding="utf-8", errors="replace") as text:
                return text.read()
        except FileNotFoundError:
            return ""

    def ping_answers(self):
        """Returns the number of answers so far."""
        return self._ping_text().count("bytes from")

    def stop_ping(self):
        """Ends ping the way a person does (SIGINT), so that it prints its summary, while answers still come."""
        before = self.ping_answers()
        wait_until(lambda: self.ping_answers() > before, 10, "one more ping answer")
        self.lab.processes.signal("ping", 2)
        self.lab.processes.wait("ping", 10)
        return ping_log.figures(self._ping_text())

    # --- many sessions -----------------------------------------------------------------------------------------------

    def start_sink(self):
        self.lab.start_tool("sink", "server", "sink.py", "--address", SINK, "--state", self._state("sink"))
        wait_until(lambda: f"{SINK}:{ECHO_PORT} " in self.lab.run("server", "ss", "-Hlnu").stdout, 10, "the sink to listen")

    def sink_figures(self, packets=0):
        """What the sink knows once it has seen at least `packets` packets, or after two seconds without news."""
        figures, deadline = self._read_state("sink"), time.monotonic() + 2
        while figures.get("packets", 0) < packets and time.monotonic() < deadline:
            time.sleep(0.02)
            newer = self._read_state("sink")
            if newer.get("packets") != figures.get("packets"):
                figures, deadline = newer, time.monotonic() + 2
        return figures

    def _generate(self, *arguments):
        tool = os.path.join(TOOLS, "session_generator.py")
        done = self.lab.run("client", sys.executable, tool, *arguments, timeout=120)
        return json.loads(done.stdout)["sent"]

    def make_sessions(self, count=100_000, rate=20_000, timeout=60):
        """Sends one packet of each of `count` sessions, and again those that did not arrive. Returns the sink's figures.

        Called again, it sends through the sessions that exist already: `changed_peers` then tells how many of them
        were given another address or port.
        """
        deadline = time.monotonic() + timeout
        before = self._read_state("sink").get("packets", 0)
        sent = self._generate("--count", count, "--rate", rate)
        figures = self.sink_figures(before + sent)
        while figures.get("sessions", 0) < count:
            if time.monotonic() > deadline:
                raise LabError(f"only {figures.get('sessions', 0)} of {count} sessions reached the sink")
            missing = figures.get("missing", []) + list(
                range(figures.get("sessions", 0) + len(figures.get("missing", [])), count)
            )
            only = os.path.join(self.lab.folder, "only.json")
            with open(only, "w", encoding="ascii") as out:
                json.dump(missing, out)
            sent = self._generate("--only", only, "--rate", rate / 4)
            figures = self.sink_figures(figures.get("packets", 0) + sent)
        return figures


__all__ = ["CLIENT", "SERVER", "Workload"]
