"""A server of OpenSSH in a lab, with keys, ports and files of its own, that offers icr to its clients."""

import contextlib
import os
import subprocess

from lab import netns
from lab.netlab import OPERATOR, wait_until

PORT = 8300  # the one that Junos has for NETCONF over SSH is 830


class SshServer:
    """Listens at the operator's place of a lab. Each user of `keys` (a name, and the file of his secret key of icr, or
    None) has an SSH key `NAME` in `folder`."""

    def __init__(self, lab, folder, users):
        self.lab, self.folder = lab, str(folder)
        self.log = self.path("sshd.log")
        icr = f"{lab.programs}/icr --cluster {lab.cluster_file}"
        lines = []
        self._make_key("host")
        for name, secret in users.items():
            self._make_key(name)
            options = f'environment="ICR_SECRET_KEY={secret}" ' if secret else ""
            with open(self.path(f"{name}.pub"), encoding="utf-8") as file:
                lines.append(options + file.read())
        with open(self.path("authorized"), "w", encoding="utf-8") as file:
            file.writelines(lines)
        with open(self.path("sshd_config"), "w", encoding="utf-8") as file:
            file.write(
                f"ListenAddress {OPERATOR}:{PORT}\nHostKey {self.path('host')}\nAuthorizedKeysFile {self.path('authorized')}\n"
                f"PidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nPermitRootLogin yes\n"
                f"PermitUserEnvironment yes\nSubsystem netconf {icr} netconf\n"
            )
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # where sshd looks for its empty folder
        self._process = subprocess.Popen(
            lab.command_in("switch", ["/usr/sbin/sshd", "-D", "-f", self.path("sshd_config"), "-E", self.log]),
            stdin=subprocess.DEVNULL,
        )
        wait_until(self._listens, 20, "sshd to listen")

    def path(self, name):
        return os.path.join(self.folder, name)

    def _make_key(self, name):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.path(name)], check=True)

    def _listens(self):
        assert self._process.poll() is None, self.text()
        return "Server listening" in self.text()

    def text(self):
        with contextlib.suppress(FileNotFoundError), open(self.log, encoding="utf-8") as file:
            return file.read()
        return ""

    @contextlib.contextmanager
    def place(self):
        """Where a client has to be while it connects."""
        with netns.entered(self.lab.namespace("switch")):
            yield

    def run(self, user, *words, stdin=None):
        """Runs a command as the `ssh` of the user does."""
        options = ["-F", "none", "-i", self.path(user), "-p", str(PORT), "-o", "StrictHostKeyChecking=no"]
        options += ["-o", f"UserKnownHostsFile={self.path('known')}", "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR"]
        command = self.lab.command_in("switch", ["ssh", *options, f"root@{OPERATOR}", *words])
        return subprocess.run(command, input=stdin, text=True, capture_output=True, check=False, timeout=60)

    def stop(self):
        self._process.terminate()
        self._process.wait(20)
