// The NAT of one shard: it translates sessions, and records who owns which external address, block and port.
//
// Hosts own *bindings* (a port block, an endpoint-independent mapping, an external address), and sessions own ports.
// Bindings are rows: the shard sends them to peers and disks as records in slots above its sessions, and applies such
// records (apply, erase). What a session holds follows from its keys alone (NatSession), so a twin counts it as the
// master does, in whatever order records arrive.
//
// Rows of blocks are numbered by block, and rows of whole addresses by address, so neither can have two owners.
// Sans-I/O. Memory is fixed at construction. Thread: one.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "model/base/bit_set.h"
#include "model/base/counters.h"
#include "model/config/cluster.h"
#include "model/query/nat_status.h"
#include "model/query/session_filter.h"
#include "model/record/session.h"
#include "node/nat/bit_rows.h"
#include "node/nat/fixed_index.h"
#include "node/nat/host_table.h"
#include "node/nat/nat_rules.h"
#include "node/nat/nat_types.h"
#include "node/nat/port_pool.h"

namespace icr::node {

class NatState {
 public:
  static constexpr std::uint32_t kNoRow = 0xffffffffU;

  /// Creates the NAT of the service sets of redundancy set `set`. There are rows for all blocks and addresses that
  /// hosts can own, for `max_sessions` mappings if endpoint-independent mapping (or NAT64) is configured, and for a
  /// quarter as many pairings if hosts are paired. REQUIRES: `cluster` and `out` outlive this object.
  NatState(const Cluster& cluster, std::uint16_t set, std::uint64_t seed, NatOutput& out);

  /// Takes other rules, and leaves the former ones in `rules`. Sessions and bindings stay. The time that it takes grows
  /// with the number of pools only. REQUIRES: obstacle() of both is empty.
  void take(NatRules& rules);

  // -- Sessions --

  /// Returns false if the packet is sent to an external address for which there is no mapping. It is cheap, so it is
  /// checked first.
  [[nodiscard]] bool waits_for(std::uint16_t service_set, const FlowKey& key) const;
  /// Translates the first packet of a flow. `term` is the NAT term that it matches, or null. Unless the result is a
  /// refusal, its port is allocated. REQUIRES: hold() or cancel() follows then.
  [[nodiscard]] NatResult translate(std::uint16_t service_set, const NatTerm* term, const FlowKey& key, bool inside,
                                    Ticks now);
  /// The place in a pool where translate() will probably allocate a port.
  struct PredictedSource {
    const PortPool* ports = nullptr;
    PortPool::PredictedPort place;
  };
  /// Prefetches what translate() will read of a pool for a first packet that `term` matches, at the same tick. Returns
  /// the place from which `ports->likely(place)` then predicts the result, or nullopt if nothing can be predicted.
  [[nodiscard]] std::optional<PredictedSource> look_ahead(const NatTerm& term, const FlowKey& key, Ticks now) const;
  /// Prefetches what release() of a session with this external end will read.
  void prefetch_release(std::uint16_t pool_plus_one, const FlowKey& responder) const;

  /// Chooses another source port for a session whose responder flow belongs to another session (as pf and Linux do when
  /// a client contacts one server by two addresses or two ports). Returns the responder flow with a different port for
  /// each `attempt`, or nullopt if the source has no port or the port has an owner.
  [[nodiscard]] std::optional<FlowKey> with_another_port(const NatSession& session, std::uint32_t attempt,
                                                         Ticks now) const;
  /// Counts a session that got another source port.
  void count_another_port() { ++counters_.other_source_ports; }
  /// Records what the session holds. `taken` is true if translate() has allocated its port, and false if a peer or a
  /// checkpoint says that the session owns it.
  void hold(const NatSession& session, bool taken, Ticks now);
  /// Releases what the session holds, because it has ended.
  void release(const NatSession& session, Ticks now);
  /// Tells whether a session of another master can be created here by hold() and reconcile(), and if not, why.
  [[nodiscard]] Adopted may_adopt(const NatSession& session);
  /// Undoes translate() for a session that was not created. Mappings are not refreshed.
  void cancel(const NatSession& session, Ticks now);
  /// Returns true if the configuration can create such a session, and the kind of no binding contradicts it.
  [[nodiscard]] bool consistent(const NatSession& session) const;
  /// Returns true if no port of the pool is left for the protocol of `initiator`. The session that took the last port
  /// reports that.
  [[nodiscard]] bool exhausted(std::uint16_t pool_plus_one, const FlowKey& initiator) const;

