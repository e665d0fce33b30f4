// What is tested: two chassis' worth of shard and engine in virtual time. One is active, the other its twin, kept equal
// by records of the slots that changed. The model sees packets, drops and records, never the engine.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "model/config/cluster.h"
#include "node/flow/engine.h"
#include "tests/support/packets.h"

namespace icr::node::test::nat_model {

/// What became of one packet.
struct Outcome {
  struct Sent {
    Bytes bytes;
    std::uint32_t unit = 0;
  };
  std::vector<Sent> sent;
  std::vector<Drop> drops;  ///< one entry for each packet that was dropped
  std::uint64_t unreadable = 0;
  std::uint64_t held = 0;     ///< fragments kept
  std::uint64_t rejects = 0;  ///< packets of the engine's own
  std::uint64_t rejects_suppressed = 0;
};

class Rig {
 public:
  Rig(const Cluster& cluster, std::uint64_t seed);

  /// One packet into the active engine.
  [[nodiscard]] Outcome send(std::uint32_t unit, const Bytes& packet);
  /// One packet into the standby, which must not let it through.
  [[nodiscard]] Outcome send_to_standby(std::uint32_t unit, const Bytes& packet);

  [[nodiscard]] TimePoint now() const { return now_; }
  [[nodiscard]] Ticks ticks() const { return Shard::ticks_of(now_); }
  /// One tick passes on both.
  void tick();

  /// Brings the news to the twin. Empty, or what is wrong afterwards.
  [[nodiscard]] std::string replicate();
  /// The twin becomes active. `fresh`: a chassis that starts from records only.
  [[nodiscard]] std::string take_over(bool fresh);

  [[nodiscard]] Shard& active() { return *sides_[active_].shard; }
  [[nodiscard]] Shard& standby() { return *sides_[1 - active_].shard; }
  /// Which of the two is active; a fresh one has a number of its own.
  [[nodiscard]] unsigned incarnation() const { return sides_[active_].incarnation; }
  /// Live records of the active shard: sessions, then bindings.
  [[nodiscard]] std::vector<SessionRecord> records();
  /// Empty, or which of the balances of either engine does not hold. `held`: fragments that are kept now.
  [[nodiscard]] std::string accounts(std::uint64_t held) const;

 private:
  struct Changes final : ChangeListener {
    void changed(std::uint32_t slot, Change) override { slots.insert(slot); }
    std::set<std::uint32_t> slots;
  };
  struct Sink final : PacketSink {
    void send(const Packet& packet) override {
      sent.push_back({Bytes(packet.data, packet.data + packet.length), packet.unit});
    }
    std::vector<Outcome::Sent> sent;
  };
  struct Side {
    std::unique_ptr<Changes> changes;
    std::unique_ptr<Shard> shard;
    std::unique_ptr<Engine> engine;
    unsigned incarnation = 0;
  };

  [[nodiscard]] Side make_side();
  [[nodiscard]] Outcome process(Side& side, std::uint32_t unit, const Bytes& packet);
  [[nodiscard]] std::string copy_all();
  [[nodiscard]] std::string compare();

  const Cluster& cluster_;
  std::uint64_t seed_;
  TimePoint now_{std::chrono::hours(1)};
  std::array<Side, 2> sides_;
  std::size_t active_ = 0;
  unsigned made_ = 0;
};

}  // namespace icr::node::test::nat_model
