#include "node/set/set_view.h"

#include <algorithm>
#include <iterator>

#include "model/base/clock.h"
#include "node/set/set_status.h"

namespace icr::node {
namespace {

/// Returns size_of() the record of a session, without making it.
std::uint64_t size_of_session(const Session& session, Ticks now, SessionOrder order) {
  return size_of({session.counters(Direction::initiator), session.counters(Direction::responder)},
                 now - session.created, order);
}

bool same_pool(const NatPoolStatus& a, const NatPoolStatus& b) {
  return a.service_set == b.service_set && a.pool == b.pool;
}

}  // namespace

SetView::SetView(SetShell& shell) : shell_(shell), core_(shell.core()) {}

void SetView::status(TimePoint now, SetStatus& out) const {
  describe(core_, now, out);
  if (!shell_.steering_warning().empty()) out.reason += "; " + shell_.steering_warning();
  out.paths = shell_.paths();
  out.scheduling = scheduling_;
  AlarmBook book = alarms_;
  book.note(now, troubles());
  out.alarms = book.alarms(now, wall_now());
}

std::vector<Trouble> SetView::troubles() const { return troubles_of(core_, shell_.paths(), shell_.steering_warning()); }

void SetView::watch(TimePoint now) { alarms_.note(now, troubles()); }

void SetView::failovers(std::vector<FailoverReport>& out) const {
  const auto& reports = core_.failovers().reports();
  out.insert(out.end(), reports.begin(), reports.end());
}

bool SetView::remove(std::uint32_t slot, TimePoint /*now*/) {
  if (!shard().table().at(slot).live) return false;
  shard().remove(slot);
  ++cleared_;
  return true;
}

Result<std::string> SetView::switchover(TimePoint now, bool force) {
  if (auto begun = core_.request_switchover(now, force); !begun) return tl::unexpected(begun.error());
  return fmt::format("redundancy-set {}: switchover begun", core_.config().name);
}

Result<std::string> SetView::drain(TimePoint now, bool cancel) {
  const std::string& set = core_.config().name;
  const std::string& chassis = core_.cluster().chassis[core_.chassis()].name;
  if (core_.config().stand_alone()) return fail("redundancy set {} has one member only", set);
  if (core_.drained() != cancel) {
    return fail("chassis {} is {}drained in redundancy set {}", chassis, cancel ? "not " : "already ", set);
  }
  core_.drain(now, !cancel);
  if (cancel) return fmt::format("redundancy-set {}: chassis {} is drained no more", set, chassis);
  return fmt::format("redundancy-set {}: chassis {} is drained{}", set, chassis,
                     is_master() ? ", and hands over as soon as its standby is hot and healthy" : "");
}

std::uint32_t SetView::scan(const SessionFilter& filter, std::uint32_t begin, std::uint32_t end, TimePoint now,
                            SessionVisitor& visitor) const {
  const SessionTable& table = shard().table();
  // Above the sessions there are bindings, which a scan for sessions passes over.
  const std::uint32_t last = std::min(end, table.high_water());
  SessionRecord record;
  for (std::uint32_t slot = begin; slot < last; ++slot) {
    const Session& session = table.at(slot);
    // Most sessions are rejected on the line that is in the cache, without a record being made.
    if (!session.live || !filter.admits(session.initiator())) continue;
    if (!shard().read(slot, now, record) || !filter.matches(record)) continue;
    record.newest_state = newest_state_of(slot);
    if (!visitor.visit(record)) return slot + 1;
  }
  return std::max(begin, end);
}

std::uint32_t SetView::scan_largest(const SessionFilter& filter, std::uint32_t begin, std::uint32_t end, TimePoint now,
                                    LargestSessions& largest) const {
  const SessionTable& table = shard().table();
  const std::uint32_t last = std::min(end, table.high_water());
  const Ticks ticks = Shard::ticks_of(now);
  SessionRecord record;
  for (std::uint32_t slot = begin; slot < last; ++slot) {
    const Session& session = table.at(slot);
    // Most sessions are too small, which is known without their keys and without a record.
    if (!session.live || !largest.admits(size_of_session(session, ticks, largest.order()), 0, slot)) continue;
    if (!filter.admits(session.initiator()) || !shard().read(slot, now, record) || !filter.matches(record)) continue;
    record.newest_state = newest_state_of(slot);
    largest.add(0, record);
  }
  return std::max(begin, end);
}

NewestState SetView::newest_state_of(std::uint32_t slot) const {
  if (shard().is_withheld(slot)) return NewestState::withheld;
  if (shard().guarantee_of(shard().table().at(slot)) == Guarantee::asynchronous) return NewestState::not_said;
  return core_.member().has_newest(slot) ? NewestState::at_peer : NewestState::here_only;
}

BindingUse SetView::use_of(std::uint32_t slot) const {
  BindingUse use = shard().nat().users_of(slot - first_binding());
  use.slot = slot;
  return use;
}

bool SetView::holds_binding(const SessionRecord& holder, const SessionFilter& filter, std::uint8_t kinds) const {
  if (holder.kind == RecordKind::mapping) return shard().nat().holds(holder.binding, filter, kinds);
  const auto nat = shard().nat_view(holder);
  return nat && shard().nat().holds(*nat, filter, kinds);
}

bool SetView::remove_binding(std::uint32_t slot, TimePoint now) {
  if (!shard().remove_binding(slot, now)) return false;
  ++bindings_cleared_;
  return true;
}

void SetView::nat_pools(std::vector<NatPoolStatus>& out) const {
  shard().nat().append_status(out);
  for (auto& pool : out) {
    const auto before = std::find_if(cleared_pools_.begin(), cleared_pools_.end(),
                                     [&](const NatPoolStatus& each) { return same_pool(each, pool); });
    if (before == cleared_pools_.end()) continue;
    pool.subtract(*before);
  }
}

void SetView::clear_nat_statistics(StableId service_set) {
  std::vector<NatPoolStatus> now;
  shard().nat().append_status(now);
  cleared_pools_.erase(std::remove_if(cleared_pools_.begin(), cleared_pools_.end(),
                                      [&](const NatPoolStatus& each) { return each.service_set == service_set; }),
                       cleared_pools_.end());
  std::copy_if(now.begin(), now.end(), std::back_inserter(cleared_pools_),
               [&](const NatPoolStatus& each) { return each.service_set == service_set; });
}

std::uint32_t SetView::deterministic(const QueryRequest& request, std::vector<DeterministicRow>& out) const {
  const DeterministicQuestion question{request.host, request.translated, request.port, request.cursor, kPageSessions};
  return shard().nat().append_deterministic(request.filter, question, out);
}

void SetView::append_to(CounterList& out) const {
  out.push_back({"sessions-cleared", cleared_});
  out.push_back({"bindings-cleared", bindings_cleared_});
  core_.append_to(out);
  shell_.append_to(out);
}

}  // namespace icr::node
