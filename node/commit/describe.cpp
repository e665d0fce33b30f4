// Describes for an operator what a commit changes.
#include <algorithm>

#include "model/config/difference.h"
#include "node/commit/commit_desk.h"

namespace icr::node {
namespace {

std::string_view how_it_applies(Applies applies) {
  switch (applies) {
    case Applies::live:
      return "applies at once";
    case Applies::new_sessions:
      return "applies to sessions that begin afterwards";
    case Applies::restart:
      return "restarts";
  }
  return "";
}

std::string sentence(const ConfigChange& change) {
  std::string what;
  if (change.adds_part()) return fmt::format("{} is added", change.part);
  if (change.removes_part()) return fmt::format("{} is removed", change.part);
  return fmt::format("{}: {} -> {} ({})", change.path, change.before.value_or("default"),
                     change.after.value_or("default"), how_it_applies(change.applies));
}

/// Returns what the restart means for one redundancy set. `fact` is as it is now, and `lasting` is what facts_under()
/// makes of it.
std::string sentence(const SetFact& fact, const SetFact& lasting, const Cluster& after, std::string_view own) {
  const auto set = after.find_set(fact.name);
  // Checkpoints and peers know a set by its name.
  if (!set) return fmt::format("{} is removed or renamed: its sessions end", fact.name);
  const auto chassis = after.find_chassis(own);
  if (!chassis || !after.member_on(*set, *chassis)) {
    return fmt::format("{} leaves this chassis{}", fact.name,
                       fact.role == Role::master ? " with a pause: nobody takes it over beforehand" : "");
  }
  if (fact.peer.empty()) return fmt::format("{} restarts with a pause: it is stand-alone", fact.name);
  if (lasting.peer.empty()) {
    return fmt::format("{} restarts{}: chassis {} does not stay in it", fact.name,
                       fact.role == Role::standby ? "" : " with a pause", fact.peer);
  }
  if (fact.role == Role::initializing || fact.role == Role::claiming)
    return fmt::format("{} restarts; this chassis has no role in it yet", fact.name);
  if (fact.role != Role::master) return fmt::format("{} restarts as standby, without a pause", fact.name);
  if (!fact.peer_present && fact.peer_heard_lately) {
    return fmt::format("{} restarts without a pause, after chassis {} returns and takes it over", fact.name, fact.peer);
  }
  if (!fact.peer_present) {
    return fmt::format("{} restarts with a pause: chassis {} is not there", fact.name, fact.peer);
  }
  return fmt::format("{} restarts without a pause, after a switchover to chassis {}", fact.name, fact.peer);
}

bool begins(std::string_view text, std::string_view with) { return text.substr(0, with.size()) == with; }

/// Returns what ends with a thing that is removed; empty if nothing does. Sessions of pools that are drained end later.
std::string end_of(const ConfigChange& change, const Cluster& after) {
  if (!change.removes_part()) return {};
  const auto drained = [&](const NatPool& pool) {
    return pool.drained_only && change.part == "nat.pools[" + pool.name + "]";
  };
  if (std::any_of(after.nat_pools.begin(), after.nat_pools.end(), drained)) return {};
  if (begins(change.part, "service-sets[")) return fmt::format("the sessions of {} end", change.part);
  if (begins(change.part, "nat.pools[")) return fmt::format("the sessions that {} translates end", change.part);
  return {};
}

/// Returns what ends because the tables of a redundancy set become smaller; empty if they do not.
std::string end_in_smaller_tables(std::string_view set, const Cluster& before, const Cluster& after) {
  const auto was = before.find_set(set);
  const auto is = after.find_set(set);
  if (!was || !is) return {};
  const std::uint32_t slots = after.redundancy_sets[*is].max_sessions;
  if (slots >= before.redundancy_sets[*was].max_sessions) return {};
  return fmt::format("the tables of {} become smaller: sessions in slot {} and above end, however few there are", set,
                     slots);
}

}  // namespace

std::vector<std::string> describe_changes(const Cluster& before, const Cluster& after, std::string_view own,
                                          const std::vector<SetFact>& facts, const CommitDesk::LiveCheck& live_check) {
  const auto changes = difference(before, after);
  if (changes.empty()) return {"nothing changes"};
  const auto restart = changes_that_restart(changes, before, after, own);
  std::vector<std::string> out;
  // A part that is added or removed as a whole is one line.
  std::vector<std::string> whole;
  for (const ConfigChange& change : changes) {
    if (change.adds_part() || change.removes_part()) whole.push_back(change.part);
  }
  for (const ConfigChange& change : changes) {
    const bool covered =
        change.path != change.part && std::find(whole.begin(), whole.end(), change.part) != whole.end();
    if (!covered) out.push_back(sentence(change));
  }
  const auto obstacles = restart.empty() && live_check ? live_check(before, after) : std::vector<std::string>{};
  if (restart.empty() && obstacles.empty()) {
    out.emplace_back("this chassis takes it without a restart");
    return out;
  }
  for (const std::string& obstacle : obstacles) out.push_back(fmt::format("needs a restart: {}", obstacle));
  for (const ConfigChange& change : changes_of_chassis(changes, before, after, own)) {
    if (auto end = end_of(change, after); !end.empty()) out.push_back(std::move(end));
  }
  for (const SetFact& fact : facts) {
    if (auto end = end_in_smaller_tables(fact.name, before, after); !end.empty()) out.push_back(std::move(end));
  }
  const auto lasting = facts_under(after, own, facts);
  for (std::size_t i = 0; i < facts.size(); ++i) out.push_back(sentence(facts[i], lasting[i], after, own));
  return out;
}

}  // namespace icr::node
