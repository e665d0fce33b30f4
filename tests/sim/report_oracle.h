// Compares what the report of a takeover says is at risk with what the former master had and the new one lacks.
//
// A report rests on the last word of the former master: a heartbeat, or a message of the stream. So this oracle notes
// for each of them which change of its table was the last one then. Sessions that a former master had, that the new one
// lacks, and that have not changed since that word, must be covered by the bound of the report.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/record/change_listener.h"
#include "model/record/session.h"
#include "node/redundancy/takeover.h"
#include "tests/sim/totals.h"

namespace icr::sim {

/// What one life of a chassis changed and said, and what it had at its end.
class LifeLog {
 public:
  struct Row {
    SessionRef ref;
    std::uint32_t version = 0;
    std::uint64_t changed = 0;  ///< number of the last change of its state
  };
  void begin(std::uint64_t boot, std::uint64_t cluster_digest);
  void on_change(std::uint32_t slot, Change change);
  /// Takes a message that is offered to the link, perhaps not for the first time.
  void on_send(std::span<const std::uint8_t> message);
  /// The process ends with this table.
  void end(const SessionSource& table, std::uint32_t sessions, TimePoint now);

  /// Returns the sessions that `table` has now; or, if the life has ended, that it had then.
  [[nodiscard]] std::vector<Row> rows(const SessionSource* table, std::uint32_t sessions, TimePoint now) const;
  /// Returns the number of the last change when this heartbeat was made, or the message of the stream. Of heartbeats
  /// that say the same, the first counts.
  [[nodiscard]] std::optional<std::uint64_t> change_at(const replication::Position& place,
                                                       const replication::Lag& lag) const;
  [[nodiscard]] std::optional<std::uint64_t> change_at(const replication::Position& message) const;
  [[nodiscard]] std::uint64_t boot() const { return boot_; }
  [[nodiscard]] std::uint64_t cluster_digest() const { return cluster_digest_; }
  void set_cluster_digest(std::uint64_t digest) { cluster_digest_ = digest; }

 private:
  static constexpr std::size_t kBeats = 200;
  struct Beat {
    replication::Position place;
    replication::Lag lag;
    std::uint64_t change = 0;
  };
  [[nodiscard]] std::vector<Row> read(const SessionSource& table, std::uint32_t sessions, TimePoint now) const;

  std::uint64_t boot_ = 0;
  std::uint64_t cluster_digest_ = 0;
  std::uint64_t changes_ = 0;
  std::map<std::uint32_t, std::uint64_t> changed_;  ///< slot -> number of its last change
  std::deque<Beat> beats_;
  std::uint64_t epoch_ = 0;                          ///< of messages_
  std::map<std::uint64_t, std::uint64_t> messages_;  ///< sequence -> number of the last change when it was made
  std::vector<Row> last_;                            ///< of a life that has ended
};

class Chassis;

/// Looks at a report that has just begun. Returns what is wrong with it; empty if nothing is.
[[nodiscard]] std::string check_report(const Chassis& chassis, const Chassis& other, TimePoint now, Totals& totals);

}  // namespace icr::sim
