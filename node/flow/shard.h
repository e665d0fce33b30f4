// The sessions and NAT bindings of one redundancy set on one card, with their table, timers and limits.
//
// An *active* shard (its chassis is master) sets sessions up, follows them and times them out. A *passive* one
// (standby) holds twins: it changes only by records of a peer or a checkpoint (SessionSink), and nothing in it expires.
// Sans-I/O. Thread: one.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "model/base/bit_set.h"
#include "model/config/cluster.h"
#include "model/record/change_listener.h"
#include "model/record/peer_copy.h"
#include "model/record/session.h"
#include "node/flow/counters.h"
#include "node/flow/ipv4_ids.h"
#include "node/flow/packet_relay.h"
#include "node/flow/session_table.h"
#include "node/flow/term_hits.h"
#include "node/flow/timer_wheel.h"
#include "node/nat/nat_state.h"
#include "node/packet/headers.h"
#include "node/service/policy.h"
#include "node/service/screen.h"

namespace icr::node {

/// Returns what the rules look at in a packet that begins a session. Packets other than ICMP count as echo.
[[nodiscard]] constexpr IcmpQuery query_of(IcmpKind kind) {
  return kind == IcmpKind::timestamp_request ? IcmpQuery::timestamp : IcmpQuery::echo;
}

struct ShardCounters {
  std::uint64_t applied_created = 0;
  std::uint64_t applied_updated = 0;
  std::uint64_t applied_unchanged = 0;
  std::uint64_t applied_deleted = 0;
  std::uint64_t displaced = 0;        ///< twins removed because a newer record has their flow key
  std::uint64_t refused_slot = 0;     ///< records with a slot beyond the capacity
  std::uint64_t refused_service = 0;  ///< records of a service set or pool that is not this shard's
  std::uint64_t refused_index = 0;    ///< records for which the flow index had no room
  std::uint64_t swept = 0;            ///< sessions that a pass did not name
  std::uint64_t expired = 0;
  std::uint64_t never_told = 0;  ///< sessions that ended before they reached the replication-threshold
  std::uint64_t drained = 0;     ///< sessions that ended because the drain-time of their NAT pool was over
  std::uint64_t rematched = 0;   ///< sessions that ended because the firewall does not admit them any more
  std::uint64_t contested_resolved =
      0;  ///< sessions removed at activation because their translated port had two owners
  void append_to(CounterList& out) const;
};

/// How long a chassis that has ceased to be master goes on forwarding packets of the sessions that it has. This is the
/// lease of its virtual addresses (node/kernel/steering); when it ends, every neighbour has heard the announcements
/// of the new master.
inline constexpr Duration kForwardingGrace = 3s;

/// The result of set_up().
struct SetUp {
  std::optional<std::uint32_t> slot;  ///< the new session
  Drop refused = Drop::count;         ///< the reason, if there is no session
  bool reject = false;                ///< the sender is to be notified (FirewallAction::reject)
};

/// What a shard takes from another configuration, compiled beforehand. Shard::take() leaves the former parts in it, so
/// that whoever made it frees them.
struct ShardUpdate {
  struct Service {
    const ServiceSet* config = nullptr;
    ServicePolicy policy;
    std::unique_ptr<ScreenGuard> screen;
    TermHits firewall_hits;
    TermHits nat_hits;
  };
  const Cluster* cluster = nullptr;
  NatRules nat;
  std::vector<Service> services;  ///< of the set, in its order
  /// Room for Shard::withheld_, if it is needed for the first time.
  std::optional<BitSet> withheld;
};

class Shard final : public SessionSource, public SessionSink, private NatOutput {
 public:
  /// Creates a passive shard. `seed` keys hashes and the choice of ports. REQUIRES: `cluster` outlives the shard.
  Shard(const Cluster& cluster, std::uint16_t set, std::uint64_t seed, TimePoint now);

  [[nodiscard]] std::uint16_t set() const { return set_; }
  [[nodiscard]] static Ticks ticks_of(TimePoint t) { return static_cast<Ticks>(t.time_since_epoch() / kTick); }

