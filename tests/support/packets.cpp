#include "tests/support/packets.h"

#include <arpa/inet.h>

#include <algorithm>
#include <utility>

namespace icr::node::test {
namespace {

constexpr std::uint8_t kTcp = 6, kUdp = 17, kIcmp = 1, kIcmp6 = 58;

void put16(Bytes& out, std::size_t at, std::uint32_t value) {
  out[at] = static_cast<std::uint8_t>(value >> 8);
  out[at + 1] = static_cast<std::uint8_t>(value);
}
void put32(Bytes& out, std::size_t at, std::uint32_t value) {
  put16(out, at, value >> 16);
  put16(out, at + 2, value);
}
std::uint32_t get16(const Bytes& in, std::size_t at) {
  return at + 2 <= in.size() ? static_cast<std::uint32_t>(in[at] << 8 | in[at + 1]) : 0;
}
std::uint32_t get32(const Bytes& in, std::size_t at) { return get16(in, at) << 16 | get16(in, at + 2); }

bool is_v6(const std::string& address) { return address.find(':') != std::string::npos; }

Bytes address_bytes(const std::string& text) {
  Bytes out(is_v6(text) ? 16 : 4);
  inet_pton(is_v6(text) ? AF_INET6 : AF_INET, text.c_str(), out.data());
  return out;
}

std::string address_text(const Bytes& packet, std::size_t at, std::size_t size) {
  char text[INET6_ADDRSTRLEN] = {};
  if (at + size <= packet.size()) inet_ntop(size == 16 ? AF_INET6 : AF_INET, packet.data() + at, text, sizeof text);
  return text;
}

/// Straight from RFC 1071: add words, fold, complement.
std::uint16_t internet_checksum(const Bytes& data) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < data.size(); ++i) {
    sum += i % 2 == 0 ? static_cast<std::uint32_t>(data[i]) << 8 : data[i];
    sum = (sum & 0xffffU) + (sum >> 16);
  }
  return static_cast<std::uint16_t>(~sum);
}

Bytes with_pseudo_header(const Bytes& source, const Bytes& destination, std::uint8_t protocol, const Bytes& transport) {
  Bytes out = source;
  out.insert(out.end(), destination.begin(), destination.end());
  const auto size = static_cast<std::uint32_t>(transport.size());
  for (unsigned shift : {24U, 16U, 8U, 0U}) out.push_back(static_cast<std::uint8_t>(size >> shift));
  out.insert(out.end(), {0, 0, 0, protocol});
  out.insert(out.end(), transport.begin(), transport.end());
  return out;
}

std::size_t checksum_at(std::uint8_t protocol) { return protocol == kTcp ? 16 : protocol == kUdp ? 6 : 2; }

void seal_transport(Bytes& transport, const Bytes& source, const Bytes& destination, std::uint8_t protocol) {
  const std::uint16_t sum =
      internet_checksum(protocol == kIcmp ? transport : with_pseudo_header(source, destination, protocol, transport));
  put16(transport, checksum_at(protocol), protocol == kUdp && sum == 0 ? 0xffffU : sum);
}

Bytes with_ip(const Spec& s, const Bytes& transport) {
  const Bytes source = address_bytes(s.source);
  const Bytes destination = address_bytes(s.destination);
  Bytes out;
  if (is_v6(s.source)) {
    out.resize(40);
    out[0] = static_cast<std::uint8_t>(0x60 | s.traffic_class >> 4);
    out[1] = static_cast<std::uint8_t>(s.traffic_class << 4);
    put16(out, 4, static_cast<std::uint32_t>(s.v6_extensions.size() + transport.size()));
    out[6] = s.v6_extensions.empty() ? s.protocol : s.v6_first;
    out[7] = s.ttl;
    std::copy(source.begin(), source.end(), out.begin() + 8);
    std::copy(destination.begin(), destination.end(), out.begin() + 24);
    out.insert(out.end(), s.v6_extensions.begin(), s.v6_extensions.end());
  } else {
    out.resize(20);
    out[0] = static_cast<std::uint8_t>(0x45 + s.ip_options.size() / 4);
    put16(out, 2, static_cast<std::uint32_t>(20 + s.ip_options.size() + transport.size()));
    out[1] = s.traffic_class;
    put16(out, 4, s.ip_id);
    if (s.dont_fragment) out[6] = 0x40;
    out[8] = s.ttl;
    out[9] = s.protocol;
    std::copy(source.begin(), source.end(), out.begin() + 12);
    std::copy(destination.begin(), destination.end(), out.begin() + 16);
    out.insert(out.end(), s.ip_options.begin(), s.ip_options.end());
    fix_ip_checksum(out);
  }
  out.insert(out.end(), transport.begin(), transport.end());
  return out;
}

