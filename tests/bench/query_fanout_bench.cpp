// query.fanout_1000_p50_ms, query.fanout_1000_p99_ms: `show services sessions count` of `icr`, a process of its own,
// over a thousand chassis, from its start to its end. The chassis are query servers of this process with a small table
// each, and share the processors of one machine.
#include <sys/resource.h>

#include <array>
#include <cstdio>
#include <memory>

#include "model/config/cluster_file.h"
#include "tests/bench/bench_chassis.h"
#include "tests/bench/program.h"

namespace {

using namespace icr;
using namespace icr::bench;

constexpr std::uint16_t kChassis = 1000;
constexpr std::uint32_t kSessions = 16;
constexpr int kRuns = 100;

/// All chassis listen on one port, each on an address of its own.
std::string cluster_text() {
  const std::uint16_t port = free_port();
  std::string chassis;
  std::string service_sets;
  for (std::uint16_t i = 0; i < kChassis; ++i) {
    chassis += fmt::format(
        "  - name: c{0}\n    inter-chassis: {{ address: 127.1.{1}.{2}, port: 1 }}\n"
        "    query: {{ address: 127.1.{1}.{2}, port: {3} }}\n"
        "    cards: [ {{ name: ms-0/0/0, ports: [ {{ unit: 1, type: tun, device: in }}, "
        "{{ unit: 2, type: tun, device: out }} ] }} ]\n",
        i, i / 200, 1 + i % 200, port);
    service_sets += fmt::format(
        "  - name: s{0}\n    inside-unit: 1\n    outside-unit: 2\n    stateful-firewall-rules: [any]\n"
        "    interface: {{ chassis: c{0}, card: ms-0/0/0, max-sessions: 1024 }}\n",
        i);
  }
  return "cluster: bench\nsecurity: none\nchassis:\n" + chassis + "service-sets:\n" + service_sets +
         "stateful-firewall: { rules: [ { name: any, match-direction: input, terms: [ { name: all, then: accept } ] } "
         "] }\n";
}

bool measure(const std::filesystem::path& folder) {
  const std::string output = folder / "answer";
  std::vector<double> times;
  for (int i = 0; i < kRuns; ++i) {
    const auto from = std::chrono::steady_clock::now();
    const End end = run({path_of_icr(), "--cluster", folder / "cluster.yaml", "show services sessions count"}, output);
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - from;
    if (end.code != 0 || lines_of(output) != std::size_t{1} + kChassis) {
      fmt::print(stderr, "fan-out: exit code {}, {} lines\n", end.code, lines_of(output));
      return false;
    }
    times.push_back(time.count());
  }
  std::sort(times.begin(), times.end());
  fmt::print("query.fanout_1000_p50_ms {:.4g} ms\nquery.fanout_1000_p99_ms {:.4g} ms\n", times[kRuns / 2],
             times[kRuns * 99 / 100]);
  return true;
}

int measure_all() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  const std::string text = cluster_text();
  auto cluster = parse_cluster(text, "bench");
  if (!cluster) {
    fmt::print(stderr, "{}\n", cluster.error().message);
    return 1;
  }
  std::string name = std::filesystem::temp_directory_path() / "icr-fanout-bench-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) return 1;
  const std::filesystem::path folder = name;
  std::ofstream(folder / "cluster.yaml") << text;
  bool good = true;
  {
    std::vector<std::unique_ptr<BenchChassis>> chassis;
    std::vector<BenchChassis*> all;
    for (std::uint16_t i = 0; i < kChassis && good; ++i) {
      chassis.push_back(std::make_unique<BenchChassis>(*cluster, i, TimePoint{std::chrono::hours(1)}));
      good = chassis.back()->start(*cluster, i, kSessions);
      all.push_back(chassis.back().get());
    }
    const BenchWorker worker(all);
    good = good && measure(folder);
  }
  std::filesystem::remove_all(folder);
  return good ? 0 : 1;
}

}  // namespace

int main() { return measure_all(); }
