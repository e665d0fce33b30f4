// A test bed: one services card with a shard and an engine, in virtual time, and a sink that keeps what leaves.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/config/cluster.h"
#include "node/flow/engine.h"
#include "tests/support/packets.h"

namespace icr::node::test {

inline constexpr std::uint32_t kInside = 1;
inline constexpr std::uint32_t kOutside = 2;
/// A host on either side.
inline constexpr auto kClient = "198.18.0.10";
inline constexpr auto kServer = "198.19.0.10";

/// What differs between test clusters. Texts are lines of YAML, indented as their place wants it.
struct Plan {
  std::string pool = "203.0.113.0/30";
  std::uint32_t port_low = 1024, port_high = 65535;
  std::uint32_t max_sessions = 1024;
  bool nat = true;
  std::string service_options;  ///< further keys of the service set, as "session-limit: 2"; one per line
  std::string firewall_terms = "      - { name: all, then: accept }\n";
  std::string applications;  ///< list items
  std::string timeouts = "  inactivity-timeout: 30\n  open-timeout: 5\n  close-timeout: 1\n";
  bool second_service_set = false;  ///< units 3 (inside) and 4, in the same redundancy set, without NAT
};

/// Two chassis, one redundancy set with the service set "cgn" (index 0) on units 1 (inside) and 2 (outside). Fails the
/// test when the text is wrong.
[[nodiscard]] Cluster make_cluster(const Plan& plan);

struct Sent {
  Bytes bytes;
  std::uint32_t unit = 0;
};

class Capture final : public PacketSink {
 public:
  void send(const Packet& packet) override {
    if (recording) sent.push_back({Bytes(packet.data, packet.data + packet.length), packet.unit});
    ++count;
  }
  std::vector<Sent> sent;
  std::uint64_t count = 0;
  bool recording = true;
};

class Bed {
 public:
  explicit Bed(const Plan& plan = {}, std::uint64_t seed = 1, bool active = true);

  /// One packet in; what came out for it.
  std::vector<Sent> send(std::uint32_t unit, const Bytes& packet);
  std::vector<Sent> send(std::uint32_t unit, const Spec& spec) { return send(unit, build(spec)); }
  /// Exactly one packet must come out: it, taken apart. Otherwise the test fails.
  Seen pass(std::uint32_t unit, const Spec& spec);
  /// Nothing must come out, and exactly one drop must be counted: the reason.
  void expect_drop(std::uint32_t unit, const Bytes& packet, Drop reason);
  void expect_drop(std::uint32_t unit, const Spec& spec, Drop reason) { expect_drop(unit, build(spec), reason); }

  /// A session that nobody set up: how the engine follows it does not depend on who did. Returns its slot.
  std::uint32_t plant(const FlowKey& initiator, const FlowKey& responder, NatType type, bool initiated_outside = false,
                      bool hairpin = false);
  /// After a change of `cluster`: an engine that knows of it.
  void make_engine();

  /// Goes on with another configuration, as a worker does; `cluster` stays what it was. `plan` must be one that a
  /// running shard can take.
  void take(const Plan& plan);

  /// Time goes on, in steps of 100 ms, and timers run.
  void wait(Duration time);

  [[nodiscard]] std::uint64_t drops(Drop reason) const {
    return engine->counters().drops[static_cast<std::size_t>(reason)];
  }
  /// The record in a slot.
  [[nodiscard]] SessionRecord record(std::uint32_t slot = 0) const;
  /// Sum of digest words, computed from the records.
  [[nodiscard]] std::uint64_t slow_digest() const;
  /// Everything that came in went out, was relayed, was dropped or is held.
  void expect_accounted() const;

  Cluster cluster;
  TimePoint now{std::chrono::hours(1)};
  std::unique_ptr<Shard> shard;
  std::unique_ptr<Engine> engine;
  Capture out;

 private:
  std::uint64_t seed_;
  std::unique_ptr<Cluster> taken_;  ///< null: `cluster` is what runs
};

}  // namespace icr::node::test
