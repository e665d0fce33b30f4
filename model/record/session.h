// The session record: what a session is to everyone but the engine that owns it (twin, checkpoint, query).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "model/base/enum_end.h"
#include "model/base/time.h"
#include "model/record/flow_key.h"
#include "model/record/protocol.h"
#include "model/record/slot_range.h"
#include "model/record/stable_id.h"

namespace icr {

/// Resolution of the times that a record carries: tenths of a second. 32 bits hold 13 years.
using Ticks = std::uint32_t;
/// The longest age that a record of others may have. Ticks are compared modulo 2^32, so an age beyond a quarter of that
/// (three years) would turn into the future.
inline constexpr Ticks kLongestAge = 1U << 30;
inline constexpr Duration kTick = 100ms;

/// Names a session inside its redundancy set. Both chassis keep a session in the slot of the same number, and the
/// generation of a slot grows each time a session is born in it. So a deleted session cannot be confused with its
/// successor, and the tombstone of a session is nothing but its slot, empty, with its generation.
struct SessionRef {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  friend bool operator==(const SessionRef&, const SessionRef&) = default;
};

enum class Direction : std::uint8_t { initiator = 0, responder = 1 };
[[nodiscard]] constexpr Direction opposite(Direction d) {
  return d == Direction::initiator ? Direction::responder : Direction::initiator;
}

/// TCP connection state as a middlebox sees it (RFC 9293 section 3.3.2 names; `none` for other protocols).
enum class TcpState : std::uint8_t {
  none = 0,
  syn_sent,      ///< SYN seen from the initiator
  syn_received,  ///< SYN and ACK seen from the responder
  established,   ///< handshake complete
  fin_wait,      ///< FIN seen from one side
  closing,       ///< FIN seen from both sides
  time_wait,     ///< both FINs acknowledged
  closed,        ///< RST seen
};
inline constexpr std::uint8_t kTcpStateCount = enum_end<TcpState>();
[[nodiscard]] std::string_view to_string(TcpState state);

/// How a session is translated, and what a NAT term asks for.
enum class NatType : std::uint8_t {
  none = 0,
  napt44 = 1,
  basic_nat44 = 2,
  dynamic_nat44 = 3,
  deterministic_napt44 = 4,
  dnat44 = 5,
  twice_basic_nat44 = 6,
  twice_dynamic_nat44 = 7,
  twice_napt44 = 8,
  stateful_nat64 = 9,
  nptv6 = 10,
};
inline constexpr std::uint8_t kNatTypeCount = enum_end<NatType>();
/// Junos' words for "Translation Type - ".
[[nodiscard]] std::string_view to_string(NatType type);
/// The word of `translation-type` in the cluster file: "napt-44" ...; "no-translation" for none.
[[nodiscard]] std::string_view translation_type_keyword(NatType type);

/// Result of the last look-up for this session, as `Flags:` of `show services sessions` prints it (one value, not a bit
/// set).
enum class SessionFlag : std::uint8_t {
  none = 0x0,            ///< no session ID found: the normal value
  found_existing = 0x1,  ///< a set-up or an ICMP error found this session already there
  limit_reached = 0x2,   ///< session or flow limit of the service set reached
  no_memory = 0x3,       ///< no NAT port left for another session
  no_session_id = 0x4,   ///< no free session ID left
};
inline constexpr std::uint8_t kSessionFlagCount = enum_end<SessionFlag>();

/// Sequence tracking of one direction (what the sender of that direction has been allowed to send).
struct TcpWindow {
  std::uint32_t end = 0;         ///< highest sequence number sent + 1
  std::uint32_t max_end = 0;     ///< highest sequence number the other side allows (its ACK + window)
  std::uint32_t max_window = 0;  ///< largest window this side has advertised, scaled, in bytes
  std::uint8_t scale = 0;        ///< window scale this side announced (RFC 7323), 0..14
  std::uint8_t flags = 0;        ///< kTcpWindow* bits
  friend bool operator==(const TcpWindow&, const TcpWindow&) = default;
};
inline constexpr std::uint8_t kTcpWindowScaled = 0x1;  ///< the window scale option was seen
inline constexpr std::uint8_t kTcpWindowFin = 0x2;     ///< a FIN was seen; `end` counts it
inline constexpr std::uint8_t kTcpWindowKnown = 0x4;   ///< the numbers are valid; otherwise learn from the next segment

struct FlowCounters {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;  ///< IP length, header included
  friend bool operator==(const FlowCounters&, const FlowCounters&) = default;
};

/// What a record is about. Bindings are ownership facts of NAT; they live in slots above those of the sessions.
enum class RecordKind : std::uint8_t {
  session = 0,
  port_block,  ///< a range of ports of an external address -> the host that owns it
  mapping,     ///< external endpoint -> internal endpoint (endpoint-independent mapping, RFC 4787 REQ-1)
  pairing,     ///< host -> external address
};
inline constexpr std::uint8_t kRecordKindCount = enum_end<RecordKind>();

/// A NAT binding as a value. `internal` owns what is named of `external`.
struct BindingRecord {
  std::uint64_t term = 0;  ///< of the master that made it
  IpAddress internal;
  IpAddress external;
  std::uint16_t internal_port = 0;  ///< mapping: port, or ICMP query identifier
  std::uint16_t external_port = 0;  ///< mapping: the same, translated; port block: its first port
  std::uint16_t last_port = 0;      ///< port block
  std::uint8_t protocol = 0;        ///< mapping: of the internal side (ICMP and ICMPv6 differ)
  std::uint8_t flags = 0;           ///< kBinding* bits
  StableId pool = 0;                ///< of the NAT pool
  StableId service_set = 0;         ///< of the service set
  std::uint32_t timeout_s = 0;      ///< it lives this long after its last use
  Ticks idle = 0;                   ///< since it was last used
  Ticks age = 0;                    ///< since it was made
  friend bool operator==(const BindingRecord&, const BindingRecord&) = default;
};
inline constexpr std::uint8_t kBindingActiveBlock = 0x1;  ///< port block: new ports of the host come from this one
inline constexpr std::uint8_t kBindingExclusive = 0x2;    ///< pairing: the host has the whole address (dynamic NAT)
inline constexpr std::uint8_t kBindingInUse = 0x4;        ///< sessions use it: it does not idle
inline constexpr std::uint8_t kKnownBindingFlags = 0x7;

/// What an answer says of a session whose service set has a guarantee, or a replication-threshold.
enum class NewestState : std::uint8_t {
  not_said,   ///< the service set has none, or this is no answer
  here_only,  ///< the peer has not acknowledged the newest state
  at_peer,    ///< it has
  withheld,   ///< the session has not reached the replication-threshold, so that the peer is not told of it yet
};
inline constexpr std::uint8_t kNewestStateCount = enum_end<NewestState>();

/// A session as a value. `flow[0]` is the initiator flow (I) as it arrives on the inside or outside port where it
/// began; `flow[1]` the responder flow (O) as it arrives on the other one. Without NAT they mirror each other; with
/// source NAT the responder's destination is the translated source.
/// A record of another kind has `ref`, `version`, `kind` and `binding`, and nothing else.
struct SessionRecord {
  SessionRef ref;
  RecordKind kind = RecordKind::session;
  std::uint32_t version = 0;  ///< grows with each change of the session that the twin must know

