// What the benchmarks of the flow engine share: a cluster, frames, and clocks.
//
// Frames are whole IPv4 packets with right checksums, written into the buffers of a burst before each of them: the
// addresses and ports of session i follow from i, checksums from sums that were made once. Nothing is read from memory
// but the order of sessions. What the writing costs is measured alone and taken off.
#pragma once

#include <fmt/format.h>
#include <time.h>
#include <x86intrin.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "model/config/cluster_file.h"
#include "node/flow/engine.h"
#include "node/packet/checksum.h"

namespace icr::bench {

using namespace icr::node;

inline constexpr std::uint32_t kFrame = 128;  ///< octets of an IP packet
inline constexpr std::size_t kBurst = 64;

/// Prints one result.
inline void show(const std::string& name, double value, const char* unit) {
  fmt::print("{} {:.4g} {}\n", name, value, unit);
  (void)std::fflush(stdout);
}

/// True if the user asked for `name`, by its beginning, or for everything.
inline bool wanted(int argc, char** argv, std::string_view name) {
  if (argc < 2) return true;
  return std::any_of(argv + 1, argv + argc, [&](std::string_view prefix) {
    return name.substr(0, prefix.size()) == prefix || prefix.substr(0, name.size()) == name;
  });
}

/// A stand-alone service set with NAPT44. `terms`: the firewall's, as YAML.
inline std::unique_ptr<Cluster> make_cluster(std::uint32_t sessions, const std::string& terms) {
  const std::string text = fmt::format(R"(
cluster: bench
chassis:
  - name: left
    inter-chassis: {{ address: 192.0.2.1, port: 7400 }}
    query: {{ address: 192.0.2.1, port: 7300 }}
    cards: [ {{ name: ms-0/0/0, ports: [ {{ unit: 1, type: tun, device: in }}, {{ unit: 2, type: tun, device: out }} ] }} ]
service-sets:
  - name: cgn
    inside-unit: 1
    outside-unit: 2
    stateful-firewall-rules: [outbound]
    nat-rules: [to-the-pool]
    interface: {{ chassis: left, card: ms-0/0/0, max-sessions: {} }}
stateful-firewall:
  rules:
    - name: outbound
      match-direction: input
      terms:
{}
nat:
  pools: [ {{ name: pool1, addresses: [203.0.113.0/{}] }} ]
  rules:
    - name: to-the-pool
      match-direction: input
      terms: [ {{ name: hosts, from: {{ source-address: [198.18.0.0/15] }}, then: {{ translated: {{ source-pool: pool1, translation-type: napt-44 }} }} }} ]
)",
                                       sessions, terms, sessions > 2'000'000 ? 24 : 26);
  auto cluster = parse_cluster(text, "bench");
  if (!cluster) {
    fmt::print(stderr, "{}\n", cluster.error().message);
    return nullptr;
  }
  return std::make_unique<Cluster>(std::move(*cluster));
}
inline const std::string kOneTerm =
    "        - { name: hosts, from: { source-address: [198.18.0.0/15] }, then: accept }\n";

class CountingSink final : public PacketSink {
 public:
  void send(const Packet& packet) override { sent += packet.length != 0 ? 1U : 0U; }
  std::uint64_t sent = 0;
};

/// Writes frames of sessions into buffers. Hosts are 60,000 addresses of 198.18.0.0/16, servers in 198.19.0.0/16.
class Frames {
 public:
  /// `df`: "don't fragment" is set, as senders that look for the path's MTU set it. Such a packet keeps its
  /// identification; one without gets another when its source is translated.
  explicit Frames(std::uint8_t protocol, bool df = true) : protocol_(protocol) {
    template_.fill(0x5a);
    std::uint8_t* const p = template_.data();
    std::memset(p, 0, 20 + 20);
    p[0] = 0x45;
    store16(p + 2, kFrame);
    p[6] = df ? 0x40 : 0;
    p[8] = 64;
    p[9] = protocol;
    if (protocol == ip_protocol::udp) {
      store16(p + 24, kFrame - 20);
    } else {
      store16(p + 20 + 14, 0xffff);
    }
    ip_sum_ = checksum_add(p, 20);
    transport_sum_ = checksum_add(p + 20, kFrame - 20) + protocol + (kFrame - 20);
    for (std::size_t i = 0; i < kBurst; ++i) std::memcpy(&buffers_[i * kFrame], p, kFrame);
  }

