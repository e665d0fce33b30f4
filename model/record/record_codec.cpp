#include "model/record/record_codec.h"

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <limits>

#include "model/base/guilt.h"

namespace icr {
namespace {

constexpr std::uint16_t kPartTcp = 0x1;
constexpr std::uint16_t kPartCounters = 0x2;
constexpr std::uint16_t kPartInitiatedOutside = 0x4;
constexpr std::uint16_t kPartHairpin = 0x8;
constexpr std::uint16_t kPartGuarded = 0x10;
constexpr std::uint16_t kPartAtPeer = 0x20;
constexpr std::uint16_t kPartAsymmetric = 0x40;
constexpr std::uint16_t kKnownParts =
    kPartTcp | kPartCounters | kPartInitiatedOutside | kPartHairpin | kPartGuarded | kPartAtPeer | kPartAsymmetric;

fbs::Address16 address16(const IpAddress& a) {
  std::uint64_t words[2];
  std::memcpy(words, a.bytes.data(), 16);
  return {words[0], words[1]};
}

IpAddress from_address16(const fbs::Address16& a) {
  const std::uint64_t words[2] = {a.high(), a.low()};
  IpAddress out;
  std::memcpy(out.bytes.data(), words, 16);
  return out;
}

fbs::WindowPart window_part(const TcpWindow& w) { return {w.end, w.max_end, w.max_window, w.scale, w.flags, 0}; }

TcpWindow from_window_part(const fbs::WindowPart& w) {
  return TcpWindow{w.end(), w.max_end(), w.max_window(), w.scale(), w.flags()};
}

void fill_core(const fbs::SessionCore& core, SessionRecord& out) {
  out.ref = {core.slot(), core.generation()};
  out.version = core.version();
  out.timeout_s = core.timeout_s();
  out.lifetime_s = core.lifetime_s();
  out.idle = core.idle();
  out.age = core.age();
  out.flow[0].source_port = core.initiator_source_port();
  out.flow[0].destination_port = core.initiator_destination_port();
  out.flow[1].source_port = core.responder_source_port();
  out.flow[1].destination_port = core.responder_destination_port();
  out.tcp_state = static_cast<TcpState>(core.tcp_state());
  out.nat_type = static_cast<NatType>(core.nat_type_flag() & 0x0fU);
  // The addresses are there already; the two flows differ in protocol where they differ in family.
  const bool across = out.flow[0].source.is_v4() != out.flow[1].source.is_v4();
  out.flow[0].protocol = core.protocol();
  out.flow[1].protocol = across ? protocol_across_families(core.protocol()) : core.protocol();
  const unsigned flag = core.nat_type_flag() >> 4U;
  out.flag = flag < kSessionFlagCount ? static_cast<SessionFlag>(flag) : SessionFlag::none;
  out.alg = core.alg() < application_protocols().size() ? core.alg() : kNoApplicationProtocol;
  out.has_tcp = (core.parts() & kPartTcp) != 0;
  out.has_counters = (core.parts() & kPartCounters) != 0;
  out.initiated_outside = (core.parts() & kPartInitiatedOutside) != 0;
  out.hairpin = (core.parts() & kPartHairpin) != 0;
  out.asymmetric = (core.parts() & kPartAsymmetric) != 0;
  const bool guarded = (core.parts() & kPartGuarded) != 0;
  if ((core.parts() & kPartAtPeer) != 0) {
    out.newest_state = guarded ? NewestState::at_peer : NewestState::withheld;
  } else {
    out.newest_state = guarded ? NewestState::here_only : NewestState::not_said;
  }
}

/// Counts the rows that a core announces and checks the values that the verifier cannot know.
Result<void> check_core(const fbs::SessionCore& core, std::size_t& tcp, std::size_t& counters) {
  if (core.slot() >= kMaxSlots) return fail("slot {} out of range", core.slot());
  if (core.generation() == 0) return fail("session {}: generation 0", core.slot());
  tcp += (core.parts() & kPartTcp) != 0 ? 1U : 0U;
  counters += (core.parts() & kPartCounters) != 0 ? 1U : 0U;
  return {};
}

Result<void> check_binding(const fbs::Binding& row) {
  if (row.kind() == 0) return fail("binding {}: kind 0", row.slot());
  if (row.slot() >= kMaxRecordSlots) return fail("slot {} of a binding out of range", row.slot());
  if (row.generation() == 0) return fail("binding {}: generation 0", row.slot());
  if (row.kind() == static_cast<std::uint8_t>(RecordKind::port_block) && row.last_port() < row.external_port()) {
    return fail("binding {}: ports {} to {}", row.slot(), row.external_port(), row.last_port());
  }
  return {};
}

/// True if something of a session that is known is not.
bool is_reduced(const fbs::SessionCore& core) {
  return (core.parts() & ~kKnownParts) != 0 || core.nat_type_flag() >> 4U >= kSessionFlagCount ||
         core.alg() >= application_protocols().size();
}

template <class Vector>
std::size_t size_of(const Vector* vector) {
  return vector == nullptr ? 0 : vector->size();
}

template <class T>
flatbuffers::Offset<flatbuffers::Vector<const T*>> joined(flatbuffers::FlatBufferBuilder& builder,
                                                          const std::vector<T>& first, const std::vector<T>& second) {
  const std::size_t total = first.size() + second.size();
  if (total == 0) return 0;
  // Not CreateUninitializedVectorOfStructs(), which aligns a column to the size of its rows instead of to their
  // alignment: up to a hundred wasted bytes, in messages that often carry one session.
  builder.StartVector(total * sizeof(T) / flatbuffers::AlignOf<T>(), flatbuffers::AlignOf<T>());
  // A buffer is built back to front.
  if (!second.empty())
    builder.PushBytes(reinterpret_cast<const std::uint8_t*>(second.data()), second.size() * sizeof(T));
  if (!first.empty()) builder.PushBytes(reinterpret_cast<const std::uint8_t*>(first.data()), first.size() * sizeof(T));
  return flatbuffers::Offset<flatbuffers::Vector<const T*>>(builder.EndVector(total));
}

/// Checks that a row names nothing that the column of names does not have.
Result<void> check_names(const flatbuffers::Vector<StableId>* names, std::uint32_t slot,
                         std::initializer_list<std::uint16_t> places) {
  if (names == nullptr) return {};
  for (const std::uint16_t place : places) {
    if (place > names->size()) return fail("row of slot {}: name {} of {}", slot, place, names->size());
  }
  return {};
}

std::size_t hash_of_name(StableId id, std::size_t size) { return (id * 0x9e3779b97f4a7c15ULL >> 32U) & (size - 1); }

}  // namespace

void BatchEncoder::enter(std::uint16_t place) {
  std::size_t at = hash_of_name(names_[place - 1U], name_places_.size());
  while (name_places_[at] != 0) at = (at + 1) & (name_places_.size() - 1);
  name_places_[at] = place;
}

std::uint16_t BatchEncoder::place_of(StableId id) {
  if (id == 0) return 0;
  std::size_t at = hash_of_name(id, name_places_.size());
  for (; name_places_[at] != 0; at = (at + 1) & (name_places_.size() - 1)) {
    if (names_[name_places_[at] - 1U] == id) return name_places_[at];
  }
  ICR_MUST(names_.size() < std::numeric_limits<std::uint16_t>::max());
  names_.push_back(id);
  const auto place = static_cast<std::uint16_t>(names_.size());
  if (2 * names_.size() < name_places_.size()) {
    enter(place);
    return place;
  }
  name_places_.assign(2 * name_places_.size(), 0);
  for (std::uint16_t each = 1; each <= place; ++each) enter(each);
  return place;
}

fbs::SessionCore BatchEncoder::core_of(const SessionRecord& r) {
  std::uint16_t parts = 0;
  if (r.has_tcp) parts |= kPartTcp;
  if (r.has_counters) parts |= kPartCounters;
  if (r.initiated_outside) parts |= kPartInitiatedOutside;
  if (r.hairpin) parts |= kPartHairpin;
  if (r.asymmetric) parts |= kPartAsymmetric;
  const bool withheld = r.newest_state == NewestState::withheld;
  if (r.newest_state != NewestState::not_said && !withheld) parts |= kPartGuarded;
  if (r.newest_state == NewestState::at_peer || withheld) parts |= kPartAtPeer;
  const auto nat_and_flag =
      static_cast<std::uint8_t>(static_cast<unsigned>(r.nat_type) | static_cast<unsigned>(r.flag) << 4U);
  return fbs::SessionCore(r.ref.slot, r.ref.generation, r.version, r.timeout_s, r.lifetime_s, r.idle, r.age,
                          r.flow[0].source_port, r.flow[0].destination_port, r.flow[1].source_port,
                          r.flow[1].destination_port, place_of(r.service_set), place_of(r.policy), place_of(r.nat_pool),
                          parts, r.flow[0].protocol, static_cast<std::uint8_t>(r.tcp_state), nat_and_flag, r.alg);
}

void BatchEncoder::add(const SessionRecord& r) {
  if (r.kind != RecordKind::session) {
    const BindingRecord& b = r.binding;
    bindings_.emplace_back(address16(b.internal), address16(b.external), b.term, r.ref.slot, r.ref.generation,
                           r.version, b.timeout_s, b.idle, b.age, b.internal_port, b.external_port, b.last_port,
                           place_of(b.pool), place_of(b.service_set), static_cast<std::uint8_t>(r.kind), b.protocol,
                           b.flags, std::uint8_t{0}, std::uint16_t{0});
    return;
  }
  const bool four = r.flow[0].source.is_v4() && r.flow[0].destination.is_v4() && r.flow[1].source.is_v4() &&
                    r.flow[1].destination.is_v4();
  const unsigned column = four ? 0 : 1;
  if (four) {
    v4_.emplace_back(r.flow[0].source.to_v4(), r.flow[0].destination.to_v4(), r.flow[1].source.to_v4(),
                     r.flow[1].destination.to_v4(), core_of(r));
  } else {
    v6_.emplace_back(address16(r.flow[0].source), address16(r.flow[0].destination), address16(r.flow[1].source),
                     address16(r.flow[1].destination), core_of(r));
  }
  if (r.has_tcp) tcp_[column].emplace_back(window_part(r.tcp[0]), window_part(r.tcp[1]));
  if (r.has_counters) {
    counters_[column].emplace_back(r.counters[0].packets, r.counters[0].bytes, r.counters[1].packets,
                                   r.counters[1].bytes);
  }
}

void BatchEncoder::add_tombstone(SessionRef ref) { tombstones_.emplace_back(ref.slot, ref.generation); }

void BatchEncoder::reserve(std::size_t sessions) {
  v4_.reserve(sessions);
  tcp_[0].reserve(sessions);
  counters_[0].reserve(sessions);
  names_.reserve(name_places_.size() / 2);  // more of them make name_places_ grow as well
}

std::size_t BatchEncoder::bytes() const {
  return v4_.size() * sizeof(fbs::Session4) + v6_.size() * sizeof(fbs::Session6) +
         (tcp_[0].size() + tcp_[1].size()) * sizeof(fbs::TcpPart) +
         (counters_[0].size() + counters_[1].size()) * sizeof(fbs::CounterPart) +
         tombstones_.size() * sizeof(fbs::Tombstone) + bindings_.size() * sizeof(fbs::Binding) +
         names_.size() * sizeof(StableId);
}

flatbuffers::Offset<fbs::SessionBatch> BatchEncoder::finish(flatbuffers::FlatBufferBuilder& builder) {
  static const std::vector<fbs::Session4> no_v4;
  static const std::vector<fbs::Session6> no_v6;
  static const std::vector<fbs::Tombstone> no_tombstones;
  static const std::vector<fbs::Binding> no_bindings;
  const auto v4 = joined(builder, v4_, no_v4);
  const auto v6 = joined(builder, v6_, no_v6);
  const auto tcp = joined(builder, tcp_[0], tcp_[1]);
  const auto counters = joined(builder, counters_[0], counters_[1]);
  const auto tombstones = joined(builder, tombstones_, no_tombstones);
  const auto bindings = joined(builder, bindings_, no_bindings);
  flatbuffers::Offset<flatbuffers::Vector<StableId>> names;
  if (!names_.empty()) names = builder.CreateVector(names_);
  clear();
  return fbs::CreateSessionBatch(builder, v4, v6, tcp, counters, tombstones, bindings, names);
}

void BatchEncoder::clear() {
  v4_.clear();
  v6_.clear();
  for (auto& rows : tcp_) rows.clear();
  for (auto& rows : counters_) rows.clear();
  tombstones_.clear();
  bindings_.clear();
  if (names_.empty()) return;
  names_.clear();
  std::fill(name_places_.begin(), name_places_.end(), std::uint16_t{0});
}

Result<BatchDecoder> BatchDecoder::check(const fbs::SessionBatch* batch, std::size_t max_rows) {
  if (batch == nullptr) return fail("no session batch");
  BatchDecoder out;
  out.batch_ = batch;
  out.v4_ = size_of(batch->v4());
  out.v6_ = size_of(batch->v6());
  out.tombstones_ = size_of(batch->tombstones());
  out.bindings_ = size_of(batch->bindings());
  out.names_ = batch->names();
  const std::size_t rows = out.v4_ + out.v6_ + out.tombstones_ + out.bindings_;
  if (rows > max_rows) return fail("{} rows in a batch, at most {} are accepted", rows, max_rows);
  // The verifier checks where vectors lie, not how their elements are aligned; reading them wants 8.
  const auto misaligned = [](const void* p) { return p != nullptr && reinterpret_cast<std::uintptr_t>(p) % 4 != 0; };
  const auto misaligned8 = [](const void* p) { return p != nullptr && reinterpret_cast<std::uintptr_t>(p) % 8 != 0; };
  if (misaligned(out.v4_ ? batch->v4()->Data() : nullptr) || misaligned8(out.v6_ ? batch->v6()->Data() : nullptr) ||
      misaligned(size_of(batch->tcp()) ? batch->tcp()->Data() : nullptr) ||
      misaligned8(size_of(batch->counters()) ? batch->counters()->Data() : nullptr) ||
      misaligned(out.tombstones_ ? batch->tombstones()->Data() : nullptr) ||
      misaligned8(out.bindings_ ? batch->bindings()->Data() : nullptr) ||
      misaligned(size_of(out.names_) ? out.names_->Data() : nullptr)) {
    return fail("misaligned column in a session batch");
  }
  std::size_t tcp = 0;
  std::size_t counters = 0;
  for (std::size_t row = 0; row < out.sessions(); ++row) {
    const fbs::SessionCore& core = out.core(row);
    if (auto ok = check_core(core, tcp, counters); !ok) return tl::unexpected(ok.error());
    const auto named = check_names(out.names_, core.slot(), {core.service_set(), core.policy(), core.nat_pool()});
    if (!named) return tl::unexpected(named.error());
    if (!knows(core)) {
      ++out.unknown_.records;
    } else if (is_reduced(core)) {
      ++out.unknown_.reduced;
    }
  }
  if (tcp != size_of(batch->tcp())) return fail("{} TCP rows for {} TCP sessions", size_of(batch->tcp()), tcp);
  if (counters != size_of(batch->counters())) {
    return fail("{} counter rows for {} sessions that announce them", size_of(batch->counters()), counters);
  }
  for (std::size_t row = 0; row < tcp; ++row) {
    const auto* part = batch->tcp()->Get(static_cast<unsigned>(row));
    if (part->initiator().scale() > 14 || part->responder().scale() > 14) return fail("TCP window scale out of range");
  }
  for (std::size_t row = 0; row < out.tombstones_; ++row) {
    const auto* dead = batch->tombstones()->Get(static_cast<unsigned>(row));
    if (dead->slot() >= kMaxRecordSlots) return fail("tombstone of slot {} out of range", dead->slot());
  }
  for (std::size_t row = 0; row < out.bindings_; ++row) {
    const fbs::Binding& each = out.binding(row);
    if (auto ok = check_binding(each); !ok) return tl::unexpected(ok.error());
    const auto named = check_names(out.names_, each.slot(), {each.pool(), each.service_set()});
    if (!named) return tl::unexpected(named.error());
    if (!knows(each)) {
      ++out.unknown_.records;
    } else if ((each.flags() & ~kKnownBindingFlags) != 0) {
      ++out.unknown_.reduced;
    }
  }
  return out;
}

StableId BatchDecoder::name(std::uint16_t place) const {
  return names_ == nullptr || place == 0 ? 0 : names_->Get(place - 1U);
}

bool BatchDecoder::knows(const fbs::SessionCore& core) {
  return core.tcp_state() < kTcpStateCount && (core.nat_type_flag() & 0x0fU) < kNatTypeCount;
}

bool BatchDecoder::knows(const fbs::Binding& row) { return row.kind() < kRecordKindCount; }

const fbs::SessionCore& BatchDecoder::core(std::size_t row) const {
  if (row < v4_) return batch_->v4()->Get(static_cast<unsigned>(row))->core();
  return batch_->v6()->Get(static_cast<unsigned>(row - v4_))->core();
}

const fbs::Binding& BatchDecoder::binding(std::size_t row) const {
  return *batch_->bindings()->Get(static_cast<unsigned>(row));
}

void BatchDecoder::read_binding(std::size_t row, SessionRecord& out) const {
  const fbs::Binding& from = *batch_->bindings()->Get(static_cast<unsigned>(row));
  out = SessionRecord{};
  out.ref = {from.slot(), from.generation()};
  out.kind = static_cast<RecordKind>(from.kind());
  out.version = from.version();
  BindingRecord& b = out.binding;
  b.term = from.term();
  b.internal = from_address16(from.internal());
  b.external = from_address16(from.external());
  b.internal_port = from.internal_port();
  b.external_port = from.external_port();
  b.last_port = from.last_port();
  b.protocol = from.protocol();
  b.flags = from.flags() & kKnownBindingFlags;
  b.pool = name(from.pool());
  b.service_set = name(from.service_set());
  b.timeout_s = from.timeout_s();
  b.idle = from.idle();
  b.age = from.age();
}

void BatchDecoder::read(std::size_t row, std::size_t& tcp, std::size_t& counters, SessionRecord& out) const {
  if (row < v4_) {
    const auto* session = batch_->v4()->Get(static_cast<unsigned>(row));
    out.flow[0].source = IpAddress::v4(session->initiator_source());
    out.flow[0].destination = IpAddress::v4(session->initiator_destination());
    out.flow[1].source = IpAddress::v4(session->responder_source());
    out.flow[1].destination = IpAddress::v4(session->responder_destination());
    fill_core(session->core(), out);
  } else {
    const auto* session = batch_->v6()->Get(static_cast<unsigned>(row - v4_));
    out.flow[0].source = from_address16(session->initiator_source());
    out.flow[0].destination = from_address16(session->initiator_destination());
    out.flow[1].source = from_address16(session->responder_source());
    out.flow[1].destination = from_address16(session->responder_destination());
    fill_core(session->core(), out);
  }
  const fbs::SessionCore& from = core(row);
  out.service_set = name(from.service_set());
  out.policy = name(from.policy());
  out.nat_pool = name(from.nat_pool());
  if (out.has_tcp) {
    const auto* part = batch_->tcp()->Get(static_cast<unsigned>(tcp++));
    out.tcp = {from_window_part(part->initiator()), from_window_part(part->responder())};
  }
  if (out.has_counters) {
    const auto* part = batch_->counters()->Get(static_cast<unsigned>(counters++));
    out.counters[0] = {part->initiator_packets(), part->initiator_bytes()};
    out.counters[1] = {part->responder_packets(), part->responder_bytes()};
  }
}

SessionRef BatchDecoder::tombstone(std::size_t row) const {
  const auto* dead = batch_->tombstones()->Get(static_cast<unsigned>(row));
  return {dead->slot(), dead->generation()};
}

const std::uint8_t* aligned(const void* data, std::size_t size, std::vector<std::uint64_t>& scratch) {
  if (reinterpret_cast<std::uintptr_t>(data) % 8 == 0) return static_cast<const std::uint8_t*>(data);
  scratch.resize((size + 7) / 8);
  if (size != 0) std::memcpy(scratch.data(), data, size);
  return reinterpret_cast<const std::uint8_t*>(scratch.data());
}

}  // namespace icr
