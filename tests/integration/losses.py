"""What became of packets that were lost: the counters of the chassis that runs tell it."""

import re

TELLING = re.compile("drop|refuse|invalid|overload|absence|not-master|no-session|rests|full")


def telling_counters(lab):
    """Returns {chassis: {counter: value}} of the counters that are not 0 and that a lost packet may have raised. A chassis
    that was started again counts from then on."""
    return {
        name: {what: value for what, value in lab.card_counters(name).items() if value and TELLING.search(what)}
        for name in lab.chassis()
        if lab.chassis_runs(name)
    }


def assert_nothing_lost(lab, *figures):
    """`figures`: what Workload.stop_udp and stop_ping return."""
    if any(each["lost"] for each in figures):
        raise AssertionError(f"packets were lost: {figures}; the chassis count: {telling_counters(lab)}")
