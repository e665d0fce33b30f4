// Commands about each chassis by itself: what a router says about itself. A cluster answers with a part for each
// chassis.
#include <map>
#include <set>

#include "cli/builders/chassis.h"
#include "cli/commands.h"
#include "cli/commit_client.h"

namespace icr::cli {
namespace {

std::set<std::uint16_t> asked_chassis(const Asking& asking) {
  std::set<std::uint16_t> out;
  for (std::uint16_t i = 0; i < asking.cluster().chassis.size(); ++i) {
    if (asking.environment().only_chassis.value_or(i) == i) out.insert(i);
  }
  return out;
}

/// Asks every chassis that is meant about itself, all at once.
std::map<std::uint16_t, SystemStatus> ask_systems(Asking& asking) {
  for (const std::uint16_t chassis : asked_chassis(asking)) {
    QueryRequest request;
    request.kind = QueryKind::system;
    asking.environment().transport.ask(chassis, std::move(request));
  }
  std::map<std::uint16_t, SystemStatus> out;
  while (auto answer = asking.environment().transport.next()) {
    if (const auto* reply = asking.accepted(*answer)) out[answer->chassis] = reply->system;
  }
  return out;
}

/// Builds the answer of each chassis, as a Virtual Chassis does; that of one which was asked alone is no list.
void build_each(Asking& asking, const std::set<std::uint16_t>& chassis,
                const std::function<void(std::uint16_t chassis)>& build) {
  Tree& tree = asking.tree();
  if (asking.environment().only_chassis) {
    for (const std::uint16_t each : chassis) build(each);
    return;
  }
  const Scope results(tree, "multi-routing-engine-results");
  for (const std::uint16_t each : chassis) {
    const Scope item(tree, "multi-routing-engine-item");
    tree.leaf("re-name", asking.cluster().chassis[each].name);
    build(each);
  }
}

template <class Value>
std::set<std::uint16_t> keys_of(const std::map<std::uint16_t, Value>& values) {
  std::set<std::uint16_t> out;
  for (const auto& [key, value] : values) out.insert(key);
  return out;
}

/// Adds what is wrong with the commits of a chassis.
void add_commit_alarm(const CommitReply& reply, std::vector<AlarmRow>& rows) {
  if (reply.state == CommitState::running || reply.entries.empty()) return;
  const bool failed = reply.state == CommitState::failed;
  rows.push_back({{reply.entries[0].at, failed,
                   failed ? fmt::format("commit {} failed, and the former one runs: {}", reply.newest, reply.detail)
                          : fmt::format("commit {} waits for {}", reply.newest, reply.detail)},
                  true});
}

}  // namespace

void show_uptime(Asking& asking) {
  const auto systems = ask_systems(asking);
  auto commits = ask_commit(asking.environment().transport, keys_of(systems), {});
  build_each(asking, keys_of(systems), [&](std::uint16_t chassis) {
    // A chassis that takes no commits was configured when it was started.
    const auto& reply = commits[chassis].reply;
    std::optional<CommitEntry> configured;
    if (reply && !reply->entries.empty()) configured = reply->entries[0];
    build_uptime(asking.tree(), systems.at(chassis), configured);
  });
}

void show_hardware(Asking& asking) {
  const auto systems = ask_systems(asking);
  build_each(asking, keys_of(systems), [&](std::uint16_t chassis) {
    build_hardware(asking.tree(), asking.cluster().chassis[chassis], systems.at(chassis));
  });
}

void show_alarms(Asking& asking) {
  std::map<std::uint16_t, std::vector<AlarmRow>> rows;
  for (const std::uint16_t chassis : asked_chassis(asking)) rows[chassis];
  for (const SetReport& report : asking.surveyed().sets) {
    if (!report.status.alarms) {
      add_unreachable(asking.unreachable(), report.chassis, "its release does not tell of alarms");
      continue;
    }
    for (const Alarm& alarm : *report.status.alarms) rows[report.chassis].push_back({alarm, false});
  }
  for (const auto& each : asking.unreachable()) rows.erase(each.chassis);
  if (asking.command().verb == Verb::show_system_alarms) {
    for (const auto& [chassis, answer] : ask_commit(asking.environment().transport, keys_of(rows), {})) {
      if (answer.reply) add_commit_alarm(*answer.reply, rows[chassis]);
    }
  }
  build_each(asking, keys_of(rows),
             [&](std::uint16_t chassis) { build_alarms(asking.tree(), std::move(rows[chassis])); });
}

}  // namespace icr::cli
