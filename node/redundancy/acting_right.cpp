#include "node/redundancy/acting_right.h"

#include <algorithm>
#include <chrono>

#include "model/base/guilt.h"

namespace icr::node {
namespace {

/// How soon the worker looks again whether the witness has answered.
constexpr Duration kRightLookInterval = 500us;

}  // namespace

ActingRight::ActingRight(WitnessKey& key, Duration longest_promise, TimePoint now)
    : key_(key), longest_promise_(longest_promise), bound_until_(now + longest_promise) {}

void ActingRight::on_send(TimePoint now, Duration patience, replication::Heartbeat& beat) {
  last_number_ = beat.number;
  sent_[beat.number % kRemembered] = {beat.number, now};
  beat.relies = relies_;
  if (relies_ || !heard_relies_) return;
  const Duration promise = std::min(patience, longest_promise_);
  if (heard_at_ + promise <= now) return;  // it would be over
  beat.answers = heard_number_;
  beat.promise_us = static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(promise).count());
  promised_until_ = std::max(promised_until_, heard_at_ + promise);
  ++promises_made_;
}

void ActingRight::on_heard(TimePoint now, std::uint64_t boot, bool hears_this_process,
                           const replication::Heartbeat& beat) {
  if (boot != heard_boot_) {
    // Another process cannot free this member of what it promised to the former one.
    bound_until_ = std::max(bound_until_, promised_until_);
    promised_until_ = TimePoint::min();
  }
  heard_boot_ = boot;
  heard_number_ = beat.number;
  heard_at_ = now;
  heard_relies_ = beat.relies;
  if (!beat.relies) promised_until_ = TimePoint::min();
  if (beat.promise_us == 0 || !relies_ || !hears_this_process) return;
  if (!ICR_PEER_MUST(beat.answers <= last_number_, promises_refused_)) return;
  const Sent& sent = sent_[beat.answers % kRemembered];
  if (beat.answers < relies_from_ || sent.number != beat.answers) {
    ++promises_late_;
    return;
  }
  const Duration promise = std::min<Duration>(std::chrono::microseconds(beat.promise_us), longest_promise_);
  const TimePoint until = sent.at + (promise - promise / kDriftPart);
  if (until <= promised_to_us_until_) return;
  promised_to_us_until_ = until;
  last_promise_ = promise;
  ++promises_taken_;
}

void ActingRight::set_reliance(bool relies, std::uint64_t term) {
  term_ = term;
  if (relies == relies_) return;
  relies_ = relies;
  relies_from_ = last_number_ + 1;
  promised_to_us_until_ = TimePoint::min();
  if (relies) return;
  next_look_ = TimePoint::max();
  key_.give_back();
  key_wanted_ = false;
}

void ActingRight::tick(TimePoint now) {
  if (!relies_) return;
  if (promised_to_us_until_ == TimePoint::min() || now >= low_at()) {
    calm_since_ = now;
    if (!key_wanted_) ++keys_wanted_;
    key_wanted_ = true;
    key_.want(term_);
  } else if (key_wanted_ && now - calm_since_ >= kCalm) {
    key_wanted_ = false;
    ++keys_given_back_;
    key_.give_back();
  }
}

TimePoint ActingRight::next_tick() const {
  if (!relies_ || key_wanted_ || promised_to_us_until_ == TimePoint::min()) return TimePoint::max();
  return low_at();
}

TimePoint ActingRight::acts_until(TimePoint now) const {
  if (!relies_ || now < bound_until_ || now < promised_until_) return TimePoint::min();
  return std::max(promised_to_us_until_, key_.until());
}

void ActingRight::ask(TimePoint now, std::uint64_t term) {
  set_reliance(true, term);
  tick(now);
}

ClaimAnswer ActingRight::answer(TimePoint now) {
  if (may_act(now)) {
    next_look_ = TimePoint::max();
    return ClaimAnswer::granted;
  }
  next_look_ = now + kRightLookInterval;
  if (now < bound_until_ || now < promised_until_) {
    awaited_ = "the end of its promise to the peer";
  } else {
    awaited_ = "the promise of the peer or the witness (" + key_.state() + ")";
  }
  return ClaimAnswer::pending;
}

void ActingRight::append_rest_to(TimePoint now, CounterList& out) const {
  const auto rest = [now](TimePoint until) {
    return until <= now ? 0U : static_cast<std::uint64_t>((until - now) / 1ms);
  };
  out.push_back({"promise-of-peer-left-ms", rest(promised_to_us_until_)});
  out.push_back({"promise-to-peer-left-ms", rest(std::max(bound_until_, promised_until_))});
  out.push_back({"witness-key-left-ms", rest(key_.until())});
}

void ActingRight::append_to(CounterList& out) const {
  out.push_back({"promises-made", promises_made_});
  out.push_back({"promises-taken", promises_taken_});
  out.push_back({"promises-late", promises_late_});
  out.push_back({"promises-refused", promises_refused_});
  out.push_back({"witness-keys-wanted", keys_wanted_});
  out.push_back({"witness-keys-given-back", keys_given_back_});
  key_.append_to(out);
}

}  // namespace icr::node
