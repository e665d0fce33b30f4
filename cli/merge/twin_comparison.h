// Compares the twins of a redundancy set: what its master holds in each slot with what its standby holds there.
//
// While traffic runs, some change is always on its way from the master to the standby, so one look at both proves no
// difference. Slots that differ are looked at again. If both sides show in two looks in a row what they showed before,
// and still differ, the twins are different; if they agree, they are equal; and if they move on with each look, nothing
// is known, and they count as changing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>

#include "model/record/session.h"

namespace icr::cli {

/// Returns true if two records of a slot agree in everything that a takeover needs. Counters, idle times, ages and TCP
/// windows are not compared: the standby hears of them only now and then.
[[nodiscard]] bool are_twins(const SessionRecord& a, const SessionRecord& b);

/// A page of one member: its records in the slots from the one that was asked for up to `end`, which is not included.
struct TwinPage {
  std::span<const SessionRecord> records;  ///< by slot
  std::uint32_t end = 0;                   ///< the slot after the last one of the page; kNoMoreSlots for the last page
};
inline constexpr std::uint32_t kNoMoreSlots = UINT32_MAX;

/// Thread: one. REQUIRES: the two pages of a call are the answers of the master and of the standby to the same
/// question.
class TwinComparison {
 public:
  /// So many slots that differ are kept and looked at again. Further ones are only counted (not_examined()).
  static constexpr std::size_t kMostDoubts = 10'000;

  /// The records of a slot: of the master and of the standby, if they have one.
  struct Slot {
    std::array<std::optional<SessionRecord>, 2> records;
    bool different = false;  ///< the two records are proved to differ; otherwise that is not known
  };

  /// Takes the first look at the slots from `first` on, and returns where the next pages begin: kNoMoreSlots after the
  /// last ones.
  [[nodiscard]] std::uint32_t look(std::uint32_t first, const TwinPage& master, const TwinPage& standby);
  /// Returns the first slot from `first` on that has to be looked at again, or nothing.
  [[nodiscard]] std::optional<std::uint32_t> doubtful(std::uint32_t first) const;
  /// Takes another look at the doubtful slots from `first` on, and returns where the next pages begin.
  [[nodiscard]] std::uint32_t look_again(std::uint32_t first, const TwinPage& master, const TwinPage& standby);

  [[nodiscard]] std::uint64_t equal() const { return equal_; }
  /// Returns the number of the master's sessions that are withheld from the standby (replication-threshold), and that
  /// the standby does not have.
  [[nodiscard]] std::uint64_t withheld() const { return withheld_; }
  [[nodiscard]] std::uint64_t different() const;
  [[nodiscard]] std::uint64_t changing() const;
  [[nodiscard]] std::uint64_t not_examined() const { return not_examined_; }
  /// Returns the slots that are not equal, by number.
  [[nodiscard]] const std::map<std::uint32_t, Slot>& doubts() const { return doubts_; }

 private:
  std::uint64_t equal_ = 0;
  std::uint64_t withheld_ = 0;
  std::uint64_t not_examined_ = 0;
  std::map<std::uint32_t, Slot> doubts_;
};

}  // namespace icr::cli
