#include "node/ports/offload.h"

#include <gtest/gtest.h>

#include "node/packet/checksum.h"
#include "tests/support/network_namespace.h"

namespace icr::node::offload {
namespace {

using test::Bytes;

constexpr std::uint16_t kMeaningless = 0xbeef;

void put16(Bytes& bytes, std::size_t at, unsigned value) {
  bytes[at] = static_cast<std::uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<std::uint8_t>(value);
}
unsigned get16(const Bytes& bytes, std::size_t at) { return static_cast<unsigned>(bytes[at] << 8 | bytes[at + 1]); }

/// A packet of one of the four kinds, with `payload` octets and a checksum field that says nothing.
Bytes unfinished(bool v6, bool tcp, std::size_t payload, std::uint8_t last_octet = 7) {
  const std::size_t header = tcp ? 32 : 8;  // TCP with 12 octets of options
  Bytes out = v6 ? test::udp6("2001:db8:18::10", "2001:db8:19::20", std::string(header - 8 + payload, 'p'))
                 : test::udp4("198.18.0.10", "198.19.0.20", std::string(header - 8 + payload, 'p'));
  const std::size_t ip = v6 ? 40 : 20;
  out.back() = last_octet;
  if (tcp) {
    out[v6 ? 6 : 9] = 6;
    std::fill(out.begin() + static_cast<long>(ip) + 4, out.begin() + static_cast<long>(ip) + 32, std::uint8_t{1});
    out[ip + 12] = 0x80;
    out[ip + 13] = 0x10;
  }
  put16(out, ip + (tcp ? 16 : 6), kMeaningless);
  return out;
}

Packet packet_of(Bytes& bytes) {
  Packet out{bytes.data(), static_cast<std::uint32_t>(bytes.size()), static_cast<std::uint32_t>(bytes.size()), 1};
  out.partial_checksum = true;
  return out;
}

/// Sum over pseudo-header and transport with the field as it is: 0 when the checksum is right.
unsigned verify(const Bytes& packet) {
  const bool v6 = packet[0] >> 4 == 6;
  const std::size_t ip = v6 ? 40 : 20;
  Bytes summed(packet.begin() + (v6 ? 8 : 12), packet.begin() + static_cast<long>(ip));
  summed.insert(summed.end(), {0, packet[v6 ? 6 : 9]});
  summed.push_back(static_cast<std::uint8_t>((packet.size() - ip) >> 8));
  summed.push_back(static_cast<std::uint8_t>(packet.size() - ip));
  summed.insert(summed.end(), packet.begin() + static_cast<long>(ip), packet.end());
  return test::internet_checksum(summed);
}

/// What a kernel or a network card does with a partial checksum: it knows nothing of headers.
void finish_like_a_kernel(Bytes& frame, const VnetHeader& header) {
  const Bytes covered(frame.begin() + header.csum_start, frame.end());
  put16(frame, header.csum_start + header.csum_offset, test::internet_checksum(covered));
}

class Kinds : public testing::TestWithParam<std::tuple<bool, bool>> {
 protected:
  bool v6 = std::get<0>(GetParam());
  bool tcp = std::get<1>(GetParam());
  unsigned ip = v6 ? 40 : 20;
};

INSTANTIATE_TEST_SUITE_P(Offload, Kinds, testing::Combine(testing::Bool(), testing::Bool()));

TEST_P(Kinds, ADescribedPacketIsFinishedByTheKernelWhateverTheFieldHeld) {
  for (const std::size_t payload : {std::size_t{1}, std::size_t{2}, std::size_t{999}, std::size_t{1400}}) {
    for (const unsigned field : {0U, 1U, 0xffffU, unsigned{kMeaningless}}) {
      Bytes bytes = unfinished(v6, tcp, payload);
      put16(bytes, ip + (tcp ? 16 : 6), field);
      VnetHeader header;
      ASSERT_TRUE(describe(packet_of(bytes), 0, header));
      EXPECT_EQ(header.flags, kNeedsChecksum);
      EXPECT_EQ(header.gso_type, kGsoNone);
      EXPECT_EQ(header.csum_start, ip);
      EXPECT_EQ(header.hdr_len, ip + (tcp ? 32 : 8));
      finish_like_a_kernel(bytes, header);
      EXPECT_EQ(verify(bytes), 0U) << payload << " " << field;
    }
  }
}

TEST_P(Kinds, AddressesAndPortsMayChangeInBetween) {
  Bytes bytes = unfinished(v6, tcp, 500);
  VnetHeader header;
  header.flags = kNeedsChecksum;
  header.csum_start = static_cast<std::uint16_t>(ip);
  header.csum_offset = tcp ? 16 : 6;
  Packet packet = packet_of(bytes);
  packet.partial_checksum = false;
  ASSERT_TRUE(take(header, 0, packet));
  ASSERT_TRUE(packet.partial_checksum);
  bytes[v6 ? 23 : 15] ^= 0x5a;  // the source address
  put16(bytes, ip, 54321);      // the source port
  ASSERT_TRUE(describe(packet, 0, header));
  finish_like_a_kernel(bytes, header);
  EXPECT_EQ(verify(bytes), 0U);
}

TEST_P(Kinds, CompletingGivesTheRightChecksum) {
  for (const std::size_t payload : {std::size_t{1}, std::size_t{2}, std::size_t{1201}}) {
    Bytes bytes = unfinished(v6, tcp, payload);
    ASSERT_TRUE(complete(packet_of(bytes)));
    EXPECT_EQ(verify(bytes), 0U);
  }
}

TEST_P(Kinds, SegmentsAreDescribedFromThePacketThatLeaves) {
  Bytes bytes = unfinished(v6, tcp, 3000);
  Packet packet = packet_of(bytes);
  packet.segment_bytes = 1000;
  VnetHeader header;
  ASSERT_TRUE(describe(packet, 14, header));
  EXPECT_EQ(header.gso_type, !tcp ? kGsoUdp : v6 ? kGsoTcp6 : kGsoTcp4);
  EXPECT_EQ(header.gso_size, 1000);
  EXPECT_EQ(header.csum_start, 14 + ip);
  EXPECT_EQ(header.hdr_len, 14 + ip + (tcp ? 32 : 8));
  packet.segment_bytes = 3000;
  ASSERT_TRUE(describe(packet, 0, header));
  EXPECT_EQ(header.gso_type, kGsoNone) << "one segment is a packet like any other";
  EXPECT_EQ(header.gso_size, 0);
}

TEST_P(Kinds, SegmentsAreTakenOver) {
  Bytes bytes = unfinished(v6, tcp, 3000);
  Packet packet = packet_of(bytes);
  VnetHeader header;
  header.flags = kNeedsChecksum;
  header.gso_type = !tcp ? kGsoUdp : v6 ? kGsoTcp6 : kGsoTcp4;
  header.gso_size = 1000;
  packet.partial_checksum = false;
  ASSERT_TRUE(take(header, 0, packet));
  EXPECT_EQ(packet.segment_bytes, 1000);
  EXPECT_TRUE(packet.partial_checksum);
  // A kernel that contradicts itself.
  VnetHeader wrong = header;
  wrong.gso_size = 0;
  EXPECT_FALSE(take(wrong, 0, packet));
  wrong = header;
  wrong.gso_type = tcp ? kGsoUdp : kGsoTcp4;
  EXPECT_FALSE(take(wrong, 0, packet));
  wrong.gso_type = 3;  // UDP fragmentation, which was not asked for
  EXPECT_FALSE(take(wrong, 0, packet));
  EXPECT_EQ(packet.segment_bytes, 0);
}

TEST(Offload, CongestionWindowReducedGoesAlong) {
  Bytes bytes = unfinished(false, true, 3000);
  bytes[20 + 13] |= 0x80;
  Packet packet = packet_of(bytes);
  packet.segment_bytes = 1000;
  VnetHeader header;
  ASSERT_TRUE(describe(packet, 0, header));
  EXPECT_EQ(header.gso_type, kGsoTcp4 | kGsoEcn);
  packet.segment_bytes = 0;
  ASSERT_TRUE(take(header, 0, packet));
  EXPECT_EQ(packet.segment_bytes, 1000);
}

TEST(Offload, AFinishedPacketIsLeftAlone) {
  Bytes bytes = unfinished(false, true, 100);
  const Bytes before = bytes;
  Packet packet = packet_of(bytes);
  packet.segment_bytes = 9;
  VnetHeader header;
  ASSERT_TRUE(take(header, 0, packet));
  EXPECT_FALSE(packet.partial_checksum);
  EXPECT_EQ(packet.segment_bytes, 0) << "of the packet that was in the buffer before";
  ASSERT_TRUE(describe(packet, 0, header));
  EXPECT_EQ(header.flags, 0);
  ASSERT_TRUE(complete(packet));
  EXPECT_EQ(bytes, before);
}

TEST(Offload, AZeroUdpChecksumIsSentAsAllOnes) {
  // Over all values of a word of the payload the sum takes every value, also the one that means "none".
  bool seen = false;
  for (unsigned word = 0; word < 0x10000 && !seen; ++word) {
    Bytes bytes = unfinished(false, false, 2);
    put16(bytes, 28, word);
    ASSERT_TRUE(complete(packet_of(bytes)));
    ASSERT_NE(get16(bytes, 26), 0U);
    seen = get16(bytes, 26) == 0xffff;
  }
  EXPECT_TRUE(seen);
}

TEST(Offload, WhatIsNotOurProtocolIsCompletedAtOnce) {
  // A fragment whose payload begins with a UDP header: the sum covers what the kernel says, with the field in it.
  Bytes bytes = unfinished(false, false, 600);
  put16(bytes, 6, 0x2000);
  Packet packet = packet_of(bytes);
  VnetHeader header;
  header.flags = kNeedsChecksum;
  header.csum_start = 20;
  header.csum_offset = 6;
  Bytes expected = bytes;
  finish_like_a_kernel(expected, header);
  ASSERT_TRUE(take(header, 0, packet));
  EXPECT_FALSE(packet.partial_checksum);
  EXPECT_EQ(bytes, expected);
}

TEST(Offload, AnUnfinishedSctpPacketGetsItsOwnKindOfChecksum) {
  const std::string check = "123456789";  // RFC 9260 has no example; this is the usual one of CRC32c
  EXPECT_EQ(crc32c(reinterpret_cast<const std::uint8_t*>(check.data()), check.size()), 0xe3069283U);
  Bytes bytes = unfinished(false, false, 64);
  bytes[9] = 132;
  put16(bytes, 28, 0xaaaa);
  put16(bytes, 30, 0xaaaa);
  Packet packet = packet_of(bytes);
  VnetHeader header;
  header.flags = kNeedsChecksum;
  header.csum_start = 20;
  header.csum_offset = 8;
  ASSERT_TRUE(take(header, 0, packet));
  EXPECT_FALSE(packet.partial_checksum);
  const std::uint32_t found = bytes[28] | bytes[29] << 8U | bytes[30] << 16U | std::uint32_t{bytes[31]} << 24U;
  put16(bytes, 28, 0);
  put16(bytes, 30, 0);
  EXPECT_EQ(found, crc32c(bytes.data() + 20, bytes.size() - 20));
}

TEST(Offload, OffsetsBeyondThePacketAreRefused) {
  Bytes bytes = unfinished(false, false, 100);
  const Bytes before = bytes;
  Packet packet = packet_of(bytes);
  VnetHeader header;
  header.flags = kNeedsChecksum;
  for (const auto& [start, offset] : {std::pair{10, 6}, {14 + 127, 0}, {14 + 120, 7}, {65535, 65535}, {0, 0}}) {
    header.csum_start = static_cast<std::uint16_t>(start);
    header.csum_offset = static_cast<std::uint16_t>(offset);
    EXPECT_FALSE(take(header, 14, packet)) << start << " " << offset;
  }
  EXPECT_EQ(bytes, before);
}

TEST(Offload, WithoutATransportHeaderNothingUnfinishedIsSent) {
  VnetHeader header;
  Bytes fragment = unfinished(false, true, 100);
  put16(fragment, 6, 0x2000);
  Bytes gre = unfinished(false, true, 100);
  gre[9] = 47;
  Bytes cut = unfinished(false, true, 100);
  cut.resize(30);
  Bytes options_beyond = unfinished(true, true, 0);
  options_beyond[52] = 0xf0;
  Bytes v6_fragment = unfinished(true, true, 100);
  v6_fragment[6] = 44;
  Bytes endless = unfinished(true, true, 100);
  endless[6] = 0;
  std::fill(endless.begin() + 40, endless.end(), std::uint8_t{0});
  Bytes nothing;
  for (Bytes* bytes : {&fragment, &gre, &cut, &options_beyond, &v6_fragment, &endless, &nothing}) {
    EXPECT_FALSE(describe(packet_of(*bytes), 0, header));
    EXPECT_FALSE(complete(packet_of(*bytes)));
  }
}

TEST(Offload, ExtensionHeadersAreSkipped) {
  Bytes bytes = unfinished(true, true, 100);
  VnetHeader header;
  for (std::uint16_t count = 1; count <= 9; ++count) {
    const Bytes options = {bytes[6], 0, 1, 4, 0, 0, 0, 0};  // destination options: PadN
    bytes.insert(bytes.begin() + 40, options.begin(), options.end());
    bytes[6] = 60;
    const auto transport = find_transport(bytes.data(), static_cast<std::uint32_t>(bytes.size()));
    // As many as the engine lets pass.
    ASSERT_EQ(transport.has_value(), count <= 8) << count;
    ASSERT_EQ(describe(packet_of(bytes), 0, header), count <= 8);
    if (!transport) break;
    EXPECT_EQ(header.csum_start, 40 + 8 * count);
    EXPECT_EQ(transport->header_bytes, 32U);
  }
}

}  // namespace
}  // namespace icr::node::offload