  // -- Draining (model/config/drain.h) --

  /// Notes which pools need not be drained any longer at `now`: is_over() holds for their sessions. Returns when it is
  /// next needed; the greatest time if it is not.
  [[nodiscard]] WallMillis end_drains(WallMillis now);
  /// Returns true if end_drains() has found a pool that still has its place.
  [[nodiscard]] bool any_over() const { return any_over_; }
  /// Returns true if the session has an end in a pool whose draining is over for its service set.
  [[nodiscard]] bool is_over(const NatSession& session) const;

  // -- Role --

  /// Becomes active: bindings are created from now on, in this mastership term. REQUIRES: if must_reconcile() is true,
  /// reconcile() follows for every session.
  void activate(std::uint64_t term);
  void set_term(std::uint64_t term) { term_ = term; }
  void deactivate() { active_ = false; }
  /// Returns true if a session lacks its binding, or uses one that another host owns.
  [[nodiscard]] bool must_reconcile() const;
  /// Creates the binding that the session lacks. Returns false if the session uses what another host owns, so it must
  /// be removed.
  [[nodiscard]] bool reconcile(const NatSession& session, Ticks now);
  /// Ends reconciliation, after reconcile() was called for every session: arms the timers of mappings that no session
  /// uses.
  void finish_reconcile(Ticks now);

  // -- Rows --

  [[nodiscard]] std::uint32_t rows() const { return static_cast<std::uint32_t>(rows_.size()); }
  /// Returns the highest row ever used + 1.
  [[nodiscard]] std::uint32_t high_water() const { return high_water_; }
  /// Appends the ranges of rows, whose slots begin with `first_slot`.
  void append_layout(std::uint32_t first_slot, SlotLayout& out) const;
  /// Reads a row, as SessionSource::read does; `out.ref.slot` is the row.
  bool read(std::uint32_t row, Ticks now, SessionRecord& out) const;
  /// These functions work as those of SessionSink; slots are rows.
  void begin_pass() { ++pass_; }
  /// Counts what is in the row as named in this pass.
  void keep(std::uint32_t row) {
    if (rows_[row].live) rows_[row].pass = pass_;
  }
  Applied apply(std::uint32_t row, const SessionRecord& record, Ticks now);
  Applied erase(std::uint32_t row, std::uint32_t generation, Ticks now);
  std::uint32_t end_pass(Ticks now);
  [[nodiscard]] Adopted adopt(const SessionRecord& record, Ticks now);
  /// Handles the timer of a row that has expired. REQUIRES: active.
  void due(std::uint32_t row, Ticks now);
  /// Arms the timer of the row, if the row can expire.
  void arm(std::uint32_t row);

  // -- Questions (nat_questions.cpp) --

