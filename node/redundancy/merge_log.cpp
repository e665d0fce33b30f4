#include "node/redundancy/merge_log.h"

#include <numeric>

#include "model/base/log.h"

namespace icr::node {
namespace {

std::uint64_t refusals(const replication::AdoptedCounts& counts) {
  return std::accumulate(counts.begin() + static_cast<std::size_t>(Adopted::invalid), counts.end(), std::uint64_t{0});
}

std::string totals(const replication::AdoptedCounts& counts) {
  const auto of = [&](Adopted a) { return counts[static_cast<std::size_t>(a)]; };
  std::string out = fmt::format("taken-over={} updated={} known={} refused={}", of(Adopted::created),
                                of(Adopted::updated), of(Adopted::known), refusals(counts));
  for (std::size_t i = static_cast<std::size_t>(Adopted::invalid); i < counts.size(); ++i) {
    if (counts[i] != 0) out += fmt::format(" ({}: {})", to_string(static_cast<Adopted>(i)), counts[i]);
  }
  return out;
}

}  // namespace

void log_merge(const std::string& set, const replication::MergeReceiver::Outcome& outcome) {
  const std::string text = totals(outcome.counts);
  if (refusals(outcome.counts) == 0) {
    log::info("redundancy", "set={} the peer was master as well and has sent its sessions: {}", set, text);
    return;
  }
  log::warn("redundancy", "set={} the peer was master as well and has sent its sessions: {}", set, text);
  for (const std::string& conflict : outcome.conflicts) log::warn("redundancy", "set={} {}", set, conflict);
}

void log_merge(const std::string& set, const replication::MergeSender::Outcome& outcome) {
  const std::string text = totals(outcome.counts);
  if (refusals(outcome.counts) == 0 && outcome.unsent == 0) {
    log::info("redundancy", "set={} the master has taken over the sessions of this member: {}", set, text);
  } else {
    log::warn("redundancy", "set={} the master has taken over only some sessions of this member: {} not-sent={}", set,
              text, outcome.unsent);
  }
}

}  // namespace icr::node
