"""`monitor` at a terminal: it draws again every second, obeys its keys at once, and leaves the terminal as it was."""

import os
import re
import signal
import subprocess
import time

import pexpect
import pytest
from captures import CASES, CHASSIS, HOST, SERVER, built, program, with_free_ports, write_capture
from scapy.all import IP, UDP

SESSIONS = 40
FOREVER = "3600000"  # milliseconds


@pytest.fixture(scope="module")
def chassis(tmp_path_factory):
    """A chassis with SESSIONS sessions: the folder of its cluster file, and its process."""
    folder = tmp_path_factory.mktemp("monitor")
    (folder / "cluster.yaml").write_text(with_free_ports(CHASSIS + CASES))
    packets = [(10 * i, built(IP(src=HOST, dst=SERVER) / UDP(sport=40000 + i, dport=53) / bytes(i)))
               for i in range(SESSIONS)]  # fmt: skip
    write_capture(folder / "inside-in.pcap", packets)
    write_capture(folder / "outside-in.pcap", [])
    with open(folder / "log", "w", encoding="utf-8") as log:
        process = subprocess.Popen([program("icrd"), "--cluster", "cluster.yaml", "--chassis", "alone"],
                                   cwd=folder, stdout=log, stderr=log)  # fmt: skip
    deadline = time.monotonic() + 60
    while "captures read to the end" not in (folder / "log").read_text():
        assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.05)
    yield folder, process
    process.send_signal(signal.SIGCONT)
    process.terminate()
    process.wait(timeout=30)


@pytest.fixture
def spawn(chassis):
    """Starts a program at a pseudo-terminal of its own, in the folder of the chassis."""
    folder, _ = chassis
    started = []

    def start(*words, rows=24, columns=100):
        env = dict(os.environ, TERM="xterm", LC_ALL="C.UTF-8", HOME=str(folder), ICR=str(program("icr")))
        started.append(pexpect.spawn(str(words[0]), [str(each) for each in words[1:]], cwd=folder, env=env,
                                     encoding="utf-8", dimensions=(rows, columns), timeout=20))  # fmt: skip
        return started[-1]

    yield start
    for each in started:
        each.close(force=True)


def shell_of(spawn, **options):
    shell = spawn(program("icr"), "--cluster", "cluster.yaml", **options)
    shell.expect("cases> ")
    return shell


def is_usable(shell):
    """The shell reads lines, and answers."""
    shell.send("show services sessions count\r")
    shell.expect(rf"ms-0/0/0 +cases +{SESSIONS}\r\n")
    shell.expect("cases> ")
    return True


def frames(shell, pattern, count):
    """Waits for so many screens, and returns the seconds that they show."""
    seen = []
    while len(seen) < count:
        shell.expect(rf"Seconds: (\d+) .*?{pattern}")
        if not seen or seen[-1] != shell.match[1]:
            seen.append(shell.match[1])
    return [int(each) for each in seen]


@pytest.mark.parametrize("keys", ["q", "Q", "\x1b", "\x03"])
def test_it_is_refreshed_and_left(spawn, keys):
    shell = shell_of(spawn)
    shell.send("monitor interface traffic\r")
    shell.expect(r"Interface +Link +Input packets +\(pps\) +Output packets +\(pps\)")
    shell.expect(rf" ms-0/0/0\.1 +Up +{SESSIONS} +\(\d+\) +0 +\(0\)")
    seconds = frames(shell, "Bytes=b, Clear=c, Delta=d", 3)
    assert seconds[0] < seconds[1] < seconds[2]
    shell.send(keys)
    shell.expect("\r\n.*cases> ")
    assert is_usable(shell)


def test_one_interface_and_its_keys(spawn):
    shell = shell_of(spawn)
    shell.send("monitor interface ms-0/0/0\r")
    shell.expect("Interface: ms-0/0/0, Enabled, Link is Up")
    shell.expect("Chassis: alone")
    shell.expect(rf"Input packets: +{SESSIONS} \(\d+ pps\) +\[0\]")
    shell.send("n")
    shell.expect(r"Interface: ms-0/0/0\.1, Enabled")
    shell.send("f")
    shell.expect("Link is Up, frozen")
    shell.send("q")
    shell.expect("cases> ")
    shell.send("monitor interface traffic\r")
    shell.expect("Input packets")
    shell.send("b")
    shell.expect(r"Input bytes +\(bps\)")
    shell.send("d")
    shell.expect(r"Input bytes +\(delta\)")
    shell.send("q")
    shell.expect("cases> ")
    shell.send("monitor interface ms-7/0/0\r")
    shell.expect("error: device ms-7/0/0 not found\r\n")
    shell.expect("cases> ")
    shell.send("monitor services sessions member all\r")
    shell.expect("error: `monitor` shows one answer: `member all` is not possible")
    shell.expect("cases> ")
    assert is_usable(shell)


