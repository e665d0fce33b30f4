// Every layout of NAT, character by character. Made from captured lines: the session lines, the entries of `mappings`,
// its summary, the table of `source deterministic`, the words of `pool brief` and the first lines of `pool detail`. The
// rest is inferred from the leaf names of the XML replies and from sister commands (docs/cli.md).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <set>
#include <sstream>

#include "tests/cli/golden.h"

namespace icr::test {
namespace {

AddressRange range(const char* low, const char* high) { return {ip(low), ip(high)}; }

NatPool pool(const char* name, const char* low, const char* high) {
  NatPool out;
  out.name = name;
  out.addresses = {range(low, high)};
  return out;
}

NatTerm term(const char* name, NatType type, std::vector<std::uint16_t> pools) {
  NatTerm out;
  out.name = name;
  out.type = type;
  out.source_pools = std::move(pools);
  return out;
}

enum Pool : std::uint16_t { kPool1, kDynamic, kServers, kBlocks, kFixed, kSix };
StableId id_of(Pool pool) {
  constexpr std::array<std::string_view, 6> kNames = {
      "pool1", "dyn", "dpool1", "blocks", "PIC1_0", "a-pool-with-a-long-name-that-fills-its-column"};
  return pool_id(kNames[pool]);
}

/// ss1: NAPT44 with mappings, destination NAT. ss2: dynamic NAT, NPTv6. PIC2_0: port blocks. lone: deterministic.
void configure(Cluster& c) {
  auto dynamic = pool("dyn", "203.0.113.64", "203.0.113.79");
  dynamic.addresses.push_back(range("203.0.113.96", "203.0.113.99"));
  auto blocks = pool("blocks", "198.51.100.0", "198.51.100.7");
  blocks.blocks = NatPool::BlockAllocation{128, 8, 120};
  auto fixed = pool("PIC1_0", "203.0.113.104", "203.0.113.107");
  fixed.deterministic = NatPool::Deterministic{2048, false};
  c.nat_pools.insert(c.nat_pools.end(),
                     {dynamic, pool("dpool1", "192.0.2.80", "192.0.2.80"), blocks, fixed,
                      pool("a-pool-with-a-long-name-that-fills-its-column", "198.51.100.128", "198.51.100.255")});
  auto napt = term("all", NatType::napt44, {kPool1, kSix});
  napt.from.source_addresses = {range("192.0.2.0", "192.0.2.63"), range("192.0.2.128", "192.0.2.255")};
  napt.from.source_except = {range("192.0.2.5", "192.0.2.5")};
  napt.from.destination_ports = {{80, 80}, {8000, 8999}};
  napt.address_pooling_paired = napt.endpoint_independent_mapping = napt.endpoint_independent_filtering = true;
  auto web = term("web", NatType::dnat44, {});
  web.destination_pool = kServers;
  web.from.destination_addresses = {range("203.0.113.200", "203.0.113.200")};
  auto out = term("hosts", NatType::dynamic_nat44, {kDynamic});
  out.overload_pool = kSix;
  auto six = term("six", NatType::nptv6, {});
  six.source_prefix = Prefix::parse("2001:db8:2::/48");
  six.from.source_addresses = {range("2001:db8:1::", "2001:db8:1:ffff:ffff:ffff:ffff:ffff")};
  c.nat_rules = {{"out", MatchDirection::input, {term("no-nat", NatType::none, {}), napt}},
                 {"in", MatchDirection::output, {web}},
                 {"two", MatchDirection::input, {out, six}},
                 {"three", MatchDirection::input, {term("pba", NatType::napt44, {kBlocks})}},
                 {"four", MatchDirection::input, {term("det", NatType::deterministic_napt44, {kFixed})}}};
  c.service_sets[0].nat_rules = {0, 1};
  c.service_sets[1].nat_rules = {2};
  c.service_sets[2].nat_rules = {3};
  c.service_sets[3].nat_rules = {4};
  EXPECT_TRUE(assign_identities(c).empty());
}

NatPoolStatus status(std::uint16_t service_set, Pool pool, NatPoolUse use, std::uint64_t addresses) {
  NatPoolStatus out;
  out.service_set = service_set_id(service_set);
  out.pool = id_of(pool);
  out.use = use;
  out.addresses = addresses;
  if (use != NatPoolUse::addresses) out.ports = addresses * 64512 * 3;
  return out;
}

std::vector<NatPoolStatus> pools_of_rs1() {
  auto pool1 = status(0, kPool1, NatPoolUse::ports, 16);
  pool1.addresses_in_use = 2;
  pool1.ports_in_use = 1371;
  pool1.max_ports_in_use = 2000;
  pool1.out_of_port_errors = 11;
  pool1.parity_port_errors = 12;
  pool1.preserve_range_errors = 13;
  pool1.app_port_errors = 14;
  pool1.app_exceed_port_limit_errors = 15;
  pool1.memory_allocation_errors = 16;
  pool1.users = 17;
  pool1.mappings = 531054;
  pool1.pairings = 1853;
  pool1.eif_sessions = 18;
  pool1.eif_sessions_created = 19;
  pool1.eif_limit_exceeded = 20;
  pool1.eif_refused = 21;
  pool1.conflicts_refused = 22;
  auto dynamic = status(1, kDynamic, NatPoolUse::addresses, 20);
  dynamic.addresses_in_use = 3;
  dynamic.out_of_address_errors = 784552;
  return {pool1, status(0, kSix, NatPoolUse::ports, 128), dynamic, status(1, kSix, NatPoolUse::ports, 128)};
}

class NatGolden : public testing::Test {
 protected:
  void SetUp() override {
    configure(fake_.cluster);
    auto blocks = status(2, kBlocks, NatPoolUse::port_blocks, 8);
    blocks.block_size = 128;
    blocks.max_blocks_per_host = 8;
    blocks.blocks = 8 * 504;
    blocks.blocks_in_use = 2;
    blocks.max_blocks_in_use = 5;
    blocks.block_allocations = 30;
    blocks.block_releases = 28;
    blocks.out_of_block_errors = 1;
    blocks.max_blocks_exceeded_errors = 4;
    blocks.block_log_overflows = 6;
    auto fixed = status(3, kFixed, NatPoolUse::deterministic, 4);
    fixed.block_size = 2048;
    fixed.blocks = 15872;
    fixed.blocks_in_use = 12208;
    for (auto& [chassis, shard] : fake_.shards) {
      if (shard->set() == 0) shard->pools = pools_of_rs1();
      if (shard->set() == 1) shard->pools = {blocks};
      if (shard->set() == 2) shard->pools = {fixed};
    }
    add_bindings();
    const auto v4 = [](const char* text) { return ip(text).to_v4(); };
    fake_.shard(0, 2).blocks = {
        {service_set_id(3), id_of(kFixed), {v4("192.0.2.13"), v4("203.0.113.107"), 47104, 49151}, 475},
        {service_set_id(3), id_of(kFixed), {v4("192.0.2.14"), v4("203.0.113.107"), 49152, 51199}, 0}};
  }