  /// Returns the use of a live row.
  [[nodiscard]] BindingUse users_of(std::uint32_t row) const;
  /// Ends a binding that no session uses, as if it had expired. Returns false if the row is empty or in use. REQUIRES:
  /// active.
  bool remove(std::uint32_t row, Ticks now);
  /// Returns true if the session holds a binding of one of these kinds (bits, kind_bit()) that `filter` matches.
  [[nodiscard]] bool holds(const NatSession& session, const SessionFilter& filter, std::uint8_t kinds) const;
  /// Returns true if the mapping holds such a binding: it may hold the pairing of its host.
  [[nodiscard]] bool holds(const BindingRecord& mapping, const SessionFilter& filter, std::uint8_t kinds) const;
  /// Appends those blocks of deterministic NAT that `question` selects, of the pools and service sets that `filter`
  /// admits. Returns the number of all blocks among which `question` selects.
  std::uint32_t append_deterministic(const SessionFilter& filter, const DeterministicQuestion& question,
                                     std::vector<DeterministicRow>& out) const;
  void append_status(std::vector<NatPoolStatus>& out) const;
  [[nodiscard]] std::uint64_t ports_in_use() const;
  /// Returns true if a port has more than one owner, so a session must be removed at activation.
  [[nodiscard]] bool contested() const;
  [[nodiscard]] const NatCounters& counters() const { return counters_; }
  /// Returns the identity of a pool (NatSession::pool), or 0 for none.
  [[nodiscard]] StableId id_of_pool(std::uint16_t pool_plus_one) const {
    return pool_plus_one == 0 ? 0 : rules_.pool_ids[pool_plus_one - 1U];
  }
  /// Returns the index + 1 of the pool with that identity, 0 for none, or nullopt if no service set here uses it.
  [[nodiscard]] std::optional<std::uint16_t> pool_with_id(StableId id) const;
  /// Removes and returns the oldest message about a block, or nullopt if there is none.
  [[nodiscard]] std::optional<BlockEvent> next_block_event();
  [[nodiscard]] std::size_t memory() const;
  /// Returns the external port that the session itself owns, in a form that can be compared to find two owners, or
  /// nullopt.
  [[nodiscard]] std::optional<std::uint64_t> owned_port(const NatSession& session) const;

 private:
  /// A binding, or the tombstone of one. Its counts (refs, inbound) are kept while it is not live as well.
  struct Row {
    IpAddress internal;  ///< the owner; for a block that is not live, the host whose sessions use it
    std::uint64_t term = 0;
    std::uint32_t generation = 0;
    std::uint32_t version = 0;
    std::uint32_t pass = 0;
    std::uint32_t refs = 0;     ///< number of sessions, or for a block of ports, that use it
    std::uint32_t inbound = 0;  ///< for a mapping: number of sessions from outside
    /// Sum of user_hash() over all users in refs; equals refs * user_hash(internal) if every user is the owner.
    std::uint64_t users = 0;
    std::uint32_t next = kNoRow;  ///< for a block: the next block of its host
    Ticks created = 0;
    Ticks last_used = 0;
    Ticks active_since = 0;  ///< block
    std::uint32_t external = 0;
    std::uint16_t internal_port = 0;
    std::uint16_t external_port = 0;
    std::uint16_t pool = 0;
    std::uint16_t service_set = 0;
    std::uint8_t protocol = 0;  ///< of the internal side
    std::uint8_t flags = 0;
    RecordKind kind = RecordKind::session;
    bool live = false;
    bool ended = true;      ///< for a mapping of TCP: all of its connections were known to be over when they ended
    bool troubled = false;  ///< used by sessions of others than its owner, or has users but no owner
  };

