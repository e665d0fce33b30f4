// Port-block allocation: RFC 6888 REQ-13, RFC 7422's wish for small logs, and Junos' secured-port-block-allocation.
#include "tests/nat/nat_bed.h"

namespace icr::node::test {
namespace {

struct Blocks {
  explicit Blocks(std::uint32_t active_timeout_s = 0, std::uint16_t max_blocks = 2) {
    NatPool& pool = bed.pool("203.0.113.0/31", 2000, 2033);  // four blocks of eight on each address, two ports over
    pool.blocks = NatPool::BlockAllocation{8, max_blocks, active_timeout_s};
    pool.mapping_timeout_s = 30;
    bed.term(NatType::napt44);
    bed.start();
  }
  NatSession open(const std::string& host, std::uint16_t port) {
    return bed.open(key({host, port}, {"192.0.2.9", 53}));
  }
  [[nodiscard]] std::vector<SessionRecord> rows() const { return bed.bindings(RecordKind::port_block); }
  NatBed bed;
};

TEST(PortBlocks, PortsOfAHostAreInItsBlock) {
  Blocks t;
  std::vector<NatSession> open;
  for (std::uint16_t i = 0; i < 8; ++i) open.push_back(t.open("198.18.0.1", i));
  ASSERT_EQ(t.rows().size(), 1U);
  const BindingRecord block = t.rows()[0].binding;
  EXPECT_EQ(block.internal, ip("198.18.0.1"));
  EXPECT_EQ(block.last_port - block.external_port, 7);
  EXPECT_EQ((block.external_port - 2000) % 8, 0);
  EXPECT_TRUE(block.flags & kBindingActiveBlock);
  EXPECT_EQ(block.term, 1U);
  for (const auto& s : open) {
    EXPECT_EQ(s.responder.destination, block.external);
    EXPECT_GE(s.responder.destination_port, block.external_port);
    EXPECT_LE(s.responder.destination_port, block.last_port);
  }
  // Another protocol has the same ports of the block.
  (void)t.bed.open(key({"198.18.0.1", 1}, {"192.0.2.9", 53}, ip_protocol::tcp));
  EXPECT_EQ(t.rows().size(), 1U);
  // Full: another block, on the same address; and no third one.
  for (std::uint16_t i = 8; i < 16; ++i) open.push_back(t.open("198.18.0.1", i));
  ASSERT_EQ(t.rows().size(), 2U);
  EXPECT_EQ(t.rows()[0].binding.external, t.rows()[1].binding.external);
  EXPECT_EQ(t.bed.refused(key({"198.18.0.1", 99}, {"192.0.2.9", 53})), NatRefusal::block_limit);
  EXPECT_EQ(t.bed.status().max_blocks_exceeded_errors, 1U);
  EXPECT_EQ(t.bed.status().app_exceed_port_limit_errors, 0U) << "one refusal, one counter";
  // Another host never gets a port in them.
  (void)t.open("198.18.0.2", 1);
  EXPECT_EQ(t.rows().size(), 3U);
  const auto status = t.bed.status();
  EXPECT_EQ(status.blocks, 8U);
  EXPECT_EQ(status.blocks_in_use, 3U);
  EXPECT_EQ(status.block_allocations, 3U);
  EXPECT_EQ(status.users, 2U);
  EXPECT_EQ(status.block_size, 8U);
  EXPECT_EQ(status.max_blocks_per_host, 2U);
}

TEST(PortBlocks, ComeBackWhenTheyAreEmpty) {
  Blocks t;
  std::vector<NatSession> open;
  for (std::uint16_t i = 0; i < 16; ++i) open.push_back(t.open("198.18.0.1", i));
  // The first block is no longer active: with its last port it goes.
  for (std::uint16_t i = 0; i < 8; ++i) t.bed.close(open[i]);
  EXPECT_EQ(t.rows().size(), 1U);
  EXPECT_EQ(t.bed.status().block_releases, 1U);
  // The active one waits for its host.
  for (std::uint16_t i = 8; i < 16; ++i) t.bed.close(open[i]);
  EXPECT_EQ(t.rows().size(), 1U);
  t.bed.wait(290);
  const NatSession again = t.open("198.18.0.1", 1);
  EXPECT_EQ(t.rows().size(), 1U);
  t.bed.close(again);
  t.bed.wait(310);
  EXPECT_EQ(t.rows().size(), 0U);
  EXPECT_EQ(t.bed.status().blocks_in_use, 0U);
  EXPECT_EQ(t.bed.status().max_blocks_in_use, 2U);
  EXPECT_EQ(t.bed.status().users, 0U);
  EXPECT_EQ(t.bed.nat->ports_in_use(), 0U);
}

TEST(PortBlocks, TheActiveOneChangesAfterItsTime) {
  Blocks t(60);
  const NatSession a = t.open("198.18.0.1", 1);
  t.bed.wait(500);
  const NatSession b = t.open("198.18.0.1", 2);
  EXPECT_EQ(t.rows().size(), 1U);
  t.bed.wait(150);
  const NatSession c = t.open("198.18.0.1", 3);
  ASSERT_EQ(t.rows().size(), 2U);
  unsigned active = 0;
  for (const auto& row : t.rows()) {
    if ((row.binding.flags & kBindingActiveBlock) == 0) continue;
    ++active;
    EXPECT_GE(c.responder.destination_port, row.binding.external_port);
    EXPECT_LE(c.responder.destination_port, row.binding.last_port);
  }
  EXPECT_EQ(active, 1U);
  t.bed.close(a);
  EXPECT_EQ(t.rows().size(), 2U);
  t.bed.close(b);
  EXPECT_EQ(t.rows().size(), 1U);
  // As many as it may have, all past their time: better an old one than none.
  t.bed.wait(700);
  (void)t.open("198.18.0.1", 4);
  t.bed.wait(700);
  (void)t.open("198.18.0.1", 5);
  EXPECT_EQ(t.rows().size(), 2U);
  EXPECT_EQ(t.bed.status().max_blocks_exceeded_errors, 0U);
}

TEST(PortBlocks, WhenThePoolHasNoneLeft) {
  Blocks t;
  for (unsigned host = 1; host <= 8; ++host) (void)t.open("198.18.0." + std::to_string(host), 1);
  EXPECT_EQ(t.bed.refused(key({"198.18.0.99", 1}, {"192.0.2.9", 53})), NatRefusal::out_of_blocks);
  EXPECT_EQ(t.bed.status().out_of_block_errors, 1U);
  EXPECT_EQ(t.bed.status().out_of_port_errors, 0U) << "one refusal, one counter";
  EXPECT_EQ(t.bed.status().users, 8U);
  std::set<std::pair<IpAddress, std::uint16_t>> starts;
  for (const auto& row : t.rows()) EXPECT_TRUE(starts.insert({row.binding.external, row.binding.external_port}).second);
}

/// The host's own blocks are asked once, not again for each address that it could be paired with.
TEST(PortBlocks, OfAPairedHostAreAskedOnce) {
  NatBed bed;
  NatPool& pool = bed.pool("203.0.113.0/28", 2000, 2001);
  pool.blocks = NatPool::BlockAllocation{2, 1, 0};
  bed.term(NatType::napt44).address_pooling_paired = true;
  bed.start();
  for (unsigned host = 1; host <= 16; ++host) {
    (void)bed.open(key({"198.18.0." + std::to_string(host), 1}, {"192.0.2.9", 53}));
  }
  EXPECT_EQ(bed.refused(key({"198.18.0.99", 1}, {"192.0.2.9", 53})), NatRefusal::out_of_blocks);
  EXPECT_EQ(bed.status().out_of_block_errors, 1U);
  EXPECT_EQ(bed.status().out_of_port_errors, 0U);
  EXPECT_EQ(bed.status().users, 16U);
  EXPECT_EQ(bed.status().pairings, 16U);
}

/// A host that is paired no more, but has a block, is paired with the block's address again.
TEST(PortBlocks, DecideWithWhichAddressAHostIsPaired) {
  NatBed bed;
  NatPool& pool = bed.pool("203.0.113.0/28", 2000, 2063);
  pool.blocks = NatPool::BlockAllocation{8, 8, 90};
  pool.mapping_timeout_s = 30;
  bed.term(NatType::napt44).address_pooling_paired = true;
  bed.start();
  for (unsigned host = 1; host <= 16; ++host) {
    const FlowKey packet = key({"198.18.0." + std::to_string(host), 1}, {"192.0.2.9", 53});
    const NatSession first = bed.open(packet);
    bed.close(first);
    bed.wait(310);
    EXPECT_EQ(bed.status().pairings, 0U);
    EXPECT_EQ(bed.bindings(RecordKind::port_block).size(), 1U);
    const NatSession again = bed.open(packet);
    EXPECT_EQ(again.responder.destination, first.responder.destination);
    ASSERT_EQ(bed.bindings(RecordKind::pairing).size(), 1U);
    EXPECT_EQ(bed.bindings(RecordKind::pairing)[0].binding.external, first.responder.destination);
    bed.close(again);
    bed.wait(910);
  }
}

/// RFC 6888 REQ-13 asks for logs of mappings by which a host can be found; a line for each block is enough.
TEST(PortBlocks, AreLogged) {
  Blocks t;
  const NatSession a = t.open("198.18.0.1", 1);
  const auto given = t.bed.nat->next_block_event();
  ASSERT_TRUE(given);
  EXPECT_TRUE(given->allocated);
  EXPECT_EQ(given->host, ip("198.18.0.1"));
  EXPECT_EQ(IpAddress::v4(given->external), a.responder.destination);
  EXPECT_LE(given->first_port, a.responder.destination_port);
  EXPECT_GE(given->last_port, a.responder.destination_port);
  EXPECT_FALSE(t.bed.nat->next_block_event());
  t.bed.close(a);
  t.bed.wait(310);
  const auto back = t.bed.nat->next_block_event();
  ASSERT_TRUE(back);
  EXPECT_FALSE(back->allocated);
  EXPECT_EQ(back->first_port, given->first_port);
  // Nobody fetches them: the ring is bounded, and what is lost is counted.
  for (int i = 0; i < 2100; ++i) {
    t.bed.close(t.open("198.18.0.1", 1));
    t.bed.wait(310);
  }
  EXPECT_EQ(t.bed.status().block_log_overflows, 4200U - 4096U);
}

TEST(PortBlocks, HoldMappingsAndPairedHostsToo) {
  NatBed bed;
  NatPool& pool = bed.pool("203.0.113.0/31", 2000, 2031);
  pool.blocks = NatPool::BlockAllocation{8, 8, 0};
  pool.mapping_timeout_s = 30;
  NatTerm& term = bed.term(NatType::napt44);
  term.endpoint_independent_mapping = true;
  term.address_pooling_paired = true;
  bed.start();
  std::vector<NatSession> open;
  for (std::uint16_t i = 0; i < 32; ++i) {
    open.push_back(bed.open(key({"198.18.0.1", i}, {"192.0.2.9", 53})));
    open.push_back(bed.open(key({"198.18.0.1", i}, {"192.0.2.10", 53})));
  }
  EXPECT_EQ(bed.refused(key({"198.18.0.1", 99}, {"192.0.2.9", 53})), NatRefusal::paired_out_of_ports);
  EXPECT_EQ(bed.status().blocks_in_use, 4U);
  EXPECT_EQ(bed.status().mappings, 32U);
  EXPECT_EQ(bed.status().pairings, 1U);
  for (const auto& s : open) bed.close(s);
  EXPECT_EQ(bed.status().mappings, 32U);
  bed.wait(310);
  EXPECT_EQ(bed.status().mappings, 0U);
  bed.wait(310);
  EXPECT_EQ(bed.status().blocks_in_use, 0U);
  EXPECT_EQ(bed.status().pairings, 0U);
  EXPECT_EQ(bed.status().users, 0U);
  EXPECT_EQ(bed.nat->ports_in_use(), 0U);
}

}  // namespace
}  // namespace icr::node::test
