#include "model/record/nat64_address.h"

namespace icr {
namespace {

constexpr unsigned kReservedOctet = 8;  // bits 64 to 71

/// Calls `visit(i)` for the four octets of the address that hold the IPv4 address, in order.
template <class Visit>
void for_each_octet(std::uint8_t prefix_length, Visit&& visit) {
  unsigned at = prefix_length / 8U;
  for (unsigned n = 0; n < 4; ++n, ++at) {
    if (at == kReservedOctet) ++at;
    visit(at);
  }
}

}  // namespace

bool is_nat64_prefix_length(std::uint8_t length) {
  return length == 32 || length == 40 || length == 48 || length == 56 || length == 64 || length == 96;
}

IpAddress embed_v4(const Prefix& prefix, std::uint32_t v4) {
  IpAddress out = prefix.base;
  unsigned shift = 32;
  for_each_octet(prefix.length, [&](unsigned at) { out.bytes[at] = static_cast<std::uint8_t>(v4 >> (shift -= 8)); });
  return out;
}

std::optional<std::uint32_t> extract_v4(const Prefix& prefix, const IpAddress& address) {
  if (!prefix.contains(address) || address.bytes[kReservedOctet] != 0) return std::nullopt;
  std::uint32_t out = 0;
  for_each_octet(prefix.length, [&](unsigned at) { out = out << 8 | address.bytes[at]; });
  return out;
}

}  // namespace icr
