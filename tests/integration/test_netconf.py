"""NETCONF: PyEZ and ncclient, which nobody here wrote, ask a live pair through a server of OpenSSH."""

import contextlib
import os
import warnings

import pytest
import yaml

from lab.netlab import CHASSIS, OPERATOR, ROOT, parse_count, wait_until
from ssh_server import PORT, SshServer
from test_security import key_file, keys

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what these clients say of the Python that they meet
    import ncclient.manager
    from ncclient.transport.errors import TransportError
    from ncclient.operations.rpc import RPCError
    import jnpr.junos
    from jnpr.junos.exception import CommitError, ConfigLoadError, LockError, PermissionError, RpcError
    from jnpr.junos.factory.factory_loader import FactoryLoader
    from jnpr.junos.utils.config import Config

SESSIONS = 5000
with open(os.path.join(ROOT, "lab", "pyez", "icr.yml"), encoding="utf-8") as tables:
    TABLES = FactoryLoader().load(yaml.safe_load(tables))


@pytest.fixture
def server(lab, tmp_path):
    ssh = SshServer(lab, tmp_path, {"admin": None, "bob": key_file(lab, "bob")})
    yield ssh
    ssh.stop()


def manager(server, user="admin", **device):
    with server.place():
        return ncclient.manager.connect(
            host=OPERATOR, port=PORT, username="root", key_filename=server.path(user), hostkey_verify=False,
            allow_agent=False, look_for_keys=False, timeout=60, **device,
        )  # fmt: skip


@contextlib.contextmanager
def device(server, user="admin", **options):
    made = jnpr.junos.Device(
        host=OPERATOR, port=PORT, user="root", ssh_private_key_file=server.path(user), ssh_config=os.devnull, **options
    )
    with server.place():
        made.open()
    try:
        yield made
    finally:
        made.close()


def make_sessions(lab, work, count=SESSIONS):
    work.start_sink()
    work.make_sessions(count)
    wait_until(lambda: [lab.session_count(name) for name in CHASSIS] == [count, count], 20, "the sessions on either chassis")


def test_ncclient_asks(server):
    with manager(server, device_params={"name": "junos"}) as session:
        assert "urn:ietf:params:netconf:base:1.1" in session.server_capabilities
        reply = session.command("show services redundancy-group", format="text")
        assert "MASTER" in reply.xpath("//output")[0].text
        assert session.rpc("<get-service-msp-sess-count-information/>").xpath("//sess-count")
        for call, tag in (
            ("<get-no-such-information/>", "operation-not-supported"),
            ("<get-msp-session-table><nosuch/></get-msp-session-table>", "bad-element"),
            ("<command>show services sesions</command>", "operation-failed"),
        ):
            with pytest.raises(RPCError) as error:
                session.rpc(call)
            assert error.value.tag == tag
        # A client that knows nothing of Junos.
        with contextlib.suppress(TransportError), manager(server) as other:
            assert "service-set" in other.dispatch(ncclient.xml_.to_ele('<get-configuration format="text"/>')).xml
            with other.locked("candidate"):
                with pytest.raises(RPCError) as error:
                    session.lock("candidate")
                assert error.value.tag == "lock-denied" and f">{other.session_id}<" in error.value.info
            session.kill_session(other.session_id)
            wait_until(lambda: not other.connected, 10, "the other session to be ended")
        with pytest.raises(RPCError):
            session.kill_session("1")  # no session


