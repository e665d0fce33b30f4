#include "tests/nat_model/wire.h"

#include <fmt/format.h>

#include <algorithm>

namespace icr::node::test::nat_model {
namespace {

void put16(Bytes& out, std::size_t at, std::uint32_t value) {
  out[at] = static_cast<std::uint8_t>(value >> 8);
  out[at + 1] = static_cast<std::uint8_t>(value);
}
void put32(Bytes& out, std::size_t at, std::uint32_t value) {
  put16(out, at, value >> 16);
  put16(out, at + 2, value);
}
std::uint16_t get16(const Bytes& in, std::size_t at) {
  return at + 2 <= in.size() ? static_cast<std::uint16_t>(in[at] << 8 | in[at + 1]) : std::uint16_t{0};
}

/// RFC 1071: add words, an odd octet padded with zero, and fold.
std::uint32_t add_words(std::uint32_t sum, const std::uint8_t* data, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    sum += i % 2 == 0 ? static_cast<std::uint32_t>(data[i]) << 8 : data[i];
    sum = (sum & 0xffffU) + (sum >> 16);
  }
  return sum;
}

void put_address(Bytes& out, const IpAddress& a, bool v6) {
  out.insert(out.end(), a.bytes.begin() + (v6 ? 0 : 12), a.bytes.end());
}

/// Checksum of a transport whose checksum field is 0.
std::uint16_t transport_checksum(const Wire& w, const Bytes& transport) {
  std::uint32_t sum = 0;
  if (w.key.protocol != kIcmp) {
    Bytes pseudo;
    put_address(pseudo, w.key.source, w.v6());
    put_address(pseudo, w.key.destination, w.v6());
    const std::size_t at = pseudo.size();
    pseudo.resize(at + 8);
    put32(pseudo, at, static_cast<std::uint32_t>(transport.size()));
    put32(pseudo, at + 4, w.key.protocol);
    sum = add_words(sum, pseudo.data(), pseudo.size());
  }
  return static_cast<std::uint16_t>(~add_words(sum, transport.data(), transport.size()));
}

Bytes transport_of(const Wire& w) {
  Bytes t;
  const auto add_payload = [&] { t.insert(t.end(), w.payload.begin(), w.payload.end()); };
  switch (w.key.protocol) {
    case kTcp:
      t.resize(20);
      put16(t, 0, w.key.source_port);
      put16(t, 2, w.key.destination_port);
      put32(t, 4, w.seq);
      put32(t, 8, w.ack);
      t[13] = w.flags;
      put16(t, 14, w.window);
      if (w.mss >= 0)
        t.insert(t.end(), {2, 4, static_cast<std::uint8_t>(w.mss >> 8), static_cast<std::uint8_t>(w.mss)});
      if (w.scale >= 0) t.insert(t.end(), {1, 3, 3, static_cast<std::uint8_t>(w.scale)});
      t[12] = static_cast<std::uint8_t>(t.size() / 4 << 4);
      add_payload();
      put16(t, 16, transport_checksum(w, t));
      return t;
    case kUdp: {
      t.resize(8);
      put16(t, 0, w.key.source_port);
      put16(t, 2, w.key.destination_port);
      put16(t, 4, static_cast<std::uint32_t>(8 + w.payload.size()));
      add_payload();
      if (w.udp_without_checksum) return t;
      const std::uint16_t sum = transport_checksum(w, t);
      put16(t, 6, sum == 0 ? 0xffffU : sum);
      return t;
    }
    case kIcmp:
    case kIcmp6:
      if (!w.icmp()) {  // of the other family: octets
        add_payload();
        return t;
      }
      t.resize(8);
      t[0] = w.icmp_type;
      t[1] = w.icmp_code;
      if (w.error()) {
        put32(t, 4, w.icmp_rest);
        const Bytes inner = w.about ? build(*w.about) : w.about_octets;
        t.insert(t.end(), inner.begin(), inner.begin() + static_cast<std::ptrdiff_t>(std::min(w.quoted, inner.size())));
      } else {
        put16(t, 4, w.key.source_port);
        put16(t, 6, w.icmp_sequence);
        add_payload();
      }
      put16(t, 2, transport_checksum(w, t));
      return t;
    default:
      add_payload();
      return t;
  }
}

}  // namespace

Bytes build(const Wire& w) {
  const Bytes transport = transport_of(w);
  Bytes out;
  if (w.v6()) {
    out.resize(8);
    put32(out, 0, 6U << 28 | static_cast<std::uint32_t>(w.traffic_class) << 20 | w.flow_label);
    put16(out, 4, static_cast<std::uint32_t>(transport.size()));
    out[6] = w.key.protocol;
    out[7] = w.hop_limit;
  } else {
    out.resize(12);
    out[0] = 0x45;
    out[1] = w.traffic_class;
    put16(out, 2, static_cast<std::uint32_t>(20 + transport.size()));
    put16(out, 4, w.ip_id);
    put16(out, 6, w.dont_fragment ? 0x4000 : 0);
    out[8] = w.hop_limit;
    out[9] = w.key.protocol;
  }
  put_address(out, w.key.source, w.v6());
  put_address(out, w.key.destination, w.v6());
  if (!w.v6()) fix_ip_checksum(out);
  out.insert(out.end(), transport.begin(), transport.end());
  return out;
}

FlowKey key_of(const Bytes& p) {
  FlowKey key;
  if (p.size() < 20) return key;
  const bool v6 = p[0] >> 4 == 6;
  if (v6 && p.size() < 40) return key;
  const auto v4_at = [&](std::size_t at) {
    return IpAddress::v4(static_cast<std::uint32_t>(get16(p, at)) << 16 | get16(p, at + 2));
  };
  key.source = v6 ? IpAddress::v6(p.data() + 8) : v4_at(12);
  key.destination = v6 ? IpAddress::v6(p.data() + 24) : v4_at(16);
  key.protocol = v6 ? p[6] : p[9];
  std::size_t l4 = v6 ? 40 : (p[0] & 0x0fU) * 4U;
  if (v6 && key.protocol == 44 && p.size() >= 48) {  // fragment header
    key.protocol = p[40];
    l4 = 48;
  }
  if (key.protocol == kTcp || key.protocol == kUdp) {
    key.source_port = get16(p, l4);
    key.destination_port = get16(p, l4 + 2);
  } else if (key.protocol == (v6 ? kIcmp6 : kIcmp)) {
    key.source_port = key.destination_port = get16(p, l4 + 4);
  }
  return key;
}

std::string describe(const FlowKey& key) {
  return fmt::format("{} {}:{} -> {}:{}", key.protocol, key.source.to_string(), key.source_port,
                     key.destination.to_string(), key.destination_port);
}

std::string describe(const Wire& w) {
  std::string out = describe(w.key);
  if (w.key.protocol == kTcp) out += fmt::format(" flags {:x} seq {} ack {}", w.flags, w.seq, w.ack);
  if (w.icmp()) out += fmt::format(" type {} code {}", w.icmp_type, w.icmp_code);
  if (w.about) out += fmt::format(" about [{}], {} octets", describe(*w.about), w.quoted);
  return out + fmt::format(" payload {}", w.payload.size());
}

std::string hex(const Bytes& packet) {
  std::string out;
  for (std::size_t i = 0; i < packet.size(); ++i) {
    if (i % 4 == 0) out += ' ';
    out += fmt::format("{:02x}", packet[i]);
  }
  return out;
}

}  // namespace icr::node::test::nat_model
