// The interfaces of a card through which questions reach its sessions, status and counters.
//
// CardMailbox::run() calls all functions, so they run on the worker thread of the card, between packet bursts. A call
// must take microseconds only; the mailbox divides longer work into slices.
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

/// Receives sessions one by one.
class SessionVisitor {
 public:
  virtual ~SessionVisitor() = default;
  /// Takes a session. Returns false to end the scan.
  virtual bool visit(const SessionRecord& record) = 0;
};

/// Receives NAT bindings one by one.
class BindingVisitor {
 public:
  virtual ~BindingVisitor() = default;
  /// Takes a binding. Returns false to end the scan.
  virtual bool visit(const SessionRecord& record, const BindingUse& use) = 0;
};

/// The sessions and NAT bindings of one redundancy set on one card.
class ShardView {
 public:
  virtual ~ShardView() = default;

  /// Index into Cluster::redundancy_sets of this chassis.
  [[nodiscard]] virtual std::uint16_t set() const = 0;
  [[nodiscard]] virtual const SessionSource& sessions() const = 0;
  /// Returns the first slot of a binding; all slots below are sessions.
  [[nodiscard]] virtual std::uint32_t first_binding() const = 0;
  /// Returns the number of sessions of one service set, without looking at sessions.
  [[nodiscard]] virtual std::uint64_t sessions_of(StableId service_set) const = 0;
  /// Fills all fields except `set` and `counters`.
  virtual void status(TimePoint now, SetStatus& out) const = 0;
  /// Appends the counters of roles and replication.
  virtual void append_to(CounterList& out) const = 0;
  /// Appends the reports of the last takeovers that this chassis made, newest first.
  virtual void failovers(std::vector<FailoverReport>& out) const = 0;
  /// Returns true if sessions may be cleared here: the member is master, or stand-alone.
  [[nodiscard]] virtual bool is_master() const = 0;
  /// Deletes the session in `slot` as if it had timed out, which is replicated and checkpointed. Returns false if the
  /// slot is empty.
  virtual bool remove(std::uint32_t slot, TimePoint now) = 0;
  /// Begins to hand mastership to the peer, with `force` also to a warned one. Returns a text for the operator, or an
  /// error with the reason why not.
  virtual Result<std::string> switchover(TimePoint now, bool force) = 0;
  /// Takes this member out of service, or with `cancel` back into it: SetCore::drain(). Returns a text for the
  /// operator, or an error with the reason why not.
  virtual Result<std::string> drain(TimePoint now, bool cancel) = 0;

  /// Passes the sessions in slots [begin, end) that match `filter` to `visitor`, in the order of slots. Returns the
  /// first slot that was not examined. The default reads every slot; a table that can reject slots faster overrides it.
  virtual std::uint32_t scan(const SessionFilter& filter, std::uint32_t begin, std::uint32_t end, TimePoint now,
                             SessionVisitor& visitor) const;
  /// Offers the sessions in slots [begin, end) that match `filter` to `largest`. Returns the first slot that was not
  /// examined. The default reads every slot; a table that knows sizes without reading slots overrides it.
  virtual std::uint32_t scan_largest(const SessionFilter& filter, std::uint32_t begin, std::uint32_t end, TimePoint now,
                                     LargestSessions& largest) const;
  /// Passes bindings to `visitor`, as scan() does sessions. `kinds` are bits of QueryRequest::record_kinds.
  virtual std::uint32_t scan_bindings(const SessionFilter& filter, std::uint8_t kinds, std::uint32_t begin,
                                      std::uint32_t end, TimePoint now, BindingVisitor& visitor) const;

  // -- NAT --

  /// Returns the use of the binding in `slot`.
  [[nodiscard]] virtual BindingUse use_of(std::uint32_t slot) const = 0;
  /// Returns true if `holder`, a session or a mapping (which may hold a pairing), holds a binding of these kinds that
  /// matches `filter`.
  [[nodiscard]] virtual bool holds_binding(const SessionRecord& holder, const SessionFilter& filter,
                                           std::uint8_t kinds) const = 0;
  /// Ends the binding in `slot` as if it had timed out. Returns false if the slot is empty or its binding is still in
  /// use.
  virtual bool remove_binding(std::uint32_t slot, TimePoint now) = 0;
  /// Appends every NAT pool for each service set that uses it, in a fixed order. Counters count since they were
  /// cleared.
  virtual void nat_pools(std::vector<NatPoolStatus>& out) const = 0;
  /// Appends blocks of deterministic NAT: the block of request.host, or the block with request.port (or all blocks) on
  /// request.translated, or with neither the blocks of all hosts. Examines kPageSessions blocks at most, beginning with
  /// number request.cursor. Returns the number of all of them.
  virtual std::uint32_t deterministic(const QueryRequest& request, std::vector<DeterministicRow>& out) const = 0;

  /// Appends how often the terms of the rules of each service set were matched that `filter` admits: from row `from`
  /// on, at most `most` rows. Returns the number of all rows.
  virtual std::uint32_t term_hits(const SessionFilter& filter, std::uint32_t from, std::uint32_t most,
                                  std::vector<TermHitsRow>& out) const = 0;
};

/// One services card, or the part of it that belongs to one worker.
class CardView {
 public:
  virtual ~CardView() = default;
  [[nodiscard]] virtual std::span<ShardView* const> shards() = 0;
  [[nodiscard]] virtual CardUtilization utilization(TimePoint now) const = 0;
  /// Appends every named counter of the service sets, and adds the card's to the first group (made, if there is none).
  virtual void counters(std::vector<CounterGroup>& out) const = 0;
  /// Adds the peaks, counts and memory of this worker.
  virtual void analysis(CardAnalysis& out) const = 0;
  /// Sets peaks and counts to zero.
  virtual void clear_analysis() = 0;
  virtual void usage(CardUsage& out) const = 0;
  /// Appends what goes through the ports of this worker.
  virtual void traffic(std::vector<PortTraffic>& out) const = 0;
  /// Fills in the counters of a service set of this worker since they were cleared.
  virtual void statistics(StableId service_set, ServiceSetStatus& out) const = 0;
  /// Clears the counters of one group, or of all groups. The group of NAT includes the counters of pools.
  virtual void clear_statistics(StableId service_set, std::optional<StatisticsGroup> group) = 0;
};

}  // namespace icr::node
