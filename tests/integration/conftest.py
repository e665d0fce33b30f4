"""Labs for the tests: their own namespaces, beside a lab that a user may have up."""

import os
import pathlib
import random
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import captures  # noqa: E402

from lab import netns  # noqa: E402
from lab.netlab import DEFAULT_CLUSTER, Lab  # noqa: E402
from lab.workload import Workload  # noqa: E402

pytest.register_assert_rewrite("attack")  # fixtures that several files share

MARKERS = """
cluster(name): cluster file, of cluster-configs/, that the lab of a test uses
nat(section): the nat: section of the cluster that the lab of a test uses
sanitized: the test runs the programs of build/sanitize
quiet: the test asserts times of milliseconds; it runs alone, after everything else
image: the test builds the container image from source; it runs in ./run-tests long only
long: the test takes minutes; it runs in ./run-tests long only
tsan: the test runs the programs of build/tsan; it runs in ./run-tests long only
"""
ON_REQUEST = ("long", "tsan", "image")  # markers of tests that run only with -m NAME


def lab_prefix(name):
    return name if captures.WORKER is None else f"{name[:6]}{captures.WORKER}"


# With pytest-xdist several workers test at the same time. They share no names, ports or folders.
PREFIX = lab_prefix(os.environ.get("ICR_TEST_LAB", "icrtest"))


def pytest_configure(config):
    for line in MARKERS.strip().splitlines():
        config.addinivalue_line("markers", line)
    if not hasattr(config, "workerinput") and os.geteuid() == 0:
        # The first `ip netns add` on a machine mounts /run/netns, which two workers must not do at the same time.
        name = f"{PREFIX}-first-{os.getpid()}"  # parts of ./run-tests run side by side
        netns.ip_batch(None, [f"netns add {name}", f"netns delete {name}"])


def pytest_collection_modifyitems(config, items):
    wanted = config.getoption("-m")
    kept = [item for item in items if not any(item.get_closest_marker(name) and name != wanted for name in ON_REQUEST)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    captures.sanitized_may_run = item.get_closest_marker("sanitized") is not None


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Fixtures see how their test went (item.report_call), to show the logs of a test that failed."""
    outcome = yield
    setattr(item, "report_" + call.when, outcome.get_result())


@pytest.fixture
def dice(record_property):
    """Random numbers whose seed a failure tells."""
    seed = int(os.environ.get("ICR_SEED") or random.SystemRandom().randrange(1 << 32))
    record_property("seed", seed)
    print(f"repeat with ICR_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def cluster_file(request):
    """Returns the cluster file of the lab, from the marker `cluster` or a parameter (indirect=True). Test files that write
    their own cluster files override this fixture."""
    if hasattr(request, "param"):
        return str(ROOT / "cluster-configs" / request.param)
    mark = request.node.get_closest_marker("cluster")
    return str(ROOT / "cluster-configs" / mark.args[0]) if mark else DEFAULT_CLUSTER


@pytest.fixture
def network(request, cluster_file):
    """The lab without chassis."""
    if os.geteuid() != 0:
        pytest.fail("network namespaces need root: ./run-tests uses sudo")
    lab = Lab(PREFIX, cluster_file)
    lab.up()
    yield lab
    report = getattr(request.node, "report_call", None)
    if report is None or report.failed:
        for name in lab.chassis():
            print(f"--- log of chassis {name}\n{lab.log_tail(name, 60)}")
        if any(lab.chassis_runs(name) for name in lab.chassis()):
            for told in ("redundancy-group extensive", "service-sets statistics packet-drops extensive"):
                print(lab.icr(f"show services {told}", accept=None).stdout)
    lab.down()


@pytest.fixture
def lab(network):
    """The chassis run; one is master of rs1, another its hot standby."""
    for name in network.chassis():
        network.start_chassis(name)
    network.wait_for_redundancy()
    return network


@pytest.fixture
def work(network):
    """The servers run."""
    workload = Workload(network)
    workload.start_servers()
    return workload
