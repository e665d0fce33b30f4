// ICMP errors with every kind of NAT but NAT64 (RFC 5508 section 4.2). Sessions are planted, so that what is tested is
// how they are followed, and not who sets them up.
#include <gtest/gtest.h>

#include "tests/support/flow_bed.h"

namespace icr::node::test {
namespace {

FlowKey key(const std::string& source, std::uint16_t sport, const std::string& destination, std::uint16_t dport,
            std::uint8_t protocol) {
  return {*IpAddress::parse(source), *IpAddress::parse(destination), sport, dport, protocol};
}

std::uint32_t at16(const Bytes& p, std::size_t at) { return static_cast<std::uint32_t>(p[at] << 8 | p[at + 1]); }

// Both halves are translated: 198.18.0.10 asks for 203.0.113.80 and reaches 198.19.0.10 as 203.0.113.1.
struct TwiceBed : Bed {
  TwiceBed() {
    (void)plant(key("198.18.0.10", 4000, "203.0.113.80", 80, 17), key("198.19.0.10", 8080, "203.0.113.1", 5000, 17),
                NatType::twice_napt44);
  }
};

TEST(EngineIcmpNat, TwiceNatBothDirections) {
  TwiceBed bed;
  Spec asked = udp("198.18.0.10", 4000, "203.0.113.80", 80, 40);
  asked.dont_fragment = true;
  auto sent = bed.send(kInside, asked);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(look(sent[0].bytes).destination, "198.19.0.10");
  EXPECT_EQ(look(sent[0].bytes).destination_port, 8080);
  auto in = bed.send(kOutside, icmp_error("198.19.0.1", "203.0.113.1", 11, 0, sent[0].bytes));
  ASSERT_EQ(in.size(), 1U);
  Seen seen = look(in[0].bytes);
  EXPECT_TRUE(seen.checksums);
  EXPECT_EQ(seen.source, "198.19.0.1") << "a router outside keeps its address";
  EXPECT_EQ(seen.payload, build(asked));
  in = bed.send(kOutside, icmp_error("198.19.0.10", "203.0.113.1", 3, 3, sent[0].bytes));
  ASSERT_EQ(in.size(), 1U);
  EXPECT_EQ(look(in[0].bytes).source, "203.0.113.80") << "the server is who the host asked for";

  Spec answer = udp("198.19.0.10", 8080, "203.0.113.1", 5000, 40);
  answer.dont_fragment = true;
  sent = bed.send(kOutside, answer);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(look(sent[0].bytes).source, "203.0.113.80");
  for (const char* sender : {"198.18.0.10", "198.18.0.1"}) {
    const auto out = bed.send(kInside, icmp_error(sender, "203.0.113.80", 3, 3, sent[0].bytes));
    ASSERT_EQ(out.size(), 1U);
    seen = look(out[0].bytes);
    EXPECT_TRUE(seen.checksums);
    EXPECT_EQ(seen.source, "203.0.113.1") << "REQ-5: also a router inside is not seen with its own address";
    EXPECT_EQ(seen.destination, "198.19.0.10");
    EXPECT_EQ(seen.payload, build(answer));
  }
  bed.expect_accounted();
}

TEST(EngineIcmpNat, DestinationNat) {
  Bed bed;
  (void)bed.plant(key("198.19.0.10", 4000, "203.0.113.80", 80, 6), key("198.18.0.80", 8080, "198.19.0.10", 4000, 6),
                  NatType::dnat44, true);
  const Spec syn = tcp("198.19.0.10", 4000, "203.0.113.80", 80, kSyn, 1, 0);
  const auto sent = bed.send(kOutside, syn);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(look(sent[0].bytes).destination, "198.18.0.80");
  for (const char* sender : {"198.18.0.80", "198.18.0.1"}) {
    const auto out = bed.send(kInside, icmp_error(sender, "198.19.0.10", 3, 13, sent[0].bytes));
    ASSERT_EQ(out.size(), 1U);
    const Seen seen = look(out[0].bytes);
    EXPECT_TRUE(seen.checksums);
    EXPECT_EQ(seen.source, "203.0.113.80");
    EXPECT_EQ(seen.payload, build(syn));
  }
}

// RFC 4787 section 6 and RFC 5508 section 4.2: two hosts inside, each by the other's outside address.
TEST(EngineIcmpNat, Hairpin) {
  Bed bed;
  (void)bed.plant(key("198.18.0.10", 4000, "203.0.113.2", 6000, 17), key("198.18.0.20", 9000, "203.0.113.1", 5000, 17),
                  NatType::napt44, false, true);
  Spec asked = udp("198.18.0.10", 4000, "203.0.113.2", 6000, 40);
  asked.dont_fragment = true;
  auto sent = bed.send(kInside, asked);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].unit, kInside);
  Seen seen = look(sent[0].bytes);
  EXPECT_TRUE(seen.checksums);
  EXPECT_EQ(seen.source, "203.0.113.1") << "external source address (REQ-9)";
  EXPECT_EQ(seen.source_port, 5000);
  EXPECT_EQ(seen.destination, "198.18.0.20");
  const auto error = bed.send(kInside, icmp_error("198.18.0.20", "203.0.113.1", 3, 3, sent[0].bytes));
  ASSERT_EQ(error.size(), 1U);
  EXPECT_EQ(error[0].unit, kInside);
  seen = look(error[0].bytes);
  EXPECT_TRUE(seen.checksums);
  EXPECT_EQ(seen.source, "203.0.113.2");
  EXPECT_EQ(seen.destination, "198.18.0.10");
  EXPECT_EQ(seen.payload, build(asked));
  const Seen back = look(bed.send(kInside, udp("198.18.0.20", 9000, "203.0.113.1", 5000))[0].bytes);
  EXPECT_EQ(back.source, "203.0.113.2");
  EXPECT_EQ(back.destination, "198.18.0.10");
  EXPECT_EQ(bed.engine->counters_of(0)->hairpinned_existing, 2U);
  bed.expect_drop(kOutside, udp("198.18.0.20", 9000, "203.0.113.1", 5000), Drop::wrong_interface);
}

// RFC 6296: the checksum inside is right whatever the addresses are, and so is ICMPv6's.
TEST(EngineIcmpNat, Nptv6) {
  Bed bed;
  (void)bed.plant(key("fd01:203:405:1::1234", 4000, "2001:db8:19::1", 53, 17),
                  key("2001:db8:19::1", 53, "2001:db8:1:d550::1234", 4000, 17), NatType::nptv6);
  const Spec asked = udp("fd01:203:405:1::1234", 4000, "2001:db8:19::1", 53, 60);
  const auto sent = bed.send(kInside, asked);
  ASSERT_EQ(sent.size(), 1U);
  const Seen out = look(sent[0].bytes);
  EXPECT_TRUE(out.checksums);
  EXPECT_EQ(out.source, "2001:db8:1:d550::1234");
  EXPECT_EQ(at16(sent[0].bytes, 46), at16(build(asked), 46)) << "checksum-neutral: RFC 6296 section 3.1";
  const auto in = bed.send(kOutside, icmp_error("2001:db8:19::ff", "2001:db8:1:d550::1234", 2, 0, sent[0].bytes));
  ASSERT_EQ(in.size(), 1U);
  const Seen seen = look(in[0].bytes);
  EXPECT_TRUE(seen.checksums);
  EXPECT_EQ(seen.destination, "fd01:203:405:1::1234");
  EXPECT_EQ(seen.payload, build(asked));
}

}  // namespace
}  // namespace icr::node::test
