// Two whole chassis, their inter-chassis link, traffic and faults, in one process and in virtual time. Everything that
// happens follows from the seed.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/chassis.h"
#include "tests/sim/files.h"
#include "tests/sim/oracle.h"
#include "tests/sim/totals.h"
#include "tests/sim/traffic.h"

namespace icr::sim {

class World final : private ChassisWatcher {
 public:
  /// Both chassis run this file, and there are no commits.
  World(Cluster cluster, std::uint64_t seed);
  /// They start with the first of these files, and there may be commits of all of them.
  World(Files files, std::uint64_t seed);

  /// From now on disks take their time for claimed terms, witnesses have moods, and a round takes only some of the
  /// messages that wait.
  void make_hard();
  /// The set has a witness, whose key gives the right to act. Call it before the first start.
  void make_witnessed(std::uint64_t seed);
  /// From now on there are commits with some of these edits.
  void make_commits(std::uint32_t edits);
  /// From now on there are no faults, and no packet of a conversation may be lost that both files have a place for.
  void make_strict();
  /// Traffic and faults.
  void run(Duration time);
  /// The faults end and the traffic too; the chassis must agree, on everything, before `limit`.
  void settle(Duration limit);
  /// Checks that the sessions of the master have the timeouts of the file that it runs. REQUIRES: settle() has ended
  /// well.
  void check_timeouts();
  /// Traffic without faults: whatever happened before, the cluster works.
  void prove_alive();

  // For scenarios without chance.
  void step(Duration by);
  void start(std::size_t index, bool damaged = false);
  void crash(std::size_t index, bool everything_durable, bool connection_closes);
  void connect();
  /// Cuts the inter-chassis link until heal(). Traffic goes to both members as soon as both are master.
  void split();
  /// Gives a commit to those chassis of `to` (bits by index) that are up.
  void commit(std::uint32_t edits, unsigned to);
  /// Returns true if every chassis runs the newest commit, and that is the same one.
  [[nodiscard]] bool committed() const;
  void heal();
  void set_traffic(double per_second) { per_second_ = per_second; }
  [[nodiscard]] Chassis& chassis(std::size_t index) { return chassis_[index]; }
  [[nodiscard]] bool twins() const;
  [[nodiscard]] std::optional<std::size_t> master() const;
  /// The witness of a witnessed world.
  [[nodiscard]] KeyService& keys() { return *keys_; }
  [[nodiscard]] Traffic& traffic() { return traffic_; }
  [[nodiscard]] TimePoint now() const { return now_; }

  [[nodiscard]] std::vector<std::string> violations() const;
  /// The last things that happened.
  [[nodiscard]] const std::deque<std::string>& events() const { return events_; }
  /// Call once, at the end.
  Totals finish();

 private:
  class Catch;

  World(const std::shared_ptr<const Snapshot>& snapshot, std::uint64_t seed);
  void on_master(Chassis& chassis, std::uint64_t term) override;
  void on_standby(Chassis& chassis, std::uint64_t term) override;
  void on_claim(Chassis& chassis, std::uint64_t term) override;
  void on_draw(Chassis& chassis) override;
  void on_release(Chassis& chassis, const node::Packet& packet) override;

  void note(const std::string& event);
  void deliver(Chassis& from, Chassis& to);
  void watch(Chassis& chassis, std::optional<std::uint32_t> sent_by);
  std::optional<Passed> carry(std::uint32_t unit, const Bytes& bytes, std::uint32_t conversation);
  void fault();
  void fault_of_witness();
  void check_acting();
  void weather(bool bad);
  void commit_something();
  void look(Chassis& chassis);
  /// A chassis takes a commit while it runs.
  void take(Chassis& chassis);
  /// Stops the sets of a chassis, which start again later with the newest commit.
  void restart(Chassis& chassis);
  void begin_again(Chassis& chassis);
  void on_started(Chassis& chassis);
  [[nodiscard]] std::uint32_t random_edits();
  /// Notes the conversations of either chassis for which a file has no place.
  void excuse(const Cluster& cluster);
  void check_interrupted();
  /// Returns true if the chassis have the same newest commit, and can start with it.
  [[nodiscard]] bool agreed() const;
  /// Adds a chassis' counters to the totals before they are gone.
  void count_of(Chassis& chassis);
  [[nodiscard]] Duration between(Duration low, Duration high);
  [[nodiscard]] bool chance(double p);
  enum What { kStart, kHeal, kResume, kUnblock, kDiskWorks, kCalm, kWell, kRestart, kWitness };
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
  std::optional<KeyService> keys_;       ///< nullopt: there is no witness
  std::optional<std::size_t> drawn_to_;  ///< where the network sends the traffic
  bool pinned_ = false;                  ///< of two masters, each has the traffic of every other conversation
  bool link_up_ = true;
  std::vector<Later> later_;
  TimePoint next_fault_;
  std::optional<Files> files_;     ///< nullopt: there are no commits
  std::mt19937_64 commit_random_;  ///< beside random_, so that a seed's faults do not depend on commits
  std::uint32_t edits_ = 0;        ///< that a commit may make; 0: there are no commits
  std::uint32_t last_edits_ = 0;
  TimePoint next_commit_ = TimePoint::max();
  std::array<TimePoint, 2> next_fetch_{};
  bool strict_ = false;
  std::set<std::uint32_t> excused_;  ///< conversations that a commit may interrupt
  TimePoint next_port_check_;
  std::array<TimePoint, 2> disk_bad_until_{};
  bool hard_ = false;
  std::size_t messages_per_round_ = std::numeric_limits<std::size_t>::max();
  node::PacketBuffers buffers_{1};
  std::vector<std::string> violations_;
  std::deque<std::string> events_;
  Totals totals_;
};

}  // namespace icr::sim
