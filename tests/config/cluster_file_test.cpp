// The cluster files that the project ships: they load, without a warning, and mean what they say.
#include "model/config/cluster_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

namespace icr {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Cluster loaded(const std::string& file) {
  auto cluster = load_cluster_file("cluster-configs/" + file);
  EXPECT_TRUE(cluster.has_value()) << (cluster ? "" : cluster.error().message);
  return cluster ? *std::move(cluster) : Cluster{};
}

TEST(ClusterConfigs, EveryShippedFileLoadsWithoutWarnings) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("cluster-configs")) {
    if (entry.path().extension() != ".yaml") continue;
    ++count;
    const auto cluster = loaded(entry.path().filename().string());
    EXPECT_THAT(cluster.warnings, IsEmpty()) << entry.path();
    EXPECT_NE(cluster.digest, 0U);
  }
  EXPECT_GE(count, 14U);
}

TEST(ClusterConfigs, ThereIsOneForEachTranslationType) {
  std::set<NatType> seen;
  for (const auto& entry : std::filesystem::directory_iterator("cluster-configs")) {
    if (entry.path().extension() != ".yaml") continue;
    for (const auto& rule : loaded(entry.path().filename().string()).nat_rules) {
      for (const auto& term : rule.terms) seen.insert(term.type);
    }
  }
  for (std::uint8_t type = 1; type < kNatTypeCount; ++type) {
    EXPECT_EQ(seen.count(static_cast<NatType>(type)), 1U) << translation_type_keyword(static_cast<NatType>(type));
  }
}

TEST(ClusterConfigs, TwoChassisMeansWhatItSays) {
  const auto c = loaded("two-chassis.yaml");
  EXPECT_EQ(c.name, "two-chassis");
  ASSERT_EQ(c.chassis.size(), 2U);
  EXPECT_EQ(c.chassis[0].name, "left");
  EXPECT_EQ(c.chassis[0].inter_chassis_address.to_string(), "198.51.100.1");
  EXPECT_EQ(c.chassis[0].inter_chassis_port, 7400);
  EXPECT_EQ(c.chassis[1].query.to_string(), "198.51.100.2:7300");
  EXPECT_EQ(c.chassis[1].data_folder, "/var/lib/icr/right");
  const auto* card = c.chassis[1].card("ms-1/0/0");
  ASSERT_NE(card, nullptr);
  EXPECT_EQ(card->family, CardFamily::ms);
  ASSERT_NE(card->port(2), nullptr);
  EXPECT_EQ(card->port(2)->kind, PacketPort::Kind::tun);
  EXPECT_EQ(card->port(2)->device, "ms100.2");
  EXPECT_THAT(card->port(2)->steer_from, ElementsAre("outside0"));
  EXPECT_EQ(card->port(3), nullptr);

  ASSERT_EQ(c.redundancy_sets.size(), 1U);
  const auto& set = c.redundancy_sets[0];
  EXPECT_FALSE(set.stand_alone());
  EXPECT_EQ(set.id, 1);
  ASSERT_EQ(set.members.size(), 2U);
  EXPECT_EQ(set.members[0].chassis, 0);
  EXPECT_EQ(set.members[0].priority, 200U);
  EXPECT_EQ(set.members[1].card, "ms-1/0/0");
  EXPECT_EQ(set.heartbeat_interval, Duration(100ms));
  EXPECT_EQ(set.heartbeat_count, 5U);
  EXPECT_EQ(set.hold_time, Duration(2s));
  EXPECT_FALSE(set.preempt);
  EXPECT_EQ(set.max_sessions, 262144U);
  ASSERT_EQ(set.virtual_addresses.size(), 4U);
  EXPECT_EQ(set.virtual_addresses[3].interface, "outside0");
  EXPECT_EQ(set.virtual_addresses[3].address.to_string(), "2001:db8:19::1");
  EXPECT_EQ(set.virtual_addresses[3].prefix_length, 64);
  EXPECT_EQ(c.control_endpoint(0, 1).to_string(), "198.51.100.2:7400");

  ASSERT_EQ(c.service_sets.size(), 1U);
  const auto& service = c.service_sets[0];
  EXPECT_EQ(service.inside_unit, 1U);
  EXPECT_EQ(service.outside_unit, 2U);
  EXPECT_EQ(service.max_sessions, 250000U);
  EXPECT_EQ(service.max_session_setup_rate, 500000U);
  EXPECT_EQ(service.tcp_non_syn, TcpNonSyn::drop_flow);
  EXPECT_EQ(service.timeouts.inactivity_s, 30U);

  ASSERT_EQ(c.firewall_rules.size(), 1U);
  EXPECT_EQ(c.firewall_rules[0].direction, MatchDirection::input);
  ASSERT_FALSE(c.firewall_rules[0].terms.empty());
  const auto& last = c.firewall_rules[0].terms.back();
  EXPECT_EQ(last.name, "inside-hosts");
  EXPECT_EQ(last.then, FirewallAction::accept);
  EXPECT_EQ(last.from.source_addresses.size(), 2U);
  EXPECT_THAT(last.from.applications, IsEmpty());
  ASSERT_EQ(c.nat_rules.size(), 1U);
  EXPECT_EQ(c.nat_rules[0].terms[0].type, NatType::napt44);
  EXPECT_THAT(c.nat_rules[0].terms[0].source_pools, ElementsAre(0));
  ASSERT_EQ(c.nat_pools.size(), 1U);
  EXPECT_EQ(c.nat_pools[0].address_count(), 16U);
  EXPECT_EQ(c.nat_pools[0].port_low, 1024);
  EXPECT_EQ(c.nat_pools[0].port_high, 65535);
  ASSERT_EQ(c.applications.size(), 2U);
  EXPECT_EQ(c.applications[0].inactivity_timeout_s, 3600U);
  EXPECT_EQ(application_protocol_keyword(c.applications[0].application_protocol), "http");
}

