// Two whole chassis, their inter-chassis link, traffic and faults, in one process and in virtual time. Everything that
// happens follows from the seed.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/sim/chassis.h"
#include "tests/sim/oracle.h"
#include "tests/sim/traffic.h"

namespace icr::sim {

/// What happened in a run, for the summary: a simulation that never met a fault proves nothing.
struct Totals {
  std::uint64_t crashes = 0;
  std::uint64_t cuts = 0;
  std::uint64_t pauses = 0;
  std::uint64_t illnesses = 0;
  std::uint64_t moved_ill = 0;  ///< mastership was given up, or taken, because of one
  std::uint64_t storms = 0;
  std::uint64_t disk_failures = 0;
  std::uint64_t switchovers_begun = 0;
  std::uint64_t masterships = 0;
  std::uint64_t split_brains = 0;
  std::uint64_t births = 0;
  std::uint64_t deaths = 0;
  std::uint64_t round_trips = 0;
  std::uint64_t messages_lost = 0;
  std::uint64_t took_over_hot = 0;
  std::uint64_t took_over_cold = 0;
  std::uint64_t gaps = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t attempts_after_loss = 0;
  std::uint64_t copies = 0;
  std::uint64_t mapping_changes = 0;
  std::uint64_t bindings = 0;
  std::uint64_t only_there = 0;  ///< sessions that only a member that yielded had
  std::uint64_t adopted = 0;     ///< records of such sessions that the master took over
  std::uint64_t claims_refused = 0;
  std::uint64_t claims_withdrawn = 0;
  std::uint64_t claims_waived = 0;  ///< the disk was not waited for
  std::uint64_t claims_waited = 0;  ///< claims that were not answered at once
  std::uint64_t damaged = 0;        ///< starts from a damaged store
  std::uint64_t conflicts = 0;      ///< such sessions that were counted as conflicts
  void add(const Totals& other);
  [[nodiscard]] std::string to_string() const;
};

class World final : private ChassisWatcher {
 public:
  World(const Cluster& cluster, std::uint64_t seed);

  /// From now on disks take their time for claimed terms, witnesses have moods, and a round takes only some of the
  /// messages that wait.
  void make_hard();
  /// Traffic and faults.
  void run(Duration time);
  /// The faults end and the traffic too; the chassis must agree, on everything, before `limit`.
  void settle(Duration limit);
  /// Traffic without faults: whatever happened before, the cluster works.
  void prove_alive();

  // For scenarios without chance.
  void step(Duration by);
  void start(std::size_t index, bool damaged = false);
  void crash(std::size_t index, bool everything_durable, bool connection_closes);
  void connect();
  /// Cuts the inter-chassis link until heal(). Traffic goes to both members as soon as both are master.
  void split();
  void heal();
  void set_traffic(double per_second) { per_second_ = per_second; }
  [[nodiscard]] Chassis& chassis(std::size_t index) { return chassis_[index]; }
  [[nodiscard]] bool twins() const;
  [[nodiscard]] std::optional<std::size_t> master() const;
  [[nodiscard]] Traffic& traffic() { return traffic_; }
  [[nodiscard]] TimePoint now() const { return now_; }

  [[nodiscard]] std::vector<std::string> violations() const;
  /// The last things that happened.
  [[nodiscard]] const std::deque<std::string>& events() const { return events_; }
  /// Call once, at the end.
  Totals finish();

 private:
  class Catch;

  void on_master(Chassis& chassis, std::uint64_t term) override;
  void on_standby(Chassis& chassis, std::uint64_t term) override;
  void on_claim(Chassis& chassis, std::uint64_t term) override;
  void on_draw(Chassis& chassis) override;

  void note(const std::string& event);
  void deliver(Chassis& from, Chassis& to);
  void watch(Chassis& chassis, std::optional<std::uint32_t> sent_by);
  std::optional<Passed> carry(std::uint32_t unit, const Bytes& bytes, std::uint32_t conversation);
  void fault();
  void weather(bool bad);
  /// Adds a chassis' counters to the totals before they are gone.
  void count_of(Chassis& chassis);
  [[nodiscard]] Duration between(Duration low, Duration high);
  [[nodiscard]] bool chance(double p);
  /// Something that ends a fault later.
  struct Later {
    TimePoint at;
    int what = 0;
    std::size_t index = 0;
  };
  void happen(const Later& later);

  std::mt19937_64 random_;
  TimePoint now_{std::chrono::hours(1)};
  std::array<Chassis, 2> chassis_;
  Oracle oracle_;
  Traffic traffic_;
  double per_second_ = 12;
  std::optional<std::size_t> drawn_to_;  ///< where the network sends the traffic
  bool pinned_ = false;                  ///< of two masters, each has the traffic of every other conversation
  bool link_up_ = true;
  std::vector<Later> later_;
  TimePoint next_fault_;
  TimePoint next_port_check_;
  std::array<TimePoint, 2> disk_bad_until_{};
  bool hard_ = false;
  std::size_t messages_per_round_ = std::numeric_limits<std::size_t>::max();
  node::PacketBuffers buffers_{1};
  std::vector<std::string> violations_;
  std::deque<std::string> events_;
  Totals totals_;
};

/// Who owns what the sessions of the simulated cluster use outside.
enum class NatFlavour : std::uint8_t { ports, blocks, mappings, mappings_in_blocks, addresses };
inline constexpr std::uint8_t kNatFlavourCount = 5;

/// The cluster that is simulated: few slots and few ports, blocks and addresses, so that they run out.
[[nodiscard]] Cluster simulated_cluster(bool preempt, NatFlavour flavour = NatFlavour::ports);

}  // namespace icr::sim
