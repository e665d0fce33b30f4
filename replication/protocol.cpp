#include "replication/protocol.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "replication/protocol_generated.h"

namespace icr::replication {
namespace {

// A heartbeat tells the role in which its sender acts, so it is never `claiming`.
constexpr std::uint8_t kRoleCount = static_cast<std::uint8_t>(Role::master) + 1;
constexpr std::uint8_t kSyncCount = enum_end<Sync>();

// Envelope, body and session batch: three tables; room for what later releases may add.
constexpr flatbuffers::uoffset_t kMaxTables = 16;
constexpr flatbuffers::uoffset_t kMaxDepth = 8;
/// Ways in which a record of a merge may end, in whatever release.
constexpr std::size_t kMaxAdoptedKinds = 64;

template <class Table>
Position position_of(const Table& table) {
  return {table.epoch(), table.base(), table.sequence()};
}

bool sane(const Position& p) { return p.epoch != 0 && p.base != 0 && p.base <= p.sequence && p.sequence < kMaxNumber; }

bool printable(char c) { return c >= ' ' && c <= '~'; }

/// What a heartbeat says about its sender's table. Returns false if something is out of range.
bool read_lag(const fbs::Heartbeat& from, std::optional<Lag>& out) {
  const fbs::Lag* lag = from.lag();
  if (lag == nullptr) return true;
  out = Lag{lag->sessions(), lag->waiting(), lag->unacknowledged(), lag->oldest_us(), lag->copying()};
  return out->sessions <= kMaxRecordSlots && out->waiting <= 2 * kMaxRecordSlots;
}

/// What a heartbeat says about its sender's state. False: something is out of range.
bool read_condition(const fbs::Heartbeat& from, Heartbeat& out) {
  out.health_weight = from.health_weight();
  out.late_us = from.late_us();
  if (out.health_weight > kMaxHealthWeight || out.late_us > kMaxLateMicros) return false;
  out.answers = from.answers();
  out.promise_us = from.promise_us();
  out.relies = from.relies();
  out.takes_packets = from.takes_packets();
  if (out.promise_us > kMaxPromiseMicros) return false;
  if (const auto* reasons = from.health_reasons()) {
    if (reasons->size() > kMaxHealthReasons || !std::all_of(reasons->begin(), reasons->end(), printable)) return false;
    out.health_reasons = reasons->str();
  }
  const auto* addresses = from.addresses();
  if (addresses == nullptr) return true;
  constexpr std::size_t kEach = sizeof(IpAddress::bytes);
  if (addresses->size() % kEach != 0 || addresses->size() / kEach > kMaxPeerAddresses) return false;
  out.addresses.resize(addresses->size() / kEach);
  for (std::size_t i = 0; i < out.addresses.size(); ++i) {
    std::copy_n(addresses->data() + i * kEach, kEach, out.addresses[i].bytes.begin());
  }
  return true;
}

bool read_entries(const flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>* names,
                  const flatbuffers::Vector<std::uint64_t>* digests, std::vector<Configuration::Entry>& out) {
  const std::size_t size = names == nullptr ? 0 : names->size();
  if (size != (digests == nullptr ? 0 : digests->size()) || size > kMaxConfigurationEntries) return false;
  for (unsigned i = 0; i < size; ++i) {
    const auto* name = names->Get(i);
    if (name->size() > kMaxConfigurationName || !std::all_of(name->begin(), name->end(), printable)) return false;
    std::uint64_t digest = 0;
    std::memcpy(&digest, digests->Data() + i * sizeof(digest), sizeof(digest));  // it need not be aligned
    out.push_back({name->str(), digest});
  }
  return true;
}

bool read_digests(const fbs::Envelope& envelope, Digests& out) {
  const auto& b = *envelope.body_as_Digests();
  const auto* digests = b.digests();
  out.position = position_of(envelope);
  out.first = b.first();
  out.range_slots = b.range_slots();
  if (!sane(out.position) || digests == nullptr || digests->size() == 0 || digests->size() > kMaxDigests ||
      out.range_slots == 0 || out.range_slots > kMaxAuditSlots ||
      out.first + std::uint64_t{out.range_slots} * (digests->size() - 1) >= kMaxRecordSlots) {
    return false;
  }
  out.digests.resize(digests->size());
  std::memcpy(out.digests.data(), digests->Data(), out.digests.size() * sizeof(std::uint64_t));  // it may be unaligned
  return true;
}

bool read_compared(const fbs::Compared& from, Compared& out) {
  const auto* equal = from.equal();
  out.position = position_of(from);
  if (!sane(out.position) || equal == nullptr || equal->size() == 0 || equal->size() > kMaxDigests / 8) return false;
  out.equal.assign(equal->begin(), equal->end());
  return true;
}

bool read_body(const fbs::Envelope& envelope, Body& out, Refusal& why) {
  why = Refusal::bad_value;
  switch (envelope.body_type()) {
    case fbs::Body::Heartbeat: {
      const auto& b = *envelope.body_as_Heartbeat();
      Heartbeat beat;
      beat.number = b.number();
      beat.heard_boot = b.heard_boot();
      beat.role = static_cast<Role>(b.role());
      beat.sync = static_cast<Sync>(b.sync());
      beat.priority = b.priority();
      beat.state_term = b.state_term();
      beat.warnings = b.warnings();
      beat.asks_switchover = b.asks_switchover();
      beat.stream = position_of(b);
      beat.schema = b.schema();
      beat.claimed_term = b.claimed_term();
      beat.commit_number = b.commit_number();
      beat.running_digest = b.running_digest();
      beat.commit_waits = b.commit_waits();
      // A stream whose attempt has not sent anything yet stands one before its base.
      const bool sound = read_condition(b, beat) && read_lag(b, beat.lag) && beat.number != 0 &&
                         b.role() < kRoleCount && b.sync() < kSyncCount && beat.state_term <= envelope.term() &&
                         beat.stream.base < kMaxNumber && beat.stream.sequence < kMaxNumber;
      out = std::move(beat);
      return sound;
    }
    case fbs::Body::Handover: {
      const auto& b = *envelope.body_as_Handover();
      out = Handover{b.epoch(), b.sequence()};
      return b.epoch() != 0 && b.sequence() < kMaxNumber;
    }
    case fbs::Body::SyncRequest: {
      const auto& b = *envelope.body_as_SyncRequest();
      out = SyncRequest{b.epoch(), b.compares(), b.age_ms()};
      return b.epoch() != 0;
    }
    case fbs::Body::StreamBegin: {
      const auto& b = *envelope.body_as_StreamBegin();
      auto layout = decode_layout(b.layout());
      if (!layout) return false;
      out = StreamBegin{position_of(b), b.capacity(), std::move(*layout)};
      return sane(position_of(b)) && b.capacity() <= kMaxRecordSlots;
    }
    case fbs::Body::Batch: {
      const auto& b = *envelope.body_as_Batch();
      out = Batch{position_of(b), b.sessions(), b.waiting(), b.counters_only()};
      return sane(position_of(b)) && b.sessions() != nullptr;
    }
    case fbs::Body::BulkEnd: {
      const auto& b = *envelope.body_as_BulkEnd();
      out = BulkEnd{position_of(b), b.waiting()};
      return sane(position_of(b));
    }
    case fbs::Body::Audit: {
      const auto& b = *envelope.body_as_Audit();
      out = Audit{position_of(b), b.first(), b.count(), b.sessions(), b.digest(), b.waiting()};
      return sane(position_of(b)) && b.count() <= kMaxAuditSlots && b.first() < kMaxRecordSlots;
    }
    case fbs::Body::Ack: {
      const auto& b = *envelope.body_as_Ack();
      out = Ack{b.epoch(), b.base(), b.applied(), b.lacks()};
      return b.epoch() != 0 && b.base() < kMaxNumber && b.applied() < kMaxNumber;
    }
    case fbs::Body::Nack: {
      const auto& b = *envelope.body_as_Nack();
      out = Nack{b.epoch(), b.base(), b.expected(), b.lacks()};
      return b.epoch() != 0 && b.base() < kMaxNumber && b.expected() < kMaxNumber && b.expected() != 0;
    }
    case fbs::Body::Adopt: {
      const auto& b = *envelope.body_as_Adopt();
      out = Adopt{b.former_term(), b.number(), b.last(), b.sessions()};
      return b.former_term() != 0 && b.former_term() < envelope.term() && b.former_term() % 2 == envelope.member() &&
             b.number() != 0 && b.number() < kMaxNumber;
    }
    case fbs::Body::AdoptAck: {
      const auto& b = *envelope.body_as_AdoptAck();
      AdoptAck ack{b.former_term(), b.number(), {}};
      const auto* counts = b.counts();
      if (counts == nullptr || counts->size() > kMaxAdoptedKinds) return false;
      // A stranger's vector need not be aligned: the verifier looks at its bounds only.
      const std::size_t known = std::min<std::size_t>(counts->size(), kAdoptedCount);
      std::memcpy(ack.counts.data(), counts->Data(), known * sizeof(ack.counts[0]));
      out = ack;
      return b.former_term() != 0 && b.former_term() < envelope.term() && b.number() < kMaxNumber;
    }
    case fbs::Body::Configuration: {
      const auto& b = *envelope.body_as_Configuration();
      Configuration configuration;
      configuration.has_settings = b.has_settings();
      const bool sound = read_entries(b.parts(), b.part_digests(), configuration.parts) &&
                         read_entries(b.settings(), b.setting_digests(), configuration.settings);
      out = std::move(configuration);
      return sound;
    }
    case fbs::Body::RelayedPacket: {
      const auto& b = *envelope.body_as_RelayedPacket();
      if (b.packet() == nullptr || b.packet()->size() == 0 || b.packet()->size() > kMaxRelayedBytes) return false;
      out = RelayedPacket{b.service_set(),
                          b.inside(),
                          b.partial_checksum(),
                          b.segment_bytes(),
                          {b.packet()->data(), b.packet()->size()}};
      return b.segment_bytes() == 0 || b.partial_checksum();
    }
    case fbs::Body::Digests: {
      Digests digests;
      const bool sound = read_digests(envelope, digests);
      out = std::move(digests);
      return sound;
    }
    case fbs::Body::Compared: {
      Compared compared;
      const bool sound = read_compared(*envelope.body_as_Compared(), compared);
      out = std::move(compared);
      return sound;
    }
    case fbs::Body::NONE:
      break;
  }
  why = Refusal::unknown_body;
  return false;
}

}  // namespace

const Message* MessageReader::refuse(Refusal why) {
  ++refused_[static_cast<std::size_t>(why)];
  refusal_ = why;
  return nullptr;
}

const Message* MessageReader::read(std::span<const std::uint8_t> bytes) {
  if (bytes.size() > kMaxMessageBytes) return refuse(Refusal::oversized);
  const std::uint8_t* data = aligned(bytes.data(), bytes.size(), scratch_);
  // The root offset and the identifier must be there before anything may look at them.
  if (bytes.size() < 2 * sizeof(flatbuffers::uoffset_t)) return refuse(Refusal::malformed);
  flatbuffers::Verifier verifier(data, bytes.size(), kMaxDepth, kMaxTables);
  if (!fbs::VerifyEnvelopeBuffer(verifier)) return refuse(Refusal::malformed);
  const fbs::Envelope& envelope = *fbs::GetEnvelope(data);

  message_.header = {envelope.cluster_digest(), envelope.boot(),    envelope.term(),  envelope.redundancy_set(),
                     envelope.member(),         envelope.cluster(), envelope.sender()};
  const Header& header = message_.header;
  if (header.cluster != expected_.cluster) {
    stranger_is_old_ = header.cluster == 0;
    return refuse(Refusal::wrong_cluster);
  }
  if (header.set != expected_.set) return refuse(Refusal::wrong_set);
  if (header.member != expected_.member || header.sender != expected_.sender) return refuse(Refusal::wrong_member);
  if (message_.header.boot == 0 || message_.header.term >= kMaxNumber) return refuse(Refusal::bad_value);
  Refusal why = Refusal::malformed;
  // A kind of a later release. Those that have a place in the stream tell it here, or everything behind would be lost.
  if (envelope.body_type() > fbs::Body::MAX && sane(position_of(envelope))) {
    message_.body = UnknownNumbered{position_of(envelope)};
    return &message_;
  }
  // The verifier lets an unknown body pass, and a known type without a body.
  if (envelope.body() == nullptr) return refuse(Refusal::unknown_body);
  if (!read_body(envelope, message_.body, why)) return refuse(why);
  return &message_;
}

void MessageReader::append_to(CounterList& out) const {
  static constexpr std::array<std::string_view, kRefusalCount> kNames = {
      "refused-oversized",    "refused-malformed",    "refused-wrong-cluster", "refused-wrong-set",
      "refused-wrong-member", "refused-unknown-kind", "refused-bad-value"};
  for (std::size_t i = 0; i < kRefusalCount; ++i) out.push_back({std::string(kNames[i]), refused_[i]});
}

MessageWriter::MessageWriter() : builder_(1024) {}

MessageWriter::Bytes MessageWriter::seal(const Header& header, std::uint8_t type, std::uint32_t body,
                                         const Position& place) {
  // A place of zeros is not written.
  const Position at = place.epoch == 0 ? Position{0, 0, 0} : place;
  fbs::FinishEnvelopeBuffer(
      builder_, fbs::CreateEnvelope(builder_, header.cluster_digest, header.boot, header.term, header.member,
                                    static_cast<fbs::Body>(type), flatbuffers::Offset<void>(body), at.epoch, at.base,
                                    at.sequence, header.cluster, header.set, header.sender));
  return {builder_.GetBufferPointer(), builder_.GetSize()};
}

template <class Table>
MessageWriter::Bytes MessageWriter::seal(const Header& header, flatbuffers::Offset<Table> body, const Position& place) {
  return seal(header, static_cast<std::uint8_t>(fbs::BodyTraits<Table>::enum_value), body.o, place);
}

MessageWriter::Bytes MessageWriter::write(const Header& header, const Heartbeat& b) {
  builder_.Clear();
  flatbuffers::Offset<flatbuffers::String> reasons;
  if (!b.health_reasons.empty()) {
    std::string text = b.health_reasons.substr(0, kMaxHealthReasons);
    std::replace_if(
        text.begin(), text.end(), [](char c) { return !printable(c); }, '?');
    reasons = builder_.CreateString(text);
  }
  flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> addresses;
  if (!b.addresses.empty()) {
    std::vector<std::uint8_t> octets;
    for (std::size_t i = 0; i < std::min(b.addresses.size(), kMaxPeerAddresses); ++i) {
      octets.insert(octets.end(), b.addresses[i].bytes.begin(), b.addresses[i].bytes.end());
    }
    addresses = builder_.CreateVector(octets);
  }
  std::optional<fbs::Lag> lag;
  if (b.lag) lag.emplace(b.lag->sessions, b.lag->waiting, b.lag->unacknowledged, b.lag->oldest_us, b.lag->copying);
  return seal(header, fbs::CreateHeartbeat(
                          builder_, b.number, b.heard_boot, static_cast<std::uint8_t>(b.role),
                          static_cast<std::uint8_t>(b.sync), b.priority, b.state_term, b.warnings, b.asks_switchover,
                          b.stream.epoch, b.stream.base, b.stream.sequence, std::min(b.health_weight, kMaxHealthWeight),
                          reasons, std::min(b.late_us, kMaxLateMicros), addresses, b.schema, b.claimed_term,
                          b.commit_number, b.running_digest, b.commit_waits, b.answers,
                          std::min(b.promise_us, kMaxPromiseMicros), b.relies, b.takes_packets, lag ? &*lag : nullptr));
}

MessageWriter::Bytes MessageWriter::write(const Header& header, const Handover& b) {
  builder_.Clear();
  return seal(header, fbs::CreateHandover(builder_, b.epoch, b.sequence));
}

MessageWriter::Bytes MessageWriter::write(const Header& header, const SyncRequest& b) {
  builder_.Clear();
  return seal(header, fbs::CreateSyncRequest(builder_, b.epoch, b.compares, b.age_ms));
}

MessageWriter::Bytes MessageWriter::write(const Header& header, const StreamBegin& b) {
  builder_.Clear();
  const Position& p = b.position;
  const auto layout = encode_layout(b.layout, builder_);
  return seal(header, fbs::CreateStreamBegin(builder_, p.epoch, p.base, p.sequence, b.capacity, layout));
}

MessageWriter::Bytes MessageWriter::write(const Header& header, const Batch& b, BatchEncoder& sessions) {
  builder_.Clear();
  const Position& p = b.position;
  const auto rows = sessions.finish(builder_);
  return seal(header, fbs::CreateBatch(builder_, p.epoch, p.base, p.sequence, rows, b.waiting, b.counters_only));
}

MessageWriter::Bytes MessageWriter::write(const Header& header, const BulkEnd& b) {
  builder_.Clear();
  return seal(header, fbs::CreateBulkEnd(builder_, b.position.epoch, b.position.base, b.position.sequence, b.waiting));
}

MessageWriter::Bytes MessageWriter::write(const Header& header, const Audit& b) {
  builder_.Clear();
  const Position& p = b.position;
  return seal(header, fbs::CreateAudit(builder_, p.epoch, p.base, p.sequence, b.first, b.count, b.sessions, b.digest,
                                       b.waiting));
}

MessageWriter::Bytes MessageWriter::write(const Header& header, const Digests& b) {
  builder_.Clear();
  const auto digests = builder_.CreateVector(b.digests);
  return seal(header, fbs::CreateDigests(builder_, b.first, b.range_slots, digests), b.position);
}

MessageWriter::Bytes MessageWriter::write(const Header& header, const Compared& b) {
  builder_.Clear();
  const Position& p = b.position;
  const auto equal = builder_.CreateVector(b.equal);
  return seal(header, fbs::CreateCompared(builder_, p.epoch, p.base, p.sequence, equal));
}

MessageWriter::Bytes MessageWriter::write(const Header& header, const Ack& b) {
  builder_.Clear();
  return seal(header, fbs::CreateAck(builder_, b.epoch, b.base, b.applied, b.lacks));
}

MessageWriter::Bytes MessageWriter::write(const Header& header, const Nack& b) {
  builder_.Clear();
  return seal(header, fbs::CreateNack(builder_, b.epoch, b.base, b.expected, b.lacks));
}

MessageWriter::Bytes MessageWriter::write(const Header& header, const Adopt& b, BatchEncoder& sessions) {
  builder_.Clear();
  const auto rows = sessions.finish(builder_);
  return seal(header, fbs::CreateAdopt(builder_, b.former_term, b.number, b.last, rows));
}

MessageWriter::Bytes MessageWriter::write(const Header& header, const AdoptAck& b) {
  builder_.Clear();
  const auto counts = builder_.CreateVector(b.counts.data(), b.counts.size());
  return seal(header, fbs::CreateAdoptAck(builder_, b.former_term, b.number, counts));
}

MessageWriter::Bytes MessageWriter::write(const Header& header, const Configuration& b) {
  builder_.Clear();
  const auto add = [this](const std::vector<Configuration::Entry>& entries) {
    std::vector<flatbuffers::Offset<flatbuffers::String>> names;
    std::vector<std::uint64_t> digests;
    for (const auto& entry : entries) {
      std::string name = entry.name.substr(0, kMaxConfigurationName);
      std::replace_if(
          name.begin(), name.end(), [](char c) { return !printable(c); }, '?');
      names.push_back(builder_.CreateString(name));
      digests.push_back(entry.digest);
    }
    const auto name_column = builder_.CreateVector(names);
    return std::pair(name_column, builder_.CreateVector(digests));
  };
  const auto [parts, part_digests] = add(b.parts);
  const auto [settings, setting_digests] = add(b.settings);
  return seal(header,
              fbs::CreateConfiguration(builder_, parts, part_digests, settings, setting_digests, b.has_settings));
}

MessageWriter::Bytes MessageWriter::write(const Header& header, const RelayedPacket& b) {
  builder_.Clear();
  const auto packet = builder_.CreateVector(b.packet.data(), b.packet.size());
  return seal(header,
              fbs::CreateRelayedPacket(builder_, b.service_set, b.inside, b.partial_checksum, b.segment_bytes, packet));
}

RangeDigest digest_range(const SessionSource& source, std::uint32_t first, std::uint32_t count, TimePoint now,
                         const RecordSchema& schema) {
  RangeDigest out;
  SessionRecord record;
  const std::uint32_t end = std::min(source.capacity(), first + count);
  for (std::uint32_t slot = first; slot < end; ++slot) {
    if (source.is_withheld(slot) || !source.read(slot, now, record) || !schema.admits(record)) continue;
    ++out.sessions;
    out.digest += digest_of(record);
  }
  return out;
}

}  // namespace icr::replication
