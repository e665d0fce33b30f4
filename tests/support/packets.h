// Packets for tests: built and taken apart octet by octet, without any code of the engine, so that a mistake in one is
// not hidden by the same mistake in the other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace icr::node::test {

using Bytes = std::vector<std::uint8_t>;

inline constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kPsh = 0x08, kAck = 0x10;

/// One packet; fields that its protocol does not have are ignored.
struct Spec {
  std::string source = "198.18.0.10";
  std::string destination = "198.19.0.10";
  std::uint8_t protocol = 17;
  std::uint16_t source_port = 40000;  ///< ICMP echo: the identifier
  std::uint16_t destination_port = 80;
  Bytes payload;

  std::uint16_t ip_id = 0x1234;
  std::uint8_t ttl = 64;  ///< or hop limit
  std::uint8_t traffic_class = 0;
  bool dont_fragment = false;
  Bytes ip_options;     ///< IPv4, a multiple of 4
  Bytes v6_extensions;  ///< whole extension headers; `v6_first` names the first of them
  std::uint8_t v6_first = 0;

  std::uint32_t seq = 1000, ack = 0;
  std::uint8_t flags = kSyn;
  std::uint16_t window = 65535;
  int scale = -1;     ///< window scale option; -1: none
  Bytes tcp_options;  ///< before the window scale, a multiple of 4

  std::uint8_t icmp_type = 8, icmp_code = 0;
  std::uint16_t icmp_sequence = 1;

  bool udp_without_checksum = false;
};

[[nodiscard]] Bytes build(const Spec& spec);

[[nodiscard]] Spec udp(std::string source, std::uint16_t sport, std::string destination, std::uint16_t dport,
                       std::size_t payload = 20);
[[nodiscard]] Spec tcp(std::string source, std::uint16_t sport, std::string destination, std::uint16_t dport,
                       std::uint8_t flags, std::uint32_t seq, std::uint32_t ack, std::size_t payload = 0);
/// ICMP or ICMPv6 echo, by the family of the addresses.
[[nodiscard]] Spec echo(std::string source, std::string destination, std::uint16_t id, bool reply = false);
/// ICMP or ICMPv6 error that quotes `inside`.
[[nodiscard]] Bytes icmp_error(const std::string& source, const std::string& destination, std::uint8_t type,
                               std::uint8_t code, const Bytes& inside);

/// Cuts a packet (IPv4, or IPv6 without extension headers) into fragments with `chunk` octets each, a multiple of 8.
[[nodiscard]] std::vector<Bytes> fragments_of(const Bytes& packet, std::size_t chunk, std::uint32_t id = 77);
/// Puts fragments together again, in any order; empty if they do not make a whole packet.
[[nodiscard]] Bytes reassembled(const std::vector<Bytes>& fragments);

/// What a packet says.
struct Seen {
  std::string source, destination;
  std::uint8_t protocol = 0;
  std::uint8_t ttl = 0;  ///< or hop limit
  std::uint8_t traffic_class = 0;
  std::uint16_t source_port = 0, destination_port = 0;
  std::uint32_t seq = 0, ack = 0;
  std::uint8_t flags = 0;
  std::uint8_t icmp_type = 0, icmp_code = 0;
  Bytes payload;          ///< of the transport
  Bytes transport;        ///< with its header
  bool checksums = false; /**< of the IP header and of the transport, computed anew */
};
/// Of a whole packet, or of the beginning of one (as an ICMP error quotes it), or of a fragment, which may be shorter
/// than a transport header: fields that it does not reach are 0.
[[nodiscard]] Seen look(const Bytes& packet);

/// Repairs the checksum of an IPv4 header.
void fix_ip_checksum(Bytes& packet);

}  // namespace icr::node::test
