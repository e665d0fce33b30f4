"""The pair that icr is compared with: Linux firewalls with conntrackd and keepalived, in the namespaces of the lab.

Both chassis namespaces forward and translate in the kernel (nftables, source NAT of TCP and UDP to one address of the
pool that the server has a route to). conntrackd in FTFW mode copies the entries of the connection tracking table over
icl0. keepalived holds the virtual addresses of inside and outside: VRRP advertisements of 10 ms on both networks, and
scripts that tell conntrackd when the roles change. Both daemons run at real-time priority: keepalived above all, for
it needs next to nothing, and conntrackd as icr's workers do, below the traffic programs, which would otherwise measure
their own hunger while it copies. Nothing of it is written outside the lab's folder, and Lab.down() ends and removes it
with the rest.
"""

import os
import re
import shutil
import signal
import textwrap
import time

from lab.netlab import CHASSIS, Lab, LabError, wait_until

PROGRAMS = ("conntrackd", "keepalived", "nft")
POOL_ADDRESS = "203.0.113.1"
VIRTUAL = {"inside0": "198.18.0.1", "outside0": "198.19.0.1"}
LINKS = {"left": "198.51.100.1", "right": "198.51.100.2"}
PRIORITIES = {"left": 200, "right": 100}

# Sessions begin inside only, TCP with a SYN only; what belongs to no session is dropped, and not answered with an ICMP
# error while the entries are on their way into the kernel of the new master.
FIREWALL = f"""
    table ip nat {{
      chain postrouting {{
        type nat hook postrouting priority srcnat;
        oifname "outside0" meta l4proto {{ tcp, udp }} snat to {POOL_ADDRESS}
      }}
    }}
    table ip firewall {{
      chain prerouting {{
        type filter hook prerouting priority dstnat + 10;
        iifname "outside0" ip daddr {POOL_ADDRESS} counter drop comment "belongs to no session"
      }}
      chain forward {{
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        ct state invalid counter drop
        iifname "inside0" oifname "outside0" meta l4proto udp accept
        iifname "inside0" oifname "outside0" tcp flags & (fin | syn | rst | ack) == syn accept
      }}
    }}
"""

CONNTRACKD = """
    Sync {{
      Mode FTFW {{
        ResendQueueSize 131072
        CommitTimeout 180
        PurgeTimeout 60
        ACKWindowSize 300
      }}
      UDP {{
        IPv4_address {own}
        IPv4_Destination_Address {peer}
        Port 3780
        Interface icl0
        SndSocketBuffer 25165824
        RcvSocketBuffer 25165824
        Checksum on
      }}
    }}
    General {{
      Scheduler {{
        Type RR
        Priority 20
      }}
      HashSize 65536
      HashLimit 262144
      LogFile {folder}/{name}-conntrackd-daemon.log
      LockFile {folder}/{name}-conntrackd.lock
      UNIX {{
        Path {folder}/{name}-conntrackd.ctl
      }}
      NetlinkBufferSize 16777216
      NetlinkBufferSizeMaxGrowth 67108864
      NetlinkEventsReliable On
      Filter From Userspace {{
        Protocol Accept {{
          TCP
          UDP
        }}
        Address Ignore {{
          IPv4_address 127.0.0.1
          IPv4_address 198.51.100.1
          IPv4_address 198.51.100.2
        }}
      }}
    }}
"""

# The present master stays master (nopreempt), so that a member that was late does not take mastership back.
KEEPALIVED = """
    global_defs {{
      vrrp_version 3
      vrrp_rt_priority 50
      vrrp_no_swap
      script_user root
      enable_script_security
    }}
    vrrp_sync_group pair {{
      group {{
        inside
        outside
      }}
      notify_master "{script} master"
      notify_backup "{script} backup"
      notify_fault "{script} fault"
    }}
"""
INSTANCE = """
    vrrp_instance {instance} {{
      state BACKUP
      nopreempt
      interface {interface}
      virtual_router_id {router}
      priority {priority}
      advert_int 0.01
      virtual_ipaddress {{
        {address}/24 dev {interface}
      }}
    }}
"""

# What a change of roles means to conntrackd.
ON_CHANGE = """\
    #!/bin/sh
    # Called by keepalived with the new role.
    ask() {{
      conntrackd -C {conf} "$@" || echo "conntrackd $* failed"
    }}
    exec >> {folder}/{name}-changes.log 2>&1
    echo "{name} $1"
    case "$1" in
      master)
        ask -c  # what the peer sent goes into the kernel
        ask -f  # both caches become empty,
        ask -R  # the internal one is read anew from the kernel,
        ask -B  # and the peer gets all of it
        ;;
      backup)
        ask -t  # entries of the kernel that nobody uses go soon
        ask -n  # the peer is asked for all that it has
        ;;
      fault)
        ask -t
        ;;
    esac
"""