  std::array<FlowKey, 2> flow;
  TcpState tcp_state = TcpState::none;
  NatType nat_type = NatType::none;
  SessionFlag flag = SessionFlag::none;
  ApplicationProtocol alg = kNoApplicationProtocol;
  bool initiated_outside = false;  ///< the initiator came in through the service set's outside port
  bool hairpin = false;            ///< the responder's packets arrive on the initiator's side
  bool asymmetric = false;         ///< a packet of it came to the standby, which sent it to the master
  NewestState newest_state = NewestState::not_said;

  StableId service_set = 0;  ///< of the service set
  StableId policy = 0;    ///< of the firewall term that admitted it; 0: there was none, or the master has no such term
  StableId nat_pool = 0;  ///< of the NAT pool; whose it is says source_pool_of(); 0: none

  std::uint32_t timeout_s = 0;   ///< idle timeout in force, seconds
  Ticks idle = 0;                ///< since the last packet of either direction
  Ticks age = 0;                 ///< since the session was created
  std::uint32_t lifetime_s = 0;  ///< absolute session-timeout; 0 = none

  bool has_tcp = false;  ///< `tcp` is meaningful
  std::array<TcpWindow, 2> tcp;
  bool has_counters = false;  ///< `counters` is meaningful; a receiver keeps what it has when it is not
  std::array<FlowCounters, 2> counters;

