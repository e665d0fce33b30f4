// Sets up the sessions of this chassis. shard_follow.cpp follows their packets, and shard_twin.cpp takes sessions from
// a peer or a checkpoint.
#include "node/flow/shard.h"

#include <algorithm>

#include "node/flow/tcp_tracker.h"

namespace icr::node {
namespace {

/// A standby knows idle times only to the refresh interval; nothing expires sooner than this after a takeover.
constexpr Ticks kTakeoverGrace = 300;
/// How long a connection is waited for in which both ends have finished, but not heard of it (RFC 5382 REQ-5, RFC 6146
/// section 4): the end of the transfer may have got lost, and be on its way again.
constexpr std::uint32_t kTransitoryTimeout = 240;

/// How many other source ports are tried for a session whose responder flow belongs to another session. With half of
/// all ports in use, one session in four billion finds none.
constexpr std::uint32_t kSourcePortAttempts = 32;

ApplicationProtocol default_alg(std::uint8_t protocol) {
  static const ApplicationProtocol icmp = parse_application_protocol("icmp").value_or(0);
  static const ApplicationProtocol icmpv6 = parse_application_protocol("icmpv6").value_or(0);
  return protocol == ip_protocol::icmp ? icmp : protocol == ip_protocol::icmp6 ? icmpv6 : kNoApplicationProtocol;
}

Drop drop_of(ScreenDrop reason) {
  switch (reason) {
    case ScreenDrop::syn_flood:
      return Drop::screen_syn_flood;
    case ScreenDrop::syn_flood_source:
      return Drop::screen_syn_flood_source;
    case ScreenDrop::syn_flood_destination:
      return Drop::screen_syn_flood_destination;
    case ScreenDrop::icmp_flood:
      return Drop::screen_icmp_flood;
    case ScreenDrop::udp_flood:
      return Drop::screen_udp_flood;
    case ScreenDrop::sessions_of_source:
      return Drop::screen_sessions_of_source;
    case ScreenDrop::sessions_of_destination:
      return Drop::screen_sessions_of_destination;
    case ScreenDrop::none:
      break;
  }
  return Drop::count;
}

Drop drop_of(NatRefusal refusal) {
  switch (refusal) {
    case NatRefusal::none:
      break;
    case NatRefusal::no_binding:
      return Drop::nat_no_session;
    case NatRefusal::filtered:
      return Drop::nat_filtered;
    case NatRefusal::flow_limit:
      return Drop::nat_flow_limit;
    case NatRefusal::out_of_ports:
      return Drop::out_of_ports;
    case NatRefusal::out_of_addresses:
      return Drop::out_of_addresses;
    case NatRefusal::parity:
      return Drop::nat_parity;
    case NatRefusal::range:
      return Drop::nat_range;
    case NatRefusal::paired_out_of_ports:
      return Drop::nat_paired_out_of_ports;
    case NatRefusal::port_limit:
      return Drop::nat_port_limit;
    case NatRefusal::out_of_blocks:
      return Drop::nat_out_of_blocks;
    case NatRefusal::block_limit:
      return Drop::nat_block_limit;
    case NatRefusal::subscriber_limit:
      return Drop::subscriber_limit;
    case NatRefusal::no_memory:
      return Drop::nat_no_memory;
    case NatRefusal::untranslatable:
      return Drop::nat_untranslatable;
  }
  return Drop::count;
}

}  // namespace

Shard::Shard(const Cluster& cluster, std::uint16_t set, std::uint64_t seed, TimePoint now)
    : cluster_(&cluster),
      set_(set),
      seed_(seed),
      table_(cluster.redundancy_sets[set].max_sessions, icr::detail::mix(seed, 0x1d8e4e27c47d124fULL)),
      nat_(cluster, set, seed, *this),
      ip_ids_(icr::detail::mix(seed, 0x94d049bb133111ebULL)),
      wheel_(table_.capacity() + nat_.rows(), ticks_of(now)),
      digest_words_(std::size_t{table_.capacity()} + nat_.rows()) {
  layout_.push_back({SlotRange::Use::sessions, 0, table_.capacity()});
  nat_.append_layout(table_.capacity(), layout_);
  services_.reserve(cluster.redundancy_sets[set].service_sets.size());
  service_at_.resize(cluster.service_sets.size());
  for (const std::uint16_t index : cluster.redundancy_sets[set].service_sets) {
    services_.push_back(Service{index, cluster.service_sets[index].stable_id, &cluster.service_sets[index],
                                ServicePolicy(cluster, index), 0, 0, ticks_of(now) - 10});
    service_at_[index] = &services_.back();
    services_.back().firewall_hits = TermHits(cluster, cluster.service_sets[index], TermKind::firewall);
    services_.back().nat_hits = TermHits(cluster, cluster.service_sets[index], TermKind::nat);
    if (const auto& screen = cluster.service_sets[index].screen) {
      services_.back().screen = std::make_unique<ScreenGuard>(cluster.screens[*screen], table_.capacity(),
                                                              icr::detail::mix(seed + index, 0x2545f4914f6cdd1dULL));
    }
    if (cluster.service_sets[index].replication_threshold_s != 0 && !withheld_) withheld_.emplace(table_.capacity());
  }
}

// -- Role --

void Shard::activate(TimePoint now, std::uint64_t term) {
  active_ = true;
  grace_until_ = TimePoint::min();
  refuse_new_ = false;
  activated_ = ticks_of(now);
  if (++window_epoch_ == 0) window_epoch_ = 1;
  arm_cursor_ = arm_binding_ = 0;
  arm_end_ = table_.high_water();
  begin_review();  // records of a peer or a checkpoint may have come from another configuration
  nat_.activate(term);
  resolve_contested();
}

void Shard::deactivate(TimePoint now) {
  if (acts(now)) grace_until_ = now + kForwardingGrace;
  // From now on the table is a copy, of which nothing is kept from anybody.
  (void)share_withheld(withheld());
  active_ = false;
  nat_.deactivate();
  refuse_new_ = false;
}

// -- Packets --

std::optional<Shard::PredictedSetUp> Shard::look_ahead(const FlowKey& key, std::uint16_t service_set, bool inside,
                                                       Ticks now) const {
  const Service* const s = service(service_set);
  if (s == nullptr || refuse_new_ || !nat_.waits_for(service_set, key)) return std::nullopt;
  PredictedSetUp predicted{key.mirrored(), service_set, std::nullopt};
  const NatTerm* const term = s->likely_nat[prediction_class(key, inside)];
  if (term != nullptr && term->type != NatType::none) {
    predicted.source = nat_.look_ahead(*term, key, now);
    if (!predicted.source) return std::nullopt;
  }
  return predicted;
}

FlowKey Shard::likely_responder(const PredictedSetUp& predicted) {
  FlowKey responder = predicted.responder;
  if (predicted.source) {
    const PortPool::ExternalEndpoint source = predicted.source->ports->likely(predicted.source->place);
    responder.destination = source.address;
    responder.destination_port = source.port;
    if (responder.protocol == ip_protocol::icmp) responder.source_port = source.port;
  }
  return responder;
}

void Shard::prefetch_slots(std::uint32_t count) const {
  table_.upcoming(count, [&](std::uint32_t slot) {
    prefetch_far(slot);
    wheel_.prefetch(slot);
  });
}

SetUp Shard::set_up(const Headers& headers, std::uint16_t service_set, std::uint64_t hash, bool inside, Ticks now) {
  Service* const s = service(service_set);
  if (s == nullptr) return {std::nullopt, Drop::unknown_interface, false};
  if (refuse_new_) return {std::nullopt, Drop::handing_over, false};
  const bool icmp = headers.icmp != IcmpKind::none;
  if (icmp && !is_query(headers.icmp)) return {std::nullopt, Drop::icmp_no_session, false};
  const IcmpQuery query = query_of(headers.icmp);
  // A packet to an external address finds a mapping there, or a rule that sends it on; or nobody.
  std::optional<NatDecision> rule;
  if (!nat_.waits_for(service_set, headers.key)) {
    rule = s->policy.nat(headers.key, inside, query);
    if (rule->term == nullptr || !translates_destination(rule->term->type))
      return {std::nullopt, Drop::nat_no_session, false};
  }
  if (s->screen) {
    const Drop refused = drop_of(s->screen->admit(headers, now));
    if (refused != Drop::count) return {std::nullopt, refused, false};
  }

  const FirewallDecision firewall = s->policy.firewall(headers.key, inside, query);
  s->firewall_hits.hit(firewall.place);
  if (firewall.action == FirewallAction::discard) return {std::nullopt, Drop::firewall_discard, false};
  if (firewall.action == FirewallAction::reject) return {std::nullopt, Drop::firewall_reject, true};
  const NatDecision nat = rule ? *rule : s->policy.nat(headers.key, inside, query);

  const bool tcp = headers.protocol == ip_protocol::tcp;
  if (tcp && (headers.tcp_flags & (tcp_flag::syn | tcp_flag::ack)) != tcp_flag::syn) {
    // From the middle of a connection: a new translation would only make its server reset it.
    const bool may =
        s->config->tcp_non_syn == TcpNonSyn::allow && !nat.translates() && (headers.tcp_flags & tcp_flag::rst) == 0;
    if (!may) return {std::nullopt, Drop::tcp_non_syn, false};
  }
  if (s->config->max_sessions && s->sessions >= *s->config->max_sessions)
    return {std::nullopt, Drop::session_limit, false};
  const std::uint32_t max_flows = s->config->max_flows;
  if (max_flows != 0 && 2 * (std::uint64_t{s->sessions} + 1) > max_flows) {
    return {std::nullopt, Drop::flow_limit, false};
  }
  if (!take_setup_token(*s, now)) return {std::nullopt, Drop::session_setup_rate, false};

  const auto slot = table_.allocate();
  if (!slot) return {std::nullopt, Drop::no_session_id, false};
  Session& session = table_.at(*slot);
  const std::uint32_t generation = session.generation + 1 == 0 ? 1 : session.generation + 1;
  session = Session{};
  session.generation = generation;
  session.version = 1;
  session.window_epoch = window_epoch_;
  session.initiated_outside = !inside;
  session.service_set = service_set;
  session.policy = firewall.policy;
  session.created = session.last_activity = now;
  session.told(now);
  session.pass = pass_;
  const auto application = firewall.application ? firewall.application : nat.application;
  session.application = static_cast<std::uint16_t>(application ? *application + 1U : 0U);
  session.alg = default_alg(headers.protocol);
  if (application && cluster_->applications[*application].application_protocol != kNoApplicationProtocol) {
    session.alg = cluster_->applications[*application].application_protocol;
  }
  s->nat_hits.hit(nat.place);
  const NatResult translated = nat_.translate(service_set, nat.term, headers.key, inside, now);
  if (translated.refused != NatRefusal::none) {
    s->nat_hits.failed(nat.place);
    session.generation = generation - 1;
    table_.release(*slot);
    return {std::nullopt, drop_of(translated.refused), false};
  }
  session.nat_type = translated.type;
  session.nat_pool = translated.pool;
  session.hairpin = translated.hairpin;
  session.set_keys(headers.key, translated.responder);
  if (!table_.insert_first(*slot, hash) && !insert_with_another_port(*slot, now)) {
    const bool taken =
        table_.find(service_set, headers.key).has_value() || table_.find(service_set, translated.responder).has_value();
    nat_.cancel(nat_view(session), now);
    s->nat_hits.failed(nat.place);
    session.generation = generation - 1;
    table_.release(*slot);
    return {std::nullopt, taken ? Drop::nat_conflict : Drop::flow_index_full, false};
  }
  nat_.hold(nat_view(session), true, now);
  s->likely_nat[prediction_class(headers.key, inside)] = nat.term;
  // A TCP session has the open-timeout until the handshake is complete.
  if (tcp) TcpTracker::start(session, headers, window_epoch_);
  const bool opening = tcp && session.tcp_state != TcpState::established;
  session.set_timeout_s(opening ? timeout_for_state(session) : idle_timeout(*s, application, headers.protocol));
  count_session(session, 1);
  ++created_;
  // The set-up that used the last of something says so (Flags: of show services sessions).
  if (s->config->max_sessions && s->sessions >= *s->config->max_sessions) {
    session.flag = SessionFlag::limit_reached;
  } else if (session.nat_pool != 0 && nat_.exhausted(session.nat_pool, headers.key)) {
    session.flag = SessionFlag::no_memory;
  } else if (table_.size() == table_.capacity()) {
    session.flag = SessionFlag::no_session_id;
  }
  if (s->config->replication_threshold_s != 0) (void)withheld_->mark(*slot);
  arm(*slot, session);
  changed(*slot, Change::state);
  return {slot, Drop::count, false};
}

Guarantee Shard::guarantee_of_first(const Headers& headers, std::uint16_t service_set, bool inside) const {
  const ServicePolicy& policy = service(service_set)->policy;
  return policy.guarantee_of(policy.firewall(headers.key, inside, query_of(headers.icmp)).policy);
}

bool Shard::insert_with_another_port(std::uint32_t slot, Ticks now) {
  Session& session = table_.at(slot);
  const NatSession view = nat_view(session);
  if (table_.find(view.service_set, view.initiator) || !table_.find(view.service_set, view.responder)) return false;
  for (std::uint32_t attempt = 0; attempt < kSourcePortAttempts; ++attempt) {
    const auto responder = nat_.with_another_port(view, attempt, now);
    if (!responder) break;
    if (table_.find(view.service_set, *responder)) continue;
    session.set_keys(view.initiator, *responder);
    if (!table_.insert(slot)) break;
    nat_.count_another_port();
    return true;
  }
  session.set_keys(view.initiator, view.responder);
  return false;
}

void Shard::remove(std::uint32_t slot) {
  const bool never_told = is_withheld(slot);
  unlink(slot);
  table_.release(slot);
  ++removed_;
  changed(slot, Change::state);
  if (!never_told) return;
  (void)withheld_->unmark(slot);
  ++counters_.never_told;
}

void Shard::arm(std::uint32_t slot, const Session& session) {
  Ticks at = deadline_of(session);
  if (is_withheld(slot) && static_cast<std::int32_t>(told_at(session) - at) < 0) at = told_at(session);
  wheel_.arm(slot, at);
}

void Shard::share(std::uint32_t slot) {
  (void)withheld_->unmark(slot);
  changed(slot, Change::state);
}

bool Shard::share_withheld(std::uint32_t budget) {
  if (!withheld_) return true;
  for (; budget != 0 && !withheld_->empty(); --budget) {
    if (const auto slot = withheld_->take()) {
      changed(*slot, Change::state);
      changed(*slot, Change::peer_refresh);  // a change of state carries no counters, and the walk has passed it
    }
  }
  return withheld_->empty();
}

bool Shard::tick(TimePoint now, std::uint32_t budget) {
  const Ticks at = ticks_of(now);
  if (!active_) {
    // Twins do not expire. Entries that are left in the wheel from an active time fall out of it.
    return wheel_.advance(at, budget, [](std::uint32_t) {});
  }
  std::uint32_t armed = 0;
  for (; arm_cursor_ < arm_end_ && armed < budget; ++arm_cursor_, ++armed) {
    Session& session = table_.at(arm_cursor_);
    if (!session.live) continue;
    session.told(activated_);
    arm(arm_cursor_, session);
  }
  for (; armed < budget && arm_binding_ < nat_.high_water(); ++arm_binding_, ++armed) nat_.arm(arm_binding_);
  const bool all_armed = arm_cursor_ >= arm_end_ && arm_binding_ >= nat_.high_water();
  if (reviewing_ && all_armed) review(budget);
  const auto due = [&](std::uint32_t slot) {
    if (slot >= table_.capacity()) {
      nat_.due(slot - table_.capacity(), at);
      return;
    }
    Session& session = table_.at(slot);
    if (!session.live) return;
    const Ticks deadline = deadline_of(session);
    if (static_cast<std::int32_t>(deadline - wheel_.now()) > 0) {
      if (is_withheld(slot) && static_cast<std::int32_t>(told_at(session) - wheel_.now()) <= 0) share(slot);
      arm(slot, session);
      return;
    }
    ++counters_.expired;
    remove(slot);
  };
  const bool done = wheel_.advance(
      at, budget, due, [&](std::uint32_t slot) { prefetch_far(slot); },
      [&](std::uint32_t slot) { prefetch_near(slot); });
  return done && all_armed && !reviewing_;
}

void Shard::prefetch_far(std::uint32_t slot) const {
  if (slot >= table_.capacity()) return;
  const char* const session = reinterpret_cast<const char*>(&table_.at(slot));
  for (unsigned line = 0; line < sizeof(Session); line += 64) prefetch_line(session + line);
  prefetch_line(&digest_words_[slot]);
}

void Shard::prefetch_near(std::uint32_t slot) const {
  if (slot >= table_.capacity()) return;
  const Session& session = table_.at(slot);
  // What idles less than its timeout is only armed again.
  if (static_cast<std::int32_t>(deadline_of(session) - wheel_.now()) > 0) return;
  table_.prefetch_removal(slot);
  if (session.nat_pool != 0) nat_.prefetch_release(session.nat_pool, session.responder());
}

// -- Questions --

std::uint32_t Shard::sessions_of(std::uint16_t service_set) const {
  const Service* const s = service(service_set);
  return s == nullptr ? 0 : s->sessions;
}

// -- Inside --

NatSession Shard::nat_view(const Session& s) {
  const bool ended = s.tcp_state == TcpState::time_wait || s.tcp_state == TcpState::closed;
  return {s.initiator(), s.responder(), s.nat_type, s.nat_pool, s.service_set, s.initiated_outside, ended};
}

void Shard::binding_changed(std::uint32_t row) {
  const std::uint32_t slot = table_.capacity() + row;
  if (active_) {
    changed(slot, Change::state);
  } else {
    twin_changed(slot);
  }
}

bool Shard::take_setup_token(Service& s, Ticks now) {
  if (!s.config->max_session_setup_rate) return true;
  const std::uint64_t rate = *s.config->max_session_setup_rate;
  // One tick brings rate/10 sessions, that is `rate` tenths; at most one second's worth is saved up.
  s.setup_tokens = std::min<std::uint64_t>(s.setup_tokens + rate * std::min<Ticks>(now - s.refilled, 10), rate * 10);
  s.refilled = now;
  if (s.setup_tokens < 10) return false;
  s.setup_tokens -= 10;
  return true;
}

std::uint32_t Shard::idle_timeout(const Service& s, std::optional<std::uint16_t> application,
                                  std::uint8_t protocol) const {
  if (application && cluster_->applications[*application].inactivity_timeout_s) {
    return *cluster_->applications[*application].inactivity_timeout_s;
  }
  const Timeouts& t = s.config->timeouts;
  const auto& specific = protocol == ip_protocol::tcp ? t.inactivity_tcp_s : t.inactivity_non_tcp_s;
  return specific.value_or(t.inactivity_s);
}

std::uint32_t Shard::timeout_for_state(Session& session) const {
  const Service* const s = service(session.service_set);
  switch (session.tcp_state) {
    case TcpState::syn_sent:
    case TcpState::syn_received:
      return s->screen ? s->screen->open_timeout_s(s->config->timeouts.open_s) : s->config->timeouts.open_s;
    case TcpState::time_wait:
    case TcpState::closed:
      return s->config->timeouts.close_s;
    default: {
      if (session.application == Session::kUnknownApplication) {
        const FlowKey initiator = session.initiator();
        auto found = s->policy.firewall_application(session.policy, initiator);
        if (!found) found = s->policy.nat(initiator, !session.initiated_outside).application;
        session.application = static_cast<std::uint16_t>(found ? *found + 1U : 0U);
      }
      const auto application =
          session.application == 0 ? std::nullopt : std::optional<std::uint16_t>(session.application - 1);
      const std::uint32_t idle = idle_timeout(*s, application, session.protocol());
      return session.tcp_state == TcpState::closing ? std::min(idle, kTransitoryTimeout) : idle;
    }
  }
}

Ticks Shard::deadline_of(const Session& session) const {
  Ticks deadline = session.last_activity + session.timeout_s() * 10;
  // A session that was taken over may have been busier than its twin knew.
  const Ticks grace = activated_ + std::min<Ticks>(kTakeoverGrace, session.timeout_s() * 10);
  const bool taken_over =
      session.window_epoch != window_epoch_ && static_cast<std::int32_t>(session.last_activity - activated_) < 0;
  if (taken_over && static_cast<std::int32_t>(grace - deadline) > 0) deadline = grace;
  // Unlike the idle time, the age is replicated exactly, so no grace applies to the session-timeout.
  if (const std::uint32_t lifetime_s = service(session.service_set)->config->timeouts.session_s; lifetime_s != 0) {
    const Ticks end = session.created + lifetime_s * 10;
    if (static_cast<std::int32_t>(end - deadline) < 0) deadline = end;
  }
  return deadline;
}

void Shard::unlink(std::uint32_t slot) {
  Session& session = table_.at(slot);
  table_.remove(slot);
  wheel_.disarm(slot);
  nat_.release(nat_view(session), wheel_.now());
  count_session(session, -1);
}

void Shard::count_session(const Session& session, int change) {
  Service* const s = service(session.service_set);
  if (s == nullptr) return;
  if (change > 0) {
    ++s->sessions;
  } else {
    --s->sessions;
  }
  if (!s->screen) return;
  const FlowKey initiator = session.initiator();
  if (change > 0) {
    s->screen->begin(initiator.source, initiator.destination);
  } else {
    s->screen->end(initiator.source, initiator.destination);
  }
}

void Shard::digest_slot(std::uint32_t slot) {
  std::uint64_t word = 0;
  if (slot < table_.capacity()) {
    const Session& s = table_.at(slot);
    // The twin of a session that is withheld is an empty slot.
    if (s.live && !is_withheld(slot)) {
      const StableId of = service(s.service_set)->id;
      word =
          session_digest({{slot, s.generation}, s.version, of, s.tcp_state, s.nat_type}, s.initiator(), s.responder());
    }
  } else if (SessionRecord record; read(slot, TimePoint{}, record)) {
    word = digest_of(record);
  }
  digest_ += word - digest_words_[slot];
  digest_words_[slot] = word;
}

void Shard::changed(std::uint32_t slot, Change change) {
  if (change == Change::state) digest_slot(slot);
  if (!is_withheld(slot)) {
    for (ChangeListener* listener : listeners_) listener->changed(slot, change);
  }
  observed(slot, change);
}

void Shard::observed(std::uint32_t slot, Change change) {
  for (ChangeListener* observer : observers_) observer->changed(slot, change);
}

void Shard::state_changed(std::uint32_t slot, Session& session) {
  ++session.version;
  const std::uint32_t timeout = timeout_for_state(session);
  const bool shorter = timeout < session.timeout_s();
  session.set_timeout_s(timeout);
  // Lengthening is lazy (the wheel asks again); shortening is not.
  if (shorter) arm(slot, session);
  changed(slot, Change::state);
}

}  // namespace icr::node