class ConntrackdPair:
    """Can be measured in place of a pair of chassis (bench_busy.measure)."""

    def __init__(self, prefix):
        self.lab = Lab(prefix)

    def up(self):
        missing = [program for program in PROGRAMS if shutil.which(program) is None]
        if missing:
            raise LabError(f"not installed: {', '.join(missing)} (lab/install-packages bench)")
        self.lab.up()
        for name in CHASSIS:
            self.lab.run(name, "nft", "-f", self._write(f"{name}.nft", FIREWALL))
            self._start_conntrackd(name)
        for name in CHASSIS:
            self._start_keepalived(name)
        wait_until(self._settled, 20, "one master with both virtual addresses, and a backup")

    def _write(self, file, text, mode=0o644):
        path = os.path.join(self.lab.folder, file)
        with open(path, "w", encoding="utf-8") as out:
            out.write(textwrap.dedent(text).lstrip("\n"))
        os.chmod(path, mode)
        return path

    def _start_conntrackd(self, name):
        peer = next(other for other in CHASSIS if other != name)
        text = CONNTRACKD.format(own=LINKS[name], peer=LINKS[peer], folder=self.lab.folder, name=name)
        conf = self._write(f"{name}-conntrackd.conf", text)
        daemon = f"{name}-conntrackd"
        self.lab.start(daemon, name, "conntrackd", "-C", conf)

        def answers():
            return self._daemon(daemon) and self._ask(name, "-s").returncode == 0

        wait_until(answers, 10, f"conntrackd of {name} to answer")

    def _start_keepalived(self, name):
        conf = os.path.join(self.lab.folder, f"{name}-conntrackd.conf")
        text = ON_CHANGE.format(conf=conf, folder=self.lab.folder, name=name)
        script = self._write(f"{name}-on-change", text, 0o755)
        text = KEEPALIVED.format(script=script)
        for router, (interface, address) in enumerate(VIRTUAL.items(), start=51):
            text += INSTANCE.format(
                instance=interface.removesuffix("0"),
                interface=interface,
                router=router,
                priority=PRIORITIES[name],
                address=address,
            )
        conf = self._write(f"{name}-keepalived.conf", text)
        files = [os.path.join(self.lab.folder, f"{name}-{what}.pid") for what in ("keepalived", "vrrp")]
        command = ["keepalived", "-P", "-n", "-l", "-G", "-f", conf, "-p", files[0], "-r", files[1]]
        self.lab.start(f"{name}-keepalived", name, *command)

    def _ask(self, name, *words):
        conf = os.path.join(self.lab.folder, f"{name}-conntrackd.conf")
        return self.lab.run(name, "conntrackd", "-C", conf, *words, check=False)

    def _settled(self):
        for name in CHASSIS:
            self._daemon(f"{name}-keepalived")
        return sorted(self._holds(name) for name in CHASSIS) == [0, len(VIRTUAL)]

    def _holds(self, name):
        """Returns the number of virtual addresses that a member has."""
        shown = self.lab.run(name, "ip", "-4", "-o", "address", "show").stdout
        return sum(f" {address}/" in shown for address in VIRTUAL.values())

    def kill_master(self):
        """The master's machine dies: its daemons are killed, and its cables pulled at once.

        A SIGKILL of the daemons alone would leave a kernel that holds the addresses and forwards; cables first would
        let keepalived resign on the one that is left. Returns the time of the kill (ns of the monotonic clock).
        """
        master = next((name for name in CHASSIS if self._holds(name) == len(VIRTUAL)), None)
        if master is None:
            raise LabError("there is no master to kill")
        lines = "".join(f"link set {master}-{network} down\n" for network in ("inside0", "outside0", "icl"))
        cables = self._write("pull-cables", lines)
        groups = [self._daemon(f"{master}-{daemon}") for daemon in ("keepalived", "conntrackd")]
        now = time.monotonic_ns()
        for group in groups:  # each leads a process group of its own; keepalived's has its VRRP process in it
            os.killpg(group, signal.SIGKILL)
        self.lab.run("switch", "ip", "-batch", cables)
        return now

    def _daemon(self, name):
        """Returns its pid. Raises LabError if it ended by itself."""
        pid = self.lab.processes.pid(name)
        if pid is None:
            raise LabError(f"{name} ended; its log ends:\n{self.lab.log_tail(name)}")
        return pid

    def takeovers(self):
        """Returns the number of changes of mastership so far, according to both logs. The first master is no change:
        keepalived may write that line late, after the load has begun."""
        return max(sum("(inside) Entering MASTER STATE" in line for line in self._log_lines()) - 1, 0)

    def _log_lines(self):
        lines = []
        for name in CHASSIS:
            with open(self.lab.processes.log_file(f"{name}-keepalived"), encoding="utf-8", errors="replace") as log:
                lines += [f"{name}: {line.strip()}" for line in log]
        return lines

    def notes(self):
        """Returns what a person wants to know in addition to the figures."""
        notes = [line for line in self._log_lines() if " STATE" in line]
        for name in CHASSIS:
            if self.lab.processes.pid(f"{name}-conntrackd") is None:
                continue
            shown = self._ask(name, "-s").stdout
            counts = re.findall(r"cache (\w+):\s+current active connections:\s+(\d+)", shown)
            kernel = self.lab.run(name, "cat", "/proc/sys/net/netfilter/nf_conntrack_count").stdout.strip()
            notes.append(f"{name}: entries kernel={kernel} " + " ".join(f"{cache}={n}" for cache, n in counts))
        return notes
