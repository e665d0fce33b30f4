#include "cli/render/commits.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>

namespace icr::cli {
namespace {

std::string local_time(WallMillis at) {
  const auto seconds = static_cast<std::time_t>(at / 1000);
  std::tm parts{};
  if (localtime_r(&seconds, &parts) == nullptr) return "-";
  std::array<char, 64> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S %Z", &parts);
  return {text.data(), size};
}

/// Whole minutes as Junos writes them: what is left, rounded up.
std::string minutes_left(WallMillis until, WallMillis now) {
  const WallMillis left = std::max<WallMillis>(until - now, 0);
  return fmt::format("{}mins", (left + 59'999) / 60'000);
}

void append_list(const std::vector<CommitEntry>& entries, WallMillis now, std::string& out) {
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const CommitEntry& each = entries[i];
    out += fmt::format("{:<4}{} by {} via {}", i, local_time(each.at), each.user, each.via);
    // Only the newest commit can still be rolled back by itself.
    if (i == 0 && each.confirm_until != 0) {
      out += fmt::format(" commit confirmed, rollback in {}", minutes_left(each.confirm_until, now));
    }
    out += '\n';
    if (!each.comment.empty()) out += fmt::format("    {}\n", each.comment);
  }
}

std::string state_of(const CommitsOfChassis& chassis) {
  const CommitReply& reply = chassis.reply;
  std::string out = fmt::format("{}: ", chassis.chassis);
  switch (reply.state) {
    case CommitState::running:
      out += fmt::format("runs commit {}", reply.newest);
      break;
    case CommitState::waiting:
      out += fmt::format("has commit {}, and waits for {}", reply.newest, reply.detail);
      break;
    case CommitState::failed:
      out += fmt::format("commit {} failed, and the former one runs: {}", reply.newest, reply.detail);
      break;
  }
  if (!reply.durable) out += " (commits are in memory only)";
  out += '\n';
  for (const std::string& line : reply.lines) out += fmt::format("    {}\n", line);
  return out;
}

}  // namespace

std::string render_commits(const std::vector<CommitsOfChassis>& chassis, WallMillis now) {
  std::string out;
  if (chassis.empty()) return out;
  const auto same = [&](const CommitsOfChassis& each) {
    return std::equal(each.reply.entries.begin(), each.reply.entries.end(), chassis[0].reply.entries.begin(),
                      chassis[0].reply.entries.end(), [](const CommitEntry& a, const CommitEntry& b) {
                        return a.number == b.number && a.digest == b.digest && a.via == b.via;
                      });
  };
  if (std::all_of(chassis.begin(), chassis.end(), same)) {
    append_list(chassis[0].reply.entries, now, out);
  } else {
    for (const auto& each : chassis) {
      out += fmt::format("Chassis: {}\n", each.chassis);
      append_list(each.reply.entries, now, out);
    }
  }
  for (const auto& each : chassis) out += state_of(each);
  return out;
}

std::string render_difference(const std::vector<ConfigChange>& changes) {
  std::string out;
  std::string_view part;
  for (const ConfigChange& change : changes) {
    if (change.part != part) {
      part = change.part;
      out += fmt::format("[edit {}]\n", part);
    }
    // The name of the part is left out, because the heading says it.
    std::string name = change.path;
    if (change.path.size() > part.size() && change.path.compare(0, part.size(), part) == 0) {
      name = change.path.substr(part.size() + 1);
    }
    if (change.path == change.part) {
      // The thing itself was added or removed. Its settings follow.
      out += change.before ? "-   all of it\n" : "+   all of it\n";
      continue;
    }
    if (change.before) out += fmt::format("-   {}: {}\n", name, *change.before);
    if (change.after) out += fmt::format("+   {}: {}\n", name, *change.after);
  }
  return out;
}

}  // namespace icr::cli