  /// Live bindings of one service set.
  struct BindingCounts {
    std::uint64_t mappings = 0;
    std::uint64_t pairings = 0;
  };
  struct Pool : PoolRules {
    AddressList addresses;
    std::optional<PortPool> ports;
    std::optional<DeterministicBlocks> deterministic;
    std::vector<std::uint32_t> deterministic_refs;  ///< ports in use, by host
    std::uint32_t first_row = 0;                    ///< of its blocks or addresses
    std::uint32_t row_count = 0;
    std::uint32_t blocks_per_address = 0;
    std::optional<BitRows> free_rows;          ///< blocks: a row per address; addresses: one row
    std::vector<std::uint32_t> reserved_rows;  ///< rows that nobody may own, counted from first_row, sorted
    std::vector<BindingCounts> bindings;       ///< by service_sets
    std::uint64_t draws = 0;
    std::optional<ReuseHold> row_hold;  ///< held rows, counted from first_row, if the pool has rows
    NatPoolStatus figures;              ///< what is counted
  };
  /// What the identities in a record mean here.
  struct Owner {
    Pool& pool;
    std::uint16_t service_set;
  };
  struct External {
    std::uint32_t low, high;
    std::uint16_t pool;
  };
  /// Counts the sessions that use an external endpoint whose mapping has not arrived (yet).
  struct Orphan {
    std::uint64_t key = 0;
    std::uint32_t refs = 0;
    std::uint32_t inbound = 0;
    std::uint64_t users = 0;  ///< as in Row
    std::uint32_t next_free = kNoRow;
  };
  /// The external end of a session in a pool.
  struct End {
    Pool* pool = nullptr;
    std::uint32_t external = 0;
    std::uint16_t port = 0;
    std::uint8_t protocol = 0;  ///< as IPv4 names it
    IpAddress host;             ///< the inside host that owns the end
    std::uint16_t host_port = 0;
    std::uint8_t inside_protocol = 0;  ///< protocol number in the family of the host
    bool inbound = false;              ///< the session was opened towards this end
    bool ended = false;                ///< as in NatSession
  };
  struct Ends {
    std::optional<End> source;  ///< the initiator's external end
    std::optional<End> target;  ///< the external end towards which the session was opened
  };

  void finish_pool(Pool& pool, std::uint64_t seed);
  /// Makes the pool hold freed ports and rows for a while.
  void add_hold(Pool& pool, std::uint32_t max_sessions);
  /// Removes the endpoints that rules and chassis answer from a finished pool.
  void reserve(Pool& pool);
  /// Returns true for a row that nobody may own: a block with a reserved port, or a reserved address.
  [[nodiscard]] bool is_reserved_row(const Pool& pool, std::uint32_t row) const;

  // translate()
  [[nodiscard]] NatRefusal translate_destination(std::uint16_t service_set, const NatTerm* term, const FlowKey& key,
                                                 bool inside, FlowKey& to, NatResult& result);
  [[nodiscard]] NatRefusal translate_external(std::uint16_t service_set, const FlowKey& key, bool inside, FlowKey& to,
                                              NatResult& result);
  [[nodiscard]] NatRefusal translate_source(std::uint16_t service_set, const NatTerm& term, const FlowKey& key,
                                            FlowKey& to, NatResult& result);
  /// Returns false if answers could not find their way back, whatever source a pool gives to `key` on its way to `to`.
  [[nodiscard]] bool has_way_back(std::uint16_t service_set, const NatTerm& term, const FlowKey& key,
                                  const FlowKey& to) const;
  [[nodiscard]] NatRefusal take_from(Pool& pool, std::uint16_t service_set, const FlowKey& key, bool owns_port,
                                     FlowKey& to);
  [[nodiscard]] NatRefusal take_address(Pool& pool, std::uint16_t service_set, const IpAddress& host,
                                        std::uint32_t& external);
  /// Allocates the address for a protocol without ports.
  [[nodiscard]] NatRefusal take_portless(Pool& pool, const IpAddress& host, std::uint32_t& external);
  [[nodiscard]] NatRefusal take_port(Pool& pool, std::uint16_t service_set, const FlowKey& key, std::uint32_t& external,
                                     std::uint16_t& port);
  [[nodiscard]] NatRefusal take_tracked_port(Pool& pool, std::uint16_t service_set, const FlowKey& key, Host* host,
                                             std::uint32_t& external, std::uint16_t& port);
  [[nodiscard]] NatRefusal take_block_port(Pool& pool, std::uint16_t service_set, const FlowKey& key, Host& host,
                                           std::optional<std::uint32_t> address, std::uint32_t& external,
                                           std::uint16_t& port);
  /// Returns the secret starting point of the port search for this flow. It changes every tick, so that ports cannot be
  /// predicted.
  [[nodiscard]] std::uint64_t nonce_of(const FlowKey& key, Ticks now) const {
    return detail::mix(hash_of(key, seed_), 0x9e3779b97f4a7c15ULL ^ now);
  }
  /// Allocates a port that the host may have on the address number `address`, or on any address.
  [[nodiscard]] NatRefusal take_port_on(Pool& pool, std::uint16_t service_set, const FlowKey& key, Host* host,
                                        std::optional<std::uint32_t> address, std::uint32_t& external,
                                        std::uint16_t& port);
  /// Allocates a port on an address, and pairs the host with that address.
  [[nodiscard]] NatRefusal take_paired_port(Pool& pool, std::uint16_t service_set, const FlowKey& key, Host& host,
                                            std::uint32_t& external, std::uint16_t& port);
  /// Returns the blocks of an address that contain a suitable port for the flow, whoever owns them, or nullopt.
  [[nodiscard]] std::optional<BitRows::Wanted> wanted_blocks(const Pool& pool, std::uint8_t protocol,
                                                             std::uint16_t original) const;
  /// Finds a free block for `host` and returns its row. Searches `count` addresses from number `first` on.
  [[nodiscard]] std::optional<std::uint32_t> take_block(Pool& pool, std::uint32_t first, std::uint32_t count,
                                                        const BitRows::Wanted& wanted, const IpAddress& host);
  [[nodiscard]] NatRefusal count(Pool& pool, NatRefusal refusal);
  [[nodiscard]] static NatRefusal refusal_of(PortPool::Refusal why);

