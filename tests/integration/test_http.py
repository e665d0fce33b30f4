"""JSON over HTTP: Python's client, and clients that behave badly, ask a live pair through `icr serve`."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess

import pytest

from lab import netns
from lab.netlab import CHASSIS, wait_until

SESSIONS = 5000
VIEW, OPERATOR = "0123456789abcdef-view", "0123456789abcdef-operator"


class Server:
    """`icr serve` at the operator's place of a lab, at a free port."""

    def __init__(self, lab, folder, *options):
        self.lab = lab
        self.log = os.path.join(str(folder), f"serve-{len(os.listdir(folder))}.log")
        command = [os.path.join(lab.programs, "icr"), "--cluster", lab.cluster_file, "serve", "--listen", "127.0.0.1:0"]
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(lab.command_in("switch", [*command, *options]), stdout=log, stderr=log)
        wait_until(self._listens, 20, "icr serve to listen")
        self.port = int(re.search(r"http://127\.0\.0\.1:(\d+)/v1/", self.text())[1])

    def _listens(self):
        assert self.process.poll() is None, self.text()
        return "/v1/" in self.text()

    def text(self):
        with open(self.log, encoding="utf-8") as file:
            return file.read()

    def connect(self, buffer=None):
        """A connection without HTTP."""
        with netns.entered(self.lab.namespace("switch")):
            stream = socket.socket()
            if buffer:
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            stream.settimeout(60)
            stream.connect(("127.0.0.1", self.port))
        return stream

    @contextlib.contextmanager
    def session(self):
        """A connection of Python's client."""
        made = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        made.sock = self.connect()
        yield made
        made.close()

    def ask(self, path, method="GET", token=None, session=None, **headers):
        """Returns the response with its body in `text`."""
        if session is None:
            with self.session() as session:
                return self.ask(path, method, token, session, **headers)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        session.request(method, path, headers=headers)
        response = session.getresponse()
        response.text = response.read().decode()
        return response

    def json(self, path, status=200, **options):
        response = self.ask(path, **options)
        assert response.status == status, response.text
        assert response.headers["Content-Type"] == "application/json"
        return json.loads(response.text)

    def counted(self, name, **options):
        (counters,) = self.json("/v1/serve/statistics", **options)["serve-statistics"]
        return int(counters[name][0]["data"])

    def stop(self):
        """SIGTERM: returns the exit code."""
        self.process.terminate()
        return self.process.wait(20)


@pytest.fixture
def serve(lab, tmp_path):
    """Starts servers, which end cleanly."""
    servers = []

    def start(*options):
        servers.append(Server(lab, tmp_path, *options))
        return servers[-1]

    yield start
    assert [each.stop() for each in servers] == [0 for each in servers]


def make_sessions(lab, work, count=SESSIONS):
    work.start_sink()
    work.make_sessions(count)
    wait_until(lambda: [lab.session_count(name) for name in CHASSIS] == [count, count], 20, "the sessions on either chassis")


def raw_answer(stream, request):
    """Sends octets, and returns what comes until the other side closes."""
    stream.sendall(request)
    told = b""
    with contextlib.suppress(ConnectionResetError):
        while part := stream.recv(65536):
            told += part
    stream.close()
    return told


