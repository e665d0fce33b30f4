// flow.forward.1m, flow.setup, flow.bytes_per_session: one core, NAPT44, UDP with checksums, 1 M sessions in random
// order, bursts of 64 frames of 128 octets.
//
// Frames lie in memory ready-made and are copied into the buffers of the burst, because the engine rewrites in place;
// what the copying costs is measured alone and taken off.
#include <fmt/format.h>
#include <unistd.h>
#include <x86intrin.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "model/cluster_file.h"
#include "node/flow/engine.h"
#include "node/packet/checksum.h"

namespace {

using namespace icr;
using namespace icr::node;

constexpr std::uint32_t kSessions = 1'000'000;
constexpr std::uint32_t kFrame = 128;
constexpr std::size_t kBurst = 64;
static_assert(kSessions % kBurst == 0);
constexpr int kSetups = 3;
constexpr int kRounds = 7;
constexpr std::uint32_t kPoolAddresses = 64;

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
    stateful-firewall-rules: [outbound]
    nat-rules: [to-the-pool]
    interface: { chassis: left, card: ms-0/0/0, max-sessions: 1000000 }
stateful-firewall:
  rules:
    - { name: outbound, match-direction: input, terms: [ { name: hosts, from: { source-address: [198.18.0.0/15] }, then: accept } ] }
nat:
  pools: [ { name: pool1, addresses: [203.0.113.0/26] } ]
  rules:
    - name: to-the-pool
      match-direction: input
      terms: [ { name: hosts, from: { source-address: [198.18.0.0/15] }, then: { translated: { source-pool: pool1, translation-type: napt-44 } } } ]
)";

struct Cost {
  double clocks = 0;
  double ns = 0;
};

class CountingSink final : public PacketSink {
 public:
  void send(const Packet& packet) override { sent += packet.length != 0 ? 1U : 0U; }
  std::uint64_t sent = 0;
};

/// Median of each of the two figures.
Cost median(std::vector<Cost> costs) {
  Cost out;
  const auto middle = costs.begin() + static_cast<std::ptrdiff_t>(costs.size() / 2);
  std::nth_element(costs.begin(), middle, costs.end(),
                   [](const Cost& a, const Cost& b) { return a.clocks < b.clocks; });
  out.clocks = middle->clocks;
  std::nth_element(costs.begin(), middle, costs.end(), [](const Cost& a, const Cost& b) { return a.ns < b.ns; });
  out.ns = middle->ns;
  return out;
}

/// The first frame of session `i`: its host and port follow from the number.
void write_frame(std::uint32_t i, std::uint8_t* out) {
  std::memset(out, 0x5a, kFrame);
  out[0] = 0x45;
  out[1] = 0;
  store16(out + 2, kFrame);
  store32(out + 4, 0);
  out[8] = 64;
  out[9] = ip_protocol::udp;
  store16(out + 10, 0);
  store32(out + 12, 0xc6120000U + i % 100000);
  store32(out + 16, 0xc6336401U + i / 100000);
  store16(out + 10, checksum_finish(checksum_add(out, 20)));
  store16(out + 20, static_cast<std::uint16_t>(1024 + i % 60000));
  store16(out + 22, 53);
  store16(out + 24, kFrame - 20);
  store16(out + 26, 0);
  const std::uint64_t pseudo = checksum_add(out + 12, 8) + ip_protocol::udp + (kFrame - 20);
  const std::uint16_t sum = checksum_finish(checksum_add(out + 20, kFrame - 20, pseudo));
  store16(out + 26, sum == 0 ? 0xffff : sum);
}

class Bench {
 public:
  Bench() : frames_(std::size_t{kSessions} * kFrame), buffers_(kBurst * kFrame), order_(kSessions) {
    for (std::uint32_t i = 0; i < kSessions; ++i) write_frame(i, &frames_[std::size_t{i} * kFrame]);
    std::iota(order_.begin(), order_.end(), 0U);
    std::shuffle(order_.begin(), order_.end(), random_);
  }

