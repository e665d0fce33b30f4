"""Packets that a test sends one by one, and that have to arrive.

A chassis drops packets that have waited for 40 ms in front of its worker, and sets up no session then. On a loaded
machine this may happen to the only packet of a test. So it is sent again, but only if the chassis has counted a drop of
this kind; a packet that is lost for any other reason is a failure at once.
"""

import re

from lab.netlab import CHASSIS


def overload_drops(lab):
    """Returns for each chassis how many packets it dropped because its worker did not keep up; 0 for a dead one."""
    out = {}
    for chassis in CHASSIS:
        counters = lab.card_counters(chassis)
        out[chassis] = sum(
            value for name, value in counters.items() if name == "overload-new-session" or name.endswith("-rx-dropped-overload")
        )
    return out


class Arrivals:
    """Counts drops from its construction on: make it before the packets are sent."""

    def __init__(self, lab):
        self.lab = lab
        self.known = overload_drops(lab)

    def excused(self):
        """Returns how many packets the chassis dropped by overload since it was last asked."""
        now, before = overload_drops(self.lab), self.known
        self.known = now
        # A chassis that was started again counts from 0.
        return sum(now[name] - (before[name] if now[name] >= before[name] else 0) for name in now)

    def insist(self, attempt, what="the packet", tries=5):
        """Calls `attempt`, which sends one packet and returns what came of it, or None. Repeats that after a drop by
        overload. Returns what came."""
        for _ in range(tries):
            if (found := attempt()) is not None:
                return found
            assert self.excused(), f"{what} did not arrive, and no chassis has dropped it by overload"
        raise AssertionError(f"{what} did not arrive in {tries} attempts")

    def answer_to_ping(self, *options):
        """Lets the client send one ping. Returns what the program printed: an answer, or an ICMP error."""

        def attempt():
            shown = self.lab.run("client", "ping", "-c", "1", "-W", "2", *options, check=False).stdout
            return shown if " 0% packet loss" in shown or "From " in shown else None

        return self.insist(attempt, "an answer to a ping")

    def all_pings_answered(self, count, *options):
        """Lets the client send pings. Each has to be answered, except for as many as were dropped by overload."""
        shown = self.lab.run("client", "ping", "-c", count, "-i", "0.1", *options, check=False).stdout
        lost = count - int(re.search(r"(\d+) received", shown).group(1))
        assert lost == 0 or lost <= self.excused(), shown