  // holds
  [[nodiscard]] Ends ends_of(const NatSession& session) const;
  void hold_end(const End& end, bool taken);
  void release_end(const End& end);
  void hold_port(Pool& pool, std::uint32_t external, std::uint16_t port, std::uint8_t protocol, const IpAddress& host,
                 bool taken);
  void release_port(Pool& pool, std::uint32_t external, std::uint16_t port, std::uint8_t protocol,
                    const IpAddress& host, bool ended);
  void hold_owned(std::uint32_t row, const IpAddress& host);
  void release_owned(std::uint32_t row, const IpAddress& host);
  [[nodiscard]] std::uint64_t user_hash(const IpAddress& host, std::uint16_t port) const {
    return detail::mix(detail::load64(host.bytes.data()) ^ seed_,
                       detail::load64(host.bytes.data() + 8) ^ ~seed_ ^ port);
  }
  /// Updates troubled_. Called after every change of the refs, users, owner or liveness of a row.
  void update_troubled(std::uint32_t row);
  [[nodiscard]] Host* host_of(Pool& pool, const IpAddress& address);
  void drop_host(Pool& pool, Host& host);
  void count_host(Pool& pool, const IpAddress& address);
  void uncount_host(Pool& pool, const IpAddress& address);
  /// Returns the host whose session count includes the sessions of this mapping, or null if its pool does not pair
  /// hosts.
  [[nodiscard]] Host* paired_host(const Row& mapping);
  void count_sessions(const Row& mapping, std::uint32_t sessions);
  void uncount_sessions(const Row& mapping, std::uint32_t sessions);
  [[nodiscard]] bool matches_pairing(const Pool& pool, const IpAddress& host, const SessionFilter& filter) const;
  [[nodiscard]] BindingCounts& counts_of(Pool& pool, std::uint16_t service_set);
  [[nodiscard]] bool explains_source(const NatSession& session) const;
  [[nodiscard]] bool explains_destination(const NatSession& session) const;
  [[nodiscard]] bool owns_port_rightly(const End& end) const;
  [[nodiscard]] bool reconcile_end(const End& end, std::uint16_t service_set);
  [[nodiscard]] bool reconcile_owned(Pool& pool, std::uint16_t service_set, std::uint32_t row, const IpAddress& host);

