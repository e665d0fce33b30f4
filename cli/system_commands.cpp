// Commands about commits: `show system commit`, `show system rollback compare`.
#include <set>
#include <vector>

#include "cli/builders/groups.h"
#include "cli/commands.h"
#include "cli/commit_client.h"
#include "cli/render/commits.h"
#include "model/config/cluster_file.h"

namespace icr::cli {
namespace {

/// Asks every chassis, or the one of --chassis. A chassis that does not answer is remembered.
CommitAnswers ask(Asking& asking) {
  std::set<std::uint16_t> chassis;
  for (std::uint16_t i = 0; i < asking.cluster().chassis.size(); ++i) {
    if (asking.environment().only_chassis.value_or(i) == i) chassis.insert(i);
  }
  auto answers = ask_commit(asking.environment().transport, chassis, {});
  for (const auto& [each, answer] : answers) {
    if (!answer.reply) add_unreachable(asking.unreachable(), each, answer.why);
  }
  return answers;
}

}  // namespace

void show_commits(Asking& asking) {
  std::vector<CommitsOfChassis> rows;
  for (auto& [chassis, answer] : ask(asking)) {
    if (answer.reply) rows.push_back({asking.cluster().chassis[chassis].name, std::move(*answer.reply)});
  }
  if (!asking.is_text()) return build_commits(asking.tree(), rows);
  asking.environment().out(render_commits(rows, asking.environment().wall_now));
}

void compare_commits(Asking& asking) {
  for (const auto& [chassis, answer] : ask(asking)) {
    if (!answer.reply) continue;
    std::vector<Cluster> clusters;
    for (const std::size_t index : asking.command().rollback) {
      if (index >= answer.reply->entries.size()) {
        return asking.refuse(fmt::format("there is no rollback {}", index));
      }
      auto cluster = fetch_commit(asking.environment().transport, chassis, answer.reply->entries[index])
                         .and_then([&](const std::string& text) {
                           return parse_cluster(text, fmt::format("rollback {}", index));
                         });
      if (!cluster) return asking.refuse(cluster.error().message);
      clusters.push_back(std::move(*cluster));
    }
    return asking.environment().out(render_difference(difference(clusters[0], clusters[1])));
  }
}

}  // namespace icr::cli
