// query.count_4x1m_ms, query.filter_4x1m_ms, query.top_4x1m_ms, query.group_4x1m_ms: questions of `icr`, a process of
// its own, to four chassis with a million sessions each, from its start to its end. query.list_4x1m_s,
// query.list_4x1m_mb: all of these sessions as text, of which the lines are counted, and the memory that `icr` needs
// for that, which must not exceed 100 MB. The chassis are query servers and workers of this process, so all of them
// share the processors of one machine.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>

#include "model/config/cluster_file.h"
#include "tests/bench/bench_chassis.h"
#include "tests/bench/program.h"

namespace {

using namespace icr;
using namespace icr::bench;

constexpr std::uint16_t kChassis = 4;
constexpr std::uint32_t kSessions = 1'000'000;
constexpr int kRuns = 9;

std::string cluster_text() {
  std::string chassis;
  std::string service_sets;
  std::string pools;
  std::string rules;
  for (std::uint16_t i = 0; i < kChassis; ++i) {
    chassis += fmt::format(
        "  - name: c{0}\n    inter-chassis: {{ address: 192.0.2.{1}, port: 7400 }}\n"
        "    query: {{ address: 127.0.0.1, port: {2} }}\n"
        "    cards: [ {{ name: ms-0/0/0, ports: [ {{ unit: 1, type: tun, device: in }}, "
        "{{ unit: 2, type: tun, device: out }} ] }} ]\n",
        i, i + 1, free_port());
    service_sets += fmt::format(
        "  - name: s{0}\n    inside-unit: 1\n    outside-unit: 2\n    nat-rules: [to{0}]\n"
        "    interface: {{ chassis: c{0}, card: ms-0/0/0, max-sessions: {1} }}\n",
        i, kSessions);
    pools += fmt::format("    - {{ name: pool{}, addresses: [203.0.113.{}/26] }}\n", i, 64 * i);
    rules += fmt::format(
        "    - name: to{0}\n      match-direction: input\n"
        "      terms: [ {{ name: all, then: {{ translated: {{ source-pool: pool{0}, translation-type: napt-44 }} }} }} "
        "]\n",
        i);
  }
  return "cluster: bench\nsecurity: none\nchassis:\n" + chassis + "service-sets:\n" + service_sets +
         "nat:\n  pools:\n" + pools + "  rules:\n" + rules;
}

/// Prints all sessions as text.
bool measure_listing(const std::filesystem::path& folder) {
  constexpr long kMostMegabytes = 100;
  const std::string output = folder / "answer";
  const auto from = std::chrono::steady_clock::now();
  const End end =
      run({path_of_icr(), "--cluster", folder / "cluster.yaml", "show services sessions | count"}, output, true);
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - from;
  std::string answer;
  std::getline(std::ifstream(output), answer);
  const std::string expected = fmt::format("Count: {} lines", 1 + std::uint64_t{3} * kChassis * kSessions);
  const long megabytes = end.most_memory_kb / 1024;
  if (end.code != 0 || answer != expected || megabytes > kMostMegabytes) {
    fmt::print(stderr, "listing: exit code {}, {}, {} MB\n", end.code, answer, megabytes);
    return false;
  }
  fmt::print("query.list_4x1m_s {:.4g} s\nquery.list_4x1m_mb {} MB\n", time.count(), megabytes);
  return true;
}

/// Measures a command, whose answer must have so many lines.
bool measure(const char* name, const std::filesystem::path& folder, const std::string& command, std::size_t lines) {
  const std::string icr = path_of_icr();
  const std::string output = folder / "answer";
  std::vector<double> times;
  for (int i = 0; i < kRuns; ++i) {
    const auto from = std::chrono::steady_clock::now();
    const int code = run({icr, "--cluster", folder / "cluster.yaml", command}, output).code;
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - from;
    if (code != 0 || lines_of(output) != lines) {
      fmt::print(stderr, "{}: exit code {}, {} lines instead of {}\n", name, code, lines_of(output), lines);
      return false;
    }
    times.push_back(time.count());
  }
  std::nth_element(times.begin(), times.begin() + kRuns / 2, times.end());
  fmt::print("{} {:.4g} ms\n", name, times[kRuns / 2]);
  (void)std::fflush(stdout);
  return true;
}

int measure_all() {
  const std::string text = cluster_text();
  auto cluster = parse_cluster(text, "bench");
  if (!cluster) {
    fmt::print(stderr, "{}\n", cluster.error().message);
    return 1;
  }
  std::string name = std::filesystem::temp_directory_path() / "icr-query-bench-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) return 1;
  const std::filesystem::path folder = name;
  std::ofstream(folder / "cluster.yaml") << text;
  bool good = true;
  {
    std::vector<std::unique_ptr<BenchChassis>> chassis;
    std::vector<std::unique_ptr<BenchWorker>> workers;
    for (std::uint16_t i = 0; i < kChassis && good; ++i) {
      chassis.push_back(std::make_unique<BenchChassis>(*cluster, i, TimePoint{std::chrono::hours(1)}));
      good = chassis.back()->start(*cluster, i, kSessions);
      workers.push_back(std::make_unique<BenchWorker>(std::vector{chassis.back().get()}));
    }
    // A session has three lines, and four with its rank. The cards have one name, so there is one heading.
    constexpr std::size_t kHosts = 256;
    good =
        good && measure("query.count_4x1m_ms", folder, "show services sessions count", 1 + kChassis) &&
        measure("query.filter_4x1m_ms", folder, "show services sessions source-port 1024 source-prefix 198.18.1.0/24",
                1 + kChassis * kHosts * 3) &&
        measure("query.top_4x1m_ms", folder, "show services sessions top 20 by bytes", 1 + 20 * 4) &&
        measure("query.group_4x1m_ms", folder, "show services sessions group-by source-prefix/24 top 20", 1 + 20 + 2) &&
        measure_listing(folder);
  }
  std::filesystem::remove_all(folder);
  return good ? 0 : 1;
}

}  // namespace

int main() { return measure_all(); }
