"""The shell of icr at a scripted terminal: prompt, help, completion, pages, interrupts, resizing, history."""

import os
import re
import socket
import stat
import subprocess
import time

import pexpect
import pytest
from captures import CASES, CHASSIS, HOST, ROOT, SERVER, built, program, with_free_ports, write_capture
from scapy.all import IP, UDP

SESSIONS = 60
MORE = r"\n---\(more\)---"


@pytest.fixture(scope="module")
def chassis(tmp_path_factory):
    """The folder of a chassis that has SESSIONS sessions and answers at its loopback address."""
    folder = tmp_path_factory.mktemp("shell")
    (folder / "cluster.yaml").write_text(with_free_ports(CHASSIS + CASES))
    packets = [(10 * i, built(IP(src=HOST, dst=SERVER) / UDP(sport=40000 + i, dport=53))) for i in range(SESSIONS)]
    write_capture(folder / "inside-in.pcap", packets)
    write_capture(folder / "outside-in.pcap", [])
    with open(folder / "log", "w", encoding="utf-8") as log:
        process = subprocess.Popen([program("icrd"), "--cluster", "cluster.yaml", "--chassis", "alone"],
                                   cwd=folder, stdout=log, stderr=log)  # fmt: skip
    deadline = time.monotonic() + 60
    while "captures read to the end" not in (folder / "log").read_text():
        assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.05)
    yield folder
    process.terminate()
    process.wait(timeout=30)


class Paper:
    """What a terminal of so many columns shows, without an end: lines that a real one would scroll away stay."""

    TOKEN = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z@])|\x1b[=>]|(\x1b.?.?)$|(.)", re.S)

    def __init__(self, columns):
        self.columns, self.lines, self.row, self.column, self.rest = columns, [""], 0, 0, ""

    def feed(self, text):
        text, self.rest = self.rest + text, ""
        for match in self.TOKEN.finditer(text):
            number = int(match[1]) if match[1] and match[1].isdigit() else 1
            if match[3] is not None:
                self.rest = match[3]  # the end of a sequence has not come
            elif match[2] == "G":
                self.column = number - 1
            elif match[2] == "A":
                self.row = max(0, self.row - number)
            elif match[2] == "C":
                self.column += number
            elif match[2] == "D":
                self.column = max(0, self.column - number)
            elif match[2] == "K":
                self.lines[self.row] = self.lines[self.row][: self.column]
            elif match[2] == "P":
                line = self.lines[self.row]
                self.lines[self.row] = line[: self.column] + line[self.column + number :]
            elif match[2] == "@":
                line = self.lines[self.row].ljust(self.column)
                self.lines[self.row] = line[: self.column] + " " * number + line[self.column :]
            elif match[2] == "J":
                del self.lines[self.row + 1 :]
                self.lines[self.row] = self.lines[self.row][: self.column]
            elif match[4] == "\r":
                self.column = 0
            elif match[4] == "\n":
                self.down()
            elif match[4] == "\b":
                self.column = max(0, self.column - 1)
            elif match[4] is not None and match[4] >= " ":
                if self.column >= self.columns:
                    self.down()
                    self.column = 0
                line = self.lines[self.row].ljust(self.column)
                self.lines[self.row] = line[: self.column] + match[4] + line[self.column + 1 :]
                self.column += 1

    def down(self):
        self.row += 1
        if self.row == len(self.lines):
            self.lines.append("")

    def text(self):
        return "\n".join(self.lines)


class Terminal:
    """icr at a pseudo-terminal."""

    def __init__(self, folder, rows=24, columns=100, **environment):
        env = dict(os.environ, TERM="xterm", LC_ALL="C.UTF-8", HOME=str(folder), **environment)
        self.child = pexpect.spawn(str(program("icr")), ["--cluster", "cluster.yaml"], cwd=folder, env=env,
                                   encoding="utf-8", dimensions=(rows, columns))  # fmt: skip
        self.paper = Paper(columns)
        self.expect(r"\w+@cases> ")

    def expect(self, pattern):
        """Waits until what the terminal shows since the last call ends with `pattern`. Returns what stands before it."""
        deadline = time.monotonic() + 20
        while True:
            match = re.search(f"(?:{pattern})\\Z", self.paper.text())
            if match:
                before = self.paper.text()[: match.start()]
                # What comes next is written behind this line, whose former text may be drawn again.
                self.paper.lines = self.paper.lines[self.paper.row :]
                self.paper.row = 0
                return before
            assert time.monotonic() < deadline, f"no {pattern} in:\n{self.paper.text()}"
            self.read()

    def wait_for(self, pattern, times):
        """Waits until the terminal has shown `pattern` so many times since the last call of expect()."""
        deadline = time.monotonic() + 20
        while len(re.findall(pattern, self.paper.text())) < times:
            assert time.monotonic() < deadline, self.paper.text()
            self.read()

    def read(self):
        try:
            self.paper.feed(self.child.read_nonblocking(4096, timeout=1))
        except pexpect.TIMEOUT:
            pass

    def prompt(self):
        return self.expect(r"\n\w+@cases> ")

    def end(self):
        self.child.expect(pexpect.EOF, timeout=20)
        self.child.wait()
        assert self.child.exitstatus == 0

    def resize(self, rows, columns):
        self.paper.columns = columns
        self.child.setwinsize(rows, columns)

    def send(self, keys):
        self.child.send(keys)

    def run(self, line):
        """Types a command. Returns what is shown from there to the next prompt."""
        self.send(line + "\r")
        return self.prompt()

    def close(self):
        self.child.close(force=True)