  // adoption of what another master created (nat_adopt.cpp)
  [[nodiscard]] static Adopted conflict(Pool& pool, Adopted why);
  /// Returns true if the block or address belongs to this host or to nobody.
  [[nodiscard]] bool may_own(std::uint32_t row, const IpAddress& host) const;
  [[nodiscard]] Adopted may_adopt_port(Pool& pool, std::uint32_t external, std::uint16_t port, std::uint8_t protocol,
                                       const IpAddress& host);
  [[nodiscard]] Adopted may_adopt_end(const End& end, std::uint16_t service_set);
  [[nodiscard]] Adopted may_adopt_address(Pool& pool, std::uint32_t external, const IpAddress& host);
  [[nodiscard]] Adopted adopt_block(const Owner& owner, std::uint32_t row, const BindingRecord& binding);
  [[nodiscard]] Adopted adopt_address(const Owner& owner, std::uint32_t row, const BindingRecord& binding);
  [[nodiscard]] Adopted adopt_pairing(const Owner& owner, const BindingRecord& binding);
  [[nodiscard]] Adopted adopt_mapping(const Owner& owner, const BindingRecord& binding);
  [[nodiscard]] Adopted adopted(std::uint32_t row, const BindingRecord& binding);

  // rows
  [[nodiscard]] Pool* pool(std::uint16_t index_plus_one);
  [[nodiscard]] const Pool* pool(std::uint16_t index_plus_one) const;
  /// Returns the pool of the service set whose ports or addresses are owned and that contains this address, or null.
  [[nodiscard]] Pool* pool_of(std::uint16_t service_set, std::uint32_t external) const {
    // Nearly all addresses that are asked for are those of hosts.
    if (external < external_low_ || external > external_high_) return nullptr;
    return pool_with(service_set, external);
  }
  [[nodiscard]] Pool* pool_with(std::uint16_t service_set, std::uint32_t external) const;
  [[nodiscard]] std::uint32_t block_row(const Pool& pool, std::uint32_t external, std::uint16_t port) const;
  [[nodiscard]] PortPool::Span span_of(const Row& block) const;
  [[nodiscard]] std::uint32_t find_internal(const Pool& pool, std::uint16_t service_set, const IpAddress& host,
                                            std::uint16_t port, std::uint8_t protocol) const;
  [[nodiscard]] std::uint32_t find_external(std::uint32_t external, std::uint16_t port, std::uint8_t protocol) const;
  /// Makes a row live for a new binding of the active side. `taken` is true if the port of a mapping is allocated
  /// already.
  void create(std::uint32_t row, bool taken);
  void make_mapping(std::uint32_t row, const Pool& pool, std::uint16_t service_set, const IpAddress& host,
                    std::uint16_t host_port, std::uint8_t protocol, std::uint32_t external, std::uint16_t port,
                    bool taken);
  void make_pairing(std::uint32_t row, const Pool& pool, std::uint16_t service_set, const IpAddress& host,
                    std::uint32_t external);
  /// Gives an owner to a block or to a whole address.
  void make_owned(std::uint32_t row, Pool& pool, std::uint16_t service_set, const IpAddress& host);
  /// Deactivates the active block of its host. The block ends if none of its ports is in use.
  void deactivate_block(std::uint32_t row);
  /// Adds a live row to all indexes and counts, or removes it from them.
  void link(std::uint32_t row, bool taken);
  void unlink(std::uint32_t row);
  /// Ends a binding on the active side.
  void end(std::uint32_t row);
  void idle_now(std::uint32_t row);
  /// Marks a block or address as owned, because it is live or in use.
  void mark_owned(std::uint32_t row, bool taken);
  void mark_taken(std::uint32_t row, bool taken);
  /// Frees rows of the pool that were held for long enough.
  void advance_hold(Pool& pool);
  /// Releases the oldest held row that fits and returns its number, counted from first_row. Prefers one that the host
  /// had before (RFC 6888 REQ-8: the same subscriber may have it at once).
  template <class Fits>
  [[nodiscard]] std::optional<std::uint32_t> take_held_row(Pool& pool, const IpAddress& host, Fits&& fits) {
    if (!pool.row_hold) return std::nullopt;
    auto number = pool.row_hold->take_oldest([&](std::uint64_t n) {
      return rows_[pool.first_row + n].internal == host && fits(static_cast<std::uint32_t>(n));
    });
    if (!number) {
      number = pool.row_hold->take_oldest([&](std::uint64_t n) { return fits(static_cast<std::uint32_t>(n)); });
      if (number) ++pool.figures.reused_early;
    }
    return number ? std::optional(static_cast<std::uint32_t>(*number)) : std::nullopt;
  }
  [[nodiscard]] Ticks timeout_of(const Row& row) const;
  void set_active_block(Host& host, std::uint32_t row);
  [[nodiscard]] std::optional<Owner> owner_of(const BindingRecord& binding) const;
  [[nodiscard]] bool acceptable(const Owner& owner, std::uint32_t row, const SessionRecord& record) const;
  [[nodiscard]] bool may_host(const Pool& pool, std::uint16_t service_set, const IpAddress& host) const;
  /// Returns the rows that conflict with a record because they have the same endpoint or the same host (kNoRow: none).
  [[nodiscard]] std::array<std::uint32_t, 2> conflicting_rows(const Owner& owner, std::uint32_t row,
                                                              const SessionRecord& record);
  [[nodiscard]] bool in_use(const Row& row) const;
  void log_block(const Row& row, bool allocated);