  void put(std::uint16_t set, const SessionRecord& binding, std::uint32_t sessions, std::uint32_t ports) {
    fake_.put_everywhere(set, binding);
    for (auto& [chassis, shard] : fake_.shards) {
      if (shard->set() == set) shard->uses[binding.ref.slot] = {binding.ref.slot, sessions, ports};
    }
  }

  void add_bindings() {
    auto paired = make_binding(0, RecordKind::pairing, 0, id_of(kPool1), "192.0.2.189", "203.0.113.5");
    put(0, paired, 1008, 1008);
    auto ageing = make_binding(1, RecordKind::pairing, 0, id_of(kPool1), "192.0.2.190", "203.0.113.6");
    ageing.binding.idle = 2750;
    put(0, ageing, 0, 0);
    auto mapping = make_binding(2, RecordKind::mapping, 0, id_of(kPool1), "192.0.2.72", "203.0.113.5");
    mapping.binding.internal_port = 100;
    mapping.binding.external_port = 40100;
    put(0, mapping, 3, 1);
    auto six = make_binding(3, RecordKind::mapping, 0, id_of(kSix), "2001:db8:1111:2222::1", "198.51.100.130");
    six.binding.internal_port = 65535;
    six.binding.external_port = 1024;
    six.binding.flags = kBindingInUse;
    put(0, six, 0, 0);
    put(0, make_binding(4, RecordKind::pairing, 1, id_of(kDynamic), "198.18.0.1", "203.0.113.64"), 2, 0);
    auto active = make_binding(0, RecordKind::port_block, 2, id_of(kBlocks), "192.0.2.1", "198.51.100.3");
    active.binding.external_port = 1024;
    active.binding.last_port = 1151;
    active.binding.flags = kBindingActiveBlock;
    put(1, active, 0, 17);
    auto old = make_binding(1, RecordKind::port_block, 2, id_of(kBlocks), "192.0.2.1", "198.51.100.3");
    old.binding.external_port = 1152;
    old.binding.last_port = 1279;
    old.binding.idle = 2000;
    put(1, old, 0, 0);
  }

