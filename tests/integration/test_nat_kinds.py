"""Every kind of NAT with real programs, replicated, through the death of the master: one connection, one translation."""

import re

import pytest
from nat_kinds import KINDS
from test_redundancy import assert_no_gap, other, wait_for_master, wait_for_share

from lab.workload import Workload

SIZE, SECONDS = 20_000_000, 5


@pytest.fixture(params=KINDS, ids=[kind.name for kind in KINDS])
def kind(request):
    return request.param


@pytest.fixture
def cluster_file(kind, tmp_path):
    path = tmp_path / f"{kind.name}.yaml"
    path.write_text(kind.cluster(), encoding="utf-8")
    return str(path)


@pytest.fixture
def work(network, kind):
    places = ("server", "client") if kind.outside_calls else ("client", "server")
    for route in kind.server_routes:
        network.run("server", "ip", "route", "add", route, "via", "2001:db8:19::1" if ":" in route else "198.19.0.1")
    workload = Workload(network, *places, echo_address=kind.called)
    workload.start_servers()
    return workload


def address_of(peer):
    return peer.rpartition(":")[0]


def port_of(peer):
    return int(peer.rpartition(":")[2])


def translations(shown, word):
    return shown.count(f"NAT Action:   Translation Type - {word}\n")


def test_kill_of_master_keeps_every_translation(lab, work, kind):
    work.start_download(size=SIZE, seconds=SECONDS, server=kind.target)
    work.start_udp(rate=50, server=kind.target)
    if kind.ping:
        work.start_ping(server=kind.target)
    wait_for_share(work, 0.2, SIZE)

    shown = lab.icr("show services sessions extensive").stdout
    assert translations(shown, kind.word) >= (3 if kind.ping else 2), shown
    for expression in kind.shows:
        assert re.search(expression, shown), f"{expression} in\n{shown}"
    assert all(kind.seen.match(address_of(peer)) for peer in work.http_peers() + work.echo_peers()), work.http_peers()
    before = set(translated_lines(shown))
    assert before

    master = lab.master()
    lab.kill_chassis(master)
    wait_for_master(lab, other(master))
    after = set(translated_lines(lab.icr("show services sessions extensive", accept=(0, 3)).stdout))
    assert before <= after, "a session was lost, or was translated anew"

    udp = work.stop_udp()
    streams = {"udp": udp}
    if kind.ping:
        streams["ping"] = work.stop_ping()
    result = work.wait_for_download()
    assert result["checksum_ok"] and result["connections"] == 1, result
    assert len(work.http_peers()) == 1, work.http_peers()
    assert len(work.echo_peers()) == 1, work.echo_peers()
    if kind.keeps_port:
        assert port_of(work.echo_peers()[0]) == port_of(udp["local"])
    assert_no_gap(1000, download=result, **streams)

    # The chassis that took over sets up new sessions by the same rules.
    fetched = lab.run(work.client_place, "curl", "-sf", "-o", "/dev/null", url(kind.target, 100_000))
    assert fetched.returncode == 0
    assert len(work.http_peers()) == 2
    assert kind.seen.match(address_of(work.http_peers()[1])), work.http_peers()


def url(server, size):
    return f"http://{f'[{server}]' if ':' in server else server}:8000/download?size={size}"


def translated_lines(shown):
    """The flows of an extensive listing without what moves: frames, bytes, timeouts."""
    flows = re.findall(r"^(\S+ +\S+ +-> +\S+) +Forward +([IO])", shown, re.M)
    return [(re.sub(r" +", " ", flow), direction) for flow, direction in flows]
