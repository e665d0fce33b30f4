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

std::string_view to_string(NatType type) {
  switch (type) {
    case NatType::none:
      return "none";
    case NatType::napt44:
      return "NAPT-44";
  }
  return "none";
}

std::uint64_t digest_of(const SessionRecord& record) {
  constexpr std::uint64_t kSeed = 0x2d358dccaa6c78a5ULL;
  const std::uint64_t identity = std::uint64_t{record.ref.slot} << 32 | record.ref.generation;
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