  void expect(const std::string& line, const std::string& file, std::optional<std::uint16_t> only = std::nullopt) {
    expect_golden(fake_, line, file, only);
  }

  FakeCluster fake_;
};

TEST_F(NatGolden, PoolsAsMsCardsShowThem) {
  expect("show services nat pool", "nat-pool-brief");
  expect("show services nat pool brief", "nat-pool-brief");
  expect("show services nat pool all", "nat-pool-brief");
  expect_forms(fake_, "show services nat pool brief", "nat-pool-brief");
  expect_forms(fake_, "show services nat pool detail", "nat-pool-detail");
  expect("show services nat pool detail", "nat-pool-detail");
  expect("show services nat pool dpool1 brief", "nat-pool-one");
  expect("show services nat pool service-set ss1 dpool1 interface ms-0/0/0", "nat-pool-one");
  expect("show services nat pool service-set nosuch", "nothing");
}

TEST_F(NatGolden, APoolThatServiceSetsShareIsCountedOnce) {
  for (auto& [chassis, shard] : fake_.shards) {
    for (auto& status : shard->pools) {
      if (status.pool != id_of(kSix)) continue;
      status.ports_in_use = 77;
      status.max_ports_in_use = 99;
      status.mappings = status.service_set == service_set_id(0) ? 5 : 2;
      status.pairings = status.service_set == service_set_id(0) ? 3 : 1;
    }
  }
  expect("show services nat pool", "nat-pool-shared-brief");
  expect("show services nat pool detail", "nat-pool-shared-detail");
  expect("show services nat resource-usage source-pool", "nat-resource-usage-shared");
  expect("show services nat mappings summary interface ms-0/0/0", "nat-mappings-summary-shared");
  expect("show services nat mappings summary service-set ss2", "nat-mappings-summary-ss2");
  const auto second =
      answer(fake_, "show services nat source pool service-set ss2 " + fake_.cluster.nat_pools[kSix].name);
  EXPECT_THAT(second.out, testing::HasSubstr(fmt::format("{:<42}{:>14}", "Total used ports   :", 77)))
      << "nobody else shows them here";
}

TEST_F(NatGolden, TheFirstOfSeveralRangesShowsThePorts) {
  fake_.cluster.nat_pools[kPool1].addresses.push_back(range("203.0.113.240", "203.0.113.241"));
  fake_.cluster.nat_rules[0].terms[1].type = NatType::stateful_nat64;
  const std::string name = fake_.cluster.nat_pools[kPool1].name;
  EXPECT_EQ(answer(fake_, "show services nat pool " + name).out,
            "Interface: ms-0/0/0, Service set: ss1\n"
            "NAT pool              Type    Address                         Port        Ports used\n"
            "pool1                 STATEFUL-NAT64 203.0.113.0-203.0.113.15        1024-65535  1371\n"
            "pool1                 STATEFUL-NAT64 203.0.113.240-203.0.113.241\n");
}

TEST_F(NatGolden, FiltersAreMappingsOfPoolsThatLetIn) {
  // Another term than the first one that uses the pool says so.
  auto& terms = fake_.cluster.nat_rules[0].terms;
  terms[1].endpoint_independent_filtering = false;
  auto other = terms[1];
  other.endpoint_independent_filtering = true;
  other.source_pools = {kPool1};
  terms.push_back(other);
  expect("show services nat mappings summary", "nat-mappings-summary");
}

TEST_F(NatGolden, NamesThatAreNoneAreErrors) {
  const auto refused = [&](const std::string& line, const std::string& caret, const std::string& why) {
    const auto output = answer(fake_, line);
    EXPECT_EQ(output.code, cli::ExitCode::command_error) << line;
    EXPECT_EQ(output.error, "> " + line + "\n" + std::string(line.find(caret) + 2, ' ') + "^\n" + why + "\n");
    EXPECT_EQ(output.out, "");
  };
  refused("show services nat pool nosuch", "nosuch", "NAT pool nosuch not found");
  refused("show services nat pool extensive", "extensive", "syntax error, expecting <command>.");
  refused("show services nat pool terse", "terse", "syntax error, expecting <command>.");
  refused("show services nat source rule nosuch", "nosuch", "NAT rule nosuch not found");
  refused("show services nat source rule pool1", "pool1", "NAT rule pool1 not found");
  refused("show services nat mappings detail brief", "brief", "syntax error, expecting <command>.");
  refused("show services nat mappings detail nosuch", "nosuch", "NAT pool nosuch not found");
  refused("show services nat mappings sumary", "sumary", "syntax error, expecting <command>.");
  refused("show services nat mappings pcp", "pcp", "syntax error, expecting <command>.");
  refused("show services nat mappings pool1", "pool1", "syntax error, expecting <command>.");
  refused("show services nat mappings brief pool1", "pool1", "syntax error, expecting <command>.");
  refused("show services nat source mappings brief", "brief", "syntax error, expecting <command>.");
}

/// A report from the field: "NAT pool host-ip not found". A word that is an option of some command is never reported as
/// an unknown name.
TEST_F(NatGolden, AnOptionIsNeverTakenForAName) {
  for (const std::string option :
       {"host-ip", "xlated-ip", "private", "public", "subscriber", "port", "limit", "source-prefix", "host-"}) {
    const auto output = answer(fake_, "show services nat pool " + option + " 198.18.0.10");
    EXPECT_EQ(output.code, cli::ExitCode::command_error) << option;
    EXPECT_THAT(output.error, testing::EndsWith("^\nsyntax error, expecting <command>.\n")) << option;
  }
  fake_.cluster.nat_pools[kPool1].name = "subscriber";
  EXPECT_EQ(answer(fake_, "show services nat pool subscriber").code, cli::ExitCode::ok);
}

TEST_F(NatGolden, WhoseBlockItIs) {
  const std::string whole = answer(fake_, "show services nat source deterministic").out;
  const auto head = whole.substr(0, whole.find("192.0.2.13"));
  const std::string first =
      "192.0.2.13                    203.0.113.107                      47104-49151"
      "                475/2048*1\n";
  const std::string second =
      "192.0.2.14                    203.0.113.107                      49152-51199"
      "                  0/2048*1\n";
  const auto shown = [&](const std::string& options) {
    return answer(fake_, "show services nat source deterministic " + options).out;
  };
  EXPECT_EQ(shown("host-ip 192.0.2.13"), head + first);
  EXPECT_EQ(shown("host-ip 192.0.2.14 pool PIC1_0"), head + second) << "also while it uses no port";
  EXPECT_EQ(shown("host-ip 192.0.2.15"), "");
  EXPECT_EQ(shown("xlated-ip 203.0.113.107 xlated-port 50000"), head + second);
  EXPECT_EQ(shown("xlated-ip 203.0.113.107"), head + first) << "those in use";
  EXPECT_EQ(shown("xlated-ip 203.0.113.0/24 xlated-port 47104"), head + first);
  EXPECT_EQ(shown("xlated-port 47103"), "");
  EXPECT_EQ(shown("xlated-ip 203.0.113.108"), "");
  EXPECT_EQ(shown("PIC1_0"), whole);
}

TEST_F(NatGolden, WhosePortBlockItIs) {
  const std::string whole = answer(fake_, "show services nat source port-block").out;
  const auto shown = [&](const std::string& options) {
    return answer(fake_, "show services nat source port-block " + options).out;
  };
  EXPECT_EQ(shown("host-ip 192.0.2.1"), whole);
  EXPECT_EQ(shown("host-ip 192.0.2.2"), "");
  const std::string of_port = shown("xlated-ip 198.51.100.3 xlated-port 1151");
  EXPECT_THAT(of_port, testing::HasSubstr("1024-1151"));
  EXPECT_THAT(of_port, testing::Not(testing::HasSubstr("1152-1279")));
  EXPECT_EQ(shown("xlated-ip 198.51.100.4"), "");
}

TEST_F(NatGolden, APoolMayBeCalledLikeTheBeginningOfAKeyword) {
  fake_.cluster.nat_pools[kServers].name = "det";
  EXPECT_EQ(answer(fake_, "show services nat pool det").out,
            "Interface: ms-0/0/0, Service set: ss1\n"
            "NAT pool              Type    Address                         Port        Ports used\n"
            "det                   DNAT-44 192.0.2.80-192.0.2.80\n");
  expect("show services nat pool deta", "nat-pool-detail-det");
  expect("show services nat pool detail", "nat-pool-detail-det");
}

TEST_F(NatGolden, PoolsAsVmsCardsShowThem) {
  expect("show services nat source pool all", "nat-source-pool");
  expect("show services nat source pool PIC1_0", "nat-source-pool-one");
  expect_forms(fake_, "show services nat source pool PIC1_0", "nat-source-pool-one");
  expect("show services nat destination pool all", "nat-destination-pool");
  expect("show services nat resource-usage source-pool all", "nat-resource-usage");
  expect("show services nat source summary", "nat-source-summary");
  expect("show services nat destination summary", "nat-destination-summary");
  expect_forms(fake_, "show services nat destination pool all", "nat-destination-pool");
  expect_forms(fake_, "show services nat resource-usage source-pool all", "nat-resource-usage");
  expect_forms(fake_, "show services nat source summary", "nat-source-summary");
  expect_forms(fake_, "show services nat destination summary", "nat-destination-summary");
}

TEST_F(NatGolden, Rules) {
  expect("show services nat source rule all", "nat-source-rule");
  expect("show services nat source rule four", "nat-source-rule-one");
  expect("show services nat destination rule", "nat-destination-rule");
  expect("show services nat static rule all", "nat-static-rule");
  expect_forms(fake_, "show services nat source rule all", "nat-source-rule");
  expect_forms(fake_, "show services nat destination rule", "nat-destination-rule");
  expect_forms(fake_, "show services nat static rule all", "nat-static-rule");
}

TEST_F(NatGolden, MappingsAreGroupedByPool) {
  expect("show services nat mappings", "nat-mappings");
  expect("show services nat mappings brief", "nat-mappings");
  expect("show services nat mappings detail", "nat-mappings");
  expect("show services nat source mappings detail", "nat-mappings");
  expect("show services nat mappings detail dyn", "nat-mappings-dyn");
  expect("show services nat mappings endpoint-independent", "nat-mappings-eim");
  expect("show services nat source mappings endpoint-independent", "nat-mappings-eim");
  expect("show services nat mappings endpoint-independent private 192.0.2.72 public 203.0.113.0/24",
         "nat-mappings-eim-one");
  expect("show services nat mappings address-pooling-paired service-set ss1", "nat-mappings-app");
  expect("show services nat mappings endpoint-independent private 192.0.2.73", "nothing");
  expect("show services nat mappings nptv6", "nat-mappings-nptv6");
  expect("show services nat mappings nptv6 private 2001:db8:1::7", "nat-mappings-nptv6");
  expect("show services nat mappings nptv6 private 2001:db8::/32", "nat-mappings-nptv6");
  expect("show services nat mappings nptv6 public 2001:db8:2:3::/64", "nat-mappings-nptv6");
  expect("show services nat mappings nptv6 public 2001:db8:1::7", "nothing");
  expect("show services nat mappings nptv6 private 2001:db8:8::/47", "nothing");
  expect_forms(fake_, "show services nat mappings", "nat-mappings");
  expect_forms(fake_, "show services nat mappings nptv6", "nat-mappings-nptv6");
  expect_forms(fake_, "show services nat mappings summary", "nat-mappings-summary");
  expect("show services nat mappings summary", "nat-mappings-summary");
}

TEST_F(NatGolden, BlocksOfPorts) {
  expect("show services nat source port-block", "nat-port-block");
  expect("show services nat source deterministic", "nat-source-deterministic");
  expect("show services nat deterministic-nat internal-host 192.0.2.13", "nat-deterministic-host");
  expect("show services nat deterministic-nat nat-port-block 203.0.113.107 port 47200", "nat-deterministic-host");
  expect("show services nat deterministic-nat internal-host 192.0.2.99", "nothing");
  expect_forms(fake_, "show services nat source port-block", "nat-port-block");
  expect_forms(fake_, "show services nat source deterministic", "nat-source-deterministic");
  expect_forms(fake_, "show services nat deterministic-nat internal-host 192.0.2.13", "nat-deterministic-host");
}

// Shared case "Two answers to one question": one name for one reason. The forms of ms- and of vms- cards tell the same
// counters of one pool, under the names of each form.
TEST_F(NatGolden, RefusalsAreTheSameInEveryFormOfAPool) {
  for (const std::string form : {"xml", "json"}) {
    const auto jsf = answer(fake_, "show services nat pool detail blocks | display " + form).out;
    const auto usf = answer(fake_, "show services nat source pool blocks | display " + form).out;
    const auto leaf = [&](const std::string& name, int value) {
      return form == "xml" ? fmt::format("<{0}>{1}</{0}>", name, value) : fmt::format("\"{}\" : [", name);
    };
    EXPECT_THAT(jsf, testing::HasSubstr(leaf("port-block-allocation-errors", 1)));
    EXPECT_THAT(usf, testing::HasSubstr(leaf("out-of-blk-error", 1)));
    EXPECT_THAT(jsf, testing::HasSubstr(leaf("port-blocks-limit-exceeded-errors", 4)));
    EXPECT_THAT(usf, testing::HasSubstr(leaf("blk-exceed-limit-error", 4)));
    EXPECT_THAT(jsf, testing::HasSubstr(leaf("pool-app-exceed-port-limit-errors", 0)));
    EXPECT_THAT(usf, testing::HasSubstr(leaf("app-exceed-port-limit-error", 0)));
  }
}

// Shared case "Options of the real command": host-ip selects the row of the host, in every form.
TEST_F(NatGolden, HostIpSelectsOneBlockInEveryForm) {
  expect_forms(fake_, "show services nat source deterministic host-ip 192.0.2.13", "nat-source-deterministic-host");
  expect_forms(fake_, "show services nat source port-block host-ip 192.0.2.1", "nat-port-block-host");
  const auto none = answer(fake_, "show services nat source port-block host-ip 192.0.2.99 | display xml");
  EXPECT_EQ(none.out.find("source-nat-block-pool"), std::string::npos) << "as in text, a pool without such a block";
}

TEST_F(NatGolden, EveryBlockOfAnAddressIsShown) {
  auto& blocks = fake_.shard(0, 2).blocks;
  blocks.clear();
  for (std::uint16_t port = 1024; port < 1024 + 3000; ++port) {
    blocks.push_back({service_set_id(3),
                      id_of(kFixed),
                      {ip("192.0.2.0").to_v4() + port, ip("203.0.113.107").to_v4(), port, port},
                      0});
  }
  const auto output = answer(fake_, "show services nat deterministic-nat nat-port-block 203.0.113.107");
  EXPECT_EQ(output.code, cli::ExitCode::ok);
  std::set<std::string> ports;
  std::istringstream lines(output.out);
  for (std::string line; std::getline(lines, line);) {
    if (const auto at = line.find("NAT port low: "); at != std::string::npos) ports.insert(line.substr(at));
  }
  EXPECT_EQ(ports.size(), 3000U);
}

TEST_F(NatGolden, ClearingMappingsTakesTheirSessionsAlong) {
  fake_.put_everywhere(0, make_translated(1, 0, key("192.0.2.72", 100, "198.51.100.20", 80, ip_protocol::udp), 40100));
  fake_.put_everywhere(0, make_translated(2, 0, key("192.0.2.99", 100, "198.51.100.20", 80, ip_protocol::udp), 1));
  fake_.put_everywhere(0, make_session(3, 0, key("192.0.2.72", 100, "198.51.100.20", 81, ip_protocol::udp)));
  auto& shard = fake_.shard(0, 0);
  shard.uses[kFirstBinding + 2] = {kFirstBinding + 2, 0, 0};  // as soon as its session is gone
  expect("clear services nat mappings eim subscriber 192.0.2.72 service-set ss1", "nat-clear-eim");
  EXPECT_FALSE(shard.remove(kFirstBinding + 2, {})) << "it is gone";
  EXPECT_TRUE(shard.remove(kFirstBinding + 3, {})) << "of another host";
  EXPECT_EQ(shard.sessions_of(service_set_id(0)), 2U);
  EXPECT_EQ(fake_.shard(1, 0).sessions_of(service_set_id(0)), 3U) << "the twin hears of it by replication";
  const auto refused = answer(fake_, "clear services nat mappings interface ms-1/0/0", 1);
  EXPECT_EQ(refused.code, cli::ExitCode::command_error);
  EXPECT_EQ(refused.error, "error: chassis right is not master: nothing is cleared\n");
}

TEST_F(NatGolden, ClearingAPairingTakesTheMappingsOfItsHostAlong) {
  auto& shard = fake_.shard(0, 0);
  const auto paired = make_binding(20, RecordKind::pairing, 0, id_of(kPool1), "192.0.2.33", "203.0.113.7");
  const auto mapped = make_binding(21, RecordKind::mapping, 0, id_of(kPool1), "192.0.2.33", "203.0.113.7");
  shard.put(paired);
  shard.put(mapped);
  shard.put(make_translated(1, 0, key("192.0.2.33", 100, "198.51.100.20", 80, ip_protocol::udp), 40100));
  const auto cleared = answer(fake_, "clear services nat mappings app subscriber 192.0.2.33 service-set ss1");
  EXPECT_EQ(cleared.code, cli::ExitCode::ok);
  EXPECT_EQ(cleared.out,
            "Interface   Service set                   Mappings removed   Sessions cleared\n"
            "ms-0/0/0    ss1                                          1                  1\n");
  EXPECT_FALSE(shard.remove(paired.ref.slot, {})) << "it is gone";
  EXPECT_FALSE(shard.remove(mapped.ref.slot, {})) << "it held the pairing";
  EXPECT_TRUE(shard.remove(kFirstBinding + 2, {})) << "of another host";
  // Both kinds in one command, whatever their order.
  shard.put(paired);
  shard.put(mapped);
  EXPECT_EQ(answer(fake_, "clear services nat mappings service-set ss1").code, cli::ExitCode::ok);
  EXPECT_FALSE(shard.remove(paired.ref.slot, {}));
  EXPECT_FALSE(shard.remove(mapped.ref.slot, {}));
}

TEST_F(NatGolden, WhatIsToBeClearedMustExist) {
  for (const std::string what : {"nat mappings", "nat mappings app", "nat mappings eim", "nat statistics", "sessions",
                                 "flows", "stateful-firewall flows", "stateful-firewall statistics"}) {
    auto output = answer(fake_, "clear services " + what + " interface ms-0/0/0.999");
    EXPECT_EQ(output.code, cli::ExitCode::command_error) << what;
    EXPECT_EQ(output.error, "error: interface ms-0/0/0.999 not found\n") << what;
    output = answer(fake_, "clear services " + what + " service-set nosuch");
    EXPECT_EQ(output.code, cli::ExitCode::command_error) << what;
    EXPECT_EQ(output.error, "error: service set nosuch not found\n") << what;
    output = answer(fake_, "clear services " + what + " interface ms-9/0/0");
    EXPECT_EQ(output.code, cli::ExitCode::command_error) << what;
    EXPECT_EQ(output.error, "error: interface ms-9/0/0 not found\n") << what;
  }
}

TEST_F(NatGolden, ClearingEverythingLeavesWhatIsInUse) {
  expect("clear services nat mappings", "nat-clear-all");
  EXPECT_TRUE(fake_.shard(0, 0).remove(kFirstBinding + 0, {})) << "sessions use it";
}

TEST_F(NatGolden, SessionsOfEveryTranslationOnMsCards) {
  const auto put = [&](std::uint32_t slot, NatType type, const FlowKey& in, const FlowKey& back) {
    auto record = make_session(slot, 0, in);
    record.flow[1] = back;
    record.nat_type = type;
    record.nat_pool = type == NatType::dnat44 ? id_of(kServers) : type == NatType::nptv6 ? 0 : id_of(kPool1);
    record.counters = {FlowCounters{29, 3016}, FlowCounters{28, 2352}};
    record.timeout_s = 100;
    fake_.put_everywhere(0, record);
  };
  put(1, NatType::dnat44, key("198.51.100.9", 5000, "203.0.113.200", 80, ip_protocol::tcp),
      key("192.0.2.80", 80, "198.51.100.9", 5000, ip_protocol::tcp));
  put(2, NatType::twice_napt44, key("192.0.2.10", 40014, "203.0.113.200", 80, ip_protocol::tcp),
      key("192.0.2.80", 8080, "203.0.113.5", 1025, ip_protocol::tcp));
  put(3, NatType::stateful_nat64, key("2001:db8::1", 42583, "2001:db8:64::9", 42583, ip_protocol::icmp6),
      key("198.51.100.20", 24831, "203.0.113.5", 24831, ip_protocol::icmp));
  put(4, NatType::stateful_nat64, key("2001:db8::1", 42583, "2001:db8:64::9", 443, ip_protocol::tcp),
      key("198.51.100.20", 443, "203.0.113.5", 24832, ip_protocol::tcp));
  put(5, NatType::nptv6, key("2001:db8:1::7", 7000, "2001:db8:99::1", 53, ip_protocol::udp),
      key("2001:db8:99::1", 53, "2001:db8:2:d550::7", 7000, ip_protocol::udp));
  put(6, NatType::basic_nat44, key("192.0.2.10", 0, "198.51.100.20", 0, ip_protocol::gre),
      key("198.51.100.20", 0, "203.0.113.10", 0, ip_protocol::gre));
  fake_.put_everywhere(0, make_session(7, 0, key("192.0.2.12", 1, "198.51.100.21", 2, ip_protocol::udp)));
  expect("show services sessions extensive interface ms-0/0/0 nat", "sessions-ms-nat");
  expect("show services sessions count nat interface ms-0/0/0", "count-nat");
  expect("show services sessions count nat-port-overload-index 0 interface ms-0/0/0", "count-nat");
  expect("show services sessions nat-port-overload-index 1", "nothing");
  expect("show services sessions count source-nat-pool pool1 interface ms-0/0/0", "count-nat-pool");
  expect("show services sessions source-nat-pool nosuch", "nothing");
  expect("show services flows interface ms-0/0/0", "flows");
  expect("show services stateful-firewall flows interface ms-0/0/0", "flows");
  expect("show services flows all interface ms-0/0/0 limit 3", "flows-limit");
  expect("show services flows terse interface ms-0/0/0 protocol tcp", "flows-terse");
  expect("show services flows count", "flows-count");
  expect("show services stateful-firewall conversations extensive interface ms-0/0/0 limit 2", "conversations");
  expect("clear services flows protocol gre interface ms-0/0/0", "clear-flows");
  expect("clear services stateful-firewall flows interface ms-0/0/0", "clear-conversations");
}

TEST_F(NatGolden, Nat64MapsAndPoolsThatKnowNoHostsCountNone) {
  NatTerm& term = fake_.cluster.nat_rules[0].terms[1];
  term.type = NatType::stateful_nat64;
  term.address_pooling_paired = term.endpoint_independent_mapping = term.endpoint_independent_filtering = false;
  expect("show services nat source rule out interface ms-0/0/0", "nat-source-rule-nat64");
  expect("show services nat pool detail interface ms-0/0/0 service-set ss1", "nat-pool-detail-plain");
}

TEST_F(NatGolden, SessionsOfDestinationNatOnVmsCards) {
  fake_.cluster.service_sets[2].nat_rules.push_back(1);
  auto record = make_session(1, 2, key("198.51.100.9", 5000, "203.0.113.200", 80, ip_protocol::tcp));
  record.flow[1] = key("192.0.2.80", 80, "198.51.100.9", 5000, ip_protocol::tcp);
  record.nat_type = NatType::dnat44;
  record.nat_pool = id_of(kServers);
  fake_.put_everywhere(1, record);
  expect("show services sessions extensive", "sessions-vms-nat");
  expect("show services sessions source-nat-pool dpool1", "nothing");
}

}  // namespace
}  // namespace icr::test
