// What operators ask the NAT of a shard, and what they clear.
#include <algorithm>

#include "tests/nat/nat_bed.h"

namespace icr::node::test {
namespace {

constexpr std::uint8_t kMappings = kind_bit(RecordKind::mapping);
constexpr std::uint8_t kPairings = kind_bit(RecordKind::pairing);
constexpr std::uint8_t kBlocks = kind_bit(RecordKind::port_block);

class NatQuestions : public testing::Test {
 protected:
  NatBed bed;

  void start_mapped() {
    bed.pool("203.0.113.0/30");
    auto& t = bed.term(NatType::napt44);
    t.endpoint_independent_mapping = t.endpoint_independent_filtering = t.address_pooling_paired = true;
    bed.start();
  }
  std::uint32_t row_of(RecordKind kind) {
    const auto all = bed.bindings(kind);
    EXPECT_EQ(all.size(), 1U);
    return all.empty() ? 0 : all[0].ref.slot;
  }
};

TEST_F(NatQuestions, SessionsOfAMappingAndOfAPairingAreCounted) {
  start_mapped();
  const auto a = bed.open(key({"198.18.0.1", 4000}, {"192.0.2.1", 53}));
  const auto b = bed.open(key({"198.18.0.1", 4000}, {"192.0.2.2", 53}));
  const auto c = bed.open(key({"198.18.0.1", 4001}, {"192.0.2.2", 53}));
  EXPECT_EQ(a.responder.destination_port, b.responder.destination_port);
  std::vector<std::uint32_t> sessions;
  for (const auto& binding : bed.bindings(RecordKind::mapping))
    sessions.push_back(bed.nat->users_of(binding.ref.slot).sessions);
  std::sort(sessions.begin(), sessions.end());
  EXPECT_EQ(sessions, (std::vector<std::uint32_t>{1, 2}));
  const auto pairing = row_of(RecordKind::pairing);
  EXPECT_EQ(bed.nat->users_of(pairing).ports, 2U);
  EXPECT_EQ(bed.nat->users_of(pairing).sessions, 3U) << "of the host, whatever mapping they use";
  const auto in =
      bed.open(key({"192.0.2.9", 1}, {a.responder.destination.to_string(), a.responder.destination_port}), false);
  EXPECT_EQ(bed.nat->users_of(pairing).sessions, 4U) << "also one that came in";
  for (const auto& session : {a, b, c, in}) bed.close(session);
  for (const auto& binding : bed.bindings(RecordKind::mapping))
    EXPECT_EQ(bed.nat->users_of(binding.ref.slot).sessions, 0U);
  EXPECT_EQ(bed.nat->users_of(pairing).sessions, 0U) << "mappings linger on, sessions do not";
  EXPECT_EQ(bed.nat->users_of(pairing).ports, 2U);
}

TEST_F(NatQuestions, SessionsOfAPairingWithoutMappingsAreItsPorts) {
  bed.pool("203.0.113.0/30");
  bed.term(NatType::napt44).address_pooling_paired = true;
  bed.start();
  const auto a = bed.open(key({"198.18.0.1", 4000}, {"192.0.2.1", 53}));
  const auto b = bed.open(key({"198.18.0.1", 4000}, {"192.0.2.2", 53}));
  const auto pairing = row_of(RecordKind::pairing);
  EXPECT_EQ(bed.nat->users_of(pairing).sessions, 2U);
  EXPECT_EQ(bed.nat->users_of(pairing).ports, 2U);
  bed.close(a);
  bed.close(b);
  EXPECT_EQ(bed.nat->users_of(pairing).sessions, 0U);
}

TEST_F(NatQuestions, ATwinCountsTheSessionsOfAPairingInWhateverOrderItLearns) {
  start_mapped();
  std::vector<NatSession> sessions;
  for (std::uint16_t port = 4000; port < 4003; ++port) {
    sessions.push_back(bed.open(key({"198.18.0.1", port}, {"192.0.2.1", 53})));
    sessions.push_back(bed.open(key({"198.18.0.1", port}, {"192.0.2.2", 53})));
  }
  const auto pairing = bed.bindings(RecordKind::pairing).at(0);
  const auto mappings = bed.bindings(RecordKind::mapping);
  ASSERT_EQ(mappings.size(), 3U);
  NatBed twin;
  twin.cluster = bed.cluster;
  twin.start(1, false);
  const auto sessions_of = [&] { return twin.nat->users_of(pairing.ref.slot).sessions; };
  const auto apply = [&](const SessionRecord& r) { (void)twin.nat->apply(r.ref.slot, r, twin.now); };
  apply(mappings[1]);
  for (const auto& session : sessions) twin.nat->hold(session, false, twin.now);
  apply(pairing);
  EXPECT_EQ(sessions_of(), 2U) << "two mappings are still to come";
  apply(mappings[0]);
  apply(mappings[2]);
  EXPECT_EQ(sessions_of(), 6U);
  (void)twin.nat->erase(mappings[2].ref.slot, mappings[2].ref.generation, twin.now);
  EXPECT_EQ(sessions_of(), 4U);
  for (const auto& session : sessions) twin.close(session);
  EXPECT_EQ(sessions_of(), 0U);
  EXPECT_EQ(twin.nat->users_of(pairing.ref.slot).ports, 2U);
}

TEST_F(NatQuestions, OnlyWhatNobodyUsesIsRemoved) {
  start_mapped();
  const auto session = bed.open(key({"198.18.0.1", 4000}, {"192.0.2.1", 53}));
  const auto mapping = row_of(RecordKind::mapping);
  const auto pairing = row_of(RecordKind::pairing);
  EXPECT_FALSE(bed.nat->remove(mapping, bed.now)) << "in use";
  EXPECT_FALSE(bed.nat->remove(pairing, bed.now)) << "in use";
  bed.close(session);
  bed.changed.clear();
  EXPECT_TRUE(bed.nat->remove(mapping, bed.now));
  EXPECT_EQ(std::count(bed.changed.begin(), bed.changed.end(), mapping), 1) << "peer and disk hear of it";
  EXPECT_TRUE(bed.bindings(RecordKind::mapping).empty());
  EXPECT_FALSE(bed.nat->remove(mapping, bed.now)) << "it is gone";
  EXPECT_TRUE(bed.nat->remove(pairing, bed.now));
  EXPECT_EQ(bed.status().ports_in_use, 0U);
  const auto again = bed.open(key({"198.18.0.1", 4000}, {"192.0.2.1", 53}));
  EXPECT_EQ(bed.nat->users_of(row_of(RecordKind::mapping)).sessions, 1U);
  bed.close(again);
}

TEST_F(NatQuestions, APassiveOneRemovesNothing) {
  start_mapped();
  bed.close(bed.open(key({"198.18.0.1", 4000}, {"192.0.2.1", 53})));
  bed.nat->deactivate();
  EXPECT_FALSE(bed.nat->remove(row_of(RecordKind::mapping), bed.now));
}

TEST_F(NatQuestions, ASessionHoldsTheBindingsOfItsEnds) {
  start_mapped();
  const auto out = bed.open(key({"198.18.0.1", 4000}, {"192.0.2.1", 53}));
  SessionFilter host;
  host.source_prefix = Prefix::parse("198.18.0.1/32");
  SessionFilter other;
  other.source_prefix = Prefix::parse("198.18.0.2/32");
  SessionFilter port;
  port.source_port = 4000;
  SessionFilter translated;
  translated.destination_prefix = Prefix::of(out.responder.destination, 32);
  translated.destination_port = out.responder.destination_port;
  const auto in =
      bed.open(key({"192.0.2.9", 1}, {out.responder.destination.to_string(), out.responder.destination_port}), false);
  for (const auto& session : {out, in}) {
    EXPECT_TRUE(bed.nat->holds(session, {}, kMappings));
    EXPECT_TRUE(bed.nat->holds(session, {}, kPairings));
    EXPECT_FALSE(bed.nat->holds(session, {}, kBlocks));
    EXPECT_FALSE(bed.nat->holds(session, {}, 0));
    EXPECT_TRUE(bed.nat->holds(session, host, kMappings)) << "also one that came in: the host is inside";
    EXPECT_FALSE(bed.nat->holds(session, other, kMappings));
    EXPECT_TRUE(bed.nat->holds(session, port, kMappings));
    EXPECT_TRUE(bed.nat->holds(session, translated, kMappings));
  }
  NatSession plain{key({"198.18.0.1", 1}, {"192.0.2.1", 2}), key({"192.0.2.1", 2}, {"198.18.0.1", 1})};
  EXPECT_FALSE(bed.nat->holds(plain, {}, kMappings | kPairings));
}

TEST_F(NatQuestions, ALingeringMappingHoldsThePairingOfItsHost) {
  start_mapped();
  bed.close(bed.open(key({"198.18.0.1", 4000}, {"192.0.2.1", 53})));
  const auto mapping = bed.bindings(RecordKind::mapping).at(0);
  SessionFilter host;
  host.source_prefix = Prefix::parse("198.18.0.1/32");
  SessionFilter other;
  other.source_prefix = Prefix::parse("198.18.0.2/32");
  EXPECT_TRUE(bed.nat->holds(mapping.binding, host, kPairings));
  EXPECT_FALSE(bed.nat->holds(mapping.binding, other, kPairings));
  EXPECT_FALSE(bed.nat->holds(mapping.binding, host, kMappings));
  EXPECT_FALSE(bed.nat->remove(row_of(RecordKind::pairing), bed.now)) << "held";
  EXPECT_TRUE(bed.nat->remove(mapping.ref.slot, bed.now));
  EXPECT_TRUE(bed.nat->remove(row_of(RecordKind::pairing), bed.now));
  EXPECT_FALSE(bed.nat->holds(mapping.binding, host, kPairings)) << "it has none any more";
}

TEST_F(NatQuestions, APairingThatServiceSetsShareIsOfTheOneThatMadeIt) {
  bed.cluster.service_sets.push_back(bed.cluster.service_sets[0]);
  bed.cluster.service_sets[1].name = "other";
  bed.cluster.redundancy_sets[0].service_sets = {0, 1};
  start_mapped();
  const FlowKey packet = key({"198.18.0.1", 4000}, {"192.0.2.1", 53});
  const auto mine = bed.open(packet);
  const NatResult r = bed.nat->translate(1, bed.rule(), packet, true, bed.now);
  ASSERT_EQ(r.refused, NatRefusal::none);
  const NatSession theirs{packet, r.responder, r.type, r.pool, 1, false};
  bed.nat->hold(theirs, true, bed.now);
  EXPECT_EQ(bed.nat->users_of(row_of(RecordKind::pairing)).sessions, 2U);
  SessionFilter first;
  first.service_sets = {bed.cluster.service_sets[0].stable_id};
  SessionFilter second;
  second.service_sets = {bed.cluster.service_sets[1].stable_id};
  for (const auto& session : {mine, theirs}) {
    EXPECT_TRUE(bed.nat->holds(session, first, kPairings)) << "or the pairing could not go";
    EXPECT_FALSE(bed.nat->holds(session, second, kPairings)) << "no pairing would go with it";
  }
  EXPECT_FALSE(bed.nat->holds(theirs, first, kMappings));
  std::vector<NatPoolStatus> all;
  bed.nat->append_status(all);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].pairings, 1U);
  EXPECT_EQ(all[1].pairings, 0U);
  EXPECT_EQ(all[0].mappings, 1U);
  EXPECT_EQ(all[1].mappings, 1U);
  EXPECT_EQ(all[0].ports_in_use, 2U) << "of the whole pool";
  EXPECT_EQ(all[1].ports_in_use, 2U);
  bed.close(mine);
  bed.close(theirs);
}