  BindingRecord binding;  ///< unless kind is session

  [[nodiscard]] std::uint8_t protocol() const { return flow[0].protocol; }
};

/// `protocol` as the other address family names it, where a translator puts a packet of one into the other: ICMP is
/// ICMPv6 there, and the other way round (RFC 7915).
[[nodiscard]] constexpr std::uint8_t protocol_across_families(std::uint8_t protocol) {
  return protocol == ip_protocol::icmp6  ? ip_protocol::icmp
         : protocol == ip_protocol::icmp ? ip_protocol::icmp6
                                         : protocol;
}

/// Digest word of a record: equal on two twins that agree about everything a takeover needs (identity, version, keys,
/// state; not idle time, age, counters, nor kBindingInUse). Sums of these words, modulo 2^64, are order-independent
/// digests of sets of sessions.
[[nodiscard]] std::uint64_t digest_of(const SessionRecord& record);

/// What digest_of() a session's record is made of.
struct SessionFacts {
  SessionRef ref;
  std::uint32_t version = 0;
  StableId service_set = 0;
  TcpState tcp_state = TcpState::none;
  NatType nat_type = NatType::none;
};
/// digest_of() the record of a session, without making it.
[[nodiscard]] std::uint64_t session_digest(const SessionFacts& facts, const FlowKey& initiator,
                                           const FlowKey& responder);

/// The number that `Session:` and `Session ID:` print. The high bits are of the number of the redundancy set
/// (RedundancySet::number(), from 1), the low bits are the slot, so it is the same on both chassis. JSF prints 32 bits,
/// of which 6 are of the set: sets whose numbers differ by a multiple of 63 share them. USF prints 64 bits with the
/// whole number.
[[nodiscard]] std::uint32_t jsf_session_id(std::uint32_t set_number, std::uint32_t slot);
[[nodiscard]] std::uint64_t usf_session_id(std::uint32_t set_number, std::uint32_t slot);
inline constexpr std::uint32_t kMaxSlots = 1U << 26;  ///< slots of one redundancy set that a JSF session id can name
/// Slots of one redundancy set, sessions and bindings together.
inline constexpr std::uint32_t kMaxRecordSlots = 2 * kMaxSlots;

/// Where records come from: a table whose slots can be read one by one. Only the thread that owns the table may call
/// it.
class SessionSource {
 public:
  virtual ~SessionSource() = default;
  /// Slots are 0..capacity()-1: first those of sessions, then those of bindings.
  [[nodiscard]] virtual std::uint32_t capacity() const = 0;
  /// Returns the number of sessions. Bindings do not count.
  [[nodiscard]] virtual std::uint32_t live_sessions() const = 0;
  /// Returns how the slots are divided, which never changes. Empty: they are all of sessions.
  [[nodiscard]] virtual const SlotLayout& layout() const {
    static const SlotLayout none;
    return none;
  }
  /// Highest slot ever used + 1: no cursor needs to go further.
  [[nodiscard]] virtual std::uint32_t high_water() const = 0;
  /// True: `out` is the session (or binding) in `slot`, counters and TCP windows included. False: the slot is empty,
  /// and `out.ref` carries its number and last generation (0: never used) - which is its tombstone.
  virtual bool read(std::uint32_t slot, TimePoint now, SessionRecord& out) const = 0;
  /// Returns true if the peer is not told of the session in `slot` yet, because it is younger than the
  /// replication-threshold of its service set. Once the peer has been told of a session, this stays false.
  [[nodiscard]] virtual bool is_withheld(std::uint32_t /*slot*/) const { return false; }
  /// Returns the number of such sessions.
  [[nodiscard]] virtual std::uint32_t withheld() const { return 0; }
  /// Returns false while mastership is handed over and there are sessions whose counters have yet to be told.
  [[nodiscard]] virtual bool counters_told() const { return true; }
  /// Computes the digests of consecutive ranges of `range_slots` slots each, the first of which begins at `first`: sums
  /// of digest_of() of what is in the slots. Slots that are withheld, or that the table does not have, count as empty.
  /// A table that keeps digests up to date answers without reading its records.
  virtual void digests(std::uint32_t first, std::uint32_t range_slots, std::span<std::uint64_t> out) const;
  /// Returns true if there is a session in `slot` whose last packet is at most `span` old, or a binding that no session
  /// uses and that was in use so recently: its idle time and its counters may have changed since then.
  [[nodiscard]] virtual bool used_within(std::uint32_t slot, TimePoint now, Ticks span) const;
};

/// What became of a record that was offered to a sink.
enum class Applied : std::uint8_t {
  created,    ///< the slot was empty or held another session
  updated,    ///< same session, newer version
  unchanged,  ///< nothing newer in it (duplicate)
  deleted,    ///< tombstone took effect
  refused,    ///< out of range, unknown service set or pool, port owned elsewhere ...: counted by the sink
};

/// The result of SessionSink::adopt for a record of another master. The values from `invalid` on are refusals.
enum class Adopted : std::uint8_t {
  created,        ///< the master did not know it, and has it now
  updated,        ///< the master knew it in an older state, and took over the newer one
  known,          ///< the master knew it, and kept its own state, which is not older
  invalid,        ///< it does not fit this configuration: service set, pool, addresses ...
  flow_taken,     ///< one of its flow keys belongs to another session
  port_taken,     ///< its translated port belongs to another session or mapping
  binding_taken,  ///< the port block, address or pairing that it needs or is belongs to another host
  limit,          ///< it would exceed a limit of its service set, subscriber or host
  table_full,     ///< there is no free slot, or no room in the index
};
inline constexpr std::size_t kAdoptedCount = enum_end<Adopted>();
[[nodiscard]] constexpr bool refused(Adopted a) { return a >= Adopted::invalid; }
/// Returns text for a log, such as "its translated port belongs to another".
[[nodiscard]] std::string_view to_string(Adopted adopted);

/// Where records go: a table that takes a twin's or a checkpoint's word for its sessions. Only the owning thread may
/// call it.
class SessionSink {
 public:
  virtual ~SessionSink() = default;
  /// Opens a new pass (bulk copy or restore): what it does not name by the time of end_pass() is gone.
  virtual void begin_pass(TimePoint now) = 0;
  /// Takes `record` if its slot was not yet named in this pass, or if (generation, version) is not older than what is
  /// held. A session that stands in the way (same flow key or same translated port in another slot) must be dead where
  /// the record comes from; it is displaced, and counted.
  virtual Applied apply(const SessionRecord& record, TimePoint now) = 0;
  /// Takes over a session or binding that another master set up, or followed, while both were master. If the same flows
  /// have a session here, the state that was used last wins. Otherwise the record gets a slot that this table chooses,
  /// unless it contradicts something here. The slot and generation of `record` are ignored. REQUIRES: the chassis of
  /// this table is master.
  virtual Adopted adopt(const SessionRecord& record, TimePoint now) = 0;
  /// Deletes the session in the slot unless its generation is newer than the tombstone's.
  virtual Applied erase(SessionRef tombstone, TimePoint now) = 0;
  /// Counts what is in these slots as named in this pass: it is known to be what the peer has. What digests() leaves
  /// out is not.
  virtual void keep(std::uint32_t first, std::uint32_t count) = 0;
  /// Ends the pass: every session that was not named in it is removed. Returns how many.
  virtual std::uint32_t end_pass(TimePoint now) = 0;
};

}  // namespace icr
