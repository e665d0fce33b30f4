// The engine end to end: real packets through a service set with a stateful firewall and NAPT44.
#include <gtest/gtest.h>

#include "tests/support/flow_bed.h"

namespace icr::node::test {
namespace {

bool in_pool(const std::string& address) {
  return Prefix::parse("203.0.113.0/30")->contains(*IpAddress::parse(address));
}

/// Handshake of a TCP connection; returns the translated source port.
std::uint16_t connect(Bed& bed, std::uint16_t port, std::uint32_t isn = 1000, std::uint32_t peer_isn = 5000) {
  const Seen syn = bed.pass(kInside, tcp(kClient, port, kServer, 80, kSyn, isn, 0));
  const auto back = [&](std::uint8_t flags, std::uint32_t seq, std::uint32_t ack) {
    return bed.pass(kOutside, tcp(kServer, 80, syn.source, syn.source_port, flags, seq, ack));
  };
  (void)back(kSyn | kAck, peer_isn, isn + 1);
  (void)bed.pass(kInside, tcp(kClient, port, kServer, 80, kAck, isn + 1, peer_isn + 1));
  return syn.source_port;
}

TEST(Engine, UdpIsTranslatedOutAndBack) {
  Bed bed;
  const Seen there = bed.pass(kInside, udp(kClient, 5000, kServer, 53, 33));
  EXPECT_TRUE(in_pool(there.source)) << there.source;
  EXPECT_EQ(there.destination, kServer);
  EXPECT_EQ(there.destination_port, 53);
  EXPECT_GE(there.source_port, 1024);
  const Seen back = bed.pass(kOutside, udp(kServer, 53, there.source, there.source_port, 7));
  EXPECT_EQ(back.source, kServer);
  EXPECT_EQ(back.source_port, 53);
  EXPECT_EQ(back.destination, kClient);
  EXPECT_EQ(back.destination_port, 5000);
  // The same binding for the next packet, and one session in all.
  const Seen again = bed.pass(kInside, udp(kClient, 5000, kServer, 53, 33));
  EXPECT_EQ(again.source_port, there.source_port);
  EXPECT_EQ(again.payload, there.payload);
  EXPECT_EQ(bed.shard->sessions(), 1U);
  EXPECT_EQ(bed.shard->ports_in_use(), 1U);
  const SessionRecord r = bed.record();
  EXPECT_EQ(r.counters[0].packets, 2U);
  EXPECT_EQ(r.counters[0].bytes, 2U * (20 + 8 + 33));
  EXPECT_EQ(r.counters[1].packets, 1U);
  EXPECT_EQ(r.counters[1].bytes, 20U + 8 + 7);
  EXPECT_EQ(r.nat_type, NatType::napt44);
  EXPECT_EQ(r.policy, stable_id(Named::firewall_term, "all", "rule"));
  EXPECT_FALSE(r.initiated_outside);
  bed.expect_accounted();
}

TEST(Engine, AUdpPacketWithoutChecksumStaysWithoutOne) {
  Bed bed;
  Spec s = udp(kClient, 5000, kServer, 53, 33);
  s.udp_without_checksum = true;
  const auto sent = bed.send(kInside, s);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].bytes[26], 0);
  EXPECT_EQ(sent[0].bytes[27], 0);
}

TEST(Engine, TcpConnectionFromSynToTimeWait) {
  Bed bed;
  const std::uint16_t port = connect(bed, 40000);
  EXPECT_EQ(bed.record().tcp_state, TcpState::established);
  EXPECT_EQ(bed.record().timeout_s, 30U);
  const std::string pool = bed.record().flow[1].destination.to_string();
  (void)bed.pass(kInside, tcp(kClient, 40000, kServer, 80, kAck | kPsh, 1001, 5001, 100));
  (void)bed.pass(kOutside, tcp(kServer, 80, pool, port, kAck | kPsh, 5001, 1101, 500));
  (void)bed.pass(kInside, tcp(kClient, 40000, kServer, 80, kAck | kFin, 1101, 5501));
  EXPECT_EQ(bed.record().tcp_state, TcpState::fin_wait);
  (void)bed.pass(kOutside, tcp(kServer, 80, pool, port, kAck | kFin, 5501, 1102));
  EXPECT_EQ(bed.record().tcp_state, TcpState::closing);
  (void)bed.pass(kInside, tcp(kClient, 40000, kServer, 80, kAck, 1102, 5502));
  EXPECT_EQ(bed.record().tcp_state, TcpState::time_wait);
  EXPECT_EQ(bed.record().timeout_s, 1U);
  EXPECT_EQ(bed.shard->ports_in_use(), 1U);
  bed.wait(1500ms);
  EXPECT_EQ(bed.shard->sessions(), 0U);
  EXPECT_EQ(bed.shard->ports_in_use(), 0U);
  EXPECT_EQ(bed.shard->digest(), 0U);
}

