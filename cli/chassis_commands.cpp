// Commands about each chassis by itself: what a router says about itself. A cluster answers with a part for each
// chassis.
#include <map>
#include <set>

#include "cli/builders/chassis.h"
#include "cli/commands.h"
#include "cli/commit_client.h"
#include "cli/each_chassis.h"

namespace icr::cli {
namespace {

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
      if (answer.reply) {
        add_commit_alarm(*answer.reply, rows[chassis]);
      } else if (!answer.refused) {
        add_unreachable(asking.unreachable(), chassis, answer.why);
      }
    }
  }
  build_each(asking, keys_of(rows),
             [&](std::uint16_t chassis) { build_alarms(asking.tree(), std::move(rows[chassis])); });
}

}  // namespace icr::cli