Bytes payload_of(std::size_t size) {
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(i * 7 + 3);
  return out;
}

}  // namespace

void fix_ip_checksum(Bytes& packet) {
  const std::size_t header = (packet[0] & 0x0fU) * 4U;
  put16(packet, 10, 0);
  put16(packet, 10, internet_checksum(Bytes(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(header))));
}

Bytes build(const Spec& s) {
  Bytes t;
  if (s.protocol == kTcp) {
    t.resize(20);
    put16(t, 0, s.source_port);
    put16(t, 2, s.destination_port);
    put32(t, 4, s.seq);
    put32(t, 8, s.ack);
    t[13] = s.flags;
    put16(t, 14, s.window);
    t.insert(t.end(), s.tcp_options.begin(), s.tcp_options.end());
    if (s.scale >= 0) t.insert(t.end(), {1, 3, 3, static_cast<std::uint8_t>(s.scale)});
    t[12] = static_cast<std::uint8_t>(t.size() / 4 << 4);
  } else if (s.protocol == kUdp) {
    t.resize(8);
    put16(t, 0, s.source_port);
    put16(t, 2, s.destination_port);
    put16(t, 4, static_cast<std::uint32_t>(8 + s.payload.size()));
  } else if (s.protocol == kIcmp || s.protocol == kIcmp6) {
    t.resize(8);
    t[0] = s.icmp_type;
    t[1] = s.icmp_code;
    put16(t, 4, s.source_port);
    put16(t, 6, s.icmp_sequence);
  }
  const bool sealed = !t.empty();
  t.insert(t.end(), s.payload.begin(), s.payload.end());
  if (sealed && !(s.protocol == kUdp && s.udp_without_checksum)) {
    seal_transport(t, address_bytes(s.source), address_bytes(s.destination), s.protocol);
  }
  return with_ip(s, t);
}

Spec udp(std::string source, std::uint16_t sport, std::string destination, std::uint16_t dport, std::size_t payload) {
  Spec s;
  s.source = std::move(source);
  s.destination = std::move(destination);
  s.source_port = sport;
  s.destination_port = dport;
  s.payload = payload_of(payload);
  return s;
}

Spec tcp(std::string source, std::uint16_t sport, std::string destination, std::uint16_t dport, std::uint8_t flags,
         std::uint32_t seq, std::uint32_t ack, std::size_t payload) {
  Spec s = udp(std::move(source), sport, std::move(destination), dport, payload);
  s.protocol = kTcp;
  s.flags = flags;
  s.seq = seq;
  s.ack = ack;
  return s;
}

Spec echo(std::string source, std::string destination, std::uint16_t id, bool reply) {
  Spec s = udp(std::move(source), id, std::move(destination), id, 32);
  const bool six = is_v6(s.source);
  s.protocol = six ? kIcmp6 : kIcmp;
  s.icmp_type = six ? (reply ? 129 : 128) : (reply ? 0 : 8);
  return s;
}

Bytes icmp_error(const std::string& source, const std::string& destination, std::uint8_t type, std::uint8_t code,
                 const Bytes& inside) {
  Spec s = echo(source, destination, 0);
  s.icmp_type = type;
  s.icmp_code = code;
  s.icmp_sequence = 0;
  s.payload = inside;
  return build(s);
}

std::vector<Bytes> fragments_of(const Bytes& packet, std::size_t chunk, std::uint32_t id) {
  const bool six = packet[0] >> 4 == 6;
  const std::size_t header = six ? 40 : (packet[0] & 0x0fU) * 4U;
  std::vector<Bytes> out;
  for (std::size_t at = header; at < packet.size(); at += chunk) {
    const std::size_t size = std::min(chunk, packet.size() - at);
    const bool more = at + size < packet.size();
    Bytes piece(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(header));
    const auto offset = static_cast<std::uint32_t>(at - header);
    if (six) {
      piece.resize(48);
      piece[40] = packet[6];
      piece[6] = 44;
      put16(piece, 42, offset | (more ? 1U : 0U));
      put32(piece, 44, id);
      put16(piece, 4, static_cast<std::uint32_t>(8 + size));
    } else {
      put16(piece, 2, static_cast<std::uint32_t>(header + size));
      put16(piece, 4, id);
      put16(piece, 6, offset / 8 | (more ? 0x2000U : 0U));
      fix_ip_checksum(piece);
    }
    const auto from = packet.begin() + static_cast<std::ptrdiff_t>(at);
    piece.insert(piece.end(), from, from + static_cast<std::ptrdiff_t>(size));
    out.push_back(std::move(piece));
  }
  return out;
}