def test_sessions(spawn):
    shell = shell_of(spawn, rows=12)
    shell.send("monitor services sessions source-prefix 198.18.0.0/24 destination-port 53\r")
    shell.expect(rf"Sessions: {SESSIONS}, those with the most bits per second first")
    largest = SESSIONS - 1
    shell.expect(rf" 0 +0 +{28 + largest}  UDP +{HOST}:{40000 + largest} -> {SERVER}:53 +ms-0/0/0, cases")
    frames(shell, "Quit=q", 2)
    shell.send("\x04")  # one row down
    shell.expect(rf"Interface, servic\r\n\x1b\[K +0 +0 +{27 + largest}  UDP")
    shell.setwinsize(8, 40)
    shell.expect(rf"\x1b\[KSessions: {SESSIONS}, those with the most bits p\r\n")
    shell.send("q")
    shell.expect("cases> ")
    shell.setwinsize(24, 100)
    shell.send("monitor services sessions source-port 1 by packets\r")
    shell.expect("Sessions: 0, those with the most packets per second first")
    shell.send("q")
    shell.expect("cases> ")
    assert is_usable(shell)


def test_the_terminal_is_as_it_was(spawn):
    for keys in ("q", "\x03"):
        child = spawn("/bin/sh", "-c",
                      'trap : INT; stty -a; "$ICR" --cluster cluster.yaml monitor interface traffic; echo "code $?"; stty -a')  # fmt: skip
        child.expect("Input packets")
        before = settings_in(child.before)
        child.send(keys)
        child.expect(r"code (\d+)\r\n")
        assert child.match[1] == "0"
        child.expect(pexpect.EOF)
        assert before and settings_in(child.before) == before


def settings_in(text):
    """Returns the settings of a terminal that `stty -a` prints, without its size."""
    return re.findall(r"(?<=\s)-?(?:icanon|echo|icrnl|isig|opost)(?=\s)", text)


def test_a_silent_chassis_does_not_hold_the_operator(spawn, chassis):
    _, process = chassis
    child = spawn(program("icr"), "--cluster", "cluster.yaml", "--timeout", FOREVER, "monitor", "services", "sessions")
    child.expect(f"Sessions: {SESSIONS},")
    process.send_signal(signal.SIGSTOP)
    try:
        frames(child, "Quit=q", 1)
        time_before = time.monotonic()
        child.send("q")
        child.expect(pexpect.EOF, timeout=10)
        assert time.monotonic() - time_before < 5
    finally:
        process.send_signal(signal.SIGCONT)
    child.wait()
    assert child.exitstatus == 0


def test_a_chassis_that_does_not_answer_is_named(spawn, chassis):
    _, process = chassis
    child = spawn(program("icr"), "--cluster", "cluster.yaml", "--timeout", "300", "monitor", "interface", "traffic")
    child.expect(" ms-0/0/0 ")
    process.send_signal(signal.SIGSTOP)
    try:
        child.expect("error: chassis alone did not answer: ")
        child.expect(" ms-0/0/0 ")  # what was seen last stays
    finally:
        process.send_signal(signal.SIGCONT)
    child.expect(r"Time: [0-9:]+\r\n\x1b\[K *Delay: [0-9/]+\r\n\x1b\[KInterface ")
    child.send("q")
    child.expect(pexpect.EOF)


def test_without_a_terminal_it_refuses(chassis):
    folder, _ = chassis
    for words, given in ((["monitor", "interface", "traffic"], ""), ([], "monitor services sessions\n")):
        done = subprocess.run([program("icr"), "--cluster", "cluster.yaml", *words], cwd=folder, input=given, text=True,
                              capture_output=True, timeout=60)  # fmt: skip
        assert done.returncode == 1 and done.stdout == "", done
        assert done.stderr == "error: `monitor` needs a terminal: `show ... | refresh` repeats an answer without one\n"
