// How a shard tells its peer and its disk of what every packet changes: counters and idle times.
#include <algorithm>

#include "node/flow/shard.h"

namespace icr::node {
namespace {

constexpr Duration kTellEvery = 1s;
constexpr Duration kTellWithin = 900ms;  // of each second, so that a walk ends before the next one begins
constexpr Ticks kTicksOfWalk = 10;       // kTellEvery
constexpr std::uint32_t kToldPerSecond = 50'000;
constexpr std::uint32_t kAhead = 12;  // slots, so that a session has come from memory when its turn comes
constexpr Ticks kLeastPatience = 5;
constexpr Ticks kMostPatience = 300;

}  // namespace

Ticks Shard::patience_for(std::uint32_t used) {
  const std::uint64_t patience = std::uint64_t{used} * kTicksOfWalk / kToldPerSecond;
  return static_cast<Ticks>(std::clamp<std::uint64_t>(patience, kLeastPatience, kMostPatience));
}

void Shard::refuse_new_sessions(bool refuse) {
  refuse_new_ = refuse;
  if (!refuse) return;
  telling_.cursor = telling_.used = 0;
  telling_.end = table_.high_water();
}

bool Shard::tell_counters(TimePoint now, std::uint32_t budget) {
  if (!active_) return true;
  Telling& t = telling_;
  if (t.cursor >= t.end) {
    if (refuse_new_ || now < t.began + kTellEvery) return true;
    t.patience = patience_for(t.used);
    t.began = now;
    t.cursor = t.used = 0;
    t.end = table_.high_water();
  }
  const auto part = std::min(now - t.began, kTellWithin) / 1us;
  const std::uint32_t due =
      refuse_new_
          ? t.end
          : static_cast<std::uint32_t>(std::uint64_t{t.end} * static_cast<std::uint64_t>(part) / (kTellWithin / 1us));
  const Ticks patience = refuse_new_ ? 0 : t.patience;
  const Ticks at = ticks_of(now);
  for (; t.cursor < due && budget != 0; ++t.cursor, --budget) {
    // The slot of a session has a word, and no other slot has one: empty ones cost no miss.
    if (const std::uint32_t next = t.cursor + kAhead; next < t.end && digest_words_[next] != 0) {
      prefetch_line(&table_.at(next));
    }
    if (digest_words_[t.cursor] == 0 || is_withheld(t.cursor)) continue;
    Session& session = table_.at(t.cursor);
    if (at - session.last_activity <= kTicksOfWalk) ++t.used;
    const auto untold = session.untold(at, patience);
    if (untold == Session::Untold::nobody) continue;
    if (untold == Session::Untold::peer) {
      session.told_peer(at);
      changed(t.cursor, Change::peer_refresh);
    } else {
      session.told(at);
      changed(t.cursor, Change::refresh);
    }
  }
  return t.cursor >= due;
}

}  // namespace icr::node
