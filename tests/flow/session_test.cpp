// The packed session: what is put in comes out, whatever the families of its two keys.
#include "node/flow/session.h"

#include <gtest/gtest.h>

#include "node/flow/session_table.h"

namespace icr::node::test {
namespace {

IpAddress address(const char* text) { return *IpAddress::parse(text); }

const FlowKey kV4Key{address("198.18.0.10"), address("198.19.0.20"), 40000, 80, 6};
const FlowKey kV4Back{address("198.19.0.20"), address("203.0.113.1"), 80, 2000, 6};
const FlowKey kV6Key{address("2001:db8::10"), address("2001:db8:64::c613:14"), 40000, 80, 6};
const FlowKey kV6Back{address("2001:db8:1::1"), address("2001:db8::10"), 80, 40000, 6};

TEST(Session, KeepsItsKeysInEveryMixOfFamilies) {
  for (const FlowKey& initiator : {kV4Key, kV6Key}) {
    for (const FlowKey& responder : {kV4Back, kV6Back}) {
      Session session;
      session.set_keys(initiator, responder);
      EXPECT_EQ(session.wide, !(initiator.is_v4() && responder.is_v4()));
      EXPECT_TRUE(session.initiator() == initiator);
      EXPECT_TRUE(session.responder() == responder);
      EXPECT_TRUE(session.egress(Direction::initiator) == responder.mirrored());
      EXPECT_TRUE(session.egress(Direction::responder) == initiator.mirrored());
      for (const FlowKey& key : {kV4Key, kV4Back, kV6Key, kV6Back}) {
        EXPECT_EQ(session.matches(Direction::initiator, key, key.is_v4()), key == initiator);
        EXPECT_EQ(session.matches(Direction::responder, key, key.is_v4()), key == responder);
      }
    }
  }
}

TEST(Session, EachPartOfAKeyIsCompared) {
  Session session;
  session.set_keys(kV4Key, kV4Back);
  const auto differs = [&](auto change) {
    FlowKey key = kV4Key;
    change(key);
    return !session.matches(Direction::initiator, key, key.is_v4());
  };
  EXPECT_TRUE(differs([](FlowKey& k) { k.source = address("198.18.0.11"); }));
  EXPECT_TRUE(differs([](FlowKey& k) { k.destination = address("198.19.0.21"); }));
  EXPECT_TRUE(differs([](FlowKey& k) { k.source = address("2001:db8::c612:a"); }));
  EXPECT_TRUE(differs([](FlowKey& k) { ++k.source_port; }));
  EXPECT_TRUE(differs([](FlowKey& k) { ++k.destination_port; }));
  EXPECT_TRUE(differs([](FlowKey& k) { k.protocol = 17; }));
}

TEST(Session, TheTwoHalvesMayDifferInProtocol) {
  const FlowKey in{address("2001:db8::10"), address("2001:db8:64::c613:14"), 7, 7, 58};
  const FlowKey out{address("198.19.0.20"), address("203.0.113.1"), 9, 9, 1};
  Session session;
  session.set_keys(in, out);
  EXPECT_EQ(session.protocol(), 58);
  EXPECT_TRUE(session.initiator() == in);
  EXPECT_TRUE(session.responder() == out);
}

TEST(Session, CountsBeyondThirtyTwoBits) {
  Session session;
  session.set_counters(Direction::responder, {0xfffffffeU, 0xffffffffffU});
  for (int i = 0; i < 3; ++i) session.add_packet(Direction::responder, 100);
  EXPECT_EQ(session.counters(Direction::responder), (FlowCounters{0x100000001U, 0xffffffffffU + 300}));
  EXPECT_EQ(session.counters(Direction::initiator), FlowCounters{});
  session.set_counters(Direction::initiator, {~std::uint64_t{0}, 1});
  EXPECT_EQ(session.counters(Direction::initiator).packets, (std::uint64_t{1} << 48) - 1)
      << "a record's word is bounded";
}

using Untold = Session::Untold;

TEST(Session, ThePeerHearsOfWhatWasUsedAndTheDiskAfterAQuarterOfTheTimeout) {
  Session session;
  session.set_timeout_s(20);
  const Ticks start = 0x1fff0;  // the low 16 bits come round to zero soon
  session.told(start);
  session.last_activity = start + 1;
  EXPECT_EQ(session.untold(start + 4, 5), Untold::nobody) << "not yet";
  EXPECT_EQ(session.untold(start + 5, 5), Untold::peer);
  session.told_peer(start + 5);
  EXPECT_EQ(session.untold(start + 40, 5), Untold::nobody) << "it was not used since";
  EXPECT_EQ(session.untold(start + 50, 5), Untold::peer_and_disk) << "a quarter of 20 s";
  session.told(start + 50);
  EXPECT_EQ(session.untold(start + 1000, 5), Untold::nobody);

  session.last_activity = start + 1000;
  session.told(start + 1000);
  EXPECT_EQ(session.untold(start + 1005, 5), Untold::peer) << "a packet may have come in the same tick, later";
  session.told_peer(start + 1005);
  EXPECT_EQ(session.untold(start + 1011, 5), Untold::nobody);

  session.last_activity = start + 2000;
  session.set_timeout_s(4);
  session.told(start + 1999);
  EXPECT_EQ(session.untold(start + 2009, 300), Untold::peer_and_disk) << "1 s at least, whatever the patience";
  session.set_timeout_s(86400);
  EXPECT_EQ(session.untold(start + 2290, 300), Untold::nobody);
  EXPECT_EQ(session.untold(start + 2299, 300), Untold::peer_and_disk) << "30 s at most";
}

TEST(Session, WhatIsToldOfASessionThatSleptForHoursIsItsNextPacket) {
  Session session;
  session.set_timeout_s(86400);
  const Ticks start = 0x1fff0;
  for (const Ticks sleep :
       {Ticks{0x7000}, Ticks{0x9000}, Ticks{0xfff0}, Ticks{0x10000}, Ticks{0x10010}, Ticks{0x54321}}) {
    session.last_activity = start;
    session.told(start + 1);
    Ticks now = start + 1;
    for (; now < start + sleep; now += 10) ASSERT_EQ(session.untold(now, 5), Untold::nobody) << sleep;
    session.last_activity = now;
    EXPECT_NE(session.untold(now + 5, 5), Untold::nobody) << sleep;
  }
}

TEST(SessionTableFamilies, AFlowIsFoundInSessionsOfTwoFamilies) {
  SessionTable table(8, 3);
  const auto enter = [&](const FlowKey& initiator, const FlowKey& responder) {
    const std::uint32_t slot = *table.allocate();
    table.at(slot).set_keys(initiator, responder);
    EXPECT_TRUE(table.insert(slot));
    return slot;
  };
  const std::uint32_t both = enter(kV6Key, kV4Back);
  const std::uint32_t narrow = enter(kV4Key, kV4Key.mirrored());
  const std::uint32_t wide = enter(kV6Back, kV6Back.mirrored());
  EXPECT_EQ(table.find(0, kV6Key)->slot, both);
  EXPECT_EQ(table.find(0, kV4Back)->slot, both);
  EXPECT_EQ(table.find(0, kV4Back)->direction, Direction::responder);
  EXPECT_EQ(table.find(0, kV4Key)->slot, narrow);
  EXPECT_EQ(table.find(0, kV6Back.mirrored())->slot, wide);
  EXPECT_FALSE(table.find(0, kV6Key.mirrored()).has_value());
  table.remove(both);
  EXPECT_FALSE(table.find(0, kV4Back).has_value());
  EXPECT_FALSE(table.find(0, kV6Key).has_value());
}

}  // namespace
}  // namespace icr::node::test
