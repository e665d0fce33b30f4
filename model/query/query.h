// Questions to a chassis and their answers as values, and their codec (model/query/query.fbs).
//
// A question goes to one card of one chassis; most of them to one redundancy set of it. The chassis keeps no state
// between questions: a listing is a chain of pages, each asked for with the cursor that the page before it returned.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/base/counters.h"
#include "model/base/enum_end.h"
#include "model/base/result.h"
#include "model/query/commit.h"
#include "model/query/failover.h"
#include "model/query/nat_status.h"
#include "model/query/query_generated.h"
#include "model/query/service_set_status.h"
#include "model/query/session_filter.h"
#include "model/query/session_groups.h"
#include "model/query/session_order.h"
#include "model/query/system.h"
#include "model/query/term_hits.h"
#include "model/record/path.h"
#include "model/record/record_codec.h"
#include "model/record/role.h"
#include "model/record/session.h"

namespace icr {

enum class QueryKind : std::uint8_t {
  status = 1,             ///< of every redundancy set of the card, and the card's utilization
  page = 2,               ///< sessions of one set
  count = 3,              ///< matching sessions of one set, per service set
  clear = 4,              ///< delete matching sessions of one set (only where it is not a standby)
  switchover = 5,         ///< hand mastership of one set to the peer
  counters = 6,           ///< every named counter of the card
  server_counters = 7,    ///< those of the query server itself
  nat_pools = 8,          ///< NAT pools of one set, per service set
  bindings = 9,           ///< NAT bindings of one set, in pages as sessions
  clear_bindings = 10,    ///< delete matching bindings of one set and the sessions that use them (master only)
  deterministic = 11,     ///< who owns the ports: a host's of deterministic NAT, or a port's host
  statistics = 12,        ///< counters per service set of one set, in pages
  clear_statistics = 13,  ///< the counters of one set begin at zero again
  analysis = 14,          ///< what the card remembers about its sessions
  usage = 15,             ///< memory of the card and its service sets
  clear_analysis = 16,    ///< what the card remembers about its sessions begins anew
  live = 17,              ///< matching sessions of one set by protocol and address family
  commit = 18,            ///< about the configuration of the chassis: QueryRequest::commit says what
  failovers = 19,         ///< what the takeovers of one set cost that this chassis made
  drain = 20,             ///< take this member of one set out of service, or back into it
  system = 21,            ///< about the chassis itself: its machine, its process, its interfaces
  largest = 22,           ///< the largest of the matching sessions of one set, by ranges of slots
  groups = 23,            ///< sums over the matching sessions of one set by group, by ranges of slots
  traffic = 24,           ///< what goes through the ports of the card
  term_hits = 25,         ///< how often the terms of one set's rules were matched, in pages
  log = 26,               ///< the newest lines of the log of the chassis, in pages
  past_sessions = 27,     ///< sessions that one set had at a moment in the past, in pages
};
/// The number that the next kind of question will have.
inline constexpr std::uint8_t kQueryKindEnd = enum_end<QueryKind, QueryKind::status>();
/// Returns true if questions of this kind are about one redundancy set of the card.
[[nodiscard]] bool addresses_a_set(QueryKind kind);

struct QueryRequest {
  std::uint64_t cluster_digest = 0;  ///< of the cluster file of who asks
  std::uint64_t request_id = 0;
  QueryKind kind = QueryKind::status;  ///< may be a value of a later release: the server answers `unknown_kind`
  StableId cluster_id = 0;             ///< of the cluster that is asked
  StableId card_id = 0;                ///< of the card; not for server_counters and system
  StableId set_id = 0;                 ///< of the redundancy set, if the kind addresses one
  /// Places of card and set in the cluster file of whoever holds the question: indices into Chassis::cards and
  /// Cluster::redundancy_sets. They are not sent.
  std::uint16_t card = 0;
  std::uint16_t set = 0;
  std::uint32_t cursor = 0;  ///< page, bindings, largest, groups, past_sessions: first slot to look at; statistics,
                             ///< deterministic, term_hits: rows to skip
  std::uint32_t limit = 0;   ///< page, bindings, largest, past_sessions: at most this many rows, 1..kPageSessions
  bool by_state = false;     ///< count: tell valid, invalid ... apart (needs a scan); otherwise all in `valid`
  SessionFilter filter;
  std::uint8_t record_kinds = 0;  ///< bindings, clear_bindings: bit (1 << RecordKind) for each kind that is meant
  std::optional<StatisticsGroup> group;     ///< statistics, clear_statistics: this one only
  std::optional<IpAddress> host;            ///< deterministic: whose ports
  std::optional<IpAddress> translated;      ///< deterministic: whose hosts; neither: every host of the pool
  std::optional<std::uint16_t> port;        ///< deterministic: of `translated`
  CommitRequest commit;                     ///< commit
  bool force = false;                       ///< switchover: also to a standby that is warned
  bool without_counters = false;            ///< status: counters of the sets are not wanted, which are most of it
  bool cancel = false;                      ///< drain: take the member back into service
  std::optional<SessionOrder> order;        ///< largest: what makes a session large
  std::uint64_t floor = 0;                  ///< largest: smaller sessions are not wanted
  std::optional<SessionGrouping> grouping;  ///< groups
  std::uint8_t prefix_length = 0;           ///< groups: of SessionGrouping::source_prefix
  std::uint64_t from = 0;                   ///< log: number of the first line that is wanted
  WallMillis at = 0;                        ///< past_sessions: the moment, from 0 to kLastMoment
};
enum class QueryError : std::uint8_t {
  none = 0,
  malformed,      ///< a value out of range
  wrong_cluster,  ///< the question is for another cluster, or of a release that names things by their places
  unknown_kind,
  unknown_target,  ///< no such card, or the set is not on it
  busy,            ///< too many questions wait already
  refused,         ///< understood, and not done: `reason` says why
};
inline constexpr std::uint8_t kQueryErrorCount = enum_end<QueryError>();

/// The words of `show services sessions count` on vms- cards.
enum class SessionState : std::uint8_t { valid = 0, invalid, pending, other };
/// Returns `invalid` for a session that is closed (after a RST, or after both FINs were acknowledged) and only waits to
/// be removed, and `valid` for any other. A session of icr is never pending or other.
[[nodiscard]] SessionState state_of(const SessionRecord& record);

struct ServiceSetCount {
  StableId service_set = 0;
  std::array<std::uint64_t, 4> by_state{};  ///< index: SessionState
  [[nodiscard]] std::uint64_t total() const { return by_state[0] + by_state[1] + by_state[2] + by_state[3]; }
};

/// One change of role of a member of a redundancy set, or its going on in a new term.
struct RoleChange {
  std::uint64_t ago_ms = 0;
  Role from = Role::initializing;
  Role to = Role::initializing;
  std::uint64_t term = 0;
  std::string reason;
  friend bool operator==(const RoleChange&, const RoleChange&) = default;
};
inline constexpr std::size_t kMaxRoleChanges = 32;
/// The most inter-chassis paths of a redundancy set that a status tells of.
inline constexpr std::size_t kMaxPaths = 16;

/// What a member knows of its peer, and what it has sent to it.
struct PeerStatus {
  std::uint64_t term = 0;
  std::uint32_t priority = 0;
  std::uint64_t heard_ago_ms = 0;
  /// The copy for the standby is on its way: `copied_slots` of `slots_to_copy` in `copying_ms`.
  bool copying = false;
  std::uint32_t copied_slots = 0;
  std::uint32_t slots_to_copy = 0;
  std::uint64_t unacknowledged_records = 0;
  std::uint64_t unacknowledged_bytes = 0;
  std::uint64_t commit_number = 0;   ///< of the newest commit that the peer has; 0: it does not say
  std::uint64_t running_digest = 0;  ///< of the configuration that it runs; 0: it does not say
  bool commit_waits = false;         ///< it is master of some set, and waits to take its newest commit
  std::uint64_t copying_ms = 0;
  std::uint64_t compared_ranges = 0;   ///< of slots, in the last copy, which the standby has compared
  std::uint64_t equal_ranges = 0;      ///< of those: they were not copied
  std::uint32_t oldest_change_us = 0;  ///< for how long the oldest change has not been acknowledged; 0: there is none
  friend bool operator==(const PeerStatus&, const PeerStatus&) = default;
};

/// A redundancy set as one chassis sees it.
struct SetStatus {
  StableId set_id = 0;             ///< names, id and peers are in the cluster file
  std::uint16_t set = 0;           ///< its place in the cluster file of whoever holds the status; not sent
  Role role = Role::initializing;  ///< a stand-alone set is always master
  bool warned = false;             ///< a standby that should not become master without need
  bool drained = false;            ///< an operator has taken the member out of service
  std::optional<Role> peer_role;   ///< as last heard; nullopt while the peer is not heard
  bool peer_warned = false;
  bool connected = false;          ///< to the peer
  std::uint64_t claimed_term = 0;  ///< the term that this member claims, also as master; 0: none
  std::string awaited;             ///< what has yet to grant the claim, in words
  Sync sync = Sync::off;           ///< of the copy of sessions on the standby
  std::uint64_t term = 0;
  std::string reason;              ///< of the last change of role, in words
  std::uint32_t reason_age_s = 0;  ///< seconds since then
  std::uint64_t sessions = 0;
  std::vector<ServiceSetCount> service_sets;  ///< sessions per service set, all under `valid`
  std::uint64_t sent_sequence = 0;
  std::uint64_t acknowledged_sequence = 0;
  std::uint64_t applied_sequence = 0;
  std::uint64_t pending = 0;        ///< changed sessions that the peer has not got yet
  std::uint32_t health_weight = 0;  ///< sum of the weights of what is wrong with this member; it is ill from 255 on
  std::string health_reasons;
  std::uint32_t peer_health_weight = 0;  ///< the same sum of the peer, as it reports
  std::string peer_health_reasons;
  SilenceStatus detector;
  std::uint32_t priority = 0;       ///< configured priority of this member
  bool handing_over = false;        ///< a switchover is under way
  std::optional<PeerStatus> peer;   ///< nullopt if the peer has never been heard
  std::vector<RoleChange> history;  ///< newest first; at most kMaxRoleChanges
  std::vector<PathStatus> paths;    ///< to the peer, by number; at most kMaxPaths. None: stand-alone, or not told
  std::uint64_t digest = 0;         ///< sum of digest_of() over all sessions
  CounterList counters;             ///< of roles and replication
  std::string scheduling;           ///< how the worker of the set is scheduled, in words; empty if unknown
  /// What is wrong with it, oldest first; at most kMaxAlarms. nullopt: a chassis of an earlier release does not tell.
  std::optional<std::vector<Alarm>> alarms;
};

/// The numbers of `show services sessions utilization`. Rates are per second.
struct CardUtilization {
  std::uint64_t sessions = 0;
  std::uint64_t slots = 0;  ///< room for sessions, all sets together
  std::uint64_t setup_rate = 0;
  std::uint64_t setup_rate_limit = 0;  ///< sum of the service sets' limits; 0: none is configured
  std::uint64_t drop_rate = 0;
  std::uint64_t teardown_rate = 0;
  std::uint32_t cpu_permyriad = 0;         ///< busy share of the worker threads in 1/100 percent: their mean
  void add(const CardUtilization& other);  ///< sums, also of cpu_permyriad: shares of one whole
};

/// Counters of one part of a card.
struct CounterGroup {
  std::string service_set;  ///< whose counters they are; empty: the card's own
  CounterList counters;
};

/// Seconds of a card's life by how many sessions were created (or deleted) in them.
struct RateHistogram {
  /// Lower bounds of the buckets, as Junos cuts them; the last but one is "0 - 1000" without the zero.
  static constexpr std::array<std::uint32_t, 14> kFrom = {400'000, 350'000, 300'000, 250'000, 200'000, 150'000, 50'000,
                                                          40'000,  30'000,  20'000,  10'000,  1'000,   1,       0};
  std::array<std::uint64_t, kFrom.size()> seconds{};
  void add(std::uint64_t per_second);
  void add(const RateHistogram& other);
};

/// The numbers of `show services sessions analysis` that are counted from the start of the card, or from the moment at
/// which an operator cleared them. (The sessions that live now are counted when the question is answered.) The numbers
/// of several workers are added up, so a peak of the card may be the sum of peaks that different workers had at
/// different times.
struct CardAnalysis {
  std::uint64_t peak_sessions = 0;
  std::uint64_t peak_created_per_second = 0;
  std::uint64_t peak_deleted_per_second = 0;
  std::uint64_t packets_received = 0;
  std::uint64_t packets_transmitted = 0;
  std::uint64_t slow_path_forward = 0;  ///< first packets that set a session up
  std::uint64_t slow_path_discard = 0;  ///< packets that were refused one, or dropped
  std::uint64_t samples = 0;            ///< seconds in the histograms
  RateHistogram created;
  RateHistogram deleted;
  void add(const CardAnalysis& other);
};

/// Numbers of sessions that live now, by protocol and by the address family of the initiator.
struct LiveSessions {
  struct OfProtocol {
    std::uint64_t total = 0;
    std::uint64_t ipv4 = 0;
    void add(const OfProtocol& other);
  };
  OfProtocol all;
  OfProtocol tcp;
  OfProtocol udp;
  void count(const SessionRecord& record);
  void add(const LiveSessions& other);
};

/// Memory that a card uses, in bytes.
struct CardUsage {
  std::uint64_t machine = 0;       ///< all there is, whoever uses it
  std::uint64_t used = 0;          ///< by tables and rules of this card
  std::uint64_t sessions = 0;      ///< of them, for sessions that live
  std::uint64_t sessions_max = 0;  ///< for as many sessions as there is room for
  std::uint64_t policies = 0;      ///< rules and NAT pools
  struct ServiceSetUse {
    StableId service_set = 0;
    std::uint64_t bytes = 0;  ///< its sessions and rules
  };
  std::vector<ServiceSetUse> service_sets;
};

struct QueryReply {
  std::uint64_t request_id = 0;
  QueryError error = QueryError::none;
  std::string reason;                ///< in words, when error is set
  std::uint64_t cluster_digest = 0;  ///< status: of the cluster file of the chassis
  /// For `status`: the names of all service sets and pools of the chassis. The program that asked may have another
  /// cluster file, in which some of them are missing.
  std::vector<std::pair<StableId, std::string>> names;
  std::vector<SetStatus> status;
  CardUtilization utilization;
  std::vector<SessionRecord>
      sessions;  ///< or bindings; filled by decode_reply(); the sender hands a BatchEncoder to encode_reply()
  std::uint32_t next_cursor = 0;  ///< where the next page begins
  bool done = false;              ///< there is no next page
  /// clear_bindings: bindings under `valid`, sessions under `invalid`; also of a service set that was not asked for, if
  /// it shares a binding that was.
  std::vector<ServiceSetCount> counts;  ///< count, clear: one row for each service set of the set that was asked for
  std::vector<CounterGroup> counters;
  std::vector<NatPoolStatus> nat_pools;
  std::vector<BindingUse> uses;  ///< bindings: one for each row of `sessions`, by slot
  std::vector<DeterministicRow> deterministic;
  std::vector<ServiceSetStatus> statistics;
  CardAnalysis analysis;
  CardUsage usage;
  LiveSessions live;
  std::vector<SessionGroup> groups;  ///< at most kPageGroups
  CommitReply commit;
  std::vector<FailoverReport> failovers;  ///< newest first; at most kMaxFailovers
  SystemStatus system;
  std::vector<TermHitsRow> term_hits;  ///< at most kPageTerms
  std::vector<PortTraffic> traffic;    ///< at most kMaxInterfaces
  LogPage log;
  std::string text;  ///< switchover: what was done, for the operator
};

inline constexpr std::uint32_t kPageSessions = 1024;
inline constexpr std::uint32_t kPageServiceSets = 64;  ///< of statistics
/// Groups that an answer has at most. One that would have more ends before the session that would be one more.
inline constexpr std::uint32_t kPageGroups = 4096;
/// Slots that an answer to `largest` or `groups` examines at most, so that the answer for a table of any size comes
/// before the deadline.
inline constexpr std::uint32_t kRangeSlots = 256 * 1024;
/// The last moment that can be asked for: the end of the year 9999.
inline constexpr WallMillis kLastMoment = 253'402'300'799'999;
inline constexpr std::uint32_t kPageTerms = 2048;
inline constexpr std::size_t kMaxRequestBytes = 64 * 1024;  ///< a filter that names every service set fits
inline constexpr std::size_t kMaxReplyBytes = 1024 * 1024;

/// Writes a message into `builder`, which is cleared first.
void encode_request(const QueryRequest& request, flatbuffers::FlatBufferBuilder& builder);
void encode_reply(const QueryReply& reply, BatchEncoder& sessions, flatbuffers::FlatBufferBuilder& builder);

/// Reads a message from the network: checks its size, its structure (the verifier of FlatBuffers) and the ranges of its
/// values. The caller checks whether the identities are known. Sessions of a page are returned in the order of their
/// slots. Texts are made printable.
[[nodiscard]] Result<QueryRequest> decode_request(const void* data, std::size_t size);
[[nodiscard]] Result<QueryReply> decode_reply(const void* data, std::size_t size);

}  // namespace icr
