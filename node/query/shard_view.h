// What a card shows to the query server: the doors through which questions reach sessions, status and counters.
//
// Everything here is called by CardMailbox::run(), hence on the card's worker thread, between packet bursts. A call
// must cost microseconds: what is long is cut into slices by the mailbox.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/base/result.h"
#include "model/base/time.h"
#include "model/query/query.h"
#include "model/query/session_filter.h"
#include "model/record/session.h"

namespace icr::node {

/// Takes sessions one by one.
class SessionVisitor {
 public:
  virtual ~SessionVisitor() = default;
  /// False: no more, please (this one was taken).
  virtual bool visit(const SessionRecord& record) = 0;
};

/// Takes NAT bindings one by one.
class BindingVisitor {
 public:
  virtual ~BindingVisitor() = default;
  /// False: no more, please (this one was taken).
  virtual bool visit(const SessionRecord& record, const BindingUse& use) = 0;
};

/// The sessions and NAT bindings of one redundancy set on one card.
class ShardView {
 public:
  virtual ~ShardView() = default;

  /// Index into Cluster::redundancy_sets.
  [[nodiscard]] virtual std::uint16_t set() const = 0;
  [[nodiscard]] virtual const SessionSource& sessions() const = 0;
  /// Slots below are sessions, from here on they are bindings.
  [[nodiscard]] virtual std::uint32_t first_binding() const = 0;
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
  /// The same for bindings; `kinds` are bits of QueryRequest::record_kinds.
  virtual std::uint32_t scan_bindings(const SessionFilter& filter, std::uint8_t kinds, std::uint32_t begin,
                                      std::uint32_t end, TimePoint now, BindingVisitor& visitor) const;

  // -- NAT --

  /// Who uses the binding in `slot`.
  [[nodiscard]] virtual BindingUse use_of(std::uint32_t slot) const = 0;
  /// True if the session, or the mapping (which may hold a pairing), holds a binding of these kinds that `filter`
  /// matches.
  [[nodiscard]] virtual bool holds_binding(const SessionRecord& holder, const SessionFilter& filter,
                                           std::uint8_t kinds) const = 0;
  /// Ends the binding in `slot` as if it had timed out. False: there is none, or it is held.
  virtual bool remove_binding(std::uint32_t slot, TimePoint now) = 0;
  /// Every NAT pool as each service set uses it, in a fixed order. Counters are those since they were cleared.
  virtual void nat_pools(std::vector<NatPoolStatus>& out) const = 0;
  /// Deterministic NAT: the block of request.host, or the one that holds request.port (or any port) of
  /// request.translated; neither: the blocks of all hosts. From the request.cursor-th on, as many as kPageSessions are
  /// looked at; returns how many there are to look at.
  virtual std::uint32_t deterministic(const QueryRequest& request, std::vector<DeterministicRow>& out) const = 0;
};

/// One services card, or what one of its workers has of it.
class CardView {
 public:
  virtual ~CardView() = default;
  [[nodiscard]] virtual std::span<ShardView* const> shards() = 0;
  [[nodiscard]] virtual CardUtilization utilization(TimePoint now) const = 0;
  /// Appends every named counter of the service sets, and adds the card's to the first group (made, if there is none).
  virtual void counters(std::vector<CounterGroup>& out) const = 0;
  /// Adds what this worker remembers, and what it uses.
  virtual void analysis(CardAnalysis& out) const = 0;
  /// What it remembers begins anew.
  virtual void clear_analysis() = 0;
  virtual void usage(CardUsage& out) const = 0;
  /// Counters of a service set of this worker since they were cleared.
  virtual void statistics(std::uint16_t service_set, ServiceSetStatus& out) const = 0;
  /// Of one group, or of all; that of NAT includes the pools'.
  virtual void clear_statistics(std::uint16_t service_set, std::optional<StatisticsGroup> group) = 0;
};

}  // namespace icr::node