@pytest.fixture
def terminal(chassis):
    opened = []

    def open_terminal(**options):
        opened.append(Terminal(chassis, **options))
        return opened[-1]

    yield open_terminal
    for each in opened:
        each.close()


def test_a_command_is_answered_and_the_shell_left(terminal):
    shell = terminal()
    assert re.search(rf"ms-0/0/0 +cases +{SESSIONS}\n", shell.run("show services sessions count"))
    assert f"Count: {2 * SESSIONS} lines" in shell.run("show services sessions | match udp | count")
    shell.send("exit\r")
    shell.end()


@pytest.mark.parametrize("keys", ["quit\r", "\x04"])
def test_other_ways_to_leave(terminal, keys):
    shell = terminal()
    shell.send(keys)
    shell.end()


def test_help_at_any_point(terminal):
    shell = terminal()
    shell.send("?")
    shown = shell.prompt()
    assert "Possible completions:\n" in shown and re.search(r"^  show +Show system information$", shown, re.M)
    shell.send("show services sessions service-set ?")
    shown = shell.expect(r"\n\w+@cases> show services sessions service-set ")
    assert re.search(r"^  <service-set> +Name of the service set\n  cases$", shown, re.M)
    assert re.search(rf"cases +{SESSIONS}\n", shell.run("cases count")), "the line goes on where it was"
    assert "Count: 2 lines" in shell.run('show services sessions | match ":4000[1?]" | count'), "? in quotes"


def test_space_and_tab_complete(terminal):
    shell = terminal()
    shell.send("sh ser sess c")
    shell.expect(r"cases> show services sessions c")
    shell.send(" service-set ca\t")
    shell.expect(r"cases> show services sessions count service-set cases ")
    assert re.search(rf"cases +{SESSIONS}\n", shell.run(""))
    shell.send("show services se\t")
    listed = shell.expect(r"\n\w+@cases> show services se")
    assert re.search(r"^  service-sets .*\n  sessions ", listed, re.M)
    shell.send("\x03")
    shell.prompt()
    shell.send("show bogus ")
    wrong = shell.expect(r"\n\w+@cases> show bogus")
    assert re.search(r"^ +\^\nsyntax error, expecting <command>\.$", wrong, re.M)
    shell.send("\x03")
    shell.prompt()


def test_wrong_lines_are_named_with_a_caret(terminal):
    shell = terminal()
    answer = shell.run("show services sessions source-port 70000")
    line = next(line for line in answer.splitlines() if line.endswith("^"))
    assert line.index("^") == answer.splitlines()[0].index("70000")
    assert "number: 70000: Value must be a number from 0 to 65535 at 70000" in answer
    assert "unknown command." in shell.run("frobnicate")


def test_pages(terminal, tmp_path):
    shell = terminal(rows=10, columns=120)
    shell.send("show services sessions\r")
    first = shell.expect(MORE).splitlines()
    assert len(first) == 10 and first[1] == "ms-0/0/0", first
    shell.send(" ")
    assert len(shell.expect(MORE).splitlines()) == 9
    shell.send("\r")
    assert len(shell.expect(MORE).splitlines()) == 1
    shell.send("/40050\r")
    found = shell.expect(MORE)
    assert "...skipping" in found and ":40050" in found and ":40010" not in found
    shell.send("/nothing at all\r")
    assert "Pattern not found" in shell.expect(MORE)
    target = tmp_path / "all lines"
    shell.send(f"s{target}\r")
    assert f"Wrote {1 + 3 * SESSIONS} lines of output to '{target}'" in shell.expect(MORE)
    assert len(target.read_text().splitlines()) == 1 + 3 * SESSIONS
    shell.send("g")
    assert shell.expect(MORE).splitlines()[0] == "ms-0/0/0"
    shell.send("G")
    shell.prompt()
    shell.send("show services sessions\r")
    shell.expect(MORE)
    shell.send("q")
    assert "[abort]" in shell.prompt()
    assert "---(more" not in shell.run("show services sessions | no-more")
    shell.run("set cli screen-length 0")
    assert shell.run("show services sessions").count("UDP") == 2 * SESSIONS


