// Messages between the members of a redundancy set (replication/protocol.fbs) as plain values.
//
// Reading trusts nothing: size, then alignment, then the FlatBuffers verifier with a bound on tables, then identity,
// then ranges. Session rows are checked by BatchDecoder when they are applied.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/base/counters.h"
#include "model/base/enum_end.h"
#include "model/record/address.h"
#include "model/record/record_codec.h"
#include "model/record/record_schema.h"
#include "model/record/role.h"
#include "model/record/slot_layout.h"

namespace icr::replication {

/// A message is at most this long, in either direction; the link refuses longer ones before it allocates memory.
inline constexpr std::size_t kMaxMessageBytes = 1U << 20;
/// The most sessions and tombstones of a batch that a receiver accepts.
inline constexpr std::size_t kMaxBatchRows = 4096;
/// The most slots of an audit that a receiver accepts.
inline constexpr std::uint32_t kMaxAuditSlots = 4096;
/// The most digests of a message of a copy that a receiver accepts.
inline constexpr std::size_t kMaxDigests = 16384;
/// Terms and sequence numbers end far below 2^64, so that adding to one cannot wrap.
inline constexpr std::uint64_t kMaxNumber = std::uint64_t{1} << 62;

/// Limits of what a heartbeat says about its sender. A writer shortens what is longer; a reader refuses it.
inline constexpr std::uint32_t kMaxHealthWeight = 0xffff;
inline constexpr std::size_t kMaxHealthReasons = 255;
inline constexpr std::uint32_t kMaxLateMicros = 3'600'000'000;
/// Longest time for which a member promises not to act as master.
inline constexpr std::uint32_t kMaxPromiseMicros = 60'000'000;
/// The longest IP packet.
inline constexpr std::size_t kMaxRelayedBytes = 65'535;
inline constexpr std::size_t kMaxPeerAddresses = 8;
inline constexpr std::size_t kMaxConfigurationEntries = 2048;
inline constexpr std::size_t kMaxConfigurationName = 400;

/// The two connections between the members of a set. Records travel on `data`, everything else on `control`, so that
/// heartbeats and acknowledgements do not wait behind records.
enum class Channel : std::uint8_t {
  control,
  data,
  /// The control connections of all paths between the members, not only of the active one. What arrives there arrives
  /// on `control`.
  heartbeats,
  /// A control connection under the names by which the release of commit 39ebb76 knows the members. That release and
  /// this one refuse each other's messages; only heartbeats travel here, so that each learns that the other one lives.
  former
};

/// Takes messages that leave.
class Outlet {
 public:
  virtual ~Outlet() = default;
  /// Hands one message to a connection. Returns false if that would block or if there is no connection. Nothing was
  /// taken then; the caller tries again later with the same or newer content.
  virtual bool send(Channel channel, std::span<const std::uint8_t> message) = 0;
};

/// Names the sender of a message.
struct Header {
  std::uint64_t cluster_digest = 0;  ///< of the sender's cluster file; it may differ from the receiver's
  std::uint64_t boot = 0;
  std::uint64_t term = 0;
  StableId set = 0;         ///< the redundancy set
  std::uint8_t member = 0;  ///< place of the sender in the set: 0 or 1
  StableId cluster = 0;
  StableId sender = 0;  ///< the sender's chassis
};

/// Place of a message in a stream.
struct Position {
  std::uint64_t epoch = 0;  ///< name of the stream, chosen by the receiver; never 0
  std::uint64_t base = 0;   ///< first number of the sender's present attempt
  std::uint64_t sequence = 0;
};

/// What a master tells of its table, and of what its standby may lack. Slots are those of sessions and NAT bindings.
struct Lag {
  std::uint32_t sessions = 0;        ///< that it has
  std::uint32_t waiting = 0;         ///< slots whose newest state is in no message of the stream
  std::uint32_t unacknowledged = 0;  ///< slots whose newest state is in a message that is not acknowledged
  std::uint32_t oldest_us = 0;       ///< for how long the oldest change has not been acknowledged; 0: there is none
  bool copying = false;              ///< the standby lacks more: the copy is not complete
  friend bool operator==(const Lag&, const Lag&) = default;
};

struct Heartbeat {
  std::uint64_t number = 0;
  std::uint64_t heard_boot = 0;
  Role role = Role::initializing;  ///< in which the sender acts; never Role::claiming
  Sync sync = Sync::off;
  std::uint32_t priority = 0;
  std::uint64_t state_term = 0;
  std::uint16_t warnings = 0;
  bool asks_switchover = false;
  Position stream;                   ///< epoch 0: none
  std::uint32_t health_weight = 0;   ///< at most kMaxHealthWeight
  std::string health_reasons;        ///< at most kMaxHealthReasons octets of printable ASCII
  std::uint32_t late_us = 0;         ///< at most kMaxLateMicros
  std::vector<IpAddress> addresses;  ///< at most kMaxPeerAddresses
  std::uint64_t claimed_term = 0;    ///< the term that the sender claims; 0: none
  std::uint32_t schema = 0;          ///< generation of the record schema; 0: the first, which announced none
  std::uint64_t commit_number = 0;   ///< of the newest commit that the sender has; 0: none
  std::uint64_t running_digest = 0;  ///< of the configuration that it runs; 0: it does not say
  bool commit_waits = false;         ///< it is master of some set, and waits to take its newest commit
  std::uint64_t answers = 0;         ///< a heartbeat of the receiver, to which the promise belongs
  std::uint32_t promise_us = 0;      ///< at most kMaxPromiseMicros; 0: there is no promise
  bool relies = false;               ///< the sender will act as master by promises that answer this heartbeat
  bool takes_packets = false;        ///< as master, the sender takes a RelayedPacket
  std::optional<Lag> lag;            ///< of a master; nullopt: the sender is none, or its release does not tell
};
struct Handover {
  std::uint64_t epoch = 0;
  std::uint64_t sequence = 0;
};
struct SyncRequest {
  static constexpr std::uint32_t kUnknownAge = 0xffffffffU;
  std::uint64_t epoch = 0;
  bool compares = false;               ///< the receiver has sessions, and compares them with digests of the sender's
  std::uint32_t age_ms = kUnknownAge;  ///< so old are its counters and idle times, at most
};
struct StreamBegin {
  Position position;
  std::uint32_t capacity = 0;
  SlotLayout layout{};  ///< of the sender's slots, which all messages of the stream name
};
struct Batch {
  Position position;
  const fbs::SessionBatch* sessions = nullptr;  ///< in the reader's buffer or the message; verified, rows unchecked
  std::uint32_t waiting = 0;                    ///< as in Lag, when the message was made; 0 if the sender does not tell
  bool counters_only = false;                   ///< nothing in it is a change of state
};
struct BulkEnd {
  Position position;
  std::uint32_t waiting = 0;  ///< as in Batch
};
struct Audit {
  Position position;
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  std::uint32_t sessions = 0;
  std::uint64_t digest = 0;
  std::uint32_t waiting = 0;  ///< as in Batch
};
/// Digests of consecutive ranges of slots, as SessionSource::digests() computes them.
struct Digests {
  Position position;
  std::uint32_t first = 0;             ///< slot
  std::uint32_t range_slots = 0;       ///< of each range; 1..kMaxAuditSlots
  std::vector<std::uint64_t> digests;  ///< 1..kMaxDigests
};
/// The answer to Digests.
struct Compared {
  Position position;                ///< of the message that is answered
  std::vector<std::uint8_t> equal;  ///< bit n of it: range n is equal; as many octets as it takes
  [[nodiscard]] bool is_equal(std::size_t range) const { return (equal[range / 8] >> (range % 8) & 1U) != 0; }
};
struct Ack {
  std::uint64_t epoch = 0;
  std::uint64_t base = 0;
  std::uint64_t applied = 0;
  bool lacks = false;  ///< the receiver has refused records of this stream
};
struct Nack {
  std::uint64_t epoch = 0;
  std::uint64_t base = 0;
  std::uint64_t expected = 0;
  bool lacks = false;  ///< as in Ack
};

/// How records of a merge ended, by Adopted.
using AdoptedCounts = std::array<std::uint64_t, kAdoptedCount>;
struct Adopt {
  std::uint64_t former_term = 0;  ///< of the sender's own parity, below the term in force
  std::uint64_t number = 0;
  bool last = false;
  const fbs::SessionBatch* sessions = nullptr;  ///< null: none; verified, rows unchecked
};
struct AdoptAck {
  std::uint64_t former_term = 0;
  std::uint64_t number = 0;
  AdoptedCounts counts{};
};

/// Digests of the parts of a cluster file, for a peer that has another digest.
struct Configuration {
  struct Entry {
    std::string name;  ///< at most kMaxConfigurationName octets of printable ASCII
    std::uint64_t digest = 0;
  };
  std::vector<Entry> parts;     ///< at most kMaxConfigurationEntries
  std::vector<Entry> settings;  ///< of parts that differ, by path; at most kMaxConfigurationEntries
  bool has_settings = false;    ///< the sender knows which parts differ
};

/// A packet that came to the standby, for the master.
struct RelayedPacket {
  StableId service_set = 0;
  bool inside = false;  ///< it came by the inside unit of the service set
  /// As in node/packet/packet.h: what the kernel that received the packet left to the one that sends it.
  bool partial_checksum = false;
  std::uint16_t segment_bytes = 0;         ///< not 0: `partial_checksum` is true
  std::span<const std::uint8_t> packet{};  ///< 1 to kMaxRelayedBytes octets, in the reader's buffer or the message
};

/// A message of the stream whose kind only a later release knows. It takes a number, so it is passed over in its turn.
struct UnknownNumbered {
  Position position;
};

using Body = std::variant<Heartbeat, Handover, SyncRequest, StreamBegin, Batch, BulkEnd, Audit, Ack, Nack, Adopt,
                          AdoptAck, Configuration, RelayedPacket, Digests, Compared, UnknownNumbered>;
struct Message {
  Header header;
  Body body;
};

/// Why a message was not accepted.
enum class Refusal : std::uint8_t {
  oversized,      ///< longer than kMaxMessageBytes
  malformed,      ///< not a verified Envelope with our identifier
  wrong_cluster,  ///< of another cluster, or of a release that is too old to name it
  wrong_set,      ///< of another redundancy set
  wrong_member,   ///< from ourselves, or from a chassis that is not the peer
  unknown_body,   ///< a kind of message that this release does not know
  bad_value,      ///< a number out of range
};
inline constexpr std::size_t kRefusalCount = enum_end<Refusal>();

/// Reads the messages of the peer. Thread: one.
class MessageReader {
 public:
  /// `expected` says whose messages are accepted: its cluster, set, member and sender. Digest, boot and term are
  /// ignored.
  explicit MessageReader(const Header& expected) : expected_(expected) {}

