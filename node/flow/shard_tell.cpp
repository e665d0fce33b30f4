// How a shard tells its peer and its disk of what every packet changes: counters and idle times.
#include <algorithm>

#include "node/flow/shard.h"

namespace icr::node {
namespace {

constexpr Duration kTellEvery = 1s;
constexpr Duration kTellWithin = 900ms;  // of each second, so that a walk ends before the next one begins
// Sessions of which the peer hears in a second. If more are used, each is told of less often, as far as its timeout
// allows. It is a few hundredths of what the stream carries.
constexpr std::uint32_t kToldPerSecond = 50'000;
constexpr Ticks kLeastPatience = 5;
constexpr Ticks kMostPatience = 300;

}  // namespace

bool Shard::tell_counters(TimePoint now, std::uint32_t budget) {
  if (!active_) return true;
  Telling& t = telling_;
  if (t.cursor >= t.end) {
    if (now < t.began + kTellEvery) return true;
    // A session that is used all the time is told of once in each walk that is not sooner than its patience.
    const std::uint64_t used = std::uint64_t{t.told} * std::max<Ticks>(t.patience, 10);
    t.patience = static_cast<Ticks>(std::clamp<std::uint64_t>(used / kToldPerSecond, kLeastPatience, kMostPatience));
    t.began = now;
    t.cursor = t.told = 0;
    t.end = table_.high_water();
  }
  const auto part = std::min(now - t.began, kTellWithin) / 1us;
  const auto due =
      static_cast<std::uint32_t>(std::uint64_t{t.end} * static_cast<std::uint64_t>(part) / (kTellWithin / 1us));
  const Ticks at = ticks_of(now);
  for (; t.cursor < due && budget != 0; ++t.cursor, --budget) {
    Session& session = table_.at(t.cursor);
    if (!session.live || is_withheld(t.cursor)) continue;
    const auto untold = session.untold(at, t.patience);
    if (untold == Session::Untold::nobody) continue;
    ++t.told;
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