  /// Each frame once, in random order; `engine` null: the generator alone. The clock is read at each burst, and
  /// all bursts count: what the engine does seldom and slowly is part of its cost.
  Cost round(Engine* engine, TimePoint now, CountingSink& sink) {
    std::array<Packet, kBurst> burst;
    bursts_.clear();
    const auto from = std::chrono::steady_clock::now();
    const std::uint64_t first = __rdtsc();
    std::uint64_t last = first;
    for (std::size_t at = 0; at < kSessions; at += kBurst) {
      for (std::size_t i = 0; i < kBurst; ++i) {
        std::uint8_t* const buffer = &buffers_[i * kFrame];
        const std::size_t ahead = at + i + kBurst;
        if (ahead < kSessions) {
          const std::uint8_t* const next = &frames_[std::size_t{order_[ahead]} * kFrame];
          __builtin_prefetch(next);
          __builtin_prefetch(next + 64);
        }
        std::memcpy(buffer, &frames_[std::size_t{order_[at + i]} * kFrame], kFrame);
        burst[i] = Packet{buffer, kFrame, kFrame, 1};
      }
      if (engine != nullptr) {
        engine->process(burst, now, sink);
      } else {
        for (const Packet& packet : burst) sink.send(packet);
      }
      const std::uint64_t clock = __rdtsc();
      bursts_.push_back(clock - last);
      last = clock;
    }
    const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - from;
    const double clocks_per_ns = static_cast<double>(last - first) / time.count();
    const double sum = std::accumulate(bursts_.begin(), bursts_.end(), 0.0);
    const double clocks = sum / (static_cast<double>(bursts_.size()) * kBurst);
    return {clocks, clocks / clocks_per_ns};
  }
  void shuffle() { std::shuffle(order_.begin(), order_.end(), random_); }

 private:
  std::mt19937_64 random_{42};
  std::vector<std::uint8_t> frames_;
  std::vector<std::uint8_t> buffers_;
  std::vector<std::uint32_t> order_;
  std::vector<std::uint64_t> bursts_;
};

double resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  unsigned long size = 0;
  unsigned long resident = 0;
  if (file == nullptr) return 0;
  if (std::fscanf(file, "%lu %lu", &size, &resident) != 2) resident = 0;
  (void)std::fclose(file);
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

void show(const char* name, double value, const char* unit) {
  fmt::print("{} {:.4g} {}\n", name, value, unit);
  (void)std::fflush(stdout);
}

int run() {
  auto cluster = parse_cluster(kCluster, "bench");
  if (!cluster) {
    fmt::print(stderr, "{}\n", cluster.error().message);
    return 1;
  }
  Bench bench;
  CountingSink sink;
  const TimePoint now{std::chrono::hours(1)};
  std::vector<Cost> generator;
  for (int i = 0; i < kRounds; ++i) {
    bench.shuffle();
    generator.push_back(bench.round(nullptr, now, sink));
  }
  const Cost alone = median(generator);
  show("flow.generator", alone.clocks, "clocks");

  std::vector<Cost> setups;
  std::unique_ptr<Shard> shard;
  std::unique_ptr<Engine> engine;
  double grown = 0;
  for (int i = 0; i < kSetups; ++i) {
    engine.reset();
    shard.reset();
    const double before = resident_bytes();
    shard = std::make_unique<Shard>(*cluster, std::uint16_t{0}, 1U + static_cast<unsigned>(i), now);
    engine = std::make_unique<Engine>(*cluster, std::vector<Shard*>{shard.get()}, Timeouts{}, 1);
    shard->activate(now);
    bench.shuffle();
    sink.sent = 0;
    setups.push_back(bench.round(engine.get(), now, sink));
    grown = resident_bytes() - before;
    if (shard->sessions() != kSessions || sink.sent != kSessions) {
      fmt::print(stderr, "{} sessions and {} packets out instead of {}\n", shard->sessions(), sink.sent, kSessions);
      return 1;
    }
  }
  const Cost setup = median(setups);
  show("flow.setup", setup.clocks - alone.clocks, "clocks");
  show("flow.setup_ns", setup.ns - alone.ns, "ns");
  show("flow.setup_rate", 1e9 / (setup.ns - alone.ns), "sessions/s");

  std::vector<Cost> rounds;
  for (int i = 0; i < kRounds; ++i) {
    bench.shuffle();
    sink.sent = 0;
    rounds.push_back(bench.round(engine.get(), now + 1s, sink));
    if (sink.sent != kSessions || shard->sessions() != kSessions) {
      fmt::print(stderr, "{} packets out instead of {}\n", sink.sent, kSessions);
      return 1;
    }
  }
  const Cost forward = median(rounds);
  show("flow.forward.1m", forward.clocks - alone.clocks, "clocks");
  show("flow.forward.1m_ns", forward.ns - alone.ns, "ns");

  // A bit per address, protocol and port, rounded to words; and a count of what is free.
  const auto& pool = cluster->nat_pools[0];
  const std::size_t words = (pool.port_high - pool.port_low + 64U) / 64U;
  const std::size_t pool_bytes = std::size_t{kPoolAddresses} * 3 * (words * 8 + 4);
  show("flow.bytes_per_session", static_cast<double>(shard->memory() + pool_bytes) / kSessions, "bytes");
  show("flow.resident_per_session", grown / kSessions, "bytes");
  return 0;
}

}  // namespace

int main() { return run(); }