  /// Returns the message, or null if it was refused, which is counted. The message is valid until the next call, and as
  /// long as `bytes` lives.
  [[nodiscard]] const Message* read(std::span<const std::uint8_t> bytes);

  /// Returns why the last message that was refused was refused. REQUIRES: read() has refused one.
  [[nodiscard]] Refusal refusal() const { return refusal_; }
  /// Returns true if the last message that was refused as wrong_cluster is of a release that is too old to pair with.
  [[nodiscard]] bool stranger_is_old() const { return stranger_is_old_; }
  [[nodiscard]] std::uint64_t refused(Refusal why) const { return refused_[static_cast<std::size_t>(why)]; }
  void append_to(CounterList& out) const;

 private:
  const Message* refuse(Refusal why);

  Header expected_;
  Message message_;
  std::vector<std::uint64_t> scratch_;
  std::array<std::uint64_t, kRefusalCount> refused_{};
  Refusal refusal_ = Refusal::malformed;
  bool stranger_is_old_ = false;
};

/// Writes messages. What a function returns is valid until the next call. Thread: one.
class MessageWriter {
 public:
  MessageWriter();
  using Bytes = std::span<const std::uint8_t>;

  Bytes write(const Header& header, const Heartbeat& body);
  Bytes write(const Header& header, const Handover& body);
  Bytes write(const Header& header, const SyncRequest& body);
  Bytes write(const Header& header, const StreamBegin& body);
  /// Takes the records out of `sessions`; `body.sessions` means nothing.
  Bytes write(const Header& header, const Batch& body, BatchEncoder& sessions);
  Bytes write(const Header& header, const BulkEnd& body);
  Bytes write(const Header& header, const Audit& body);
  Bytes write(const Header& header, const Digests& body);
  Bytes write(const Header& header, const Compared& body);
  Bytes write(const Header& header, const Ack& body);
  Bytes write(const Header& header, const Nack& body);
  /// Takes the records out of `sessions`; `body.sessions` means nothing.
  Bytes write(const Header& header, const Adopt& body, BatchEncoder& sessions);
  Bytes write(const Header& header, const AdoptAck& body);
  Bytes write(const Header& header, const Configuration& body);
  /// REQUIRES: `body` is as a reader accepts it.
  Bytes write(const Header& header, const RelayedPacket& body);

 private:
  /// `place` is that of a message whose kind the first release did not know; the others carry theirs in the body.
  Bytes seal(const Header& header, std::uint8_t type, std::uint32_t body, const Position& place);
  template <class Table>
  Bytes seal(const Header& header, flatbuffers::Offset<Table> body, const Position& place = {});

  flatbuffers::FlatBufferBuilder builder_;
};

/// The digest of a range of slots, as an Audit carries it: the number of sessions, and the sum of their digest words.
struct RangeDigest {
  std::uint32_t sessions = 0;
  std::uint64_t digest = 0;
  friend bool operator==(const RangeDigest&, const RangeDigest&) = default;
};
/// Computes the digest of a range of slots. `schema` says which records the other side can hold.
[[nodiscard]] RangeDigest digest_range(const SessionSource& source, std::uint32_t first, std::uint32_t count,
                                       TimePoint now, const RecordSchema& schema = kRecordSchemas.back());

}  // namespace icr::replication
