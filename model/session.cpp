#include "model/session.h"

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

std::string_view to_string(NatType type) { return kNatWords[static_cast<std::uint8_t>(type) % kNatTypeCount].shown; }

std::string_view translation_type_keyword(NatType type) {
  return kNatWords[static_cast<std::uint8_t>(type) % kNatTypeCount].keyword;
}

std::uint64_t digest_of(const SessionRecord& record) {
  constexpr std::uint64_t kSeed = 0x2d358dccaa6c78a5ULL;
  const std::uint64_t identity = std::uint64_t{record.ref.slot} << 32 | record.ref.generation;
  if (record.kind != RecordKind::session) {
    const BindingRecord& b = record.binding;
    const FlowKey ends{b.internal, b.external, b.internal_port, b.external_port, b.protocol};
    const std::uint64_t facts = std::uint64_t{record.version} << 32 | std::uint64_t{b.service_set} << 16 | b.pool;
    const std::uint64_t more = std::uint64_t{b.last_port} << 16 |
                               std::uint64_t{static_cast<std::uint8_t>(record.kind)} << 8 |
                               static_cast<std::uint8_t>(b.flags & ~kBindingInUse);
    return detail::mix(hash_of(ends, kSeed) ^ identity, detail::mix(facts ^ kSeed, b.term ^ ~kSeed) ^ more);
  }
  const std::uint64_t state = std::uint64_t{record.version} << 32 | std::uint64_t{record.service_set} << 16 |
                              std::uint64_t{static_cast<std::uint8_t>(record.tcp_state)} << 8 |
                              static_cast<std::uint8_t>(record.nat_type);
  return detail::mix(hash_of(record.flow[0], kSeed) ^ identity, hash_of(record.flow[1], ~kSeed) ^ state ^ kSeed);
}

std::uint32_t jsf_session_id(std::uint16_t set_ordinal, std::uint32_t slot) {
  return (std::uint32_t{set_ordinal} + 1) << 26 | slot;
}

std::uint64_t usf_session_id(std::uint16_t set_ordinal, std::uint32_t slot) {
  return (std::uint64_t{set_ordinal} + 1) << 32 | slot;
}

}  // namespace icr
