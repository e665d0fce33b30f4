#include "node/set/store_claimant.h"

#include <utility>

#include "model/base/log.h"

namespace icr::node {
namespace {

/// How soon the worker looks again whether the disk has the term. A write to a fast disk takes as long.
constexpr Duration kLookInterval = 200us;

}  // namespace

StoreClaimant::StoreClaimant(std::string set, storage::CheckpointOutput& disk, Duration limit)
    : set_(std::move(set)), disk_(disk), limit_(limit) {}

void StoreClaimant::ask(TimePoint now, std::uint64_t term) {
  term_ = term;
  waived_ = false;
  until_ = now + limit_;
  taken_ = disk_.claimed_term() >= term || disk_.claim_term(term);
}

ClaimAnswer StoreClaimant::answer(TimePoint now) {
  if (waived_) return ClaimAnswer::granted;
  if (!taken_) taken_ = disk_.claim_term(term_);
  if (disk_.claimed_term() >= term_) {
    if (std::exchange(counted_, term_) != term_) ++kept_;
    return ClaimAnswer::granted;
  }
  if (disk_.failing()) {
    waive(waived_failing_, "the disk fails");
    return ClaimAnswer::granted;
  }
  if (now >= until_) {
    waive(waived_slow_, "the disk has not answered in time");
    return ClaimAnswer::granted;
  }
  next_look_ = now + kLookInterval;
  return ClaimAnswer::pending;
}

void StoreClaimant::waive(std::uint64_t& counter, std::string_view why) {
  waived_ = true;
  ++counter;
  if (limit_ == Duration()) return;  // nobody wants to wait
  log::warn("storage", "set={} term={} is taken before it is on disk: {}", set_, term_, why);
}

void StoreClaimant::append_to(CounterList& out) const {
  out.push_back({"claims-kept-on-disk", kept_});
  out.push_back({"claims-waived-disk-failing", waived_failing_});
  out.push_back({"claims-waived-disk-slow", waived_slow_});
}

}  // namespace icr::node
