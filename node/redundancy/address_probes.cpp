#include "node/redundancy/address_probes.h"

#include <algorithm>
#include <utility>

#include "model/record/flow_key.h"

namespace icr::node {

void AddressProbes::take(TimePoint now, const std::vector<AddressProbe>& wanted) {
  std::vector<Probed> next;
  next.reserve(wanted.size());
  for (const AddressProbe& each : wanted) {
    const auto known = std::find_if(probed_.begin(), probed_.end(), [&each](const Probed& p) {
      return p.config.address == each.address && p.config.interface == each.interface;
    });
    if (known == probed_.end()) {
      next.emplace_back().next = now;
    } else {
      next.push_back(std::move(*known));
      next.back().next = std::min(next.back().next, now + each.interval);
    }
    Probed& kept = next.back();
    kept.config = each;
    kept.place = 0;
    kept.nonces = {};
    kept.waits = false;  // the answer to a former request is not recognised
  }
  probed_ = std::move(next);
}

std::optional<AddressProbes::Request> AddressProbes::next(TimePoint now) {
  const auto due = std::find_if(probed_.begin(), probed_.end(), [now](const Probed& p) { return now >= p.next; });
  if (due == probed_.end()) return std::nullopt;
  Probed& probed = *due;
  if (probed.waits) {
    ++probed.missed;
    if (probed.missed >= probed.config.count) probed.dead = true;
  }
  probed.waits = true;
  // After a pause of this thread, the requests that were left out are not made up for.
  probed.next = std::max(probed.next + probed.config.interval, now + probed.config.interval / 2);
  ++sent_;
  const std::uint64_t nonce = std::max<std::uint64_t>(icr::detail::mix(seed_, sent_), 1);
  probed.nonces[probed.place] = nonce;
  probed.place = (probed.place + 1) % probed.config.count;
  return Request{probed.config.address, probed.config.interface, nonce};
}

void AddressProbes::on_answer(std::uint64_t nonce) {
  if (nonce == 0) return;
  for (Probed& probed : probed_) {
    const auto found = std::find(probed.nonces.begin(), probed.nonces.end(), nonce);
    if (found == probed.nonces.end()) continue;
    const auto last = (probed.place + probed.config.count - 1) % probed.config.count;
    if (static_cast<std::uint32_t>(found - probed.nonces.begin()) == last) probed.waits = false;
    *found = 0;  // another answer to the same request says nothing new
    probed.missed = 0;
    probed.dead = false;
    ++answered_;
    return;
  }
}

TimePoint AddressProbes::next_deadline() const {
  TimePoint out = TimePoint::max();
  for (const Probed& probed : probed_) out = std::min(out, probed.next);
  return out;
}

std::vector<ProbeTrouble> AddressProbes::troubles() const {
  std::vector<ProbeTrouble> out;
  for (const Probed& probed : probed_) {
    if (!probed.dead) continue;
    const AddressProbe& config = probed.config;
    out.push_back({config.weight, fmt::format("address {} does not answer{}{}", config.address.to_string(),
                                              config.interface.empty() ? "" : " by interface ", config.interface)});
  }
  return out;
}

}  // namespace icr::node