Bytes reassembled(const std::vector<Bytes>& fragments) {
  Bytes whole;
  std::size_t total = 0;
  std::size_t seen = 0;
  Bytes header;
  Bytes body(65536);
  for (const Bytes& f : fragments) {
    const bool six = f[0] >> 4 == 6;
    const std::size_t start = six ? 48 : (f[0] & 0x0fU) * 4U;
    const std::size_t offset = six ? get16(f, 42) & 0xfff8U : (get16(f, 6) & 0x1fffU) * 8;
    const bool more = six ? (f[43] & 1U) != 0 : (get16(f, 6) & 0x2000U) != 0;
    const std::size_t size = f.size() - start;
    std::copy(f.begin() + static_cast<std::ptrdiff_t>(start), f.end(),
              body.begin() + static_cast<std::ptrdiff_t>(offset));
    seen += size;
    if (!more) total = offset + size;
    if (offset == 0) {
      header.assign(f.begin(), f.begin() + static_cast<std::ptrdiff_t>(six ? 40 : start));
      if (six) header[6] = f[40];
    }
  }
  if (header.empty() || total == 0 || seen != total) return whole;
  whole = header;
  whole.insert(whole.end(), body.begin(), body.begin() + static_cast<std::ptrdiff_t>(total));
  if (whole[0] >> 4 == 6) {
    put16(whole, 4, static_cast<std::uint32_t>(total));
  } else {
    put16(whole, 2, static_cast<std::uint32_t>(whole.size()));
    put16(whole, 6, 0);
    fix_ip_checksum(whole);
  }
  return whole;
}

Seen look(const Bytes& p) {
  Seen s;
  const bool six = p[0] >> 4 == 6;
  const std::size_t header = six ? 40 : (p[0] & 0x0fU) * 4U;
  s.source = six ? address_text(p, 8, 16) : address_text(p, 12, 4);
  s.destination = six ? address_text(p, 24, 16) : address_text(p, 16, 4);
  s.protocol = six ? p[6] : p[9];
  s.ttl = six ? p[7] : p[8];
  s.traffic_class = six ? static_cast<std::uint8_t>(p[0] << 4 | p[1] >> 4) : p[1];
  const std::size_t total = std::min<std::size_t>(six ? 40 + get16(p, 4) : get16(p, 2), p.size());
  s.transport.assign(p.begin() + static_cast<std::ptrdiff_t>(header), p.begin() + static_cast<std::ptrdiff_t>(total));
  const Bytes& t = s.transport;
  std::size_t l4 = 0;
  if (s.protocol == kTcp) {
    s.seq = get32(t, 4);
    s.ack = get32(t, 8);
    s.flags = t.size() > 13 ? t[13] : std::uint8_t{0};
    l4 = t.size() > 12 ? (t[12] >> 4) * 4U : 0U;
  } else if (s.protocol == kUdp) {
    l4 = 8;
  } else if (s.protocol == kIcmp || s.protocol == kIcmp6) {
    s.icmp_type = static_cast<std::uint8_t>(get16(t, 0) >> 8);
    s.icmp_code = static_cast<std::uint8_t>(get16(t, 0));
    l4 = 8;
  }
  if (s.protocol == kTcp || s.protocol == kUdp || s.protocol == 132) {
    s.source_port = static_cast<std::uint16_t>(get16(t, 0));
    s.destination_port = static_cast<std::uint16_t>(get16(t, 2));
  } else if (l4 == 8) {
    s.source_port = s.destination_port = static_cast<std::uint16_t>(get16(t, 4));
  }
  if (t.size() > l4) s.payload.assign(t.begin() + static_cast<std::ptrdiff_t>(l4), t.end());
  const bool ip = six || internet_checksum(Bytes(p.begin(), p.begin() + static_cast<std::ptrdiff_t>(header))) == 0;
  bool transport = true;
  if (l4 != 0 && !(s.protocol == kUdp && get16(t, 6) == 0)) {
    const Bytes source(p.begin() + (six ? 8 : 12), p.begin() + (six ? 24 : 16));
    const Bytes destination(p.begin() + (six ? 24 : 16), p.begin() + (six ? 40 : 20));
    transport =
        internet_checksum(s.protocol == kIcmp ? t : with_pseudo_header(source, destination, s.protocol, t)) == 0;
  }
  s.checksums = ip && transport;
  return s;
}

}  // namespace icr::node::test
