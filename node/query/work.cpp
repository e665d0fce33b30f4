#include "node/query/work.h"

#include <algorithm>
#include <optional>

namespace icr::node {
namespace {

/// Collects a page.
class PageVisitor final : public SessionVisitor {
 public:
  PageVisitor(BatchEncoder& out, std::uint32_t& found, std::uint32_t limit) : out_(out), found_(found), limit_(limit) {}
  bool visit(const SessionRecord& record) override {
    out_.add(record);
    return ++found_ < limit_;
  }

 private:
  BatchEncoder& out_;
  std::uint32_t& found_;
  const std::uint32_t limit_;
};

/// Adds one to the row of the session's service set.
void count_in(std::vector<ServiceSetCount>& rows, const SessionRecord& record, SessionState state) {
  const auto row = std::find_if(rows.begin(), rows.end(),
                                [&](const ServiceSetCount& r) { return r.service_set == record.service_set; });
  if (row != rows.end()) ++row->by_state[static_cast<std::size_t>(state)];
}

class CountVisitor final : public SessionVisitor {
 public:
  CountVisitor(std::vector<ServiceSetCount>& rows, bool by_state) : rows_(rows), by_state_(by_state) {}
  bool visit(const SessionRecord& record) override {
    count_in(rows_, record, by_state_ ? state_of(record) : SessionState::valid);
    return true;
  }

 private:
  std::vector<ServiceSetCount>& rows_;
  const bool by_state_;
};

class GroupVisitor final : public SessionVisitor {
 public:
  explicit GroupVisitor(SessionGroups& groups) : groups_(groups) {}
  bool visit(const SessionRecord& record) override {
    if (groups_.add(record)) return true;
    no_room_for = record.ref.slot;
    return false;
  }
  std::optional<std::uint32_t> no_room_for;  ///< the slot of the first session that was not added

 private:
  SessionGroups& groups_;
};

class LiveVisitor final : public SessionVisitor {
 public:
  explicit LiveVisitor(LiveSessions& live) : live_(live) {}
  bool visit(const SessionRecord& record) override {
    live_.count(record);
    return true;
  }

 private:
  LiveSessions& live_;
};

/// Collects what is to be deleted, because a table must not change while it is scanned.
class ClearVisitor final : public SessionVisitor {
 public:
  bool visit(const SessionRecord& record) override {
    doomed.push_back({record.ref.slot, record.service_set});
    return true;
  }
  struct Doomed {
    std::uint32_t slot;
    StableId service_set;
  };
  std::vector<Doomed> doomed;
};

void refuse(QueryTask& task, QueryError error, std::string reason) {
  task.reply.error = error;
  task.reply.reason = std::move(reason);
}

/// Collects a page of bindings.
class BindingPageVisitor final : public BindingVisitor {
 public:
  explicit BindingPageVisitor(QueryTask& task) : task_(task) {}
  bool visit(const SessionRecord& record, const BindingUse& use) override {
    task_.sessions.add(record);
    task_.reply.uses.push_back(use);
    return ++task_.found < task_.request.limit;
  }

 private:
  QueryTask& task_;
};

/// Collects the sessions that hold a binding to be cleared.
class HolderVisitor final : public SessionVisitor {
 public:
  HolderVisitor(const ShardView& shard, const QueryRequest& request, ClearVisitor& doomed)
      : shard_(shard), request_(request), doomed_(doomed) {}
  bool visit(const SessionRecord& record) override {
    return !shard_.holds_binding(record, request_.filter, request_.record_kinds) || doomed_.visit(record);
  }

 private:
  const ShardView& shard_;
  const QueryRequest& request_;
  ClearVisitor& doomed_;
};

/// Collects the mappings to be cleared, and those that hold a pairing to be cleared.
class MappingVisitor final : public BindingVisitor {
 public:
  MappingVisitor(const ShardView& shard, const QueryRequest& request) : shard_(shard), request_(request) {}
  bool visit(const SessionRecord& record, const BindingUse& /*use*/) override {
    const bool meant =
        (request_.record_kinds & kind_bit(RecordKind::mapping)) != 0 && request_.filter.matches(record.binding);
    if (meant) {
      doomed.push_back({record.ref.slot, record.binding.service_set});
    } else if (shard_.holds_binding(record, request_.filter, request_.record_kinds)) {
      holders.push_back(record.ref.slot);
    }
    return true;
  }
  std::vector<ClearVisitor::Doomed> doomed;
  std::vector<std::uint32_t> holders;