TEST_F(NatQuestions, PortsOfABlockAreCounted) {
  bed.pool("203.0.113.0/30").blocks = NatPool::BlockAllocation{64, 4, 0};
  bed.term(NatType::napt44);
  bed.start();
  const auto a = bed.open(key({"198.18.0.1", 4000}, {"192.0.2.1", 53}));
  const auto b = bed.open(key({"198.18.0.1", 4001}, {"192.0.2.1", 53}));
  EXPECT_EQ(bed.nat->users_of(row_of(RecordKind::port_block)).ports, 2U);
  bed.close(a);
  bed.close(b);
}

TEST_F(NatQuestions, DeterministicBlocksBothWays) {
  bed.pool("203.0.113.0/30", 1024, 65535).deterministic = NatPool::Deterministic{8064, true};
  bed.term(NatType::deterministic_napt44, "198.18.0.0/28");
  bed.start();
  std::vector<DeterministicRow> all;
  EXPECT_EQ(bed.nat->append_deterministic({}, {}, all), 16U);
  ASSERT_EQ(all.size(), 16U);
  const auto session = bed.open(key({"198.18.0.9", 4000}, {"192.0.2.1", 53}));
  for (const auto& row : all) {
    std::vector<DeterministicRow> of_host;
    DeterministicQuestion question;
    question.host = IpAddress::v4(row.binding.internal);
    bed.nat->append_deterministic({}, question, of_host);
    ASSERT_EQ(of_host.size(), 1U);
    EXPECT_EQ(of_host[0].binding, row.binding);
    EXPECT_EQ(of_host[0].ports_in_use, row.binding.internal == ip("198.18.0.9").to_v4() ? 1U : 0U);
    std::vector<DeterministicRow> of_port;
    question = {};
    question.translated = IpAddress::v4(row.binding.external);
    question.port = row.binding.last_port;
    bed.nat->append_deterministic({}, question, of_port);
    ASSERT_EQ(of_port.size(), 1U);
    EXPECT_EQ(of_port[0].binding, row.binding);
  }
  DeterministicQuestion question;
  question.translated = ip("203.0.113.1");
  std::vector<DeterministicRow> of_address;
  bed.nat->append_deterministic({}, question, of_address);
  EXPECT_EQ(of_address.size(), 8U) << "every block of the address";
  question.first = 3;
  question.most = 2;
  std::vector<DeterministicRow> part;
  EXPECT_EQ(bed.nat->append_deterministic({}, question, part), 8U) << "so many there are to look at";
  ASSERT_EQ(part.size(), 2U) << "a page of them";
  EXPECT_EQ(part[0].binding, of_address[3].binding);
  EXPECT_EQ(part[1].binding, of_address[4].binding);
  question = {};
  question.first = 14;
  std::vector<DeterministicRow> page;
  EXPECT_EQ(bed.nat->append_deterministic({}, question, page), 16U);
  EXPECT_EQ(page.size(), 2U);
  question.first = 0;
  question.most = 5;
  page.clear();
  bed.nat->append_deterministic({}, question, page);
  EXPECT_EQ(page.size(), 5U);
  question = {};
  question.host = ip("198.18.1.1");
  page.clear();
  bed.nat->append_deterministic({}, question, page);
  question.host = ip("2001:db8::1");
  bed.nat->append_deterministic({}, question, page);
  SessionFilter elsewhere;
  elsewhere.service_sets = {3};
  bed.nat->append_deterministic(elsewhere, {}, page);
  EXPECT_TRUE(page.empty());
  bed.close(session);
}

}  // namespace
}  // namespace icr::node::test
