#include "cli/commit_roster.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "model/config/cluster_file.h"

namespace icr::cli {
namespace {

bool same_place(const Endpoint& a, const Endpoint& b) { return a.address == b.address && a.port == b.port; }

/// Adds the keys of a chassis that are in `other` alone: a commit may exchange them. Returns true if there are any.
bool learn_keys(ChassisConfig& chassis, const ChassisConfig& other) {
  bool any = false;
  for (const std::string& key : other.public_keys) {
    if (std::find(chassis.public_keys.begin(), chassis.public_keys.end(), key) != chassis.public_keys.end()) continue;
    chassis.public_keys.push_back(key);
    any = true;
  }
  return any;
}

}  // namespace

void CommitRoster::ask_at(const Cluster& cluster) {
  if (everyone_.chassis.empty()) {
    everyone_.security = cluster.security;
    everyone_.clients = cluster.clients;
  }
  std::set<std::uint16_t> asked;
  for (const ChassisConfig& each : cluster.chassis) {
    const auto known = everyone_.find_chassis(each.name);
    if (!known) {
      ChassisConfig added;
      added.name = each.name;
      added.query = each.query;
      added.public_keys = each.public_keys;
      everyone_.chassis.push_back(std::move(added));
      asked.insert(static_cast<std::uint16_t>(everyone_.chassis.size() - 1));
      continue;
    }
    ChassisConfig& chassis = everyone_.chassis[*known];
    bool differs = learn_keys(chassis, each);
    if (present_.count(*known) != 0) continue;
    if (!same_place(chassis.query, each.query)) {
      chassis.query = each.query;
      differs = true;
    }
    if (differs) asked.insert(*known);
  }
  if (asked.empty()) return;
  reconnect();
  for (auto& [chassis, answer] : ask_commit(*transport_, asked, {})) {
    if (answer.reply) {
      missing_.erase(chassis);
      present_.insert(chassis);
      listed_[chassis] = std::move(*answer.reply);
    } else {
      missing_[chassis] = answer.why;
    }
  }
}

void CommitRoster::learn() {
  for (bool more = true; more;) {
    more = false;
    // A copy, because ask_at() adds to it.
    for (const auto& [chassis, reply] : std::map(listed_)) {
      for (const std::uint64_t digest : {reply.running_digest, reply.newest_digest}) {
        const auto entry = std::find_if(reply.entries.begin(), reply.entries.end(),
                                        [&](const CommitEntry& each) { return each.digest == digest; });
        if (entry == reply.entries.end() || !read_.insert(digest).second) continue;
        const auto text = fetch(chassis, *entry);
        const auto cluster =
            text.and_then([](const std::string& t) { return parse_cluster(t, "running configuration"); });
        if (!cluster) continue;
        more = true;
        ask_at(*cluster);
      }
    }
  }
}

void CommitRoster::gather(const Cluster* file) {
  if (env_.cluster != nullptr) ask_at(*env_.cluster);
  learn();
  if (file == nullptr) return;
  Cluster added = *file;
  if (!present_.empty()) {
    std::erase_if(added.chassis, [&](const ChassisConfig& each) { return everyone_.find_chassis(each.name); });
  }
  ask_at(added);
  learn();
  for (const ChassisConfig& each : file->chassis) {
    const auto known = everyone_.find_chassis(each.name);
    if (!known) continue;
    (void)learn_keys(everyone_.chassis[*known], each);
    if (!same_place(everyone_.chassis[*known].query, each.query)) other_place_[*known] = each.query;
  }
}

void CommitRoster::complain() const {
  for (const auto& [chassis, why] : missing_) env_.error(fmt::format("error: {}: {}\n", name(chassis), why));
}

void CommitRoster::forget(std::uint16_t chassis, std::string why) {
  present_.erase(chassis);
  missing_[chassis] = std::move(why);
}

CommitAnswers CommitRoster::ask_again(const std::set<std::uint16_t>& chassis) {
  // A chassis that restarts closes its connections.
  reconnect();
  CommitAnswers out = ask_commit(*transport_, chassis, {});
  std::set<std::uint16_t> moved;
  for (const auto& [each, answer] : out) {
    const auto other = other_place_.find(each);
    if (answer.reply || answer.refused || other == other_place_.end()) continue;
    std::swap(everyone_.chassis[each].query, other->second);
    moved.insert(each);
  }
  if (moved.empty()) return out;
  reconnect();
  for (auto& [each, answer] : ask_commit(*transport_, moved, {})) out[each] = std::move(answer);
  return out;
}

}  // namespace icr::cli
