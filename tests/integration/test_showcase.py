"""What ./quickstart runs after the build does what it promises, and its lab can be taken down."""

import os
import subprocess
import sys

import pytest
from conftest import PREFIX, ROOT

from lab import netns
from lab.netlab import PLACES, wait_until


def follow_the_advice(told):
    """Runs the commands with which the showcase ends, in their order, as a new user would."""
    commands = [line.partition("#")[0].split() for line in told.splitlines() if line.startswith("    lab/")]
    assert ["lab/netlab.py", "start"] in [command[:2] for command in commands], told

    def run(command):
        return subprocess.run([ROOT / command[0], *command[1:]], env={**os.environ, "ICR_LAB": PREFIX}, text=True,
                              capture_output=True, timeout=60, check=False)  # fmt: skip

    started = False
    for command in commands:
        done = run(command)
        print(done.stdout, done.stderr)
        assert done.returncode == 0 or (done.returncode == 3 and not started), command  # one chassis is dead at first
        if command[0] == "lab/netlab.py":
            started = True
            consistency = "lab/icr show services redundancy-group consistency".split()
            wait_until(lambda: run(consistency).returncode == 0, 30, "the chassis to be back, and its copy complete")


@pytest.mark.quiet  # the showcase promises lengths of gaps
def test_quickstart_ends_well_and_leaves_nothing_after_down():
    try:
        done = subprocess.run(
            [sys.executable, ROOT / "lab" / "showcase.py"],
            env={**os.environ, "ICR_LAB": PREFIX}, text=True, capture_output=True, timeout=120, check=False,
        )  # fmt: skip
        print(done.stdout, done.stderr)
        assert done.returncode == 0
        assert "not as promised" not in done.stdout
        asked = subprocess.run(
            [ROOT / "lab" / "icr", "show", "services", "sessions", "count"],
            env={**os.environ, "ICR_LAB": PREFIX}, text=True, capture_output=True, timeout=30, check=False,
        )  # fmt: skip
        assert asked.returncode == 3  # the killed chassis does not answer, and icr says so
        assert asked.stdout and asked.stderr
        follow_the_advice(done.stdout)
    finally:
        down = subprocess.run([sys.executable, ROOT / "lab" / "netlab.py", "down", "--prefix", PREFIX], check=False)
    assert down.returncode == 0
    assert not [place for place in PLACES if netns.exists(f"{PREFIX}-{place}")]
    assert not os.path.exists(f"/run/icr-lab/{PREFIX}") and not os.path.exists(f"/var/lib/icr-lab/{PREFIX}")
