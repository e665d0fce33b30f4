#include "node/redundancy/peer_boots.h"

#include <algorithm>

namespace icr::node {

PeerBoots::Verdict PeerBoots::judge(std::uint64_t boot, std::uint64_t number, bool silent) {
  if (boot == present_) return Verdict::present;
  const auto retired =
      std::find_if(retired_.begin(), retired_.end(), [boot](const Retired& each) { return each.boot == boot; });
  const bool revived = retired != retired_.end() && silent && number > retired->last_number;
  if (number == 0 || (retired != retired_.end() && !revived)) return Verdict::refused;
  if (revived) retired_.erase(retired);
  if (present_ != 0) {
    if (retired_.size() == kRetired) retired_.erase(retired_.begin());
    retired_.push_back({present_, number_});
  }
  present_ = boot;
  number_ = 0;
  return Verdict::replaced;
}

bool PeerBoots::in_order(std::uint64_t number) {
  if (number <= number_) return false;
  number_ = number;
  return true;
}

}  // namespace icr::node