  static std::uint32_t host(std::uint32_t i) { return 0xc6120000U + i % 60'000; }
  static std::uint16_t port(std::uint32_t i) { return static_cast<std::uint16_t>(1024 + i % 60'013); }
  /// 1000 servers, each in a /26 of its own.
  static std::uint32_t server(std::uint32_t i) {
    return 0xc6130000U + (i * 0x9e3779b1U >> 16) * 1000U / 65536U * 64U + 7U;
  }

  /// The frame of session i, as its initiator sends it. TCP: with these flags and numbers, without payload in a SYN.
  Packet write(std::size_t place, std::uint32_t i, std::uint8_t flags = 0, std::uint32_t seq = 0,
               std::uint32_t ack = 0) {
    std::uint8_t* const p = &buffers_[place * kFrame];
    const std::uint32_t from = host(i);
    const std::uint32_t to = server(i);
    finish(p, from, to, port(i), protocol_ == ip_protocol::udp ? 53 : 443, flags, seq, ack);
    return Packet{p, kFrame, kFrame, 1};
  }
  /// A frame that comes back to `to`, which the session was translated to.
  Packet write_back(std::size_t place, std::uint32_t i, std::uint32_t to, std::uint16_t to_port, std::uint8_t flags = 0,
                    std::uint32_t seq = 0, std::uint32_t ack = 0) {
    std::uint8_t* const p = &buffers_[place * kFrame];
    finish(p, server(i), to, protocol_ == ip_protocol::udp ? 53 : 443, to_port, flags, seq, ack);
    return Packet{p, kFrame, kFrame, 2};
  }

 private:
  static std::uint64_t words(std::uint32_t v) { return (v >> 16) + (v & 0xffff); }
  void finish(std::uint8_t* p, std::uint32_t from, std::uint32_t to, std::uint16_t from_port, std::uint16_t to_port,
              std::uint8_t flags, std::uint32_t seq, std::uint32_t ack) const {
    const std::uint64_t addresses = words(from) + words(to);
    store16(p + 4, 0);  // the engine may have changed it in the packet before
    store32(p + 12, from);
    store32(p + 16, to);
    store16(p + 10, checksum_finish(ip_sum_ + addresses));
    store16(p + 20, from_port);
    store16(p + 22, to_port);
    std::uint64_t sum = transport_sum_ + addresses + from_port + to_port;
    if (protocol_ == ip_protocol::udp) {
      const std::uint16_t checksum = checksum_finish(sum);
      store16(p + 26, checksum == 0 ? 0xffff : checksum);
      return;
    }
    store32(p + 24, seq);
    store32(p + 28, ack);
    p[32] = 0x50;
    p[33] = flags;
    sum += words(seq) + words(ack) + (0x5000U | flags);
    store16(p + 36, checksum_finish(sum));
  }

  std::uint8_t protocol_;
  std::array<std::uint8_t, kFrame> template_;
  std::uint64_t ip_sum_ = 0, transport_sum_ = 0;
  alignas(64) std::array<std::uint8_t, kBurst * kFrame> buffers_;
};

/// Clocks of the time stamp counter and time that a thread spent, which is not that of others who use the processor.
class Stopwatch {
 public:
  Stopwatch() : from_(thread_ns()) {}
  [[nodiscard]] double ns() const { return thread_ns() - from_; }
  /// Clocks in a nanosecond, of this machine's time stamp counter.
  static double clocks_per_ns() {
    static const double rate = [] {
      const auto from = std::chrono::steady_clock::now();
      const std::uint64_t first = __rdtsc();
      while (std::chrono::steady_clock::now() - from < std::chrono::milliseconds(50)) {
      }
      const std::uint64_t last = __rdtsc();
      const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - from;
      return static_cast<double>(last - first) / time.count();
    }();
    return rate;
  }

 private:
  static double thread_ns() {
    timespec t{};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
  }
  double from_;
};

inline double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// The sessions 0..n-1 in random order.
class Order {
 public:
  explicit Order(std::uint32_t n) : order_(n) {
    std::iota(order_.begin(), order_.end(), 0U);
    shuffle();
  }
  void shuffle() { std::shuffle(order_.begin(), order_.end(), random_); }
  std::uint32_t operator[](std::size_t i) const { return order_[i]; }
  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(order_.size()); }

 private:
  std::mt19937_64 random_{42};
  std::vector<std::uint32_t> order_;
};

/// Each session's frame once, in order, in bursts; `write(place, i)` makes it. Clocks a packet, all bursts counted.
/// `engine` null: the generator alone.
template <class Write>
double round(const Order& order, Engine* engine, TimePoint now, CountingSink& sink, Write&& write) {
  std::array<Packet, kBurst> burst;
  const Stopwatch watch;
  for (std::size_t at = 0; at < order.size(); at += kBurst) {
    const std::size_t n = std::min<std::size_t>(kBurst, order.size() - at);
    for (std::size_t i = 0; i < n; ++i) burst[i] = write(i, order[at + i]);
    if (engine != nullptr) {
      engine->process(std::span(burst.data(), n), now, sink);
    } else {
      for (std::size_t i = 0; i < n; ++i) sink.send(burst[i]);
    }
  }
  return watch.ns() * Stopwatch::clocks_per_ns() / order.size();
}

/// Shard and engine of a cluster, active.
struct Node {
  explicit Node(const Cluster& cluster, TimePoint now, std::uint64_t seed = 1) {
    shard = std::make_unique<Shard>(cluster, std::uint16_t{0}, seed, now);
    engine = std::make_unique<Engine>(cluster, std::vector<Shard*>{shard.get()}, seed);
    shard->activate(now);
  }
  std::unique_ptr<Shard> shard;
  std::unique_ptr<Engine> engine;
};

}  // namespace icr::bench