TEST(Engine, ASynOnAConnectionThatIsOverOpensANewOne) {
  Bed bed;
  (void)connect(bed, 40000);
  (void)bed.pass(kInside, tcp(kClient, 40000, kServer, 80, kRst, 1001, 0));
  EXPECT_EQ(bed.record().tcp_state, TcpState::closed);
  const std::uint32_t before = bed.record().ref.generation;
  (void)bed.pass(kInside, tcp(kClient, 40000, kServer, 80, kSyn, 90000, 0));
  EXPECT_EQ(bed.engine->counters().sessions_reused, 1U);
  ASSERT_EQ(bed.shard->sessions(), 1U);
  std::uint32_t slot = 0;
  SessionRecord r;
  while (!bed.shard->read(slot, bed.now, r)) ++slot;
  EXPECT_EQ(r.tcp_state, TcpState::syn_sent);
  EXPECT_TRUE(slot != 0 || r.ref.generation == before + 1);
  EXPECT_EQ(bed.shard->ports_in_use(), 1U);
}

TEST(Engine, SessionFromOutsideIsNotTranslated) {
  Bed bed;
  const Seen in = bed.pass(kOutside, udp(kServer, 700, kClient, 9000));
  EXPECT_EQ(in.source, kServer);
  EXPECT_EQ(in.destination, kClient);
  EXPECT_TRUE(bed.record().initiated_outside);
  const Seen out = bed.pass(kInside, udp(kClient, 9000, kServer, 700));
  EXPECT_EQ(out.source, kClient);
  EXPECT_EQ(bed.shard->ports_in_use(), 0U);
  EXPECT_EQ(bed.shard->sessions(), 1U);
}

TEST(Engine, PacketsOnTheWrongSideAreDropped) {
  Bed bed;
  (void)bed.pass(kInside, udp(kClient, 5000, kServer, 53));
  bed.expect_drop(kOutside, udp(kClient, 5000, kServer, 53), Drop::wrong_interface);
  bed.expect_drop(9, udp(kClient, 5000, kServer, 53), Drop::unknown_interface);
}

TEST(Engine, HostsOfTwoServiceSetsMayHaveTheSameAddresses) {
  Plan plan;
  plan.second_service_set = true;
  Bed bed(plan);
  // Whoever is first must not keep the other one from talking, nor end what the other one has.
  const auto question = udp(kClient, 5000, kServer, 53);
  const FlowKey key{*IpAddress::parse(kClient), *IpAddress::parse(kServer), 5000, 53, ip_protocol::udp};
  for (const std::uint32_t unit : {1U, 3U, 1U, 3U}) {
    const auto sent = bed.send(unit, question);
    ASSERT_EQ(sent.size(), 1U) << unit;
    EXPECT_EQ(sent[0].unit, unit + 1);
  }
  EXPECT_EQ(bed.shard->sessions_of(0), 1U);
  EXPECT_EQ(bed.shard->sessions_of(1), 1U);
  const SessionTable& table = bed.shard->table();
  for (const std::uint16_t set : {std::uint16_t{0}, std::uint16_t{1}}) {
    const auto flow = table.find(set, key);
    ASSERT_TRUE(flow.has_value());
    EXPECT_EQ(table.at(flow->slot).service_set, set);
  }
  bed.shard->remove(table.find(0, key)->slot);
  EXPECT_FALSE(table.find(0, key).has_value());
  EXPECT_TRUE(table.find(1, key).has_value());
}