def test_a_file_in_the_home_folder(terminal, chassis):
    shell = terminal()
    assert f"Wrote 1 lines of output to '{chassis}/saved'" in shell.run("show version | match model | save ~/saved")
    assert (chassis / "saved").read_text() == "Model: icr\n"


def test_hold_waits_at_the_end(terminal):
    shell = terminal()
    shell.send("show services sessions count | hold\r")
    shell.expect(r"\n---\(more 100%\)---")
    shell.send(" ")
    shell.prompt()


def test_ctrl_c_ends_an_answer_and_leaves_the_shell(terminal):
    shell = terminal(rows=10)
    shell.send("show services sessions count | refresh 1\r")
    shell.wait_for(r"---\(refreshed at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \w+\)---", 2)
    shell.send("\x03")
    assert "[abort]" in shell.prompt()
    shell.send("show services sessions\r")
    shell.expect(MORE)
    shell.send("\x03")
    shell.prompt()
    shell.send("show services bog\x03")
    shell.prompt()
    assert f"{SESSIONS}\n" in shell.run("show services sessions count"), "the shell goes on"


def test_a_terminal_may_be_narrow_and_change_its_size(terminal):
    shell = terminal(rows=12, columns=30)
    shell.send("show services sessions source-port 40001 destination-port 53 protocol udp count\r")
    assert re.search(r"cases\s+1\n", shell.prompt())
    shell.send("show services sessions source-port 40001 destination-port ?")
    shell.expect(r"\n\w+@cases> show services[^>]*\s53|\n\w+@cases> show [^>]*-port ")
    shell.resize(30, 120)
    assert re.search(r"cases +1\n", shell.run("53 count"))
    shell.send("show services sessions\r")
    assert len(shell.expect(MORE).splitlines()) == 30
    shell.resize(10, 120)
    shell.send(" ")
    assert len(shell.expect(MORE).splitlines()) == 9
    shell.send("q")
    shell.prompt()


def test_history_is_kept_for_nobody_else(terminal, tmp_path):
    history = tmp_path / "history"
    shell = terminal(ICR_HISTORY=str(history))
    shell.run("show services sessions count")
    shell.run("show services sessions source-port 40001 count")
    shell.send("\x1b[A\x1b[A")
    shell.expect("cases> show services sessions count")
    assert f"{SESSIONS}\n" in shell.run("")
    shell.send("exit\r")
    shell.end()
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    assert history.read_text().splitlines()[1] == "show services sessions source-port 40001 count"
    again = terminal(ICR_HISTORY=str(history))
    again.send("\x1b[A\x1b[A")
    again.expect("cases> show services sessions count")


def test_settings_of_the_shell(terminal):
    shell = terminal(columns=120)
    assert "Screen length set to 5" in shell.run("set cli screen-length 5")
    shell.send("show services sessions\r")
    assert len(shell.expect(MORE).splitlines()) == 5
    shell.send("q")
    shell.prompt()
    assert "Disabling complete-on-space" in shell.run("set cli complete-on-space off")
    shell.send("sh serv sess c\r")
    assert re.search(rf"cases +{SESSIONS}\n", shell.prompt())
    assert "CLI timestamp set to: %b %d %T" in shell.run("set cli timestamp")
    assert re.search(r"^[A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d$", shell.run("show services sessions count"), re.M)


def piped(folder, text):
    return subprocess.run([program("icr"), "--cluster", "cluster.yaml"], cwd=folder, input=text, text=True,
                          capture_output=True, timeout=60)  # fmt: skip


def test_commands_of_a_file(chassis):
    done = piped(chassis, "# a comment\n\nshow services sessions count\nshow services sessions source-port 40001 count\n")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert len(re.findall(r"^ms-0/0/0 +cases", done.stdout, re.M)) == 2 and "> " not in done.stdout
    wrong = piped(chassis, "show services sessions bogus\nshow services sessions count\nexit\nshow services sessions count\n")
    assert wrong.returncode == 1
    assert wrong.stderr.splitlines()[0].endswith("> show services sessions bogus") and "syntax error" in wrong.stderr
    assert len(re.findall(r"^ms-0/0/0 +cases", wrong.stdout, re.M)) == 1, "what follows `exit` is not executed"
    assert piped(chassis, "").returncode == 0


def test_one_shot_help(chassis):
    done = subprocess.run([program("icr"), "--cluster", "cluster.yaml", "show", "services", "sessions", "service-set", "?"],
                          cwd=chassis, text=True, capture_output=True, timeout=60)  # fmt: skip
    assert done.returncode == 0
    assert done.stdout == "Possible completions:\n  <service-set>        Name of the service set\n  cases\n"


