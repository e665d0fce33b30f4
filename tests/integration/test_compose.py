"""docker-compose.yml: brought up, used, broken (docker kill of the master), used again, taken down."""

import re
import time

import pytest
from conftest import ROOT

from lab.containers import build_image
from lab.engine import Engine, NoEngine
from lab.netlab import parse_roles, wait_until
from lab.traffic import content

PROJECT = "icrtest"
SIZE = 100_000_000


@pytest.fixture
def engine():
    try:
        with Engine(PROJECT, ROOT) as running:
            yield running
    except NoEngine as reason:
        pytest.skip(f"the compose lab was not tried: {reason}")


@pytest.fixture(params=["built", pytest.param("source", marks=pytest.mark.image)])
def containers(engine, request):
    """Builds the images of docker-compose.yml, runs the containers, and removes them with their volumes at the end. The
    image contains the programs of the release tree, or compiles them."""
    start = time.monotonic()
    build_image(engine, request.param)
    size = int(engine.run("docker", "image", "inspect", "--format", "{{.Size}}", "icr-lab").stdout)
    print(f"image of {size / 1e6:.0f} MB built in {time.monotonic() - start:.0f} s")
    engine.isolate()
    engine.compose("down", "-v", check=False)
    try:
        engine.compose("up", "-d", timeout=120)
        yield engine
    finally:
        print(engine.compose("logs", "--no-color", "--tail", "25", check=False).stdout)
        engine.compose("down", "-v", timeout=120)


def icr(engine, chassis, *words):
    return engine.run("docker", "exec", engine.container(chassis), "icr", *words, check=False)


def roles(engine, asked):
    return parse_roles(icr(engine, asked, "show", "services", "redundancy-group", "brief").stdout, "rs1")


def settled(engine, asked):
    found = roles(engine, asked)
    masters = [name for name, role in found.items() if role.role == "master"]
    hot = [name for name, role in found.items() if role.role == "standby" and role.state == "hot"]
    return (masters[0], hot[0]) if len(masters) == len(hot) == 1 else None


def test_compose_lab_survives_a_docker_kill_of_the_master(containers):
    engine = containers
    master, standby = wait_until(lambda: settled(engine, "left"), 60, "one master and one hot standby", interval=0.3)
    client = engine.container("client")

    engine.run("docker", "exec", client, "bash", "-c",
               f"(curl -sf --max-time 100 'http://198.19.0.10:8000/download?size={SIZE}&rate=2500000'"
               " | sha256sum > /tmp/sum; echo $? >> /tmp/sum; mv /tmp/sum /tmp/done) >/dev/null 2>&1 &")  # fmt: skip
    shown = wait_until(
        lambda: (text := icr(engine, standby, "show", "services", "sessions").stdout) and "198.19.0.10" in text and text,
        20, "the download's session to be shown", interval=0.2,
    )  # fmt: skip
    assert "198.18.0.10" in shown and re.search(r"203\.0\.113\.\d+", shown)

    killed = engine.container(master)
    engine.run("docker", "kill", killed)
    wait_until(
        lambda: (role := roles(engine, standby).get(standby)) and role.role == "master", 20, f"{standby} to be master",
        interval=0.2,
    )  # fmt: skip
    asked = icr(engine, standby, "show", "services", "sessions")
    assert asked.returncode == 3 and master in asked.stderr  # the dead chassis is named
    assert "198.18.0.10" in asked.stdout

    def finished():
        done = engine.run("docker", "exec", client, "cat", "/tmp/done", check=False)
        return done.stdout.split() if done.returncode == 0 else None

    result = wait_until(finished, 60, "the download to end", interval=0.3)
    assert result[0] == content.checksum(SIZE)
    notes = engine.compose("logs", "--no-color", "server").stdout
    assert len(set(re.findall(r'"peer": "([^"]+)", "bytes"', notes))) == 1, notes
    engine.run("docker", "exec", client, "ping", "-c", "3", "-i", "0.2", "198.19.0.10")

    engine.run("docker", "start", killed)
    wait_until(lambda: settled(engine, standby) == (standby, master), 60, f"{master} to return as hot standby", interval=0.3)