TEST(Engine, ToAPoolAddressWithoutASession) {
  Bed bed;
  bed.expect_drop(kOutside, udp(kServer, 53, "203.0.113.1", 4000), Drop::nat_no_session);
  const Seen there = bed.pass(kInside, udp(kClient, 5000, kServer, 53));
  // Right binding, wrong server: NAPT44 with address- and port-dependent filtering.
  bed.expect_drop(kOutside, udp("198.19.0.11", 53, there.source, there.source_port), Drop::nat_no_session);
}

TEST(Engine, Ipv6PassesUntranslatedWithSessions) {
  Bed bed;
  const Seen out = bed.pass(kInside, udp("2001:db8:18::10", 5000, "2001:db8:19::10", 53));
  EXPECT_EQ(out.source, "2001:db8:18::10");
  const Seen back = bed.pass(kOutside, udp("2001:db8:19::10", 53, "2001:db8:18::10", 5000));
  EXPECT_EQ(back.destination_port, 5000);
  EXPECT_EQ(bed.shard->sessions(), 1U);
  (void)bed.pass(kInside, echo("2001:db8:18::10", "2001:db8:19::10", 77));
  (void)bed.pass(kOutside, echo("2001:db8:19::10", "2001:db8:18::10", 77, true));
  (void)bed.pass(kInside, tcp("2001:db8:18::10", 5, "2001:db8:19::10", 80, kSyn, 1, 0));
  (void)bed.pass(kOutside, tcp("2001:db8:19::10", 80, "2001:db8:18::10", 5, kSyn | kAck, 9, 2));
  EXPECT_EQ(bed.shard->sessions(), 3U);
  EXPECT_EQ(bed.shard->ports_in_use(), 0U);
}

TEST(Engine, ProtocolsWithoutPortsShareAnAddress) {
  Bed bed;
  Spec gre = udp(kClient, 0, kServer, 0, 40);
  gre.protocol = 47;
  const Seen out = bed.pass(kInside, gre);
  EXPECT_TRUE(in_pool(out.source));
  Spec answer = udp(kServer, 0, out.source, 0, 40);
  answer.protocol = 47;
  EXPECT_EQ(bed.pass(kOutside, answer).destination, kClient);
  EXPECT_EQ(bed.shard->ports_in_use(), 0U);
  // Another host that gets the same address to the same server cannot be told apart.
  Plan plan;
  plan.pool = "203.0.113.1/32";
  Bed one(plan);
  (void)one.pass(kInside, gre);
  gre.source = "198.18.0.11";
  one.expect_drop(kInside, gre, Drop::nat_conflict);
  EXPECT_EQ(one.shard->sessions(), 1U);
}

TEST(Engine, PassiveShardDropsEverything) {
  Bed bed({}, 1, false);
  bed.expect_drop(kInside, udp(kClient, 5000, kServer, 53), Drop::not_master);
  bed.expect_drop(kOutside, udp(kServer, 53, "203.0.113.1", 53), Drop::not_master);
  bed.shard->activate(bed.now);
  (void)bed.pass(kInside, udp(kClient, 5000, kServer, 53));
  bed.shard->deactivate(bed.now);
  bed.wait(kForwardingGrace);
  bed.expect_drop(kInside, udp(kClient, 5000, kServer, 53), Drop::not_master);
  bed.wait(60s);
  EXPECT_EQ(bed.shard->sessions(), 1U) << "nothing expires in a passive shard";
}

TEST(Engine, HandingOverRefusesOnlyNewSessions) {
  Bed bed;
  const Seen there = bed.pass(kInside, udp(kClient, 5000, kServer, 53));
  bed.shard->refuse_new_sessions(true);
  (void)bed.pass(kInside, udp(kClient, 5000, kServer, 53));
  (void)bed.pass(kOutside, udp(kServer, 53, there.source, there.source_port));
  bed.expect_drop(kInside, udp(kClient, 5001, kServer, 53), Drop::handing_over);
  bed.shard->refuse_new_sessions(false);
  (void)bed.pass(kInside, udp(kClient, 5001, kServer, 53));
}

TEST(Engine, LinkPaddingIsCutOff) {
  Bed bed;
  Bytes padded = build(udp(kClient, 5000, kServer, 53, 1));
  const std::size_t size = padded.size();
  padded.resize(60);
  const auto sent = bed.send(kInside, padded);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].bytes.size(), size);
}