  /// Adds a listener to all changes that this shard makes by itself, but not to those of apply() and erase(), and not
  /// to those of sessions that are withheld (is_withheld()). REQUIRES: `listener` outlives the shard.
  void add_listener(ChangeListener& listener) { listeners_.push_back(&listener); }
  /// Adds a listener to all changes, including those that a peer brings. A checkpointer listens to them on a standby as
  /// well. REQUIRES: `observer` outlives the shard.
  void add_observer(ChangeListener& observer) { observers_.push_back(&observer); }

  /// Sets where it is known what the peer knows of this shard. REQUIRES: `copy` outlives the shard.
  void set_peer_copy(PeerCopy& copy) { peer_copy_ = &copy; }
  /// Returns null if nobody has set it: there is no peer then.
  [[nodiscard]] PeerCopy* peer_copy() const { return peer_copy_; }

  /// Sets where packets go that come while this shard does not act. REQUIRES: `relay` outlives the shard.
  void set_relay(PacketRelay& relay) { relay_ = &relay; }
  /// Returns null if nobody has set it: such packets are dropped.
  [[nodiscard]] PacketRelay* relay() const { return relay_; }

  // -- Configuration --

  /// Compiles what this shard takes from `cluster`; `reservations` are its reserved_endpoints(). It takes as long as
  /// making a shard, and changes nothing. REQUIRES: why_not() is empty, and `cluster` outlives what takes it. Thread:
  /// any, while no take() runs.
  [[nodiscard]] ShardUpdate prepare(const Cluster& cluster, const std::vector<PoolReservations>& reservations) const;
  /// Runs with another configuration from now on. Sessions and bindings stay; tick() then walks over all sessions
  /// little by little, so that they get the timeouts of the configuration. Takes time in proportion to the number of
  /// service sets and pools.
  void take(ShardUpdate& update);
  /// Returns true while tick() has yet to walk over sessions because of take() or activate().
  [[nodiscard]] bool reviews() const { return reviewing_; }

  /// Has tick() end the sessions of NAT pools whose drain-time is over at `now`. Call it now and then.
  void end_drains(WallMillis now);

  // -- Role --

  /// Becomes active: from now on the shard forwards, and creates bindings in mastership term `term`. tick() arms timers
  /// little by little, and then walks over all sessions as after take(), because what they are may have been decided
  /// under another configuration. Idle sessions get at least a grace period before they expire.
  void activate(TimePoint now, std::uint64_t term = 1);
  /// Sets a higher term, in which this chassis stays master.
  void set_term(std::uint64_t term) { nat_.set_term(term); }
  /// Tells that another chassis is master, or will be. No session is set up any more. For kForwardingGrace, packets of
  /// existing sessions are still forwarded (follow()), because neighbours may send them here until they have heard of
  /// the change. A shard that may not act any more (act_until()) does not do so either.
  void deactivate(TimePoint now);
  [[nodiscard]] bool active() const { return active_; }
  /// Returns true if packets of existing sessions are forwarded: the shard is active, or was active less than
  /// kForwardingGrace ago.
  [[nodiscard]] bool forwards(TimePoint now) const { return acts(now) || now < grace_until_; }
  /// Sets until when an active shard may act. After that time packets are dropped as at a standby, until a later time
  /// is set. Without a call it may always act.
  void act_until(TimePoint until) { act_until_ = until; }
  /// Returns true if packets may set up sessions and change them now.
  [[nodiscard]] bool acts(TimePoint now) const { return active_ && now < act_until_; }
  /// Stops (or resumes) setting up sessions. Used while mastership is handed over; existing sessions go on, and
  /// tell_counters() walks over all of them without a pause.
  void refuse_new_sessions(bool refuse);
  [[nodiscard]] bool refuses_new_sessions() const { return refuse_new_; }

  /// Tells the listeners of at most `budget` sessions that were withheld from them because of their age. Returns true
  /// if none is left. Used while mastership is handed over, so that the peer has all of them.
  bool share_withheld(std::uint32_t budget);

  // -- The first packet after a takeover --

