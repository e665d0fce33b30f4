"""A store that is damaged, foreign or cannot be written; cluster files and command lines that are wrong: the programs say
what it is, and nothing is overwritten or sent. The programs are the sanitized build."""

import hashlib
import re
import shutil
import socket
import subprocess

import pytest
from captures import CLUSTER, HOST, ROOT, SERVER, CaptureLab, free_port, program, with_free_ports, write_capture
from host import SANITIZER, WRONG_FILES
from scapy.all import IP, UDP

pytestmark = pytest.mark.sanitized

SESSIONS = 50


class Store:
    """A chassis on captures (cluster-configs/capture.yaml) with a data folder, and the checkpoint of SESSIONS sessions."""

    def __init__(self, folder):
        self.folder, self.data = folder, folder / "store"
        text = CLUSTER.read_text().replace("    cards:\n", "    data-folder: store\n    cards:\n", 1)
        self.lab = CaptureLab(folder, program("icrd", sanitized=True))
        # The sessions of the checkpoint must not end while the tests run, however slow the machine is.
        short = "  inactivity-timeout: 30\n"
        assert text.count(short) == 1
        self.write("cluster.yaml", with_free_ports(text).replace(short, "  inactivity-timeout: 86400\n"))
        packets = [(i, IP(src=HOST, dst=SERVER) / UDP(sport=1000 + i, dport=53) / b"ask") for i in range(SESSIONS)]
        write_capture(folder / "inside-in.pcap", packets)
        write_capture(folder / "outside-in.pcap", [])

    def write(self, name, text):
        (self.folder / name).write_text(text, encoding="utf-8")

    def start(self, launcher=()):
        """Runs the chassis over its captures to their end. Returns exit code and log."""
        command = [*launcher, str(self.lab.icrd), "--cluster", "cluster.yaml", "--chassis", "alone", "--exit-at-end"]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False)
        assert not SANITIZER.search(done.stderr), done.stderr[-8000:]
        assert done.returncode >= 0, f"ended by signal {-done.returncode}:\n{done.stderr[-8000:]}"
        return done.returncode, done.stderr

    def without_traffic(self):
        write_capture(self.folder / "inside-in.pcap", [])

    def set_aside(self):
        return sorted(self.folder.glob("store.set-aside-*"))


def fingerprint(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def restored(log):
    return [int(number) for number in re.findall(r"set=cgn restored sessions=(\d+)", log)]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("written"))
    code, log = store.start()
    assert code == 0 and restored(log) == [0], log
    store.without_traffic()
    return store


@pytest.fixture
def store(written, tmp_path):
    shutil.copytree(written.folder, tmp_path / "copy")
    copy = Store.__new__(Store)
    copy.folder, copy.data, copy.lab = tmp_path / "copy", tmp_path / "copy" / "store", written.lab
    return copy


def assert_kept_or_whole(store, before, may_be_cut):
    """The ways it may go: all sessions are there; or the store, as it was, is set aside with its reason; or the chassis
    does not start, says why, and has changed nothing. A write-ahead log that ends early is what a crash leaves, so what
    it lacks is missing (`may_be_cut`); how much is there is said."""
    code, log = store.start()
    if code != 0:
        assert re.search(r"error chassis: chassis=alone cannot start: \S+", log), log
        assert fingerprint(store.data) == before, log
        return "refused"
    aside = store.set_aside()
    if aside:
        assert re.search(r'store set aside.* moved-to=\S*store\.set-aside-\S+ reason="[^"]+"', log), log
        kept = fingerprint(aside[0])
        # RocksDB may have written on (a new manifest, an emptied log), but what held the sessions is there.
        lost = [name for name in before if name.endswith(".sst") and kept.get(name) != before[name]]
        assert not lost, f"{lost} changed\n{log}"
        assert store.data.is_dir()
        return "set aside"
    (sessions,) = restored(log)
    if may_be_cut and sessions < SESSIONS:
        return "cut"
    assert sessions == SESSIONS, log
    return "whole"


def test_an_undamaged_store_is_whole(store):
    code, log = store.start()
    assert code == 0 and restored(log) == [SESSIONS] and not store.set_aside(), log


