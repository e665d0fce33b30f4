// query.filter_1m_ms, query.count_1m_ms, query.count_filtered_1m_ms, query.top_1m_ms: questions to a card with a
// million sessions, from the mailbox to the encoded answers, as the card's worker and the query server handle them.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <vector>

#include "model/config/cluster_file.h"
#include "node/query/mailbox.h"
#include "node/set/set_view.h"
#include "tests/bench/bench_card.h"
#include "tests/bench/full_table.h"

namespace {

using namespace icr;
using namespace icr::bench;
using namespace icr::node;

constexpr std::uint32_t kSessions = 1'000'000;
constexpr int kRuns = 7;

constexpr std::string_view kCluster = R"(
cluster: bench
chassis:
  - name: left
    inter-chassis: { address: 192.0.2.1, port: 7400 }
    query: { address: 192.0.2.1, port: 7300 }
    cards: [ { name: ms-0/0/0, ports: [ { unit: 1, type: tun, device: in }, { unit: 2, type: tun, device: out } ] } ]
service-sets:
  - name: cgn
    inside-unit: 1
    outside-unit: 2
    nat-rules: [to-the-pool]
    interface: { chassis: left, card: ms-0/0/0, max-sessions: 1000000 }
nat:
  pools: [ { name: pool1, addresses: [203.0.113.0/26] } ]
  rules:
    - name: to-the-pool
      match-direction: input
      terms: [ { name: all, then: { translated: { source-pool: pool1, translation-type: napt-44 } } } ]
)";

/// Asks until the answer is complete. Returns sessions found (page), counted, or among the largest.
std::uint64_t ask(CardMailbox& mailbox, CardView& card, const Cluster& cluster, QueryRequest request, TimePoint now) {
  const auto completions = std::make_shared<Completions>();
  flatbuffers::FlatBufferBuilder builder;
  std::uint64_t found = 0;
  std::optional<LargestSessions> largest;
  if (request.order) largest.emplace(*request.order, request.limit);
  for (bool done = false; !done;) {
    if (largest) request.floor = largest->floor();
    auto task = std::make_unique<QueryTask>();
    task->request = request;
    task->answer_to = completions;
    prepare(*task, cluster, 0);
    if (!mailbox.post(task)) return 0;
    while (mailbox.run(card, now)) {
    }
    for (const auto& finished : completions->drain()) {
      if (largest) {
        for (const auto& entry : finished->largest->entries()) largest->add(0, entry.record);
      } else {
        found += finished->found;
      }
      for (const auto& row : finished->reply.counts) found += row.total();
      done = finished->reply.done || request.kind == QueryKind::count;
      request.cursor = finished->reply.next_cursor;
      encode_reply(finished->reply, finished->sessions, builder);
    }
  }
  return largest ? largest->count() : found;
}

bool measure(const char* name, CardView& card, const Cluster& cluster, const QueryRequest& request,
             std::uint64_t expected, TimePoint now) {
  std::vector<double> times;
  CardMailbox mailbox;
  for (int i = 0; i < kRuns; ++i) {
    const auto from = std::chrono::steady_clock::now();
    const std::uint64_t found = ask(mailbox, card, cluster, request, now);
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - from;
    if (found != expected) {
      fmt::print(stderr, "{}: {} sessions instead of {}\n", name, found, expected);
      return false;
    }
    times.push_back(time.count());
  }
  std::nth_element(times.begin(), times.begin() + kRuns / 2, times.end());
  fmt::print("{} {:.4g} ms\n", name, times[kRuns / 2]);
  (void)std::fflush(stdout);
  return true;
}

int run() {
  auto cluster = parse_cluster(kCluster, "bench");
  if (!cluster) {
    fmt::print(stderr, "{}\n", cluster.error().message);
    return 1;
  }
  const TimePoint now{std::chrono::hours(1)};
  const auto shard = std::make_unique<Shard>(*cluster, std::uint16_t{0}, 1, now);
  if (!fill(*shard, *cluster, 0, kSessions, now)) return 1;
  shard->activate(now);
  SetShell shell(*cluster, 0, *shard, SetStart{1, 0, nullptr, 1}, nullptr, now);
  SetView view(shell);
  BenchCard card(view);

  QueryRequest filtered;
  filtered.kind = QueryKind::page;
  filtered.limit = kPageSessions;
  filtered.filter.source_prefix = Prefix::parse("198.18.1.0/24");
  QueryRequest all;
  all.kind = QueryKind::count;
  QueryRequest some = all;
  some.filter = filtered.filter;
  QueryRequest top = filtered;
  top.kind = QueryKind::largest;
  top.order = SessionOrder::bytes;
  top.limit = 20;
  top.filter = {};
  constexpr std::uint64_t kMatching = 256 * 10;
  const bool good = measure("query.filter_1m_ms", card, *cluster, filtered, kMatching, now) &&
                    measure("query.count_1m_ms", card, *cluster, all, kSessions, now) &&
                    measure("query.count_filtered_1m_ms", card, *cluster, some, kMatching, now) &&
                    measure("query.top_1m_ms", card, *cluster, top, top.limit, now);
  return good ? 0 : 1;
}

}  // namespace

int main() { return run(); }
