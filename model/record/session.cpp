#include "model/record/session.h"

namespace icr {

std::string_view to_string(TcpState state) {
  switch (state) {
    case TcpState::none:
      return "none";
    case TcpState::syn_sent:
      return "SYN-SENT";
    case TcpState::syn_received:
      return "SYN-RECEIVED";
    case TcpState::established:
      return "ESTABLISHED";
    case TcpState::fin_wait:
      return "FIN-WAIT";
    case TcpState::closing:
      return "CLOSING";
    case TcpState::time_wait:
      return "TIME-WAIT";
    case TcpState::closed:
      return "CLOSED";
  }
  return "none";
}

namespace {

struct NatWords {
  std::string_view shown;
  std::string_view keyword;
};
constexpr std::array<NatWords, kNatTypeCount> kNatWords = {{
    {"none", "no-translation"},
    {"NAPT-44", "napt-44"},
    {"BASIC NAT44", "basic-nat44"},
    {"DYNAMIC NAT44", "dynamic-nat44"},
    {"DETERMINISTIC NAPT44", "deterministic-napt44"},
    {"DNAT-44", "dnat-44"},
    {"TWICE BASIC NAT44", "twice-basic-nat-44"},
    {"TWICE DYNAMIC NAT44", "twice-dynamic-nat-44"},
    {"TWICE NAPT44", "twice-napt-44"},
    {"STATEFUL NAT64", "stateful-nat64"},
    {"NPTV6", "nptv6"},
}};

}  // namespace

std::string_view to_string(Adopted adopted) {
  switch (adopted) {
    case Adopted::created:
      return "the master did not know it";
    case Adopted::updated:
      return "the master knew it in an older state";
    case Adopted::known:
      return "the master knew it";
    case Adopted::invalid:
      return "it is not of this configuration";
    case Adopted::flow_taken:
      return "its flow belongs to another session";
    case Adopted::port_taken:
      return "its translated port belongs to another session";
    case Adopted::binding_taken:
      return "the port block or address that it needs belongs to another host";
    case Adopted::limit:
      return "it is beyond a limit";
    case Adopted::table_full:
      return "the table is full";
  }
  return "it is not of this configuration";
}

std::string_view to_string(NatType type) { return kNatWords[static_cast<std::uint8_t>(type) % kNatTypeCount].shown; }

std::string_view translation_type_keyword(NatType type) {
  return kNatWords[static_cast<std::uint8_t>(type) % kNatTypeCount].keyword;
}

namespace {

constexpr std::uint64_t kDigestSeed = 0x2d358dccaa6c78a5ULL;
/// Spreads an identity of 32 bits over a word, so that it cannot be confused with what it is combined with.
constexpr std::uint64_t kSpread = 0x9e3779b97f4a7c15ULL;

std::uint64_t identity_of(SessionRef ref) { return std::uint64_t{ref.slot} << 32 | ref.generation; }

}  // namespace

std::uint64_t session_digest(const SessionFacts& facts, const FlowKey& initiator, const FlowKey& responder) {
  const std::uint64_t state =
      (std::uint64_t{facts.version} << 32 | std::uint64_t{static_cast<std::uint8_t>(facts.tcp_state)} << 8 |
       static_cast<std::uint8_t>(facts.nat_type)) ^
      facts.service_set * kSpread;
  return detail::mix(hash_of(initiator, kDigestSeed) ^ identity_of(facts.ref),
                     hash_of(responder, ~kDigestSeed) ^ state ^ kDigestSeed);
}

std::uint64_t digest_of(const SessionRecord& record) {
  if (record.kind != RecordKind::session) {
    const BindingRecord& b = record.binding;
    const FlowKey ends{b.internal, b.external, b.internal_port, b.external_port, b.protocol};
    const std::uint64_t facts = (std::uint64_t{record.version} << 32 | b.pool) ^ b.service_set * kSpread;
    const std::uint64_t more = std::uint64_t{b.last_port} << 16 |
                               std::uint64_t{static_cast<std::uint8_t>(record.kind)} << 8 |
                               static_cast<std::uint8_t>(b.flags & ~kBindingInUse);
    return detail::mix(hash_of(ends, kDigestSeed) ^ identity_of(record.ref),
                       detail::mix(facts ^ kDigestSeed, b.term ^ ~kDigestSeed) ^ more);
  }
  return session_digest({record.ref, record.version, record.service_set, record.tcp_state, record.nat_type},
                        record.flow[0], record.flow[1]);
}

void SessionSource::digests(std::uint32_t first, std::uint32_t range_slots, std::span<std::uint64_t> out) const {
  SessionRecord record;
  std::uint64_t slot = first;
  for (std::uint64_t& sum : out) {
    sum = 0;
    for (const std::uint64_t end = slot + range_slots; slot < end; ++slot) {
      // A digest covers no times, so any time will do.
      const auto each = static_cast<std::uint32_t>(slot);
      if (slot < capacity() && !is_withheld(each) && read(each, TimePoint{}, record)) sum += digest_of(record);
    }
  }
}

bool SessionSource::used_within(std::uint32_t slot, TimePoint now, Ticks span) const {
  SessionRecord record;
  if (!read(slot, now, record)) return false;
  if (record.kind == RecordKind::session) return record.idle <= span;
  return (record.binding.flags & kBindingInUse) == 0 && record.binding.idle <= span;
}

std::uint32_t jsf_session_id(std::uint32_t set_number, std::uint32_t slot) {
  return ((set_number - 1) % 63 + 1) << 26 | slot;
}

std::uint64_t usf_session_id(std::uint32_t set_number, std::uint32_t slot) {
  return std::uint64_t{set_number} << 32 | slot;
}

}  // namespace icr
