"""A pair under ThreadSanitizer carries traffic, answers questions, changes roles and ends without a data race."""

import pytest
from captures import ROOT
from conftest import PREFIX

from lab.netlab import CHASSIS, DEFAULT_CLUSTER, Lab, wait_until
from lab.workload import Workload

pytestmark = pytest.mark.tsan
QUESTIONS = (
    "show services sessions",
    "show services sessions count",
    "show services nat source pool all",
    "show services service-sets statistics packet-drops extensive",
    "show services redundancy-group extensive",
)


@pytest.fixture
def sanitized_lab(tmp_path, monkeypatch):
    options = f"suppressions={ROOT / 'tests' / 'tsan.supp'} halt_on_error=0 exitcode=66"
    monkeypatch.setenv("TSAN_OPTIONS", options)
    text = open(DEFAULT_CLUSTER, encoding="utf-8").read()
    cluster = tmp_path / "cluster.yaml"
    # The sanitizer makes everything five to fifteen times slower, so the peer gets more time.
    assert "heartbeat-count: 5" in text
    cluster.write_text(text.replace("heartbeat-count: 5", "heartbeat-count: 30"))
    lab = Lab(PREFIX, str(cluster), build=str(ROOT / "build" / "tsan"))
    lab.up()
    yield lab
    lab.down()


def test_no_two_threads_race(sanitized_lab):
    lab = sanitized_lab
    for name in CHASSIS:
        lab.start_chassis(name)
    master, standby = lab.wait_for_redundancy(60)
    work = Workload(lab)
    work.start_servers()
    work.start_sink()
    work.start_download(size=10_000_000, seconds=5)
    work.make_sessions(2000, rate=2000)
    for question in QUESTIONS:
        lab.icr(question)
    wait_until(lambda: lab.session_count(master) == lab.session_count(standby) > 2000, 30, "the twins")
    lab.icr("request services redundancy-set rs1 switchover")
    wait_until(lambda: lab.master() == standby, 30, f"{standby} to be master")
    lab.icr("clear services sessions source-prefix 198.18.0.0/16 protocol udp")
    assert work.wait_for_download(60)["checksum_ok"]
    lab.wait_for_redundancy(60)
    codes = {name: lab.stop_chassis(name) for name in CHASSIS}
    logs = "".join(lab.log_tail(name, 100_000) for name in CHASSIS)
    assert "WARNING: ThreadSanitizer" not in logs, logs[logs.find("WARNING: ThreadSanitizer") :][:8000]
    assert codes == {name: 0 for name in CHASSIS}, logs[-4000:]