  [[nodiscard]] static std::uint64_t external_key(std::uint32_t external, std::uint16_t port, std::uint8_t protocol) {
    return std::uint64_t{external} << 24U | std::uint64_t{port} << 8U | protocol;
  }
  [[nodiscard]] std::uint64_t external_hash(std::uint64_t key) const { return detail::mix(key ^ seed_, ~seed_ | 1U); }
  [[nodiscard]] std::uint64_t internal_hash(std::uint16_t pool, std::uint16_t service_set, const IpAddress& host,
                                            std::uint16_t port, std::uint8_t protocol) const;
  [[nodiscard]] Orphan* orphan(std::uint64_t key);
  [[nodiscard]] Orphan* need_orphan(std::uint64_t key);
  void drop_orphan(Orphan& orphan);

  NatRules rules_;  ///< without `pools`, which are parts of pools_
  NatOutput& out_;
  std::uint64_t seed_;
  bool active_ = false;
  bool cancelling_ = false;
  bool any_over_ = false;
  bool undoing_ = false;  ///< true while cancel() releases something that was never used
  std::uint64_t term_ = 0;
  Ticks now_ = 0;
  std::uint32_t pass_ = 1;
  std::vector<std::unique_ptr<Pool>> pools_;  ///< by index in Cluster::nat_pools; null if no service set here uses it
  std::vector<Pool*> row_pools_;              ///< pools that have rows of blocks or addresses, sorted by first_row
  std::vector<External> externals_;           ///< sorted
  std::uint32_t external_low_ = 1;            ///< what is not between these two is in none of them
  std::uint32_t external_high_ = 0;
  std::vector<Row> rows_;
  std::uint32_t high_water_ = 0;
  std::uint32_t pairing_rows_ = 0;  ///< first row of a pairing
  std::uint32_t mapping_rows_ = 0;  ///< first row of a mapping, the last kind of row
  std::uint32_t troubled_ = 0;      ///< rows
  BitSet free_pairings_;
  BitSet free_mappings_;
  FixedIndex by_internal_;
  FixedIndex by_external_;
  HostTable hosts_;
  std::vector<Orphan> orphans_;
  FixedIndex by_orphan_;
  std::uint32_t free_orphan_ = kNoRow;
  std::uint32_t orphan_count_ = 0;
  std::vector<BlockEvent> events_;  ///< a ring
  std::size_t first_event_ = 0;
  std::size_t event_count_ = 0;
  NatCounters counters_;
};

}  // namespace icr::node
