#include "node/packet/cut_ipv4.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <vector>

#include "node/packet/checksum.h"

namespace icr::node {
namespace {

using Bytes = std::vector<std::uint8_t>;

using Dice = std::function<std::uint32_t()>;

/// Options of random kinds, padded to words, at most 40 octets.
Bytes random_options(const Dice& dice) {
  Bytes out;
  while (dice() % 4 != 0) {
    const std::uint32_t length = dice() % 5 == 0 ? 1 : 2 + dice() % 9;
    if (out.size() + length > 40) break;
    if (length == 1) {
      out.push_back(1);
      continue;
    }
    out.push_back(static_cast<std::uint8_t>(2 + dice() % 254));
    out.push_back(static_cast<std::uint8_t>(length));
    for (std::uint32_t i = 2; i < length; ++i) out.push_back(static_cast<std::uint8_t>(dice()));
  }
  while (out.size() % 4 != 0) out.push_back(0);
  return out;
}

/// Those options that RFC 791 section 3.1 wants in every fragment.
Bytes copied(const Bytes& options) {
  Bytes out;
  for (std::size_t at = 0; at < options.size() && options[at] != 0;) {
    const std::size_t length = options[at] == 1 ? 1 : options[at + 1];
    if (options[at] >= 128) {
      for (std::size_t i = 0; i < length; ++i) out.push_back(options[at + i]);
    }
    at += length;
  }
  while (out.size() % 4 != 0) out.push_back(0);
  return out;
}

/// Any packet at any MTU: the pieces are valid, as few as they can be, and make up the packet again. Some packets are
/// fragments themselves, in the middle or the last one.
TEST(CutIpv4, Rfc791PiecesMakeUpThePacketAgain) {
  std::mt19937 engine(791);
  const Dice dice = [&engine] { return static_cast<std::uint32_t>(engine()); };
  for (int round = 0; round < 2000; ++round) {
    const Bytes options = random_options(dice);
    const auto header = static_cast<std::uint32_t>(20 + options.size());
    const std::uint32_t mtu = kLeastIpv4Mtu + dice() % 1500;
    const bool more = dice() % 3 == 0;
    const std::uint32_t payload = (1 + dice() % 4000) & (more ? ~7U : ~0U);
    if (payload == 0) continue;
    const std::uint32_t offset = dice() % 3 == 0 ? dice() % 1000 : 0;
    Bytes packet(header + payload);
    for (auto& octet : packet) octet = static_cast<std::uint8_t>(dice());
    packet[0] = static_cast<std::uint8_t>(0x40 | header / 4);
    store16(packet.data() + 2, static_cast<std::uint16_t>(packet.size()));
    store16(packet.data() + 6, static_cast<std::uint16_t>((more ? 0x2000U : 0U) | offset));
    std::copy(options.begin(), options.end(), packet.begin() + 20);
    ASSERT_TRUE(may_be_fragmented(packet.data()));
    Bytes scratch(mtu), together;
    std::size_t pieces = 0;
    cut_ipv4(packet.data(), mtu, scratch.data(), [&](std::uint8_t* data, std::uint32_t length) {
      ASSERT_LE(length, mtu);
      ASSERT_EQ(load16(data + 2), length);
      const std::uint32_t own = (data[0] & 0x0fU) * 4U;
      ASSERT_EQ(checksum_finish(checksum_add(data, own)), 0);
      const Bytes expected = pieces == 0 ? options : copied(options);
      ASSERT_EQ(Bytes(data + 20, data + own), expected);
      ASSERT_EQ(load16(data + 4), load16(packet.data() + 4)) << "identification";
      ASSERT_EQ(Bytes(data + 8, data + 10), Bytes(packet.begin() + 8, packet.begin() + 10)) << "TTL and protocol";
      const std::uint16_t word = load16(data + 6);
      ASSERT_EQ(word & 0x1fffU, offset + together.size() / 8);
      together.insert(together.end(), data + own, data + length);
      ASSERT_EQ((word & 0x2000U) != 0, more || together.size() < payload);
      if (together.size() < payload) {
        ASSERT_EQ((length - own) % 8, 0U);
        ASSERT_GT(length + 8, mtu) << "as few as possible";
      }
      ++pieces;
    });
    ASSERT_EQ(together, Bytes(packet.begin() + header, packet.end()));
  }
}

TEST(CutIpv4, OnlyIpv4WithoutDontFragmentMayBeCut) {
  Bytes packet(40);
  packet[0] = 0x45;
  EXPECT_TRUE(may_be_fragmented(packet.data()));
  packet[6] = 0x40;
  EXPECT_FALSE(may_be_fragmented(packet.data()));
  packet[0] = 0x60;
  packet[6] = 17;
  EXPECT_FALSE(may_be_fragmented(packet.data()));
}

}  // namespace
}  // namespace icr::node