def one_shot(folder, *words):
    return subprocess.run([program("icr"), "--cluster", "cluster.yaml", *words], cwd=folder, text=True,
                          capture_output=True, timeout=60)  # fmt: skip


def test_what_is_configured(chassis):
    shown = one_shot(chassis, "show", "configuration", "services", "service-set", "cases")
    assert shown.returncode == 0 and "stateful-firewall-rules everything;\n" in shown.stdout
    assert "inside-service-interface ms-0/0/0.1;" in shown.stdout
    commands = one_shot(chassis, "show configuration | display set | match firewall").stdout.splitlines()
    assert "set services service-set cases stateful-firewall-rules everything" in commands
    assert "set services stateful-firewall rule everything term all then accept" in commands
    refused = one_shot(chassis, "show", "version", "|", "display", "set")
    assert refused.returncode == 1 and "`| display` is not possible" in refused.stderr
    assert one_shot(chassis, "show", "version").stdout.startswith("Hostname: cases\n")


def test_bash_completes_commands_and_names(chassis):
    script = f"""
        source {ROOT}/cli/completion/icr.bash
        COMP_WORDS=({program("icr")} --cluster cluster.yaml show serv sess service-set c)
        COMP_CWORD=7
        _icr
        echo "${{COMPREPLY[@]}}"
        COMP_WORDS=({program("icr")} --cluster cluster.yaml cl)
        COMP_CWORD=3
        _icr
        echo "${{COMPREPLY[@]}}"
        """
    done = subprocess.run(["bash", "-c", script], cwd=chassis, text=True, capture_output=True, timeout=60)
    assert done.stdout.splitlines() == ["cases", "clear"], done


def test_the_manual_pages_name_every_option():
    for name, section in (("icr", 1), ("icrd", 8)):
        page = (ROOT / "docs" / "man" / f"{name}.{section}").read_text().replace("\\-", "-")
        options = re.findall(r"--[a-z-]+", subprocess.run([program(name), "--help"], text=True, capture_output=True).stdout)
        assert options
        for option in set(options) - ({"--help"} if name == "icr" else set()):
            assert option in page, f"{name}({section}) does not say what {option} is"


def resolved(chassis, folder, resolver, pipe):
    """Asks for the sessions with a resolver of its own below /etc: (lines, seconds)."""
    for name, text in resolver.items():
        (folder / name).write_text(text)
    mounts = " && ".join(f"mount --bind {folder}/{name} /etc/{name}" for name in resolver)
    begin = time.monotonic()
    done = subprocess.run(["unshare", "-m", "sh", "-c", f'{mounts} && exec "$@"', "sh", program("icr"),
                           "--cluster", chassis / "cluster.yaml", f"show services sessions | match UDP {pipe}"],
                          capture_output=True, text=True, timeout=60)  # fmt: skip
    assert done.returncode == 0 and done.stderr == "", done
    return done.stdout.splitlines(), time.monotonic() - begin


def test_names_come_from_the_resolver_of_the_machine(chassis, tmp_path):
    resolver = {"nsswitch.conf": "hosts: files\n", "hosts": f"{HOST} pc\n{SERVER} a-long-name.of.a.server.example\n"}
    plain, _ = resolved(chassis, tmp_path, resolver, "")
    short, _ = resolved(chassis, tmp_path, resolver, "| resolve")
    assert len(short) == 2 * SESSIONS and HOST not in "".join(short) and SERVER not in "".join(short)
    server = "a-long-name.of.a.server.example"
    assert f" {server[:len(SERVER)]}:53 " in short[0] and server not in short[0], short[0]
    assert [line.index(" Forward ") for line in short] == [line.index(" Forward ") for line in plain], "columns stay"
    whole, _ = resolved(chassis, tmp_path, resolver, "| resolve full-names | match pc:40007")
    assert len(whole) == 2 and all(server in line for line in whole), whole


def test_a_resolver_that_never_answers_does_not_hold_an_answer(chassis, tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.99", 53))
        resolver = {
            "nsswitch.conf": "hosts: files dns\n",
            "hosts": f"{HOST} pc\n",
            "resolv.conf": "nameserver 127.0.0.99\noptions timeout:30 attempts:5\n",
        }
        lines, seconds = resolved(chassis, tmp_path, resolver, "| resolve")
        assert silent.recv(512, socket.MSG_DONTWAIT), "it was asked"
    assert 4.5 < seconds < 15, seconds
    assert len(lines) == 2 * SESSIONS
    assert "".join(lines).count(f"{SERVER}:53") == 2 * SESSIONS, "an address without a name stays"
    assert HOST not in "".join(lines[:2]), "a name that is known at once is shown"
