// Session records for tests: random but valid, and compared field by field.
#pragma once

#include <gtest/gtest.h>

#include <random>

#include "model/record/session.h"

namespace icr::test {

/// A record with every field drawn at random from its range.
inline SessionRecord random_record(std::mt19937& random, bool v6) {
  const auto up_to = [&](std::uint32_t most) {
    return static_cast<std::uint32_t>(random() % (std::uint64_t{most} + 1));
  };
  const auto word = [&] { return static_cast<std::uint32_t>(random()); };
  const auto port = [&] { return static_cast<std::uint16_t>(random()); };
  const auto address = [&] {
    if (!v6) return IpAddress::v4(word());
    IpAddress out;
    for (auto& byte : out.bytes) byte = static_cast<std::uint8_t>(random());
    out.bytes[0] = 0x20;  // never an IPv4 address by chance
    return out;
  };
  SessionRecord r;
  r.ref = {up_to(kMaxSlots - 1), 1 + up_to(0xfffffffe)};
  r.version = word();
  const auto protocol = static_cast<std::uint8_t>(random());
  for (auto& flow : r.flow) flow = FlowKey{address(), address(), port(), port(), protocol};
  r.tcp_state = static_cast<TcpState>(up_to(kTcpStateCount - 1));
  r.nat_type = static_cast<NatType>(up_to(kNatTypeCount - 1));
  r.flag = static_cast<SessionFlag>(up_to(kSessionFlagCount - 1));
  r.alg = static_cast<ApplicationProtocol>(up_to(static_cast<std::uint32_t>(application_protocols().size()) - 1));
  r.initiated_outside = word() % 2 == 0;
  r.hairpin = word() % 2 == 0;
  r.asymmetric = word() % 2 == 0;
  r.newest_state = static_cast<NewestState>(up_to(kNewestStateCount - 1));
  r.service_set = word();
  r.policy = word() % 2 == 0 ? 0 : word();
  r.nat_pool = word() % 2 == 0 ? 0 : word();
  r.timeout_s = word();
  r.idle = word();
  r.age = word();
  r.lifetime_s = word();
  r.has_tcp = word() % 2 == 0;
  r.has_counters = word() % 2 == 0;
  if (r.has_tcp) {
    for (auto& window : r.tcp) {
      window =
          TcpWindow{word(), word(), word(), static_cast<std::uint8_t>(up_to(14)), static_cast<std::uint8_t>(up_to(7))};
    }
  }
  if (r.has_counters) {
    for (auto& counters : r.counters)
      counters = {std::uint64_t{word()} << 32 | word(), std::uint64_t{word()} << 32 | word()};
  }
  return r;
}

/// A binding with every field drawn at random from its range.
inline SessionRecord random_binding(std::mt19937& random) {
  const auto word = [&] { return static_cast<std::uint32_t>(random()); };
  const auto port = [&] { return static_cast<std::uint16_t>(random()); };
  SessionRecord r;
  r.ref = {word() % kMaxRecordSlots, 1 + word() % 0xffffffffU};
  r.version = word();
  r.kind = static_cast<RecordKind>(1 + word() % (kRecordKindCount - 1U));
  BindingRecord& b = r.binding;
  b.term = std::uint64_t{word()} << 32 | word();
  for (IpAddress* address : {&b.internal, &b.external}) {
    for (auto& byte : address->bytes) byte = static_cast<std::uint8_t>(random());
  }
  b.internal_port = port();
  b.external_port = port();
  b.last_port = static_cast<std::uint16_t>(b.external_port + word() % (65536U - b.external_port));
  b.protocol = static_cast<std::uint8_t>(random());
  b.flags = static_cast<std::uint8_t>(word() & kKnownBindingFlags);
  b.pool = word();
  b.service_set = word();
  b.timeout_s = word();
  b.idle = word();
  b.age = word();
  return r;
}

inline void expect_equal(const SessionRecord& a, const SessionRecord& b) {
  EXPECT_EQ(a.ref, b.ref);
  EXPECT_EQ(a.version, b.version);
  ASSERT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.binding, b.binding);
  EXPECT_TRUE(a.flow[0] == b.flow[0]);
  EXPECT_TRUE(a.flow[1] == b.flow[1]);
  EXPECT_EQ(a.tcp_state, b.tcp_state);
  EXPECT_EQ(a.nat_type, b.nat_type);
  EXPECT_EQ(a.flag, b.flag);
  EXPECT_EQ(a.alg, b.alg);
  EXPECT_EQ(a.initiated_outside, b.initiated_outside);
  EXPECT_EQ(a.hairpin, b.hairpin);
  EXPECT_EQ(a.asymmetric, b.asymmetric);
  EXPECT_EQ(a.newest_state, b.newest_state);
  EXPECT_EQ(a.service_set, b.service_set);
  EXPECT_EQ(a.policy, b.policy);
  EXPECT_EQ(a.nat_pool, b.nat_pool);
  EXPECT_EQ(a.timeout_s, b.timeout_s);
  EXPECT_EQ(a.idle, b.idle);
  EXPECT_EQ(a.age, b.age);
  EXPECT_EQ(a.lifetime_s, b.lifetime_s);
  ASSERT_EQ(a.has_tcp, b.has_tcp);
  if (a.has_tcp) {
    EXPECT_EQ(a.tcp, b.tcp);
  }
  ASSERT_EQ(a.has_counters, b.has_counters);
  if (a.has_counters) {
    EXPECT_EQ(a.counters, b.counters);
  }
}

}  // namespace icr::test
