// What a card shows to the query server: the doors through which questions reach sessions, status and counters.
//
// Everything here is called by CardMailbox::run(), hence on the card's worker thread, between packet bursts. A call
// must cost microseconds: what is long is cut into slices by the mailbox.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/query.h"
#include "model/result.h"
#include "model/session.h"
#include "model/session_filter.h"
#include "model/time.h"

namespace icr::node {

/// Takes sessions one by one.
class SessionVisitor {
 public:
  virtual ~SessionVisitor() = default;
  /// False: no more, please (this one was taken).
  virtual bool visit(const SessionRecord& record) = 0;
};

/// The sessions of one redundancy set on one card.
class ShardView {
 public:
  virtual ~ShardView() = default;

  /// Index into Cluster::redundancy_sets.
  [[nodiscard]] virtual std::uint16_t set() const = 0;
  [[nodiscard]] virtual const SessionSource& sessions() const = 0;
  /// Sessions of one service set, without counting them.
  [[nodiscard]] virtual std::uint64_t sessions_of(std::uint16_t service_set) const = 0;
  /// Fills everything but `set`.
  virtual void status(TimePoint now, SetStatus& out) const = 0;
  /// True where sessions may be cleared: master, or stand-alone.
  [[nodiscard]] virtual bool is_master() const = 0;
  /// Deletes the session in `slot` as if it had timed out (the twin and the disk hear of it). False: the slot is empty.
  virtual bool remove(std::uint32_t slot, TimePoint now) = 0;
  /// Starts to hand mastership to the peer. Text for the operator, or why not.
  virtual Result<std::string> switchover(TimePoint now) = 0;

  /// Shows the sessions in slots [begin, end) that `filter` matches, in slot order. Returns the first slot that was not
  /// looked at. The default reads every slot; a table that can reject faster overrides it.
  virtual std::uint32_t scan(const SessionFilter& filter, std::uint32_t begin, std::uint32_t end, TimePoint now,
                             SessionVisitor& visitor) const;
};

/// One services card, or what one of its workers has of it.
class CardView {
 public:
  virtual ~CardView() = default;
  [[nodiscard]] virtual std::span<ShardView* const> shards() = 0;
  [[nodiscard]] virtual CardUtilization utilization(TimePoint now) const = 0;
  /// Appends every named counter of the service sets, and adds the card's to the first group (made, if there is none).
  virtual void counters(std::vector<CounterGroup>& out) const = 0;
};

}  // namespace icr::node
