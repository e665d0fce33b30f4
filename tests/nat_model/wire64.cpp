#include "tests/nat_model/wire64.h"

#include <algorithm>
#include <map>

namespace icr::node::test::nat_model {
namespace {

struct Error {
  std::uint8_t type, code;
};

/// Section 4.2, but for "fragmentation needed" and pointers.
const std::map<std::pair<int, int>, Error>& errors_to_v6() {
  static const std::map<std::pair<int, int>, Error> table = {
      {{3, 0}, {1, 0}},  {{3, 1}, {1, 0}},  {{3, 2}, {4, 1}},  {{3, 3}, {1, 4}},  {{3, 5}, {1, 0}},
      {{3, 6}, {1, 0}},  {{3, 7}, {1, 0}},  {{3, 8}, {1, 0}},  {{3, 9}, {1, 1}},  {{3, 10}, {1, 1}},
      {{3, 11}, {1, 0}}, {{3, 12}, {1, 0}}, {{3, 13}, {1, 1}}, {{3, 15}, {1, 1}}, {{3, 4}, {2, 0}},
  };
  return table;
}

/// Section 5.2.
const std::map<std::pair<int, int>, Error>& errors_to_v4() {
  static const std::map<std::pair<int, int>, Error> table = {
      {{1, 0}, {3, 1}}, {{1, 1}, {3, 10}}, {{1, 2}, {3, 1}}, {{1, 3}, {3, 1}}, {{1, 4}, {3, 3}}, {{4, 1}, {3, 2}},
  };
  return table;
}

/// Figures 3 and 6: where a field of the one header is in the other.
std::optional<std::uint32_t> pointer_across(std::uint32_t p, bool to_v6) {
  if (p <= 1) return p;
  if (to_v6) {
    if (p <= 3) return 4;
    if (p == 8) return 7;
    if (p == 9) return 6;
    if (p >= 12 && p <= 15) return 8;
    if (p >= 16 && p <= 19) return 24;
    return std::nullopt;
  }
  if (p == 4 || p == 5) return 2;
  if (p == 6) return 9;
  if (p == 7) return 8;
  if (p >= 8 && p <= 23) return 12;
  if (p >= 24 && p <= 39) return 16;
  return std::nullopt;
}

std::optional<std::uint32_t> path_mtu_across(const Wire& w, bool to_v6, std::uint32_t ipv6_mtu) {
  if (!to_v6) return std::max<std::uint32_t>(std::min(w.icmp_rest, ipv6_mtu), 88) - 20;
  std::uint32_t mtu = w.icmp_rest & 0xffffU;
  if (mtu == 0) {
    // RFC 1191 section 7.1: the next lower plateau.
    const auto length = static_cast<std::uint32_t>(build(*w.about).size());
    for (const std::uint32_t plateau : {68U, 296U, 508U, 1006U, 1492U, 2002U}) {
      if (plateau < length) mtu = plateau;
    }
    mtu = std::max(mtu, 68U);
  }
  return std::max(1280U, std::min(mtu + 20, ipv6_mtu));
}

void echo_across(Wire& w, bool to_v6) {
  if (!w.icmp()) return;
  const bool request = w.icmp_type == 8 || w.icmp_type == 128;
  w.icmp_type = to_v6 ? (request ? 128 : 129) : request ? 8 : 0;
}

}  // namespace

Wire across(const Wire& w, const FlowKey& to, bool clear_dont_fragment) {
  Wire out = w;
  out.key = to;
  out.hop_limit = static_cast<std::uint8_t>(w.hop_limit - 1);
  out.flow_label = 0;
  const bool to_v6 = out.v6();
  echo_across(out, to_v6);
  // Section 4.5: IPv6 wants a checksum.
  if (to_v6) out.udp_without_checksum = false;
  // Section 5.1: what IPv6 may carry without being fragmented may be fragmented by IPv4.
  out.dont_fragment = false;
  if (!to_v6) out.dont_fragment = build(out).size() > 1260 && !clear_dont_fragment;
  return out;
}

std::optional<Wire> error_across(const Wire& w, const FlowKey& to, const FlowKey& quoted_to, std::uint32_t ipv6_mtu) {
  const bool to_v6 = !to.source.is_v4();
  const auto& table = to_v6 ? errors_to_v6() : errors_to_v4();
  Wire out = w;
  out.key = to;
  out.hop_limit = static_cast<std::uint8_t>(w.hop_limit - 1);
  out.flow_label = 0;
  out.dont_fragment = false;
  out.icmp_rest = 0;
  const auto found = table.find({w.icmp_type, w.icmp_code});
  const bool time_exceeded = w.icmp_type == (to_v6 ? 11 : 3);
  const bool pointer =
      to_v6 ? w.icmp_type == 12 && (w.icmp_code == 0 || w.icmp_code == 2) : w.icmp_type == 4 && w.icmp_code == 0;
  if (time_exceeded) {
    out.icmp_type = to_v6 ? 3 : 11;
  } else if (!to_v6 && w.icmp_type == 2) {
    out.icmp_type = 3;
    out.icmp_code = 4;
    out.icmp_rest = *path_mtu_across(w, false, ipv6_mtu);
  } else if (pointer) {
    const auto at = pointer_across(to_v6 ? w.icmp_rest >> 24 : w.icmp_rest, to_v6);
    if (!at) return std::nullopt;
    out.icmp_type = to_v6 ? 4 : 12;
    out.icmp_code = 0;
    out.icmp_rest = to_v6 ? *at : *at << 24;
  } else if (found == table.end()) {
    return std::nullopt;
  } else {
    out.icmp_type = found->second.type;
    out.icmp_code = found->second.code;
    if (to_v6 && w.icmp_type == 3 && w.icmp_code == 2) out.icmp_rest = 6;  // the next header field
    if (to_v6 && w.icmp_type == 3 && w.icmp_code == 4) out.icmp_rest = *path_mtu_across(w, true, ipv6_mtu);
  }
  // The packet inside is not on its way any more: its hop limit stays, and a checksum that it has not is not made.
  Wire inner = across(*w.about, quoted_to, false);
  inner.hop_limit = w.about->hop_limit;
  inner.udp_without_checksum = w.about->udp_without_checksum;
  inner.ip_id = 0;
  out.about = std::make_shared<Wire>(inner);
  out.quoted = to_v6 ? w.quoted + 20 : w.quoted - 20;
  return out;
}

}  // namespace icr::node::test::nat_model