TEST(ClusterConfigs, TwoCardsHasAMasterOnEachSide) {
  const auto c = loaded("two-cards.yaml");
  ASSERT_EQ(c.redundancy_sets.size(), 2U);
  for (std::uint16_t set = 0; set < 2; ++set) {
    const auto& members = c.redundancy_sets[set].members;
    ASSERT_EQ(members.size(), 2U);
    const auto preferred = members[0].priority > members[1].priority ? 0U : 1U;
    EXPECT_EQ(c.chassis[members[preferred].chassis].name, set == 0 ? "left" : "right");
    for (const auto& member : members) {
      const auto* card = c.chassis[member.chassis].card(member.card);
      ASSERT_NE(card, nullptr);
      EXPECT_EQ(card->family, set == 0 ? CardFamily::ms : CardFamily::vms);
    }
    EXPECT_THAT(c.redundancy_sets[set].service_sets, ElementsAre(set));
    EXPECT_EQ(c.member_on(set, 1), 1);
  }
  EXPECT_EQ(c.service_sets[0].name, "ss-ms");
  EXPECT_EQ(c.service_sets[1].name, "ss-vms");
  EXPECT_EQ(c.control_endpoint(1, 0).port, 7402);
}

TEST(ClusterConfigs, CaptureStandsAlone) {
  const auto c = loaded("capture.yaml");
  ASSERT_EQ(c.redundancy_sets.size(), 1U);
  EXPECT_TRUE(c.redundancy_sets[0].stand_alone());
  EXPECT_EQ(c.redundancy_sets[0].name, "cgn");
  EXPECT_EQ(c.redundancy_sets[0].id, 0);
  EXPECT_GT(c.redundancy_sets[0].number(), 0xffffU);
  ASSERT_EQ(c.chassis.size(), 1U);
  EXPECT_EQ(c.chassis[0].data_folder, "");
  const auto* port = c.chassis[0].cards[0].port(2);
  ASSERT_NE(port, nullptr);
  EXPECT_EQ(port->kind, PacketPort::Kind::pcap);
  EXPECT_EQ(port->read_file, "outside-in.pcap");
  EXPECT_EQ(port->write_file, "outside-out.pcap");
}

TEST(ClusterConfigs, AfPacketPortsNameInterfaces) {
  const auto c = loaded("af-packet.yaml");
  for (const auto& chassis : c.chassis) {
    const auto& ports = chassis.cards.at(0).ports;
    ASSERT_EQ(ports.size(), 2U);
    EXPECT_EQ(ports[0].kind, PacketPort::Kind::af_packet);
    EXPECT_EQ(ports[0].device, "inside0");
    EXPECT_EQ(ports[1].device, "outside0");
    EXPECT_TRUE(ports[1].steer_from.empty());
  }
  EXPECT_NE(c.digest, loaded("two-chassis.yaml").digest);
}

TEST(ClusterConfigs, TwoWorkersHaveASetEach) {
  const auto c = loaded("two-workers.yaml");
  EXPECT_EQ(c.chassis.at(1).cards.at(0).workers, 2U);
  EXPECT_EQ(c.redundancy_sets.size(), 2U);
  EXPECT_TRUE(c.warnings.empty());
}

TEST(LoadClusterFile, SaysWhatItCannotRead) {
  const auto absent = load_cluster_file("cluster-configs/no-such-file.yaml");
  ASSERT_FALSE(absent);
  EXPECT_THAT(absent.error().message, HasSubstr("cluster-configs/no-such-file.yaml: cannot be opened"));
  const auto folder = load_cluster_file("cluster-configs");
  ASSERT_FALSE(folder);
  EXPECT_THAT(folder.error().message, HasSubstr("cluster-configs: cannot be"));
}

TEST(LoadClusterFile, RefusesAFileThatIsTooLarge) {
  const auto file = std::filesystem::temp_directory_path() / "icr-too-large.yaml";
  std::ofstream(file) << "cluster: lab\n" << std::string(33U << 20, '#');
  const auto cluster = load_cluster_file(file);
  std::filesystem::remove(file);
  ASSERT_FALSE(cluster);
  EXPECT_THAT(cluster.error().message, HasSubstr("the file has more than 33554432 bytes"));
}

TEST(LoadClusterFile, KeepsTwentyMistakes) {
  std::string text;
  for (unsigned i = 0; i < 100; ++i) text += "no-such-key-" + std::to_string(i) + ": 1\n";
  const auto cluster = parse_cluster(text, "f");
  ASSERT_FALSE(cluster);
  const auto& message = cluster.error().message;
  EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 19);
}

}  // namespace
}  // namespace icr
