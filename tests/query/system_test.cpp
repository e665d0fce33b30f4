// What a chassis says about itself: on its way through the codec, and as it is read from the kernel.
#include "model/query/system.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "model/base/clock.h"
#include "model/query/query.h"
#include "node/query/system_facts.h"

namespace icr {
namespace {

Result<QueryReply> carried(const QueryReply& reply) {
  flatbuffers::FlatBufferBuilder builder;
  BatchEncoder none;
  encode_reply(reply, none, builder);
  EXPECT_LE(builder.GetSize(), kMaxReplyBytes);
  return decode_reply(builder.GetBufferPointer(), builder.GetSize());
}

SystemStatus full_status() {
  SystemStatus out;
  out.now = 1'757'836'005'000;
  out.machine_s = 86'400;
  out.process_s = 77;
  out.release = "1.2.3";
  out.load = {1, 250, 99'999};
  InterfaceStatus interface;
  interface.card_id = 9;
  interface.unit = 11;
  interface.device = "ms000.1";
  interface.present = interface.admin_up = true;
  interface.index = 7;
  interface.mtu = 1500;
  interface.addresses = {{*IpAddress::parse("192.0.2.1"), 32}, {*IpAddress::parse("2001:db8::1"), 128}};
  out.interfaces = {interface, {}};
  out.interfaces[1].link_up = true;
  return out;
}

TEST(SystemCodec, AStatusComesBackAsItWas) {
  QueryReply reply;
  reply.system = full_status();
  auto back = carried(reply);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->system, reply.system);
  reply.system.load.reset();
  back = carried(reply);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->system, reply.system);
}

TEST(SystemCodec, PrefixLengthsAreChecked) {
  for (const std::size_t which : {0U, 1U}) {
    QueryReply reply;
    reply.system = full_status();
    ++reply.system.interfaces[0].addresses[which].length;
    const auto back = carried(reply);
    ASSERT_FALSE(back);
    EXPECT_THAT(back.error().message, testing::HasSubstr("prefix length"));
  }
}

TEST(SystemCodec, AlarmsComeBackAndNoneIsNotTheSameAsNotTold) {
  QueryReply reply;
  reply.status.resize(3);
  reply.status[0].alarms = {{{5, true, "a"}, {6, false, "b"}}};
  reply.status[1].alarms.emplace();
  const auto back = carried(reply);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->status[0].alarms, reply.status[0].alarms);
  ASSERT_TRUE(back->status[1].alarms.has_value());
  EXPECT_TRUE(back->status[1].alarms->empty());
  EXPECT_FALSE(back->status[2].alarms.has_value());
}

TEST(SystemCodec, TrafficComesBackAsItWas) {
  QueryReply reply;
  reply.traffic = {{11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, {12}};
  const auto back = carried(reply);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->traffic, reply.traffic);
}

TEST(SystemCodec, HitsOfTermsComeBackAsTheyWere) {
  QueryReply reply;
  reply.term_hits = {{9, TermKind::nat, "rule", "term", true, false, 7, 3},
                     {9, TermKind::firewall, "", "", false, true, 0, 0}};
  auto back = carried(reply);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->term_hits, reply.term_hits);
  reply.term_hits[0].kind = static_cast<TermKind>(2);
  back = carried(reply);
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().message, "kind 2 of a term out of range");
}

TEST(SystemCodec, LogLinesComeBackAsTheyWereOrAreRefused) {
  QueryReply reply;
  reply.log = {77, 5, 9, {{log::Level::error, 1'757'836'005'000, "port: gone"}, {log::Level::debug, 1, ""}}};
  auto back = carried(reply);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->log, reply.log);
  const auto refusal = [&] {
    back = carried(reply);
    return back ? std::string() : back.error().message;
  };
  reply.log.end = 6;
  EXPECT_EQ(refusal(), "numbers of log lines out of range");
  reply.log.first = 7;
  reply.log.lines.clear();
  EXPECT_EQ(refusal(), "numbers of log lines out of range");
  reply.log = {77, 0, 1, {{static_cast<log::Level>(4), 1, ""}}};
  EXPECT_EQ(refusal(), "level 4 of a log line out of range");
  reply.log = {77, 0, 1, {{log::Level::info, -1, ""}}};
  EXPECT_EQ(refusal(), "time of a log line out of range");
  reply.log = {77, 0, 1, {{log::Level::info, 1, std::string(1'000'000, 'x')}}};
  EXPECT_EQ(refusal(), "a log line of 1000000 octets");
  reply.log = {77, 0, 1, {{log::Level::info, 1, "\x1b[2J"}}};
  EXPECT_EQ(refusal(), "");
  EXPECT_EQ(back->log.lines[0].text.find('\x1b'), std::string::npos) << "a terminal would obey it";
  reply.log = {77, 0, 1000, std::vector<log::KeptLine>(kPageLogLines + 1)};
  EXPECT_EQ(refusal(), "");
  EXPECT_EQ(back->log.lines.size(), kPageLogLines);
}

TEST(SystemCodec, NoMoreAlarmsTravelThanAreTaken) {
  QueryReply reply;
  reply.status.resize(1);
  reply.status[0].alarms.emplace(kMaxAlarms + 1, Alarm{1, false, "x"});
  const auto back = carried(reply);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->status[0].alarms->size(), kMaxAlarms);
}

TEST(SystemFacts, InterfacesAreThoseOfTheKernel) {
  ChassisConfig chassis;
  CardConfig card;
  card.stable_id = 5;
  const auto add = [&](std::uint32_t unit, PacketPort::Kind kind, const char* device) {
    PacketPort port;
    port.unit = unit;
    port.kind = kind;
    port.device = device;
    card.ports.push_back(port);
  };
  add(1, PacketPort::Kind::af_packet, "lo");
  add(2, PacketPort::Kind::tun, "no-such-device");
  add(3, PacketPort::Kind::tun, "a-name-that-is-longer-than-any-device-has");
  add(4, PacketPort::Kind::pcap, "");
  chassis.cards = {card};
  const SystemStatus status = node::read_system(chassis);
  ASSERT_EQ(status.interfaces.size(), 4U);
  EXPECT_EQ(status.interfaces[0].card_id, 5U);
  EXPECT_TRUE(status.interfaces[0].present);
  EXPECT_GT(status.interfaces[0].mtu, 1000U);
  EXPECT_GT(status.interfaces[0].index, 0U);
  if (status.interfaces[0].admin_up) {  // in a sandbox the device may be down, and has no address then
    EXPECT_THAT(status.interfaces[0].addresses,
                testing::Contains(InterfaceStatus::Address{*IpAddress::parse("127.0.0.1"), 8}));
  }
  EXPECT_FALSE(status.interfaces[1].present);
  EXPECT_FALSE(status.interfaces[2].present);
  EXPECT_TRUE(status.interfaces[3].link_up) << "a capture is always there";
}

TEST(SystemFacts, TimesAreThoseOfThisProcess) {
  const SystemStatus first = node::read_system({});
  EXPECT_LE(std::abs(first.now - wall_now()), 10'000);
  EXPECT_GT(first.machine_s, 0U);
  EXPECT_LE(first.process_s, first.machine_s);
  EXPECT_LT(first.process_s, 3600U) << "the tests have just been started";
  EXPECT_FALSE(first.release.empty());
  ASSERT_TRUE(first.load);
}

}  // namespace
}  // namespace icr