  /// Has the engine look for the first packet that it forwards of a session that this shard did not set up itself since
  /// activate(). Costs a branch for each burst, and the look-up of a session for each packet until that packet comes.
  void await_former_packet() { awaits_former_packet_ = true; }
  /// Gives that up.
  void await_no_packet() { awaits_former_packet_ = former_packet_ = false; }
  [[nodiscard]] bool awaits_former_packet() const { return awaits_former_packet_; }
  /// Returns true once after that packet was forwarded.
  [[nodiscard]] bool take_former_packet() { return std::exchange(former_packet_, false); }
  /// Returns true if the shard has not set the session up itself since activate(), and has not followed it since if it
  /// is one of TCP.
  [[nodiscard]] bool is_former(const Session& session) const { return session.window_epoch != window_epoch_; }
  /// Tells that a packet of such a session was forwarded.
  void former_packet_passed() {
    awaits_former_packet_ = false;
    former_packet_ = true;
  }

  // -- Packets --

  [[nodiscard]] SessionTable& table() { return table_; }
  [[nodiscard]] const SessionTable& table() const { return table_; }
  /// Tries to set up a session for the first packet of a flow. `inside` is true if it arrived on the inside port of
  /// `service_set`. `hash`: table().hash() of the flow. REQUIRES: table() has no session with this flow.
  [[nodiscard]] SetUp set_up(const Headers& headers, std::uint16_t service_set, std::uint64_t hash, bool inside,
                             Ticks now);
  /// The prediction of what set_up() of a packet will read.
  struct PredictedSetUp {
    FlowKey responder;  ///< of the predicted session; its destination is predicted by `source`
    std::uint16_t service_set = 0;
    std::optional<NatState::PredictedSource> source;  ///< nullopt: not translated
  };
  /// Prefetches the NAT state that set_up() of a packet with this key at the same tick will read. look_further() then
  /// prefetches what depends on it. Doing both for a whole burst overlaps the cache misses. A wrong prediction costs
  /// only time. Returns nullopt if nothing can be predicted, or if no session is expected.
  [[nodiscard]] std::optional<PredictedSetUp> look_ahead(const FlowKey& key, std::uint16_t service_set, bool inside,
                                                         Ticks now) const;
  void look_further(const PredictedSetUp& predicted) const {
    table_.prefetch_entry(table_.hash(predicted.service_set, likely_responder(predicted)));
  }
  /// Returns the best guess of the responder flow, using only memory that has been prefetched.
  [[nodiscard]] static FlowKey likely_responder(const PredictedSetUp& predicted);
  /// Prefetches the slots of the next sessions.
  void prefetch_slots(std::uint32_t count) const;
  /// Follows a packet of a session. Returns false if the packet must be dropped, with the reason in `drop`. If `drop`
  /// is then Drop::count, the session has ended and was removed, and the packet is to be treated as the first one of a
  /// new session. In a passive shard the packet is judged in the same way, but the session keeps the state that the
  /// master reported, except for its windows, which are not replicated as they move. No counter of the session changes,
  /// and nothing is replicated.
  [[nodiscard]] bool follow(std::uint32_t slot, Direction direction, const Headers& headers, Ticks now, Drop& drop);
  /// Returns true if follow() might change the state of a TCP session, so that the checksum of the segment must be
  /// verified.
  [[nodiscard]] bool may_change_state(const Session& session, const Headers& headers) const;
  /// Returns true if follow() of this packet would change the state of a TCP session. Takes about as long as follow().
  [[nodiscard]] bool would_change_state(std::uint32_t slot, Direction direction, const Headers& headers) const;
  /// Returns the guarantee that packets of the session have.
  [[nodiscard]] Guarantee guarantee_of(const Session& session) const {
    return service(session.service_set)->policy.guarantee_of(session.policy);
  }
  /// Returns the guarantee of the session that the packet would begin, were it admitted.
  [[nodiscard]] Guarantee guarantee_of_first(const Headers& headers, std::uint16_t service_set, bool inside) const;
  /// Returns the identifications for packets whose source is translated.
  [[nodiscard]] Ipv4Ids& ip_ids() { return ip_ids_; }
  /// Counts a packet that passes, and refreshes the idle timer of its session. follow() does this for every packet that
  /// passes. Peer and disk hear of it later, by tell_counters().
  static void touch(Session& session, Direction direction, std::uint32_t bytes, Ticks now) {
    session.add_packet(direction, bytes);
    session.last_activity = now;
  }
  /// Notes that a packet of a live session came to the standby, and tells the listeners when that is new. No takeover
  /// depends on it, so peer and disk hear of it as they hear of counters: it has no version of its own, and no packet
  /// waits until the peer knows it. REQUIRES: the shard is active.
  void mark_asymmetric(std::uint32_t slot) {
    Session& session = table_.at(slot);
    if (session.asymmetric) return;
    session.asymmetric = true;
    changed(slot, Change::refresh);
  }
  [[nodiscard]] std::uint16_t window_epoch() const { return window_epoch_; }

