#include "node/redundancy/detector.h"

#include <algorithm>

namespace icr::node {
namespace {

/// The tolerated silence is an interval plus this many times the worst delay. Delays of a thread that lacks processor
/// time have a long tail, so the next one may well be twice the worst so far.
constexpr int kDelaysBorne = 3;
/// The shortest time between two probes.
constexpr Duration kLeastProbeInterval = 5ms;
constexpr Duration kMostProbeInterval = 100ms;

/// One step of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
  x ^= x >> 31U;
  return x != 0 ? x : 1;
}

}  // namespace

void WorstOfMinute::add(TimePoint now, Duration value) {
  const std::int64_t number = now.time_since_epoch() / kBucket;
  Bucket& bucket = buckets_[static_cast<std::size_t>(number) % kBuckets];
  if (bucket.number != number) bucket = {number, {}};
  bucket.worst = std::max(bucket.worst, value);
}

Duration WorstOfMinute::worst(TimePoint now) const {
  const std::int64_t number = now.time_since_epoch() / kBucket;
  Duration out{};
  for (const Bucket& bucket : buckets_) {
    if (bucket.number >= 0 && number - bucket.number < static_cast<std::int64_t>(kBuckets)) {
      out = std::max(out, bucket.worst);
    }
  }
  return out;
}

std::string_view to_string(Probe probe) {
  switch (probe) {
    case Probe::never_asked:
      return "not asked";
    case Probe::no_addresses:
      return "no address to ask";
    case Probe::asked:
      return "asked";
    case Probe::answered:
      return "machine lives, process late";
    case Probe::unanswered:
      return "no answer";
  }
  return "not asked";
}

Detector::Detector(const DetectorConfig& config, ProbeOutput& output, TimePoint now)
    : output_(output), woke_(now), wanted_(now), nonce_(mix(config.seed)) {
  set_config(config);
}

void Detector::set_config(const DetectorConfig& config) {
  config_ = config;
  floor_ = config.interval * config.count;
  config_.limit = std::max(config_.limit, floor_);
  // After half the floor, so that an answer is there before it has passed; but not for one interval, which passes
  // between any two heartbeats.
  ask_after_ = std::max(floor_ / 2, config.interval + config.interval / 4);
  ask_interval_ = std::clamp(config.interval / 2, kLeastProbeInterval, kMostProbeInterval);
  grants_ = config.count;
  threshold_ = std::clamp(threshold_, floor_, config_.limit);
}

void Detector::wake(TimePoint now) {
  if (now <= woke_) return;
  const Duration gap = now - woke_;
  const Duration planned = wanted_ <= woke_ ? Duration(0) : std::min(wanted_ - woke_, gap);
  const Duration late = gap - planned;
  // A round that takes a while does not count as a pause.
  const Duration slack = config_.interval / 4;
  attended_ += planned + std::min(late, slack);
  woke_ = now;
  own_late_.add(now, late);
  if (late > config_.interval) ++counters_.own_pauses;
  if (late > 2 * slack && grants_ != 0 && attended_ >= fresh_) {
    --grants_;
    fresh_ = attended_ + config_.interval;
  }
}

void Detector::on_heard(TimePoint now) {
  wake(now);
  const Duration silent = silence();
  if (silent > floor_ && !lost_) ++counters_.avoided;
  // A peer that was judged dead and soon spoke again was late; one that was silent for longer was gone.
  if (silent > config_.interval && (!lost_ || silent <= config_.limit)) peer_late_.add(now, silent - config_.interval);
  lost_ = false;
  heard_ = attended_;
  fresh_ = {};
  grants_ = config_.count;
  if (is_asked_) nonce_ = mix(nonce_);
  is_asked_ = is_answered_ = false;
}

void Detector::on_condition(Duration late, const std::vector<IpAddress>& addresses) {
  peer_says_ = late;
  if (addresses_ != addresses) addresses_ = addresses;
}

void Detector::on_connection(bool open) {
  open_ = open;
  // After the connection was lost, silence counts from now on, not from before.
  if (open) heard_ = std::max(heard_, attended_ - config_.interval);
}

void Detector::on_other_process() {
  peer_late_ = {};
  peer_says_ = {};
  lost_ = false;
  heard_ = attended_;
}

void Detector::on_probe_answer(TimePoint now, std::uint64_t nonce) {
  wake(now);
  if (!is_asked_ || nonce != nonce_) {
    ++counters_.probes_unknown;  // the answer is late: the peer has sent a sign of life meanwhile
    return;
  }
  ++counters_.probes_answered;
  is_answered_ = true;
  answered_ = attended_;
  probe_ = Probe::answered;
}

Duration Detector::threshold(TimePoint now) const {
  const Duration worst = std::max({own_late_.worst(now), peer_late_.worst(now), peer_says_});
  return std::clamp(config_.interval + kDelaysBorne * std::min(worst, config_.limit), floor_, config_.limit);
}

Duration Detector::due() const {
  Duration at = heard_ + threshold_;
  if (may_ask()) {
    // The machine must answer again and again, because it may die as well.
    if (is_answered_) at = std::max(at, std::min(answered_ + floor_, heard_ + config_.limit));
    // An answer may take as long as on a quiet machine.
    if (is_asked_) at = std::max(at, asked_ + (floor_ - ask_after_));
  }
  return std::max(at, fresh_);
}

void Detector::ask() {
  if (!is_asked_) {
    is_asked_ = true;
    asked_ = attended_;
    probe_ = Probe::asked;
  }
  next_probe_ = attended_ + ask_interval_;
  for (const IpAddress& address : addresses_) {
    ++counters_.probes_sent;
    output_.probe(address, nonce_);
  }
}

bool Detector::judge(TimePoint now) {
  wake(now);
  threshold_ = threshold(now);
  if (silence() >= ask_after_) {
    if (!may_ask()) {
      if (addresses_.empty()) probe_ = Probe::no_addresses;
    } else if (!is_asked_ || attended_ >= next_probe_) {
      ask();
    }
  }
  if (attended_ < due()) return false;
  lost_ = true;
  ++counters_.silences;
  if (is_asked_ && !is_answered_) probe_ = Probe::unanswered;
  return true;
}

TimePoint Detector::next_deadline() const {
  Duration at = due();
  if (may_ask()) at = std::min(at, is_asked_ ? next_probe_ : heard_ + ask_after_);
  return woke_ + std::max(at - attended_, Duration(0));
}

DetectorStatus Detector::status(TimePoint now) const {
  DetectorStatus out;
  out.floor = floor_;
  out.limit = config_.limit;
  out.threshold = threshold(now);
  out.own_late = own_late_.worst(now);
  out.peer_late = peer_late_.worst(now);
  out.peer_says = peer_says_;
  out.silence = silence();
  out.lost = lost_;
  out.avoided = counters_.avoided;
  out.probes_sent = counters_.probes_sent;
  out.probes_answered = counters_.probes_answered;
  out.probe = probe_;
  return out;
}

void Detector::append_to(CounterList& out) const {
  out.push_back({"peer-silences", counters_.silences});
  out.push_back({"takeovers-avoided", counters_.avoided});
  out.push_back({"own-pauses", counters_.own_pauses});
  out.push_back({"probes-sent", counters_.probes_sent});
  out.push_back({"probes-answered", counters_.probes_answered});
  out.push_back({"probes-answered-late", counters_.probes_unknown});
}

}  // namespace icr::node
