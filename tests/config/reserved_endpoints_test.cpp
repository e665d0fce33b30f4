// Tests which endpoints of a pool already have an owner according to the configuration (CVE-2021-3773: two owners of
// one external endpoint). The names of Linux' test are those of nft_nat.sh, test_port_shadowing.
#include "model/config/reserved_endpoints.h"

#include <gmock/gmock.h>

#include "tests/config/nat_file.h"

namespace icr {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr auto kTcp = EndpointProtocol::tcp;
constexpr auto kUdp = EndpointProtocol::udp;

std::uint32_t v4(const char* text) { return IpAddress::parse(text)->to_v4(); }

Cluster with(const std::string& from, const std::string& pool = "address: 203.0.113.0/30",
             const std::string& source_type = "napt-44") {
  return parsed(text_of("    - { name: shared, " + pool + " }\n    - { name: server, address: 198.18.9.1 }",
                        "        - { name: in, from: { " + from +
                            " }, then: { translated: { destination-pool: server, translation-type: dnat-44 } } }\n" +
                            "        - { name: out, then: { translated: { source-pool: shared, translation-type: " +
                            source_type + " } } }",
                        "",
                        "applications:\n  - { name: svc, protocol: udp, destination-port: 1405 }\n"
                        "  - { name: gre, protocol: gre }\n"));
}

TEST(ReservedEndpoints, LinuxPortShadow) {
  const Cluster c = with("destination-address: 203.0.113.1, applications: svc");
  const auto reserved = reserved_endpoints(c).at(0);
  EXPECT_THAT(reserved.reserved,
              ElementsAre(ReservedEndpoints{v4("203.0.113.1"), v4("203.0.113.1"), kUdp, PortRange{1405, 1405}, 0, 0}));
  EXPECT_THAT(reserved.shared, IsEmpty());
  EXPECT_THAT(c.warnings, Contains("NAT pool shared: term in of nat rule nat answers udp port 1405 of 203.0.113.1, so "
                                   "hosts are not given that."));
}

TEST(ReservedEndpoints, LinuxPortShadowWithNothingLeft) {
  const Cluster c = with("destination-address: 203.0.113.1, applications: svc",
                         "address: 203.0.113.1, port: { range: { low: 1405, high: 1405 } }");
  EXPECT_THAT(reserved_endpoints(c).at(0).reserved, SizeIs(1));
  EXPECT_THAT(c.warnings, Contains("NAT pool shared has no udp port left for hosts: rules answer all of them."));
  EXPECT_THAT(c.warnings, Not(Contains(HasSubstr("no tcp port"))));
}

TEST(ReservedEndpoints, PortsOfARuleAreBothProtocols) {
  const auto reserved = reserved_endpoints(with("destination-address: 203.0.113.2, destination-port: 8000-8010")).at(0);
  EXPECT_THAT(reserved.reserved,
              ElementsAre(ReservedEndpoints{v4("203.0.113.2"), v4("203.0.113.2"), kTcp, PortRange{8000, 8010}, 0, 0},
                          ReservedEndpoints{v4("203.0.113.2"), v4("203.0.113.2"), kUdp, PortRange{8000, 8010}, 0, 0}));
}

TEST(ReservedEndpoints, OnlyWhatThePoolHasAndTheRuleDoesNotExcept) {
  const auto reserved = reserved_endpoints(with("destination-address: [203.0.113.0/24, 203.0.113.2/32 except], "
                                                "destination-port: 80"))
                            .at(0);
  ASSERT_THAT(reserved.reserved, SizeIs(4));
  EXPECT_EQ(reserved.reserved[0].low, v4("203.0.113.0"));
  EXPECT_EQ(reserved.reserved[0].high, v4("203.0.113.1"));
  EXPECT_EQ(reserved.reserved[2].low, v4("203.0.113.3"));
  EXPECT_EQ(reserved.reserved[2].high, v4("203.0.113.3"));
}

/// A server published with a whole address: the pool has others.
TEST(ReservedEndpoints, AWholeAddress) {
  const auto reserved = reserved_endpoints(with("destination-address: 203.0.113.1")).at(0);
  EXPECT_THAT(reserved.reserved, SizeIs(kEndpointProtocols));
  for (const auto& r : reserved.reserved) EXPECT_FALSE(r.ports.has_value());
}

/// An exposed host gets what nobody else does: it must not take the only address from hosts.
TEST(ReservedEndpoints, AnExposedHostSharesTheOnlyAddress) {
  const Cluster c = with("destination-address: 203.0.113.1", "address: 203.0.113.1");
  EXPECT_THAT(reserved_endpoints(c).at(0).reserved, IsEmpty());
  EXPECT_THAT(reserved_endpoints(c).at(0).shared, SizeIs(kEndpointProtocols));
  EXPECT_THAT(c.warnings, Contains(HasSubstr("answers every port of all its addresses")));
}

TEST(ReservedEndpoints, ProtocolsWithoutPorts) {
  const auto reserved = reserved_endpoints(with("destination-address: 203.0.113.1, applications: gre")).at(0);
  ASSERT_THAT(reserved.reserved, SizeIs(1));
  EXPECT_EQ(reserved.reserved[0].protocol, EndpointProtocol::other);
}

/// What is sent to a chassis' own address never comes to a session.
TEST(ReservedEndpoints, AddressesOfTheChassis) {
  std::string text =
      text_of("    - { name: shared, address: 192.0.2.0/30 }",
              "        - { name: out, then: { translated: { source-pool: shared, translation-type: napt-44 } } }");
  text.replace(text.find("127.0.0.1"), 9, "192.0.2.1");
  const Cluster c = parsed(text);
  const auto reserved = reserved_endpoints(c).at(0);
  ASSERT_THAT(reserved.reserved, SizeIs(testing::Ge(kEndpointProtocols)));
  EXPECT_EQ(reserved.reserved[0].low, v4("192.0.2.1"));
  EXPECT_FALSE(reserved.reserved[0].rule.has_value());
  EXPECT_THAT(c.warnings,
              Contains(HasSubstr("The inter-chassis address 192.0.2.1 of chassis left is in nat pool shared")));
}

TEST(ReservedEndpoints, ARuleThatNobodyUses) {
  Cluster c = with("destination-address: 203.0.113.1, applications: svc");
  c.service_sets[0].nat_rules.clear();
  EXPECT_THAT(reserved_endpoints(c).at(0).reserved, IsEmpty());
}

}  // namespace
}  // namespace icr