  /// Removes a session. Listeners are told.
  void remove(std::uint32_t slot);
  /// Expires at most `budget` sessions. False: more are due, call again soon.
  bool tick(TimePoint now, std::uint32_t budget);
  /// Walks over the sessions once a second and tells peer and disk of counters and idle times (Session::untold). Looks
  /// at `budget` of them at most. Returns false if it is behind: call again soon.
  bool tell_counters(TimePoint now, std::uint32_t budget);
  [[nodiscard]] bool counters_told() const override { return !refuse_new_ || telling_.cursor >= telling_.end; }
  /// Returns how long the peer waits, in ticks, between two words of a session, if so many are used in a second. It
  /// hears of 50,000 sessions a second: if more are used, each is told of less often, as far as its timeout allows.
  [[nodiscard]] static Ticks patience_for(std::uint32_t used);
  /// How far tick() is behind: 0 as long as nothing is late by more than the resolution of timers.
  [[nodiscard]] Ticks timer_lag(TimePoint now) const { return wheel_.lag(ticks_of(now)); }

  // -- Questions --

  [[nodiscard]] std::uint32_t sessions() const { return table_.size(); }
  [[nodiscard]] std::uint32_t sessions_of(std::uint16_t service_set) const;
  /// Appends how often terms were matched, as ShardView::term_hits().
  [[nodiscard]] std::uint32_t term_hits(const SessionFilter& filter, std::uint32_t from, std::uint32_t most,
                                        std::vector<TermHitsRow>& out) const;
  /// Sets the counts of the NAT terms of a service set to zero, or those of its firewall terms.
  void clear_term_hits(StableId service_set, TermKind kind);
  /// Returns the same for a service set that is named by its identity, or 0 if it is not of this shard.
  [[nodiscard]] std::uint32_t sessions_with(StableId service_set) const;
  /// Returns what NAT sees of a session's record, or nullopt if its service set or pool is not known here.
  [[nodiscard]] std::optional<NatSession> nat_view(const SessionRecord& record) const;
  [[nodiscard]] std::uint64_t sessions_created() const { return created_; }
  [[nodiscard]] std::uint64_t sessions_removed() const { return removed_; }
  /// Digest of all sessions (model/record/session.h), kept up to date with each change.
  [[nodiscard]] std::uint64_t digest() const { return digest_; }
  [[nodiscard]] std::uint64_t ports_in_use() const { return nat_.ports_in_use(); }
  [[nodiscard]] const NatState& nat() const { return nat_; }
  /// Ends the binding in `slot` if nobody uses it. Listeners are told.
  bool remove_binding(std::uint32_t slot, TimePoint now) {
    return slot >= table_.capacity() && slot < capacity() && nat_.remove(slot - table_.capacity(), ticks_of(now));
  }
  /// The oldest message about a port block that nobody has fetched.
  [[nodiscard]] std::optional<BlockEvent> next_block_event() { return nat_.next_block_event(); }
  [[nodiscard]] const ShardCounters& counters() const { return counters_; }
  [[nodiscard]] std::size_t memory() const {
    const std::size_t withheld = withheld_ ? table_.capacity() / 8 : 0;
    return table_.memory() + nat_.memory() + wheel_.memory() + digest_words_.bytes() + withheld;
  }

  // -- SessionSource --
  [[nodiscard]] std::uint32_t capacity() const override { return table_.capacity() + nat_.rows(); }
  [[nodiscard]] std::uint32_t live_sessions() const override { return sessions(); }
  [[nodiscard]] const SlotLayout& layout() const override { return layout_; }
  [[nodiscard]] std::uint32_t high_water() const override {
    return nat_.high_water() == 0 ? table_.high_water() : table_.capacity() + nat_.high_water();
  }
  bool read(std::uint32_t slot, TimePoint now, SessionRecord& out) const override;
  [[nodiscard]] bool is_withheld(std::uint32_t slot) const override {
    return withheld_ && slot < table_.capacity() && withheld_->contains(slot);
  }
  [[nodiscard]] std::uint32_t withheld() const override { return withheld_ ? withheld_->size() : 0; }
  void digests(std::uint32_t first, std::uint32_t range_slots, std::span<std::uint64_t> out) const override;
  [[nodiscard]] bool used_within(std::uint32_t slot, TimePoint now, Ticks span) const override;