def damages(path):
    raw = path.read_bytes()
    yield "deleted", None
    yield "emptied", b""
    yield "cut in half", raw[: len(raw) // 2]
    if raw:
        yield "cut by one", raw[:-1]
        yield "zeroed", bytes(len(raw))
        for place in (0, len(raw) // 3, len(raw) - 1):
            yield f"flipped at {place}", raw[:place] + bytes([raw[place] ^ 0x40]) + raw[place + 1 :]


def test_each_file_damaged(store):
    """Every file of the store, damaged in each way by itself."""
    outcomes = {}
    original = store.folder / "original"
    shutil.copytree(store.data, original)
    for path in sorted(original.iterdir()):
        for what, content in damages(path):
            shutil.rmtree(store.data)
            shutil.copytree(original, store.data)
            if content is None:
                (store.data / path.name).unlink()
            else:
                (store.data / path.name).write_bytes(content)
            outcome = assert_kept_or_whole(store, fingerprint(store.data), path.suffix == ".log")
            outcomes.setdefault(outcome, []).append(f"{path.name} {what}")
            for aside in store.set_aside():
                shutil.rmtree(aside)
    print(outcomes)
    assert set(outcomes) <= {"set aside", "whole", "cut", "refused"}
    assert outcomes["set aside"] and outcomes["whole"], outcomes


def test_the_store_of_another_chassis(store):
    text = (store.folder / "cluster.yaml").read_text()
    store.write("cluster.yaml", text.replace("cluster: capture", "cluster: other"))
    code, log = store.start()
    assert code == 0 and restored(log) == [0]
    assert 'reason="it belongs to chassis alone of cluster capture, this is chassis alone of cluster other"' in log
    # With the old file its old store still holds everything.
    store.write("cluster.yaml", text)
    shutil.rmtree(store.data)
    store.set_aside()[0].rename(store.data)
    code, log = store.start()
    assert code == 0 and restored(log) == [SESSIONS], log


def test_the_store_of_another_configuration(store):
    text = (store.folder / "cluster.yaml").read_text()
    store.write("cluster.yaml", text.replace("high: 65535", "high: 65534"))
    code, log = store.start()
    assert code == 0 and restored(log) == [SESSIONS], log
    assert "the checkpoint was written under another cluster file" in log and not store.set_aside()


def test_a_start_that_fails_leaves_the_store(store):
    """A wrong file is another configuration as well; what its ports say comes before what the store says."""
    text = (store.folder / "cluster.yaml").read_text()
    before = fingerprint(store.data)
    store.write("cluster.yaml", text.replace("inside-in.pcap", "nowhere.pcap"))
    code, log = store.start()
    assert code == 1 and "nowhere.pcap" in log, log
    assert fingerprint(store.data) == before and not store.set_aside(), log
    store.write("cluster.yaml", text)
    code, log = store.start()
    assert code == 0 and restored(log) == [SESSIONS], log


@pytest.mark.parametrize("empty", [False, True])
def test_a_link_to_the_folder(store, empty):
    real = store.folder / "real"
    store.data.rename(real)
    store.data.symlink_to(real)
    if empty:
        shutil.rmtree(real)
        real.mkdir()
    code, log = store.start()
    assert code == 0 and restored(log) == [0 if empty else SESSIONS], log
    assert store.data.is_symlink() and (real / "CURRENT").exists()


def test_a_file_in_place_of_the_folder(store):
    shutil.rmtree(store.data)
    store.data.write_text("not a folder", encoding="utf-8")
    code, log = store.start()
    assert code == 1 and re.search(r"cannot start: store: is not a folder", log), log
    assert store.data.read_text(encoding="utf-8") == "not a folder"


@pytest.mark.parametrize("there", [True, False])
def test_a_disk_that_cannot_be_written(store, there):
    """A read-only file system, with and without a store on it."""
    if not there:
        shutil.rmtree(store.data)
    before = fingerprint(store.data) if there else None
    mount = (
        f'mount --bind "{store.folder}" "{store.folder}" && mount -o remount,ro,bind "{store.folder}" && cd "$PWD" && exec "$@"'
    )
    # The captures are written beside the store: they go where writing is possible.
    text = (store.folder / "cluster.yaml").read_text()
    store.write("cluster.yaml", re.sub(r"write: (\S+-out)", r"write: /tmp/icr-hostile-\1", text))
    try:
        code, log = store.start(["unshare", "-m", "sh", "-c", mount, "sh"])
    finally:
        for side in ("inside", "outside"):
            subprocess.run(["rm", "-f", f"/tmp/icr-hostile-{side}-out.pcap"], check=True)
    assert code == 1 and re.search(r"cannot start: store.*[Rr]ead-only file system", log), log
    if there:
        assert fingerprint(store.data) == before
    else:
        assert not store.data.exists()


# --- cluster files and command lines -----------------------------------------------------------------------------------


def run(name, *words, sanitized=True, **options):
    done = subprocess.run([str(program(name, sanitized)), *[str(word) for word in words]], capture_output=True, text=True,
                          timeout=60, check=False, **options)  # fmt: skip
    assert not SANITIZER.search(done.stderr), done.stderr
    return done


def readers_of(file):
    """Every way in which the programs read a cluster file."""
    return (["icrd", "--cluster", file, "--chassis", "left"], ["icr", "check", file],
            ["icr", "--cluster", file, "show", "services", "sessions"])  # fmt: skip


def test_wrong_cluster_files():
    """Both programs: exit code 2, file, line and column, and nothing is started. Here each way in has every tenth file;
    tests/config/wrong_files_test.cpp reads all of them, sanitized as well."""
    assert len(WRONG_FILES) >= 50
    for number, file in enumerate(WRONG_FILES):
        for command in readers_of(file)[number % 10 : number % 10 + 1]:
            done = run(*command)
            assert done.returncode == 2, f"{command}: {done.returncode}\n{done.stderr}"
            assert re.match(re.escape(str(file)) + r":\d+:\d+: ", done.stderr), f"{command}\n{done.stderr}"
            assert not done.stdout and "chassis ready" not in done.stderr


@pytest.mark.parametrize("what", ["absent", "a folder", "empty", "binary", "huge"])
def test_files_that_are_no_cluster_files(tmp_path, what):
    file = tmp_path / "cluster.yaml"
    if what == "a folder":
        file.mkdir()
    elif what != "absent":
        file.write_bytes({"empty": b"", "binary": bytes(range(256)), "huge": b"a: b\n" * 1_000_000}[what])
    for command in readers_of(file):
        # A huge file is a matter of time, of which the sanitized programs take five times as much.
        done = run(*command, sanitized=what != "huge")
        assert done.returncode == 2 and str(file) in done.stderr and not done.stdout, f"{command}\n{done.stderr}"


WRONG_COMMANDS = {
    # command line -> column of the caret, counted from the first letter of the command
    "shw": 0,
    "show": 4,
    "show services": 13,
    "show services sessions nonsense": 23,
    "show services sessions source-p 1": 31,  # ambiguous: behind the word, as Junos puts it
    "show services sessions limit": 28,
    "show services sessions limit 0": 29,
    "show services sessions limit -1": 29,
    "show services sessions limit 4294967296": 29,
    "show services sessions limit 1 limit 2": 31,
    "show services sessions source-port 65536": 35,
    "show services sessions source-port 1x": 35,
    "show services sessions destination-prefix 198.18.0.300": 42,
    "show services sessions destination-prefix 198.18.0.0/33": 42,
    "show services sessions protocol nonsense": 32,
    "show services sessions protocol 256": 32,
    "show services sessions application-protocol nonsense": 44,
    "show services sessions brief extensive": 29,
    "show services sessions utilization count": 35,
    "clear services sessions limit 1": 24,
    "clear services sessions brief": 24,
    "request services redundancy-set rs1": 35,
    "request services redundancy-set rs1 swoop": 36,
    "request services redundancy-set rs1 switchover now": 47,
}


def test_wrong_command_lines(tmp_path):
    """Exit code 1, the caret under the word; the chassis are not even connected to."""
    with socket.socket() as query:
        query.bind(("127.0.0.1", 0))
        query.listen()
        query.setblocking(False)
        text = CLUSTER.read_text().replace("port: 7300", f"port: {query.getsockname()[1]}")
        (tmp_path / "cluster.yaml").write_text(text)
        for line, column in WRONG_COMMANDS.items():
            done = run("icr", "--cluster", tmp_path / "cluster.yaml", *line.split())
            assert done.returncode == 1 and not done.stdout, f"{line}: {done.returncode}\n{done.stderr}"
            shown = done.stderr.splitlines()
            assert shown[0].endswith(line), done.stderr
            assert shown[1].index("^") - shown[0].index(line) == column, done.stderr
            assert shown[2], done.stderr
        with pytest.raises(BlockingIOError):
            query.accept()


@pytest.mark.parametrize(
    "words,code",
    [
        (["--timeout", "0", "show"], 1),
        (["--timeout", "x", "show"], 1),
        (["--nonsense"], 1),
        (["check"], 1),
        (["check", "a", "b"], 1),
        (["--cluster", CLUSTER, "--chassis", "nobody", "show", "services", "sessions"], 1),
        (["--cluster", CLUSTER, "request", "services", "redundancy-set", "nobody", "switchover"], 1),
        (["--cluster", "/nonexistent/cluster.yaml", "show", "services", "sessions"], 2),
    ],
)
def test_wrong_options_of_icr(words, code):
    done = run("icr", *words)
    assert done.returncode == code and done.stderr and not done.stdout, done.stderr


@pytest.mark.parametrize(
    "words", [[], ["--chassis", "alone"], ["--cluster", CLUSTER], ["--log-level", "loud"], ["--cluster"], ["nonsense"]]
)
def test_wrong_options_of_icrd(words):
    done = run("icrd", *words, cwd=ROOT, env={})
    assert done.returncode not in (0, 2) and done.stderr, done.stderr


def test_a_chassis_that_does_not_answer(tmp_path):
    """Nobody listens, or somebody who never answers: named on standard error, exit code 3, within the deadline."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        for port, why in ((free_port(), "cannot connect"), (mute.getsockname()[1], "no answer from")):
            text = CLUSTER.read_text().replace("port: 7300", f"port: {port}")
            (tmp_path / "cluster.yaml").write_text(text)
            for line in ("show services sessions", "show services sessions count", "clear services sessions",
                         "show services redundancy-group", "show services service-sets statistics packet-drops"):  # fmt: skip
                done = run("icr", "--cluster", tmp_path / "cluster.yaml", "--timeout", "300", *line.split())
                assert done.returncode == 3 and not done.stdout, f"{line}: {done.returncode} {done.stdout}"
                assert re.match(rf"error: chassis alone did not answer: {why}", done.stderr), done.stderr