def test_programs_ask(lab, work, serve):
    make_sessions(lab, work)
    server = serve()
    with server.session() as session:  # one connection for all
        response = server.ask("/v1/services/sessions", session=session)
        assert response.headers["Transfer-Encoding"] == "chunked"
        printed = lab.icr("show services sessions | display json").stdout
        assert sorted(json.loads(response.text)) == sorted(json.loads(printed))
        assert response.text.count("198.18.0.") == printed.count("198.18.0.") >= SESSIONS
        for query, expected in (
            ("source-prefix=198.18.0.0%2F16&protocol=udp", SESSIONS), ("source-prefix=192.0.2.0/24", 0), ("limit=7", 7)
        ):  # fmt: skip
            answer = server.ask(f"/v1/services/sessions?{query}", session=session)
            assert answer.status == 200 and answer.text.count('"session-id"') == expected, answer.text[:2000]
        (answer,) = server.json("/v1/services/sessions?count&protocol=udp", session=session)[
            "service-msp-sess-count-information"
        ]
        assert sum(int(row["sess-count"][0]["data"]) for row in answer["service-msp-sess-count"]) == SESSIONS
    # What HTTP/1.1 tells behind the body, and how HTTP/1.0 does without.
    told = raw_answer(server.connect(), b"GET /v1/version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert told.endswith(b"\r\n0\r\nICR-Exit-Code: 0\r\n\r\n") and b"\r\nTrailer: ICR-Exit-Code\r\n" in told
    told = raw_answer(server.connect(), b"GET /v1/version HTTP/1.0\r\n\r\n")
    assert b"chunked" not in told and json.loads(told.partition(b"\r\n\r\n")[2])["software-information"]
    assert server.counted("answers") >= 7 and server.counted("questions-now") == 0


def test_every_path_of_the_description_answers(serve):
    server = serve()
    described = server.json("/v1/openapi.json")
    assert described["openapi"].startswith("3.0") and len(described["paths"]) > 60
    asked = 0
    with server.session() as session:
        for path, item in described["paths"].items():
            if "{" in path:
                continue
            (form,) = item["get"]["responses"]["200"]["content"]
            head = server.ask(path, method="HEAD", session=session)
            assert head.status == 200 and head.text == "" and head.headers["Content-Type"].startswith(form), path
            response = server.ask(path, session=session)
            assert response.status == 200 and response.headers["Content-Type"].startswith(form), (path, response.text)
            assert response.text.strip(), path
            if form == "application/json":
                assert isinstance(json.loads(response.text), dict), path
            asked += 1
    assert asked > 50


def test_what_is_refused(serve):
    server = serve()
    for path, status, part in (
        ("/v1/services/sesions", 404, "sessions"),
        ("/v1/services/sessions?sourceprefix=1", 400, "source-prefix"),
        ("/v1/services/sessions?limit=many", 400, "many"),
        ("/v1/services/sessions?limit=1&limit=1", 400, "twice"),
        ("/v1/services/nat/pool?name=nosuch", 400, "nosuch not found"),
        ("/v1/services/sessions?member=nobody", 400, "member nobody not found"),
        ("/v1/clear/services/sessions", 404, "services"),
    ):
        error = server.json(path, status=status)["error"]
        assert error["status"] == status and part in json.dumps(error), error
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        response = server.ask("/v1/services/sessions", method=method)
        assert response.status == 405 and response.headers["Allow"] == "GET, HEAD"
    host = b"Host: localhost\r\n"
    for request, status in (
        (b"GET /v1/version HTTP/1.1\r\n" + host + b"Content-Length: 3\r\n\r\nabc", 413),
        (b"GET /v1/version HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413),
        (b"GET /v1/version HTTP/1.1\r\n" + host + b"Content-Length: 9999999999\r\n\r\n", 413),
        (b"GET /v1/version HTTP/1.1\r\n" + host + b"X: " + 9000 * b"x" + b"\r\n\r\n", 431),
        (b"GET /" + 9000 * b"x" + b" HTTP/1.1\r\n" + host + b"\r\n", 431),
        (b"GET /v1/version HTTP/1.1\r\n\r\n", 400),
        (b"GET /v1/version HTTP/1.1\r\n" + host + host + b"\r\n", 400),
        (b"GET /v1/version HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        (b"GET /v1/version HTTP/1.1\r\n" + host + b"Origin: http://evil.example\r\n\r\n", 421),
        (b"no request at all\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), 400),
    ):
        told = raw_answer(server.connect(), request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
        assert told.startswith(b"HTTP/1.1 %d " % status), (request[:60], told[:200])
    assert server.counted("refused-bodies") == 3 and server.counted("refused-long-headers") == 2
    assert server.counted("refused-methods") == 5 and server.counted("refused-hosts") == 2
    # What comes behind a refused request does not keep a connection, however slowly it comes.
    trickle = server.connect()
    trickle.sendall(b"GET /v1/version HTTP/1.1\r\n" + host + b"Content-Length: 1000000\r\n\r\n")

    def closed():
        try:
            trickle.send(b"x")
        except ConnectionError:
            return True
        return False

    wait_until(closed, 5, "the connection to be closed", interval=0.2)
    trickle.close()
    # A client that sends a request slowly, and too many clients, while the others are served.
    slow = server.connect()
    slow.sendall(b"GET /v1/version HTTP/1.1\r\nX")
    crowd = [server.connect() for _ in range(62)]
    wait_until(lambda: server.counted("connections-now") == 64, 10, "all connections")  # this question has one

    def one_too_many():
        crowd.append(server.connect())
        crowd[-1].settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            told = crowd[-1].recv(65536)
            return told.startswith(b"HTTP/1.1 503 ") and b"Retry-After: 1" in told
        return False

    wait_until(one_too_many, 10, "a connection that is one too many")
    for stream in crowd:
        stream.close()
    wait_until(lambda: server.counted("connections-now") <= 2, 10, "the crowd to be gone")
    assert raw_answer(slow, b"") == b"", "it is cut off"
    assert server.counted("cut-off-slow-requests") == 1
    wait_until(lambda: "cut-off-slow-requests +1" in server.text(), 20, "the line about refusals")
    assert len(server.text().splitlines()) <= 6, server.text()


def test_tokens(lab, serve, tmp_path):
    file = tmp_path / "tokens"
    file.write_text(f"# monitoring\nview {VIEW}\noperator {OPERATOR}\n")

    def refused(*options):
        command = [os.path.join(lab.programs, "icr"), "--cluster", lab.cluster_file, "serve", *options]
        done = subprocess.run(command, text=True, capture_output=True, timeout=30, check=False)
        return done.returncode, done.stderr

    file.chmod(0o644)
    code, why = refused("--tokens", str(file))
    assert code == 1 and "chmod 600" in why
    file.chmod(0o600)
    code, why = refused("--listen", "0.0.0.0:0")
    assert code == 1 and "without --tokens" in why
    server = serve("--tokens", str(file))
    for token in (None, VIEW[:-1], VIEW + "x"):
        response = server.ask("/v1/services/sessions", token=token)
        assert response.status == 401 and response.headers["WWW-Authenticate"].startswith("Bearer")
        assert server.ask("/v1/openapi.json", token=token).status == 401
    assert server.ask("/v1/services/sessions", token=VIEW, Host="cluster.example").status == 200
    assert server.json("/v1/log/messages", status=403, token=VIEW)["error"]["message"].startswith("permission denied")
    assert server.ask("/v1/log/messages", token=OPERATOR).status == 200
    assert server.counted("refused-without-token", token=VIEW) == 6
    assert server.counted("refused-by-class", token=VIEW) == 1
    # Mistakes at the start.
    with netns.entered(lab.namespace("switch")):
        taken = socket.create_server(("127.0.0.1", 0))
        code, why = refused("--listen", f"127.0.0.1:{taken.getsockname()[1]}")
        taken.close()
    assert code == 1 and "ddress already in use" in why
    assert refused("--listen", "8080")[0] == 1
    (tmp_path / "wrong.yaml").write_text("cluster: x\n")
    command = [os.path.join(lab.programs, "icr"), "--cluster", str(tmp_path / "wrong.yaml"), "serve"]
    assert subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 2


def test_a_chassis_is_killed_in_between(lab, work, serve):
    make_sessions(lab, work)
    server = serve()
    master = lab.master()
    lab.kill_chassis(master)
    wait_until(lambda: lab.master() not in (None, master), 10, "the standby to be master")
    response = server.ask("/v1/services/sessions")
    answer = json.loads(response.text)
    assert response.status == 200 and response.text.count('"session-id"') == SESSIONS
    (error,) = answer["rpc-error"]
    assert error["error-severity"][0]["data"] == "warning"
    assert error["error-message"][0]["data"].startswith(f"chassis {master} did not answer: ")
    for name in CHASSIS:
        if name != master:
            lab.kill_chassis(name)
    response = server.ask("/v1/services/sessions")
    assert response.status == 504 and response.headers["ICR-Exit-Code"] == "3"
    assert {each["error-severity"][0]["data"] for each in json.loads(response.text)["rpc-error"]} == {"error"}
    for name in CHASSIS:
        lab.start_chassis(name)
    lab.wait_for_redundancy()
    assert server.ask("/v1/services/sessions").status == 200


def test_a_client_that_does_not_read_is_cut_off(lab, work, serve):
    make_sessions(lab, work)
    server = serve()
    request = b"GET /v1/services/sessions?extensive HTTP/1.1\r\nHost: localhost\r\n\r\n"
    streams = [server.connect(buffer=4096) for _ in range(8)]
    for stream in streams:
        stream.sendall(request)
    wait_until(lambda: server.counted("questions-now") == 8, 10, "all questions to be asked")
    response = server.ask("/v1/services/sessions")
    assert response.status == 503 and response.headers["Retry-After"] == "1"
    streams[0].close()  # one that goes away is noticed at once
    wait_until(lambda: server.counted("clients-left") == 1, 10, "the client that left")
    wait_until(lambda: server.ask("/v1/version").status == 200, 5, "its place to be free")
    wait_until(lambda: server.counted("cut-off-slow-readers") == 7, 30, "those that do not read to be cut off")
    wait_until(lambda: server.counted("questions-now") == 0, 10, "nothing to be asked")
    assert server.ask("/v1/services/sessions").status == 200
    with open(f"/proc/{server.process.pid}/status", encoding="utf-8") as file:
        assert int(re.search(r"VmHWM:\s+(\d+)", file.read())[1]) < 100_000, "no answer is kept"
    # SIGTERM while an answer goes on, and a connection is idle.
    idle, busy = server.connect(), server.connect(buffer=4096)
    busy.sendall(request)
    wait_until(lambda: server.counted("questions-now") == 1, 10, "the question to be asked")
    server.process.send_signal(signal.SIGTERM)
    assert idle.recv(1) == b"", "it is closed at once"
    assert server.process.wait(10) == 0
    told = raw_answer(busy, b"")
    assert told.startswith(b"HTTP/1.1 200 ") and b"ICR-Exit-Code: 0\r\n\r\n" not in told, "it was cut, and says so"