 private:
  const ShardView& shard_;
  const QueryRequest& request_;
};

class DoomedBindings final : public BindingVisitor {
 public:
  bool visit(const SessionRecord& record, const BindingUse& /*use*/) override {
    doomed.push_back({record.ref.slot, record.binding.service_set});
    return true;
  }
  std::vector<ClearVisitor::Doomed> doomed;
};

/// Examines the next slots of the set. Returns true if the scan is complete.
bool scan_slice(QueryTask& task, const SessionFilter& filter, const ShardView& shard, TimePoint now,
                std::uint32_t max_slots, SessionVisitor& visitor) {
  const std::uint32_t end = std::min(shard.sessions().high_water(), shard.first_binding());
  if (task.cursor >= end) return true;
  const std::uint32_t slice_end = std::min(end, task.cursor + std::min(max_slots, end - task.cursor));
  task.cursor = shard.scan(filter, task.cursor, slice_end, now, visitor);
  return task.cursor >= end;
}

bool work_on_page(QueryTask& task, const ShardView& shard, TimePoint now, std::uint32_t max_slots) {
  PageVisitor visitor(task.sessions, task.found, task.request.limit);
  const bool scanned = scan_slice(task, task.request.filter, shard, now, max_slots, visitor);
  task.reply.next_cursor = task.cursor;
  task.reply.done = scanned;
  return scanned || task.found >= task.request.limit;
}

bool work_on_count(QueryTask& task, const ShardView& shard, TimePoint now, std::uint32_t max_slots) {
  if (task.request.filter.only_service_sets() && !task.request.by_state) {
    for (auto& row : task.reply.counts) row.by_state[0] = shard.sessions_of(row.service_set);
    return true;
  }
  CountVisitor visitor(task.reply.counts, task.request.by_state);
  return scan_slice(task, task.request.filter, shard, now, max_slots, visitor);
}

/// Returns the end of the range of slots that the answer is about.
std::uint32_t end_of_range(const QueryTask& task, const ShardView& shard) {
  const std::uint32_t end = std::min(shard.sessions().high_water(), shard.first_binding());
  const std::uint32_t begin = std::min(task.request.cursor, end);
  return begin + std::min(kRangeSlots, end - begin);
}

/// Ends an answer about a range of slots before task.cursor.
void end_range(QueryTask& task, const ShardView& shard) {
  task.reply.next_cursor = task.cursor;
  task.reply.done = task.cursor >= std::min(shard.sessions().high_water(), shard.first_binding());
}

/// First the range of slots is examined, then what was found is put into the answer, both in slices.
bool work_on_largest(QueryTask& task, const ShardView& shard, TimePoint now, std::uint32_t max_slots) {
  LargestSessions& largest = *task.largest;
  if (!task.scanned) {
    const std::uint32_t end = end_of_range(task, shard);
    if (task.cursor < end) {
      const std::uint32_t slice_end = task.cursor + std::min(max_slots, end - task.cursor);
      task.cursor = shard.scan_largest(task.request.filter, task.cursor, slice_end, now, largest);
    }
    if (task.cursor < end) return false;
    end_range(task, shard);
    task.scanned = true;
    return largest.count() == 0;
  }
  for (std::uint32_t i = 0; i < max_slots && task.found < largest.count(); ++i) {
    task.sessions.add(largest.entries()[task.found++].record);
  }
  return task.found >= largest.count();
}

bool work_on_groups(QueryTask& task, const ShardView& shard, TimePoint now, std::uint32_t max_slots) {
  GroupVisitor visitor(*task.groups);
  const std::uint32_t end = end_of_range(task, shard);
  if (task.cursor < end) {
    const std::uint32_t slice_end = task.cursor + std::min(max_slots, end - task.cursor);
    task.cursor = shard.scan(task.request.filter, task.cursor, slice_end, now, visitor);
  }
  if (visitor.no_room_for) {
    task.cursor = *visitor.no_room_for;
  } else if (task.cursor < end) {
    return false;
  }
  end_range(task, shard);
  task.reply.groups = task.groups->take();
  return true;
}

bool work_on_live(QueryTask& task, const ShardView& shard, TimePoint now, std::uint32_t max_slots) {
  task.reply.counts.clear();
  LiveVisitor visitor(task.reply.live);
  return scan_slice(task, task.request.filter, shard, now, max_slots, visitor);
}

bool refuse_unless_master(QueryTask& task, const ShardView& shard) {
  if (shard.is_master()) return false;
  refuse(task, QueryError::refused, "not master: sessions are cleared where they are used");
  return true;
}

/// A deletion costs more than examining a slot.
std::uint32_t slots_to_clear(std::uint32_t max_slots) { return std::max(1U, max_slots / 4); }

bool work_on_clear(QueryTask& task, ShardView& shard, TimePoint now, std::uint32_t max_slots) {
  if (refuse_unless_master(task, shard)) return true;
  ClearVisitor visitor;
  const bool scanned = scan_slice(task, task.request.filter, shard, now, slots_to_clear(max_slots), visitor);
  for (const auto& doomed : visitor.doomed) {
    if (!shard.remove(doomed.slot, now)) continue;
    SessionRecord record;
    record.service_set = doomed.service_set;
    count_in(task.reply.counts, record, SessionState::valid);
  }
  return scanned;
}

/// Examines the next slots of bindings. Returns true if there are no more.
bool scan_bindings(QueryTask& task, const SessionFilter& filter, std::uint8_t kinds, const ShardView& shard,
                   TimePoint now, std::uint32_t max_slots, BindingVisitor& visitor) {
  const std::uint32_t end = shard.sessions().high_water();
  task.cursor = std::max(task.cursor, shard.first_binding());
  if (task.cursor >= end) return true;
  const std::uint32_t slice_end = task.cursor + std::min(max_slots, end - task.cursor);
  task.cursor = shard.scan_bindings(filter, kinds, task.cursor, slice_end, now, visitor);
  return task.cursor >= end;
}

bool work_on_bindings(QueryTask& task, const ShardView& shard, TimePoint now, std::uint32_t max_slots) {
  task.reply.counts.clear();
  BindingPageVisitor visitor(task);
  task.reply.done = scan_bindings(task, task.request.filter, task.request.record_kinds, shard, now, max_slots, visitor);
  task.reply.next_cursor = task.cursor;
  return task.reply.done || task.found >= task.request.limit;
}

/// Counts what was cleared of a service set, including service sets that were not selected.
void count_cleared(QueryTask& task, StableId service_set, SessionState as) {
  auto& rows = task.reply.counts;
  if (std::none_of(rows.begin(), rows.end(), [&](const auto& row) { return row.service_set == service_set; })) {
    rows.push_back({service_set, {}});
  }
  SessionRecord record;
  record.service_set = service_set;
  count_in(rows, record, as);
}

/// First the sessions that hold such bindings, wherever they are; then the mappings, also those that only linger on and
/// hold a pairing which is meant; then the rest. One that a session took up again in between stays.
bool work_on_clear_bindings(QueryTask& task, ShardView& shard, TimePoint now, std::uint32_t max_slots) {
  if (refuse_unless_master(task, shard)) return true;
  using Stage = QueryTask::Stage;
  const std::uint32_t slots = slots_to_clear(max_slots);
  const QueryRequest& request = task.request;
  switch (task.stage) {
    case Stage::sessions: {
      // The filter speaks of bindings; of sessions it is the view that knows.
      ClearVisitor doomed;
      HolderVisitor visitor(shard, request, doomed);
      if (scan_slice(task, {}, shard, now, slots, visitor)) task.stage = Stage::mappings;
      for (const auto& each : doomed.doomed) {
        if (shard.remove(each.slot, now)) count_cleared(task, each.service_set, SessionState::invalid);
      }
      return false;
    }
    case Stage::mappings: {
      MappingVisitor visitor(shard, request);
      if (scan_bindings(task, {}, kind_bit(RecordKind::mapping), shard, now, slots, visitor)) {
        task.stage = Stage::others;
        task.cursor = shard.first_binding();
      }
      for (const auto& each : visitor.doomed) {
        if (shard.remove_binding(each.slot, now)) count_cleared(task, each.service_set, SessionState::valid);
      }
      for (const std::uint32_t slot : visitor.holders) (void)shard.remove_binding(slot, now);
      return false;
    }
    case Stage::others:
      break;
  }
  DoomedBindings visitor;
  const auto others = static_cast<std::uint8_t>(request.record_kinds & ~kind_bit(RecordKind::mapping));
  const bool scanned = scan_bindings(task, request.filter, others, shard, now, slots, visitor);
  for (const auto& each : visitor.doomed) {
    if (shard.remove_binding(each.slot, now)) count_cleared(task, each.service_set, SessionState::valid);
  }
  return scanned;
}

void answer_nat_pools(QueryTask& task, const ShardView& shard) {
  task.reply.counts.clear();
  std::vector<NatPoolStatus> all;
  shard.nat_pools(all);
  for (; task.cursor < all.size() && task.reply.nat_pools.size() < kPageSessions; ++task.cursor) {
    const auto& pool = all[task.cursor];
    const auto& filter = task.request.filter;
    if (filter.has_service_set(pool.service_set) && (!filter.nat_pool || *filter.nat_pool == pool.pool)) {
      task.reply.nat_pools.push_back(pool);
    }
  }
  task.reply.next_cursor = task.cursor;
  task.reply.done = task.cursor >= all.size();
}

void answer_deterministic(QueryTask& task, const ShardView& shard) {
  task.reply.counts.clear();
  const std::uint32_t blocks = shard.deterministic(task.request, task.reply.deterministic);
  task.reply.done = task.cursor >= blocks || blocks - task.cursor <= kPageSessions;
  task.reply.next_cursor = task.reply.done ? blocks : task.cursor + kPageSessions;
}

/// Terms of one answer, each with two names: what a worker copies between two bursts.
constexpr std::uint32_t kTermsOfAnswer = 128;
static_assert(kTermsOfAnswer <= kPageTerms);

void answer_term_hits(QueryTask& task, const ShardView& shard) {
  task.reply.counts.clear();
  const std::uint32_t terms = shard.term_hits(task.request.filter, task.cursor, kTermsOfAnswer, task.reply.term_hits);
  task.reply.done = task.cursor >= terms || terms - task.cursor <= kTermsOfAnswer;
  task.reply.next_cursor = task.reply.done ? terms : task.cursor + kTermsOfAnswer;
}

/// Service sets that one slice may ask for their counters: a hundred of them each.
constexpr std::uint32_t kServiceSetsPerSlice = 4;

bool work_on_statistics(QueryTask& task, const CardView& card) {
  const auto& rows = task.reply.counts;
  for (std::uint32_t i = 0; i < kServiceSetsPerSlice && task.cursor < rows.size(); ++i, ++task.cursor) {
    ServiceSetStatus status;
    card.statistics(rows[task.cursor].service_set, status);
    status.service_set = rows[task.cursor].service_set;
    for (std::size_t group = 0; group < kStatisticsGroupCount; ++group) {
      if (task.request.group && static_cast<std::size_t>(*task.request.group) != group) status.groups[group].clear();
    }
    task.reply.statistics.push_back(std::move(status));
  }
  task.reply.next_cursor = task.cursor;
  task.reply.done = task.cursor >= rows.size();
  if (!task.reply.done && task.reply.statistics.size() < kPageServiceSets) return false;
  task.reply.counts.clear();
  return true;
}

bool work_on_clear_statistics(QueryTask& task, CardView& card) {
  const auto& rows = task.reply.counts;
  for (std::uint32_t i = 0; i < kServiceSetsPerSlice && task.cursor < rows.size(); ++i, ++task.cursor) {
    card.clear_statistics(rows[task.cursor].service_set, task.request.group);
  }
  return task.cursor >= rows.size();
}

ShardView* find_shard(CardView& card, std::uint16_t set) {
  for (auto* shard : card.shards()) {
    if (shard->set() == set) return shard;
  }
  return nullptr;
}

void answer_status(QueryTask& task, CardView& card, TimePoint now) {
  for (const auto* shard : card.shards()) {
    SetStatus status;
    shard->status(now, status);
    if (!task.request.without_counters) shard->append_to(status.counters);
    status.set = shard->set();
    task.reply.status.push_back(std::move(status));
  }
  // Parts of several workers: sets in the order of the cluster file.
  std::sort(task.reply.status.begin(), task.reply.status.end(),
            [](const SetStatus& a, const SetStatus& b) { return a.set < b.set; });
  task.reply.utilization.add(card.utilization(now));
}

void answer_request(QueryTask& task, Result<std::string> done) {
  if (done) {
    task.reply.text = std::move(*done);
  } else {
    refuse(task, QueryError::refused, std::move(done.error().message));
  }
}

}  // namespace

bool work_on(QueryTask& task, CardView& card, TimePoint now, std::uint32_t max_slots) {
  ShardView* shard = nullptr;
  if (addresses_a_set(task.request.kind)) {
    shard = find_shard(card, task.request.set);
    if (shard == nullptr) {
      refuse(task, QueryError::unknown_target, "the card does not run this redundancy set");
      return true;
    }
  }
  switch (task.request.kind) {
    case QueryKind::status:
      answer_status(task, card, now);
      return true;
    case QueryKind::page:
      return work_on_page(task, *shard, now, max_slots);
    case QueryKind::count:
      return work_on_count(task, *shard, now, max_slots);
    case QueryKind::largest:
      return work_on_largest(task, *shard, now, max_slots);
    case QueryKind::groups:
      return work_on_groups(task, *shard, now, max_slots);
    case QueryKind::live:
      return work_on_live(task, *shard, now, max_slots);
    case QueryKind::clear:
      return work_on_clear(task, *shard, now, max_slots);
    case QueryKind::switchover:
      answer_request(task, shard->switchover(now, task.request.force));
      return true;
    case QueryKind::drain:
      answer_request(task, shard->drain(now, task.request.cancel));
      return true;
    case QueryKind::failovers:
      shard->failovers(task.reply.failovers);
      return true;
    case QueryKind::counters:
      card.counters(task.reply.counters);
      return true;
    case QueryKind::bindings:
      return work_on_bindings(task, *shard, now, max_slots);
    case QueryKind::clear_bindings:
      return work_on_clear_bindings(task, *shard, now, max_slots);
    case QueryKind::nat_pools:
      answer_nat_pools(task, *shard);
      return true;
    case QueryKind::deterministic:
      answer_deterministic(task, *shard);
      return true;
    case QueryKind::term_hits:
      answer_term_hits(task, *shard);
      return true;
    case QueryKind::statistics:
      return work_on_statistics(task, card);
    case QueryKind::clear_statistics:
      return work_on_clear_statistics(task, card);
    case QueryKind::analysis:
      card.analysis(task.reply.analysis);
      return true;
    case QueryKind::clear_analysis:
      card.clear_analysis();
      return true;
    case QueryKind::usage:
      card.usage(task.reply.usage);
      return true;
    case QueryKind::traffic:
      card.traffic(task.reply.traffic);
      return true;
    case QueryKind::server_counters:
    case QueryKind::commit:
    case QueryKind::system:
    case QueryKind::log:
    case QueryKind::past_sessions:
      break;
  }
  refuse(task, QueryError::unknown_kind, "a card does not answer this kind of question");
  return true;
}

}  // namespace icr::node