def test_pyez_asks(lab, work, server):
    make_sessions(lab, work)
    with device(server, gather_facts=True) as router:
        assert router.facts["hostname"] == "two-chassis" and router.facts["model"] == "ICR"
        assert router.facts["version"] == "21.2R3" and router.facts["RE0"] is None
        assert {**router.facts}["personality"] is None, "every fact can be asked for"
        assert router.rpc.get_system_information().findtext("os-name") == "icr"
        assert "MASTER" in router.cli("show services redundancy-group", warning=False)
        assert "Service Set" in router.cli("show services sessions limit 1", warning=False)
        assert "no such" not in router.cli("show version | match Model", warning=False)
        call = router.display_xml_rpc("show services sessions source-prefix 192.0.2.0/24")
        assert call.tag == "get-msp-session-table" and call.findtext("source-prefix") == "192.0.2.0/24"
        # The client's own arguments, in three forms.
        every = router.rpc.get_msp_session_table(source_prefix="198.18.0.0/16", normalize=True)
        assert len(every.findall(".//msp-session")) == SESSIONS
        assert not router.rpc.get_msp_session_table(source_prefix="192.0.2.0/24").findall(".//msp-session")
        text = router.rpc.get_service_msp_sess_count_information({"format": "text"}, protocol="udp").text
        assert parse_count(text.lstrip()) == SESSIONS
        (answer,) = router.rpc.get_service_msp_sess_count_information({"format": "json"})["service-msp-sess-count-information"]
        assert sum(int(row["sess-count"][0]["data"]) for row in answer["service-msp-sess-count"]) == SESSIONS
        with pytest.raises(RpcError, match="syntax error"):
            router.rpc.get_route_engine_information()
        with pytest.raises(RpcError, match="Invalid"):
            router.rpc.get_msp_session_table(limit="many")
        # Tables of ours.
        sessions = TABLES["MsSessionTable"](router).get(limit="10", extensive=True)
        assert len(sessions) == 10 and all(each.source.startswith("198.18.0.") for each in sessions)
        assert all(int(each.translated_port) for each in sessions)
        assert sum(row.sessions for row in TABLES["MsSessionCountTable"](router).get()) == SESSIONS
        roles = {row.key: row.role for row in TABLES["RedundancyTable"](router).get()}
        assert sorted(roles.values()) == ["MASTER", "STANDBY"] and sorted(roles) == ["left", "right"]
        assert sum(row.ports_in_use for row in TABLES["NatPoolTable"](router).get()) == SESSIONS


def test_a_chassis_is_killed_in_between(lab, work, server):
    make_sessions(lab, work)
    with device(server) as router:
        master = lab.master()
        lab.kill_chassis(master)
        wait_until(lambda: lab.master() not in (None, master), 10, "the standby to be master")
        with pytest.raises(RpcError, match=f"chassis {master} did not answer"):
            router.rpc.get_msp_session_table()
        assert "did not answer" in router.cli("show services sessions count", warning=False)
        # The session goes on, and who asks for it gets what the other one knows.
        answer = router.rpc.get_msp_session_table(ignore_warning="did not answer")
        assert len(answer.findall(".//msp-session")) == SESSIONS
        lab.start_chassis(master)
        lab.wait_for_redundancy()
        assert len(router.rpc.get_msp_session_table().findall(".//msp-session")) == SESSIONS


def test_pyez_commits_and_classes_hold(lab, server):
    with open(lab.cluster_file, encoding="utf-8") as file:
        text = file.read()
    bob = keys(lab, "new", key_file(lab, "bob"))[0]
    changed = f'{text}  - {{ name: bob, class: view, public-keys: ["{bob}"] }}\n'
    with device(server) as router, Config(router, mode="private") as changes:
        with pytest.raises(ConfigLoadError, match="(?i)nosuch"):
            changes.load(text + "nosuch: 1\n", format="text", overwrite=True)
        with pytest.raises(ConfigLoadError, match="whole cluster file"):
            changes.load(changed, format="text", merge=True)
        changes.load(changed, format="text", overwrite=True)
        assert "bob" in changes.diff()
        assert changes.commit_check() is True
        assert "bob" not in lab.icr("show system rollback compare 0 0").stdout
        with manager(server) as other, other.locked("candidate"), pytest.raises(CommitError, match="locked by session"):
            changes.commit()
        with pytest.raises(LockError), manager(server) as other, other.locked("candidate"):
            changes.lock()
        assert changes.commit(comment="bob looks", timeout=120) is True
        shown = lab.icr("show system commit").stdout
        assert "bob looks" in shown
        with device(server, "bob") as his:
            assert his.rpc.get_service_msp_sess_count_information() is not None
            with pytest.raises(PermissionError):
                his.rpc.clear_service_msp_session_table_information()
            changed_by_bob = Config(his)
            changed_by_bob.load(text, format="text", overwrite=True)
            with pytest.raises(CommitError, match="permission denied"):
                changed_by_bob.commit(timeout=120)
        changes.rollback(1)
        assert "-   clients[bob]" in changes.diff()
        assert changes.commit(timeout=120) is True


def test_commands_by_ssh(lab, server):
    icr = f"{lab.programs}/icr --cluster {lab.cluster_file}"
    done = server.run("admin", f"{icr} show services redundancy-group")
    assert done.returncode == 0 and "MASTER" in done.stdout, done.stderr
    assert server.run("admin", f"{icr} show services sesions").returncode == 1
    # The subsystem, by hand.
    hello = "<hello><capabilities><capability>urn:ietf:params:netconf:base:1.0</capability></capabilities></hello>]]>]]>"
    close = '<rpc message-id="1"><close-session/></rpc>]]>]]>'
    done = server.run("admin", "-s", "netconf", stdin=hello + close)
    assert done.returncode == 0 and done.stdout.count("]]>]]>") == 2 and "<ok/>" in done.stdout, done.stderr
