#include "node/card/self_test.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "model/base/log.h"

namespace icr::node {
namespace {

/// While a packet is on its way, the self-test looks so often whether it came out.
constexpr Duration kLook = 10ms;

}  // namespace

Result<void> SelfTest::add(const End& inside, const End& outside, TimePoint now) {
  auto inner = DeviceTap::open(inside.device, secret_);
  if (!inner) return tl::unexpected(inner.error());
  auto outer = DeviceTap::open(outside.device, secret_);
  if (!outer) return tl::unexpected(outer.error());
  const auto way = [&](const End& from, const End& to, DeviceTap& entry, DeviceTap& exit) {
    ways_.push_back({from.unit,
                     to.unit,
                     from.port,
                     &entry,
                     &exit,
                     fmt::format("self-test: packets into unit {} ({}) do not come out of unit {} ({})", from.unit,
                                 from.device, to.unit, to.device),
                     SelfTestVerdict(now),
                     {}});
  };
  way(inside, outside, **inner, **outer);
  way(outside, inside, **outer, **inner);
  taps_.push_back(std::move(*inner));
  taps_.push_back(std::move(*outer));
  next_ = now;
  return {};
}

bool SelfTest::poll(TimePoint now) {
  if (now < next_) return false;
  next_ = TimePoint::max();
  for (Way& way : ways_) {
    while (const auto found = way.exit->receive()) {
      if (found->unit == way.in && way.verdict.came_out(found->number, now)) ++counters_.returned;
    }
    if (way.verdict.overdue(now)) judge(way, now);
    if (const auto number = way.verdict.send_due(now)) {
      way.entry->send(self_test_packet::make({secret_, way.in, *number}));
      ++counters_.sent;
    }
    next_ = std::min({next_, way.verdict.next_deadline(), way.verdict.waiting() ? now + kLook : TimePoint::max()});
  }
  std::vector<std::string> wrong;
  for (const Way& way : ways_) {
    if (way.verdict.broken()) wrong.push_back(way.broken);
  }
  if (wrong == wrong_) return false;
  for (const auto& text : wrong) {
    if (std::find(wrong_.begin(), wrong_.end(), text) == wrong_.end()) log::error("card", "{}", text);
  }
  for (const auto& text : wrong_) {
    if (std::find(wrong.begin(), wrong.end(), text) == wrong.end()) log::info("card", "no longer: {}", text);
  }
  wrong_ = std::move(wrong);
  return true;
}

void SelfTest::judge(Way& way, TimePoint now) {
  // If more arrives than the worker can take, test packets are lost like all others; the others that got in prove that
  // the port works.
  const Port::Load before = std::exchange(way.load, way.port->load());
  if (way.load.lost != before.lost && way.load.received != before.received) {
    counters_.excused += way.verdict.excuse(now) ? 1U : 0U;
    return;
  }
  ++counters_.failed;
  way.verdict.lost(now);
}

void SelfTest::was_away(TimePoint now) {
  for (Way& way : ways_) counters_.excused += way.verdict.excuse(now) ? 1U : 0U;
}

void SelfTest::append_to(CounterList& out) const {
  out.push_back({"self-tests-sent", counters_.sent});
  out.push_back({"self-tests-returned", counters_.returned});
  out.push_back({"self-tests-failed", counters_.failed});
  out.push_back({"self-tests-excused", counters_.excused});
}

}  // namespace icr::node
