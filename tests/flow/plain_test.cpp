// The short ways of plain packets against the long ones: what they take they treat alike.
#include "node/packet/plain.h"

#include <gtest/gtest.h>

#include <random>

#include "node/packet/rewrite.h"
#include "tests/flow/segments.h"
#include "tests/support/packets.h"

namespace icr::node::test {
namespace {

using Random = std::mt19937_64;

std::string random_v4(Random& random) {
  return std::to_string(1 + random() % 100) + "." + std::to_string(random() % 256) + "." +
         std::to_string(random() % 256) + "." + std::to_string(random() % 256);
}

Spec random_spec(Random& random) {
  Spec s = random() % 2 == 0
               ? udp(random_v4(random), 0, random_v4(random), 0)
               : tcp(random_v4(random), 0, random_v4(random), 0, kAck, static_cast<std::uint32_t>(random()), 7);
  s.source_port = static_cast<std::uint16_t>(1 + random() % 65535);
  s.destination_port = static_cast<std::uint16_t>(1 + random() % 65535);
  s.payload.resize(random() % 50);
  for (auto& octet : s.payload) octet = static_cast<std::uint8_t>(random() % 3 == 0 ? 0xff : random());
  s.udp_without_checksum = random() % 8 == 0;
  return s;
}

/// Sets the header checksum right again, so that changed octets behind it matter.
void repair(Bytes& p) {
  if (p.size() < 20) return;
  store16(p.data() + 10, 0);
  store16(p.data() + 10, checksum_finish(checksum_add(p.data(), 20)));
}

TEST(Plain, ReadsWhatReadHeadersReads) {
  Random random(1);
  std::uint32_t plain = 0;
  std::uint32_t refused = 0;
  for (int i = 0; i < 200000; ++i) {
    Bytes p = build(random_spec(random));
    // Up to two octets of the headers are anything; or the packet is cut, or has padding.
    for (std::uint64_t n = random() % 3; n != 0; --n) p[random() % 40 % p.size()] = static_cast<std::uint8_t>(random());
    if (random() % 4 != 0) repair(p);
    if (random() % 8 == 0) p.resize(random() % (p.size() + 10));
    p.shrink_to_fit();
    Headers h;
    PlainHeaders f;
    const HeaderError error = read_headers(p.data(), static_cast<std::uint32_t>(p.size()), h);
    if (error != HeaderError::none) ++refused;
    const bool short_way = read_plain(p.data(), static_cast<std::uint32_t>(p.size()), f);
    if (!short_way) {
      const bool unusual = error != HeaderError::none || h.fragment || h.v6 || h.l4 != h.l3 + 20 ||
                           (h.protocol != ip_protocol::udp && h.protocol != ip_protocol::tcp) ||
                           (h.protocol == ip_protocol::tcp && (h.tcp_flags & 0x17) != tcp_flag::ack) ||
                           h.key.destination.to_v4() >> 28 == 0xf;
      ASSERT_TRUE(unusual) << "an ordinary packet must be taken";
      continue;
    }
    ++plain;
    ASSERT_EQ(error, HeaderError::none);
    ASSERT_FALSE(h.fragment || h.v6);
    const FlowKey key{IpAddress::v4(f.source), IpAddress::v4(f.destination), f.source_port, f.destination_port,
                      f.protocol};
    ASSERT_TRUE(key == h.key);
    ASSERT_EQ(f.length, h.l3_length);
    ASSERT_EQ(h.l4, p.data() + detail::kPlainIp);
    if (f.protocol == ip_protocol::tcp) {
      ASSERT_EQ(f.tcp_header_length, h.tcp_header_length);
      ASSERT_EQ(f.length - detail::kPlainIp - f.tcp_header_length, h.payload_length);
    }
    Headers whole;
    headers_of_plain(p.data(), f, whole);
    ASSERT_TRUE(whole == h);
  }
  EXPECT_GT(plain, 50000U);
  EXPECT_GT(refused, 20000U);
}

TEST(Plain, RewritesAsRewriteDoes) {
  Random random(2);
  for (int i = 0; i < 100000; ++i) {
    Bytes p = build(random_spec(random));
    PlainHeaders f;
    ASSERT_TRUE(read_plain(p.data(), static_cast<std::uint32_t>(p.size()), f) || f.source == f.destination);
    if (f.source == f.destination) continue;
    const auto word = [&](std::uint32_t old) {  // sometimes unchanged, sometimes extreme
      const auto draw = random() % 8;
      return draw == 0 ? old : draw == 1 ? 0xffffffffU : draw == 2 ? 0U : static_cast<std::uint32_t>(random());
    };
    const std::uint32_t source = word(f.source);
    const std::uint32_t destination = word(f.destination);
    const auto source_port = static_cast<std::uint16_t>(word(f.source_port));
    const auto destination_port = static_cast<std::uint16_t>(word(f.destination_port));
    Bytes other = p;
    rewrite_plain(p.data(), f, source, destination, source_port, destination_port);
    Headers h;
    ASSERT_EQ(read_headers(other.data(), static_cast<std::uint32_t>(other.size()), h), HeaderError::none);
    rewrite(h, {IpAddress::v4(source), IpAddress::v4(destination), source_port, destination_port, f.protocol});
    ASSERT_EQ(p, other);
  }
}

TEST(Plain, FollowsSegmentsAsTheTrackerDoes) {
  Random random(3);
  std::uint32_t followed = 0;
  std::uint32_t left = 0;
  for (int connection = 0; connection < 300; ++connection) {
    Session session;
    std::uint16_t epoch = 7;
    const int scale = static_cast<int>(random() % 16) - 1;
    const auto isn = static_cast<std::uint32_t>(random());
    const auto small = [&] { return static_cast<std::uint16_t>(random() % 3 == 0 ? random() % 3 : random()); };
    bool moved = false;
    const auto follow = [&](Session& s, Direction d, const SegmentSpec& spec) {
      return TcpTracker::follow(s, d, SegmentHeader(spec).headers(), epoch, moved);
    };
    TcpTracker::start(session, SegmentHeader({tcp_flag::syn, isn, 0, 0, small(), scale}).headers(), epoch);
    (void)follow(session, Direction::responder, {tcp_flag::syn | tcp_flag::ack, 5000, isn + 1, 0, small(), scale});
    (void)follow(session, Direction::initiator, {tcp_flag::ack, isn + 1, 5001, 0, small()});
    for (int i = 0; i < 400; ++i) {
      if (random() % 200 == 0) ++epoch;  // a takeover
      const auto d = static_cast<Direction>(random() % 2);
      const TcpWindow& sender = session.windows[static_cast<unsigned>(d)];
      const TcpWindow& receiver = session.windows[static_cast<unsigned>(opposite(d))];
      const auto near = [&](std::uint32_t mark) {
        const auto draw = random() % 8;
        const std::uint32_t off = draw < 4 ? 0U : static_cast<std::uint32_t>(random() % (draw == 7 ? 200000 : 3));
        return random() % 2 == 0 ? mark + off : mark - off;
      };
      SegmentSpec spec;
      spec.seq = near(random() % 4 == 0 ? sender.max_end : sender.end);
      spec.ack = near(receiver.end);
      spec.payload = static_cast<std::uint32_t>(random() % 3 == 0 ? random() % 3 : 0);
      spec.window = small();
      Session fast = session;
      const SegmentHeader header(spec);
      const bool short_way =
          TcpTracker::follow_established(fast, d, header.headers().l4, header.headers().payload_length, epoch);
      moved = false;
      const TcpVerdict verdict = follow(session, d, spec);
      if (!short_way) {
        ++left;
        continue;
      }
      ++followed;
      ASSERT_EQ(verdict, TcpVerdict::accept);
      ASSERT_FALSE(moved);
      ASSERT_EQ(session.tcp_state, TcpState::established);
      ASSERT_EQ(fast.windows[0], session.windows[0]);
      ASSERT_EQ(fast.windows[1], session.windows[1]);
      ASSERT_EQ(fast.acked[0], session.acked[0]);
      ASSERT_EQ(fast.acked[1], session.acked[1]);
    }
  }
  EXPECT_GT(followed, 5000U);
  EXPECT_GT(left, 5000U);
}

}  // namespace
}  // namespace icr::node::test