  // -- SessionSink --
  void begin_pass(TimePoint now) override;
  Applied apply(const SessionRecord& record, TimePoint now) override;
  Applied erase(SessionRef tombstone, TimePoint now) override;
  void keep(std::uint32_t first, std::uint32_t count) override;
  std::uint32_t end_pass(TimePoint now) override;
  Adopted adopt(const SessionRecord& record, TimePoint now) override;

 private:
  /// A service set of this shard: its compiled rules and its limits.
  struct Service {
    std::uint16_t index;  ///< in Cluster::service_sets
    StableId id;
    const ServiceSet* config;
    ServicePolicy policy;
    std::uint32_t sessions = 0;
    std::uint64_t setup_tokens = 0;  ///< tenths of a session
    Ticks refilled = 0;
    std::unique_ptr<ScreenGuard> screen = nullptr;  ///< null: the service set has none
    /// The NAT terms (null: none) of the last sessions that were set up, by prediction_class(). The next session of the
    /// class will most likely match the same term.
    std::array<const NatTerm*, 4> likely_nat = {};
    TermHits firewall_hits = {};
    TermHits nat_hits = {};
  };

  /// Returns the class of first packets whose NAT term is predicted together: by side and address family.
  [[nodiscard]] static std::size_t prediction_class(const FlowKey& key, bool inside) {
    return (inside ? 1U : 0U) + (key.is_v4() ? 2U : 0U);
  }
  /// Returns null if the service set does not belong to this shard. `index` may come from a peer, so any value is
  /// allowed.
  [[nodiscard]] Service* service(std::uint16_t index) {
    return index < service_at_.size() ? service_at_[index] : nullptr;
  }
  [[nodiscard]] const Service* service(std::uint16_t index) const {
    return index < service_at_.size() ? service_at_[index] : nullptr;
  }
  /// Counts a session that begins (+1) or ends (-1) for its service set.
  void count_session(const Session& session, int change);
  /// Enters the session in `slot`, whose responder flow belongs to another session, with another source port towards
  /// the responder, if NAT can give it one. Returns false if the session is not entered.
  [[nodiscard]] bool insert_with_another_port(std::uint32_t slot, Ticks now);
  [[nodiscard]] static NatSession nat_view(const Session& session);
  /// The service set of a record, as an index into Cluster::service_sets; nullopt if it is not of this shard.
  [[nodiscard]] std::optional<std::uint16_t> service_of(StableId id) const;
  [[nodiscard]] bool take_setup_token(Service& s, Ticks now);
  [[nodiscard]] std::uint32_t idle_timeout(const Service& s, std::optional<std::uint16_t> application,
                                           std::uint8_t protocol) const;
  /// Returns the idle timeout of the session in its present state. Finds its application if that is unknown.
  [[nodiscard]] std::uint32_t timeout_for_state(Session& session) const;
  [[nodiscard]] Ticks deadline_of(const Session& session) const;
  /// Returns when a session is old enough for the peer.
  [[nodiscard]] Ticks told_at(const Session& session) const {
    return session.created + service(session.service_set)->config->replication_threshold_s * 10;
  }
  /// Sets the timer of the session: to the time at which it expires, or at which the peer is told of it.
  void arm(std::uint32_t slot, const Session& session);
  /// Has the peer told of a session that was withheld.
  void share(std::uint32_t slot);
  /// Has tick() walk over the sessions that there are now.
  void begin_review();
  /// Walks over at most `budget` of them, and gives them what the configuration says of them.
  void review(std::uint32_t budget);
  /// Does that for one session.
  void review_session(std::uint32_t slot);
  /// Returns true if the firewall would admit the packet that began the session.
  [[nodiscard]] static bool admits(const Service& s, const FlowKey& initiator, bool initiated_outside);
  /// Takes a live session out of index, timers, ports and counts. Its slot stays taken and its generation stays.
  void unlink(std::uint32_t slot);
  /// Asks for what the end of the session in `slot` will need: far ahead of it, then near.
  void prefetch_far(std::uint32_t slot) const;
  void prefetch_near(std::uint32_t slot) const;
  /// Brings the digest up to date with the slot.
  void digest_slot(std::uint32_t slot);
  [[nodiscard]] bool follow_passively(Session& session, Direction direction, const Headers& headers, Drop& drop) const;
  void changed(std::uint32_t slot, Change change);
  void observed(std::uint32_t slot, Change change);
  /// After a change that a peer or a checkpoint brought.
  void twin_changed(std::uint32_t slot);
  void state_changed(std::uint32_t slot, Session& session);
  /// Deletes sessions, and makes bindings again, until nothing has two owners.
  void resolve_contested();
  // -- NatOutput --
  void binding_changed(std::uint32_t row) override;
  void arm_binding(std::uint32_t row, Ticks deadline) override { wheel_.arm(table_.capacity() + row, deadline); }
  /// Returns what NAT sees of the record if the configuration could have created such a session.
  [[nodiscard]] std::optional<NatSession> plausible(const SessionRecord& record) const;
  /// Checks the same for a twin, and counts the reason if it could not.
  [[nodiscard]] std::optional<NatSession> acceptable(const SessionRecord& record);
  /// Copies everything but the identity of the session from the record. The service set of `session` must be set.
  void bring(Session& session, const SessionRecord& record, Ticks at) const;
  [[nodiscard]] Adopted adopt_session(const SessionRecord& record, const NatSession& view, Ticks at);
  /// For the same session, the newer state wins.
  [[nodiscard]] Adopted compare(std::uint32_t slot, const SessionRecord& record, Ticks at);

