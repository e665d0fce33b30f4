// Lets a shard run with another configuration: shard.h, *Configuration*.
#include <algorithm>
#include <utility>

#include "node/flow/shard.h"

namespace icr::node {

ShardUpdate Shard::prepare(const Cluster& cluster, const std::vector<PoolReservations>& reservations) const {
  ShardUpdate out;
  out.cluster = &cluster;
  out.nat = NatRules(cluster, set_, reservations);
  const bool withholds = std::any_of(services_.begin(), services_.end(), [&](const Service& s) {
    return cluster.service_sets[s.index].replication_threshold_s != 0;
  });
  if (withholds && !withheld_) out.withheld.emplace(table_.capacity());
  for (const Service& s : services_) {
    const ServiceSet& config = cluster.service_sets[s.index];
    out.services.push_back({&config, ServicePolicy(cluster, s.index, &s.policy), nullptr,
                            TermHits(cluster, config, TermKind::firewall, &s.firewall_hits),
                            TermHits(cluster, config, TermKind::nat, &s.nat_hits)});
    if (config.screen) {
      out.services.back().screen = std::make_unique<ScreenGuard>(
          cluster.screens[*config.screen], table_.capacity(), icr::detail::mix(seed_ + s.index, 0x2545f4914f6cdd1dULL));
    }
  }
  return out;
}

void Shard::take(ShardUpdate& update) {
  std::swap(cluster_, update.cluster);
  nat_.take(update.nat);
  if (update.withheld && !withheld_) withheld_ = std::move(update.withheld);
  bool guarantees = false;
  for (std::size_t i = 0; i < services_.size(); ++i) {
    Service& s = services_[i];
    ShardUpdate::Service& next = update.services[i];
    if (next.screen && s.screen) next.screen->inherit(*s.screen);
    guarantees |= next.policy.may_guarantee() && !s.policy.may_guarantee();
    next.firewall_hits.inherit(s.firewall_hits);
    next.nat_hits.inherit(s.nat_hits);
    std::swap(s.firewall_hits, next.firewall_hits);
    std::swap(s.nat_hits, next.nat_hits);
    std::swap(s.config, next.config);
    std::swap(s.policy, next.policy);
    std::swap(s.screen, next.screen);
    s.likely_nat = {};
  }
  // A guarantee begins with a peer that knows each session.
  if (guarantees) (void)share_withheld(withheld());
  begin_review();
  arm_binding_ = 0;
  next_drain_end_ = 0;
}

std::uint32_t Shard::term_hits(const SessionFilter& filter, std::uint32_t from, std::uint32_t most,
                               std::vector<TermHitsRow>& out) const {
  std::uint32_t row = 0;
  for (const Service& s : services_) {
    if (!filter.has_service_set(s.id)) continue;
    for (const TermHits* hits : {&s.firewall_hits, &s.nat_hits}) {
      for (std::uint32_t place = 0; place < hits->size(); ++place, ++row) {
        if (row < from || out.size() >= most) continue;
        hits->append(place, out);
        out.back().service_set = s.id;
      }
    }
  }
  return row;
}

void Shard::clear_term_hits(StableId service_set, TermKind kind) {
  for (Service& s : services_) {
    if (s.id == service_set) (kind == TermKind::nat ? s.nat_hits : s.firewall_hits).clear();
  }
}

void Shard::end_drains(WallMillis now) {
  if (now < next_drain_end_) return;
  next_drain_end_ = nat_.end_drains(now);
  if (!nat_.any_over()) return;
  begin_review();
  arm_binding_ = 0;  // the bindings of such pools expire as soon as nobody uses them
}

void Shard::begin_review() {
  reviewing_ = true;
  review_cursor_ = 0;
  // Sessions that begin later have what the configuration says. Those that take a slot below are walked over as well,
  // which does no harm.
  review_end_ = table_.high_water();
}

void Shard::review(std::uint32_t budget) {
  for (std::uint32_t i = 0; i < budget && review_cursor_ < review_end_; ++i, ++review_cursor_) {
    if (table_.at(review_cursor_).live) review_session(review_cursor_);
  }
  reviewing_ = review_cursor_ < review_end_;
}

void Shard::review_session(std::uint32_t slot) {
  Session& session = table_.at(slot);
  const Service& s = *service(session.service_set);
  if (s.config->policy_rematch && !admits(s, session.initiator(), session.initiated_outside)) {
    ++counters_.rematched;
    remove(slot);
    return;
  }
  if (nat_.is_over(nat_view(session))) {
    ++counters_.drained;
    remove(slot);
    return;
  }
  const std::uint32_t timeout = timeout_for_state(session);
  if (timeout != session.timeout_s()) {
    session.set_timeout_s(timeout);
    changed(slot, Change::refresh);
  }
  if (is_withheld(slot) && static_cast<std::int32_t>(told_at(session) - wheel_.now()) <= 0) share(slot);
  // Also where the timeout stays: the session-timeout or the replication-threshold may be a shorter one.
  arm(slot, session);
}

bool Shard::admits(const Service& s, const FlowKey& initiator, bool initiated_outside) {
  const bool inside = !initiated_outside;
  // Which query began an ICMP session is not known: either of them may have.
  return s.policy.firewall(initiator, inside, IcmpQuery::echo).action == FirewallAction::accept ||
         ((initiator.protocol == ip_protocol::icmp || initiator.protocol == ip_protocol::icmp6) &&
          s.policy.firewall(initiator, inside, IcmpQuery::timestamp).action == FirewallAction::accept);
}

}  // namespace icr::node
