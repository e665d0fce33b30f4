#include "node/set/set_alarms.h"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

namespace icr::node {
namespace {

/// Splits what Health::reasons joins.
void add_reasons(std::string_view reasons, bool major, const std::string& set, std::vector<Trouble>& out) {
  constexpr std::string_view kBetween = "; ";
  while (!reasons.empty()) {
    const auto end = reasons.find(kBetween);
    out.push_back({major, fmt::format("{}: {}", set, reasons.substr(0, end))});
    reasons.remove_prefix(end == std::string_view::npos ? reasons.size() : end + kBetween.size());
  }
}

/// Adds what is wrong between the two members.
void add_pair(const SetCore& core, const MemberStatus& member, const std::vector<PathStatus>& paths,
              std::vector<Trouble>& out) {
  const RedundancySet& config = core.config();
  const auto& peer = config.members[0].chassis == core.chassis() ? config.members[1] : config.members[0];
  const std::string& peer_name = core.cluster().chassis[peer.chassis].name;
  const auto add = [&](bool major, std::string_view what) {
    out.push_back({major, fmt::format("{}: {}", config.name, what)});
  };
  const bool hears = member.connected && member.peer_present;
  if (!hears) add(true, fmt::format("peer {} is not connected", peer_name));
  if (hears && member.role == Role::master && member.peer_sync != Sync::hot) {
    add(false, fmt::format("standby {} has no complete copy of the sessions", peer_name));
  }
  if (hears && member.role == Role::standby && member.sync != Sync::hot)
    add(false, "the copy of the sessions is not complete");
  if ((member.warnings & kWarnRefusedRecords) != 0) add(false, "records of the copy were refused");
  if ((member.warnings & kWarnCapacity) != 0) add(false, "the table is of another size than that of the master");
  if (!member.configuration_difference.empty()) {
    add(false, "the cluster file differs from that of the peer: " + member.configuration_difference);
  }
  if (core.fenced()) add(true, "master may not act: it has neither the promise of its peer nor the key of the witness");
  if (core.witness_fails()) add(false, "the witness does not answer");
  if (hears && paths.size() > 1) {
    for (std::size_t i = 0; i < paths.size(); ++i) {
      if (paths[i].state != PathState::up) add(false, fmt::format("path {} to {} is down", i, peer_name));
    }
  }
  if (member.role != Role::master || core.member().complete()) return;
  // One trouble for all of them: a set may have thousands of service sets.
  const ServiceSet* first = nullptr;
  std::size_t others = 0;
  bool stop = false;
  for (const std::uint16_t index : config.service_sets) {
    const ServiceSet& service_set = core.cluster().service_sets[index];
    if (!may_guarantee(core.cluster(), service_set)) continue;
    stop = stop || service_set.without_peer == WithoutPeer::stop;
    if (first == nullptr) {
      first = &service_set;
    } else {
      ++others;
    }
  }
  if (first == nullptr) return;
  add(stop, fmt::format("the guarantee of service set {}{} is not met: no peer has a complete copy", first->name,
                        others == 0 ? "" : fmt::format(" and of {} others", others)));
}

}  // namespace

std::vector<Trouble> troubles_of(const SetCore& core, const std::vector<PathStatus>& paths,
                                 const std::string& steering_warning) {
  std::vector<Trouble> out;
  const MemberStatus member = core.member().status();
  // An operator who has drained a member knows.
  add_reasons(member.health.reasons, member.health.ill() && !core.drained(), core.config().name, out);
  if (!core.config().stand_alone()) add_pair(core, member, paths, out);
  if (!steering_warning.empty()) out.push_back({false, fmt::format("{}: {}", core.config().name, steering_warning)});
  return out;
}

void AlarmBook::note(TimePoint now, std::vector<Trouble> troubles) {
  std::vector<Noted> next;
  for (Noted& each : noted_) {
    const auto still = std::find(troubles.begin(), troubles.end(), each.trouble);
    if (still == troubles.end()) continue;
    troubles.erase(still);
    next.push_back(std::move(each));
  }
  for (Trouble& each : troubles) next.push_back({now, std::move(each)});
  noted_ = std::move(next);
}

std::vector<Alarm> AlarmBook::alarms(TimePoint now, WallMillis wall_now) const {
  std::vector<Alarm> out;
  for (const Noted& each : noted_) {
    const auto ago = std::chrono::duration_cast<std::chrono::milliseconds>(std::max(now - each.since, Duration(0)));
    out.push_back({wall_now - ago.count(), each.trouble.major, each.trouble.what});
  }
  return out;
}

}  // namespace icr::node