  const Cluster* cluster_;
  std::uint16_t set_;
  std::uint64_t seed_;
  bool active_ = false;
  bool refuse_new_ = false;
  TimePoint grace_until_ = TimePoint::min();
  TimePoint act_until_ = TimePoint::max();
  SessionTable table_;
  NatState nat_;  ///< its row n is slot table_.capacity() + n
  SlotLayout layout_;
  Ipv4Ids ip_ids_;
  TimerWheel wheel_;
  std::vector<Service> services_;
  std::vector<Service*> service_at_;  ///< by index in Cluster::service_sets; null: it belongs to another shard
  /// The slots of the sessions that is_withheld() tells of. There is no room for it before a service set has a
  /// replication-threshold.
  std::optional<BitSet> withheld_;
  /// The walk of tell_counters().
  struct Telling {
    TimePoint began;
    std::uint32_t cursor = 0, end = 0;
    std::uint32_t used = 0;  ///< sessions that were used since the walk before, whether they are told of now or not
    Ticks patience = 0;      ///< of Session::untold()
  };
  Telling telling_;
  std::vector<ChangeListener*> listeners_;
  std::vector<ChangeListener*> observers_;
  PeerCopy* peer_copy_ = nullptr;
  PacketRelay* relay_ = nullptr;
  std::uint32_t pass_ = 1;
  bool awaits_former_packet_ = false;
  bool former_packet_ = false;      ///< it was forwarded, and take_former_packet() has not told yet
  std::uint16_t window_epoch_ = 1;  ///< another one with each activation, never 0
  Ticks activated_ = 0;
  std::uint32_t arm_cursor_ = 0;  ///< slots below it have their timer armed
  std::uint32_t arm_end_ = 0;
  bool reviewing_ = false;                 ///< review() has yet to walk over sessions, once the shard is active
  std::uint32_t review_cursor_ = 0;        ///< slots below it were reviewed
  std::uint32_t review_end_ = 0;           ///< slots from it on had no session when the walk began
  std::uint32_t arm_binding_ = 0;          ///< the same for rows of bindings
  WallMillis next_drain_end_ = 0;          ///< end_drains() does nothing before
  HugeArray<std::uint64_t> digest_words_;  ///< by slot: its part of digest_
  std::uint64_t digest_ = 0;
  std::uint64_t created_ = 0;
  std::uint64_t removed_ = 0;
  ShardCounters counters_;
};

}  // namespace icr::node