TEST(Engine, ABurstIsHandledInOrder) {
  Bed bed;
  // More than one stage, and packets that need sessions which earlier ones of the burst set up.
  std::vector<Bytes> buffers;
  for (std::uint16_t i = 0; i < 150; ++i) {
    buffers.push_back(build(udp(kClient, static_cast<std::uint16_t>(5000 + i / 3), kServer, 53, i)));
  }
  std::vector<Packet> burst;
  for (Bytes& b : buffers) {
    const auto size = static_cast<std::uint32_t>(b.size());
    burst.push_back({b.data(), size, size, kInside});
  }
  bed.engine->process(burst, bed.now, bed.out);
  ASSERT_EQ(bed.out.sent.size(), 150U);
  EXPECT_EQ(bed.shard->sessions(), 50U);
  for (std::size_t i = 0; i < 150; ++i) EXPECT_EQ(look(bed.out.sent[i].bytes).payload.size(), i);
  for (std::size_t i = 0; i < 150; i += 3) {
    EXPECT_EQ(look(bed.out.sent[i].bytes).source_port, look(bed.out.sent[i + 2].bytes).source_port);
  }
  bed.expect_accounted();
}

TEST(Engine, HeaderErrorsAreCountedUnderTheirNames) {
  Bed bed;
  Bytes bad = build(udp(kClient, 5000, kServer, 53));
  bad[10] ^= 0x55;
  EXPECT_TRUE(bed.send(kInside, bad).empty());
  EXPECT_EQ(bed.engine->counters().header_errors[static_cast<std::size_t>(HeaderError::ip_checksum)], 1U);
  CounterList list;
  bed.engine->counters().append_to(list);
  std::uint64_t errors = 0;
  for (const auto& c : list) errors += c.name == "ip-checksum-errors" ? c.value : 0;
  EXPECT_EQ(errors, 1U);
  bed.expect_accounted();
}

TEST(Engine, TcpRefusalsHaveTheirCounters) {
  Bed bed;
  const std::uint16_t port = connect(bed, 40000);
  const std::string pool = bed.record().flow[1].destination.to_string();
  bed.expect_drop(kInside, tcp(kClient, 40001, kServer, 80, kAck, 5, 5), Drop::tcp_non_syn);
  bed.expect_drop(kInside, tcp(kClient, 40000, kServer, 80, kAck, 1001 + 200000, 5001), Drop::tcp_bad_sequence);
  bed.expect_drop(kInside, tcp(kClient, 40000, kServer, 80, kAck, 1001, 5001 + 9), Drop::tcp_bad_ack);
  bed.expect_drop(kOutside, tcp(kServer, 80, pool, port, kRst, 5001 + 200000, 0), Drop::tcp_bad_rst);
  (void)bed.pass(kInside, tcp(kClient, 40002, kServer, 80, kSyn, 1, 0));
  bed.expect_drop(kInside, tcp(kClient, 40002, kServer, 80, kAck, 2, 1, 10), Drop::tcp_bad_handshake);
  const SessionRecord r = bed.record(1);
  bed.expect_drop(kOutside,
                  tcp(kServer, 80, r.flow[1].destination.to_string(), r.flow[1].destination_port, kSyn | kAck, 7, 99),
                  Drop::tcp_bad_syn_ack);
  EXPECT_EQ(bed.record(0).tcp_state, TcpState::established);
}

TEST(Engine, MidConnectionIsAllowedWhereConfiguredAndNotTranslated) {
  Plan plan;
  plan.service_options = "tcp-non-syn: allow";
  Bed bed(plan);
  bed.expect_drop(kInside, tcp(kClient, 40001, kServer, 80, kAck, 5, 5), Drop::tcp_non_syn);  // would be translated
  bed.expect_drop(kOutside, tcp(kServer, 80, kClient, 41, kRst, 5, 5), Drop::tcp_rst_in_listen);
  (void)bed.pass(kOutside, tcp(kServer, 80, kClient, 40001, kAck, 5, 5, 10));
  (void)bed.pass(kInside, tcp(kClient, 40001, kServer, 80, kAck, 5, 15));
  EXPECT_EQ(bed.record().tcp_state, TcpState::established);
}

}  // namespace
}  // namespace icr::node::test
