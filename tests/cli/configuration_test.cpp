// `show configuration`: a cluster file in the words of Junos, with braces and as `set` commands.
#include "cli/render/configuration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <sstream>

#include "cli/render/comparison.h"
#include "model/config/cluster_file.h"
#include "tests/cli/cluster_fixture.h"

namespace icr::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

Cluster cluster_of(const std::string& file) {
  auto cluster = load_cluster_file(file);
  EXPECT_TRUE(cluster) << (cluster ? "" : cluster.error().message);
  return cluster ? std::move(*cluster) : Cluster{};
}

std::string shown_part(const std::vector<std::string>& path, bool as_set = false,
                       std::optional<std::uint16_t> only = {}) {
  return render_configuration(configuration_of(cluster_of("cluster-configs/two-chassis.yaml"), only), path, as_set);
}

TEST(Configuration, HasBracesAsInJunos) {
  EXPECT_EQ(shown_part({"services", "service-set", "cgn"}, false, 0),
            "service-set-options {\n"
            "    session-limit {\n"
            "        maximum 250000;\n"
            "        rate 500000;\n"
            "    }\n"
            "}\n"
            "replicate-services {\n"
            "    stateful-firewall;\n"
            "    nat;\n"
            "}\n"
            "stateful-firewall-rules outbound;\n"
            "nat-rules to-the-pool;\n"
            "next-hop-service {\n"
            "    inside-service-interface ms-0/0/0.1;\n"
            "    outside-service-interface ms-0/0/0.2;\n"
            "}\n");
  EXPECT_THAT(shown_part({"services", "nat"}), HasSubstr("pool pool1 {\n    address 203.0.113.0/28;\n"));
  EXPECT_THAT(shown_part({}), HasSubstr("services {\n    service-set cgn {\n        service-set-options {\n"));
}

TEST(Configuration, IsShownAsSetCommands) {
  EXPECT_EQ(shown_part({"services", "stateful-firewall", "rule", "outbound"}, true),
            "set services stateful-firewall rule outbound match-direction input\n"
            "set services stateful-firewall rule outbound term known-applications from source-address 198.18.0.0/24\n"
            "set services stateful-firewall rule outbound term known-applications from applications web\n"
            "set services stateful-firewall rule outbound term known-applications from applications echo\n"
            "set services stateful-firewall rule outbound term known-applications then accept\n"
            "set services stateful-firewall rule outbound term inside-hosts from source-address 198.18.0.0/24\n"
            "set services stateful-firewall rule outbound term inside-hosts from source-address 2001:db8:18::/64\n"
            "set services stateful-firewall rule outbound term inside-hosts then accept\n");
  EXPECT_THAT(shown_part({"services", "nat"}, true), HasSubstr("set services nat pool pool1 address 203.0.113.0/28\n"));
}

TEST(Configuration, PartsAreSelectedByTheirPath) {
  EXPECT_EQ(shown_part({"services", "nat", "pool", "nosuch"}), "");
  EXPECT_EQ(shown_part({"services", "nat", "pool"}, true), shown_part({"services", "nat", "pool", "pool1"}, true));
  EXPECT_THAT(shown_part({"services", "nat", "pool"}), HasSubstr("pool pool1 {\n"));
  EXPECT_THAT(shown_part({"interfaces"}, false, 0), HasSubstr("ms-0/0/0 {\n    unit 1 {\n"));
  EXPECT_THAT(shown_part({"interfaces"}, false, 0), Not(HasSubstr("ms-1/0/0")));
  EXPECT_THAT(shown_part({"interfaces"}), HasSubstr("ms-1/0/0"));
}

TEST(Configuration, AServiceDomainIsThatOfTheServiceSetsOfTheCard) {
  const Cluster cluster = test::make_cluster();
  const auto interface = [&](std::string name) {
    return render_configuration(configuration_of(cluster, {}), {"interfaces", std::move(name)}, true);
  };
  // ss1 and ss2 live on ms-0/0/0 and ms-1/0/0; PIC2_0 lives on vms-2/0/0 and vms-3/0/0; lone lives on vms-2/0/0 only.
  for (const char* card : {"ms-0/0/0", "ms-1/0/0", "vms-2/0/0"}) {
    const std::string unit = fmt::format("set interfaces {} unit ", card);
    EXPECT_THAT(interface(card), HasSubstr(unit + "1 service-domain inside\n"));
    EXPECT_THAT(interface(card), HasSubstr(unit + "2 service-domain outside\n"));
    EXPECT_THAT(interface(card), HasSubstr(unit + "11 service-domain inside\n"));
    EXPECT_THAT(interface(card), HasSubstr(unit + "12 service-domain outside\n"));
  }
  EXPECT_THAT(interface("vms-3/0/0"), HasSubstr("set interfaces vms-3/0/0 unit 2 service-domain outside\n"));
  EXPECT_THAT(interface("vms-3/0/0"), HasSubstr("set interfaces vms-3/0/0 unit 11 family inet\n"));
  EXPECT_THAT(interface("vms-3/0/0"), Not(HasSubstr("unit 11 service-domain")));
  EXPECT_THAT(interface("vms-3/0/0"), Not(HasSubstr("unit 12 service-domain")));
}

TEST(Configuration, EachChassisHasItsInterfacesInAGroup) {
  EXPECT_EQ(shown_part({"groups"}, true),
            "set groups left services service-set cgn next-hop-service inside-service-interface ms-0/0/0.1\n"
            "set groups left services service-set cgn next-hop-service outside-service-interface ms-0/0/0.2\n"
            "set groups right services service-set cgn next-hop-service inside-service-interface ms-1/0/0.1\n"
            "set groups right services service-set cgn next-hop-service outside-service-interface ms-1/0/0.2\n");
  EXPECT_EQ(shown_part({"groups", "right"}),
            "services {\n"
            "    service-set cgn {\n"
            "        next-hop-service {\n"
            "            inside-service-interface ms-1/0/0.1;\n"
            "            outside-service-interface ms-1/0/0.2;\n"
            "        }\n"
            "    }\n"
            "}\n");
  EXPECT_THAT(shown_part({}, true), HasSubstr("set apply-groups \"${node}\"\n"));
  EXPECT_THAT(shown_part({}, true), Not(HasSubstr("\nset services service-set cgn next-hop-service")));
  EXPECT_THAT(shown_part({}, true, 1),
              HasSubstr("\nset services service-set cgn next-hop-service inside-service-interface ms-1/0/0.1\n"));
  EXPECT_THAT(shown_part({}, true, 1), Not(HasSubstr("groups")));
  // Cards of the same name need no groups.
  Cluster same = cluster_of("cluster-configs/two-chassis.yaml");
  for (auto& member : same.redundancy_sets[0].members) member.card = "ms-0/0/0";
  same.chassis[1].cards[0].name = "ms-0/0/0";
  const std::string shown = render_configuration(configuration_of(same, {}), {}, true);
  EXPECT_THAT(shown, Not(HasSubstr("groups")));
  EXPECT_THAT(shown, HasSubstr("set services service-set cgn next-hop-service inside-service-interface ms-0/0/0.1\n"));
}

TEST(Configuration, NoStatementWithOneValueHasTwo) {
  for (const auto& file : std::filesystem::directory_iterator("cluster-configs")) {
    if (file.path().extension() != ".yaml") continue;
    const auto root = configuration_of(cluster_of(file.path().string()), std::nullopt);
    std::istringstream lines(render_configuration(root, {}, true));
    std::set<std::string> seen;
    for (std::string line; std::getline(lines, line);) {
      if (line.find("side-service-interface ") == std::string::npos) continue;
      EXPECT_TRUE(seen.insert(line.substr(0, line.rfind(' '))).second) << file.path() << ": " << line;
    }
  }
}

TEST(Configuration, AddressesAndApplicationsAreLists) {
  EXPECT_THAT(shown_part({"services", "stateful-firewall"}), HasSubstr("        from {\n"
                                                                       "            source-address {\n"
                                                                       "                198.18.0.0/24;\n"
                                                                       "            }\n"
                                                                       "            applications [ web echo ];\n"
                                                                       "        }\n"));
}

TEST(Configuration, IsComparedWithAFormerOne) {
  const Cluster former = cluster_of("cluster-configs/two-chassis.yaml");
  Cluster present = former;
  EXPECT_EQ(render_comparison(former, present, {}, {}), "");
  present.service_sets[0].max_sessions = 7;
  present.firewall_rules[0].terms[1].name = "everybody";
  EXPECT_EQ(render_comparison(former, present, {}, 0),
            "[edit services service-set cgn service-set-options session-limit]\n"
            "-   maximum 250000;\n"
            "+   maximum 7;\n"
            "[edit services stateful-firewall rule outbound]\n"
            "-   term inside-hosts {\n"
            "-       from {\n"
            "-           source-address {\n"
            "-               198.18.0.0/24;\n"
            "-               2001:db8:18::/64;\n"
            "-           }\n"
            "-       }\n"
            "-       then {\n"
            "-           accept;\n"
            "-       }\n"
            "-   }\n"
            "+   term everybody {\n"
            "+       from {\n"
            "+           source-address {\n"
            "+               198.18.0.0/24;\n"
            "+               2001:db8:18::/64;\n"
            "+           }\n"
            "+       }\n"
            "+       then {\n"
            "+           accept;\n"
            "+       }\n"
            "+   }\n");
}

TEST(Configuration, AComparisonTellsOfEverySetting) {
  const Cluster former = cluster_of("cluster-configs/two-chassis.yaml");
  struct Case {
    void (*change)(Cluster&);
    std::string_view shown;
  };
  const std::vector<Case> cases = {
      {[](Cluster& c) { c.chassis[0].inter_chassis_port = 7777; },
       "[edit chassis[left]]\n-   inter-chassis.port: 7400\n+   inter-chassis.port: 7777\n"},
      {[](Cluster& c) { c.redundancy_sets[0].members[0].priority = 3; },
       "[edit redundancy-sets[rs1]]\n-   members[left].priority: 200\n+   members[left].priority: 3\n"},
      {[](Cluster& c) { c.redundancy_sets[0].heartbeat_interval = 70ms; }, "+   heartbeat-interval: 70\n"},
      {[](Cluster& c) { c.redundancy_sets[0].heartbeat_count = 7; }, "+   heartbeat-count: 7\n"},
      {[](Cluster& c) { c.redundancy_sets[0].hold_time = 17s; }, "+   hold-time: 17\n"},
      {[](Cluster& c) { c.redundancy_sets[0].id = 9; }, "+   id: 9\n"},
      {[](Cluster& c) { c.redundancy_sets[0].max_sessions = 4096; }, "+   max-sessions: 4096\n"},
      {[](Cluster& c) { c.service_sets[0].max_sessions_per_subscriber = 12; },
       "[edit service-sets[cgn]]\n+   nat-options.max-sessions-per-subscriber: 12\n"},
      {[](Cluster& c) { c.service_sets[0].timeouts.fragment_limit = 12; }, "+   timeouts.fragment-limit: 12\n"},
      {[](Cluster& c) { c.service_sets[0].timeouts.open_s = 12; },
       "[edit services service-set cgn service-set-options]\n+   tcp-session {\n+       open-timeout 12;\n+   }\n"},
      {[](Cluster& c) { c.firewall_rules[0].terms[0].guarantee = Guarantee::output_commit; },
       "[edit stateful-firewall.rules[outbound]]\n+   terms[known-applications].guarantee: output-commit\n"},
      {[](Cluster& c) { std::swap(c.firewall_rules[0].terms[0], c.firewall_rules[0].terms[1]); },
       "[edit stateful-firewall.rules[outbound]]\n-   terms: known-applications inside-hosts\n"
       "+   terms: inside-hosts known-applications\n"},
      {[](Cluster& c) { c.nat_pools[0].reuse_hold_s = 7; }, "[edit nat.pools[pool1]]\n+   port-reuse-hold: 7\n"},
      {[](Cluster& c) { c.nat_pools[0].port_low = 2000; },
       "[edit services nat pool pool1]\n+   port {\n+       range low 2000 high 65535;\n+   }\n"},
      {[](Cluster& c) {
         c.screens.emplace_back();
         c.screens.back().name = "edge";
         c.screens.back().sessions_per_source = 5;
       },
       "[edit screens[edge]]\n+   all of it\n+   limit-session.source-ip-based: 5\n"},
      {[](Cluster& c) {
         c.applications.emplace_back();
         c.applications.back().name = "anything";
       },
       "[edit applications[anything]]\n+   all of it\n"},
  };
  for (const auto& each : cases) {
    Cluster present = former;
    each.change(present);
    EXPECT_THAT(render_comparison(former, present, {}, {}), HasSubstr(std::string(each.shown)));
    const bool in_words = each.shown.starts_with("[edit services ");
    EXPECT_EQ(render_comparison(former, present, {}, {}).find("[edit services ") != std::string::npos, in_words)
        << each.shown;
    if (in_words) {
      EXPECT_THAT(render_comparison(former, present, {}, {}), testing::EndsWith(std::string(each.shown)));
    }
  }
}

TEST(Configuration, AComparisonIsOfThePartThatThePathNames) {
  const Cluster former = cluster_of("cluster-configs/two-chassis.yaml");
  Cluster present = former;
  present.nat_pools[0].port_low = 2000;
  present.nat_pools[0].reuse_hold_s = 7;
  present.service_sets[0].max_flows = 5;
  present.chassis[0].cards[0].workers = 2;
  present.redundancy_sets[0].heartbeat_count = 7;
  NatPool added = present.nat_pools[0];
  added.name = "more";
  present.nat_pools.push_back(added);
  const auto compared = [&](const std::vector<std::string>& path, std::optional<std::uint16_t> only = {}) {
    return render_comparison(former, present, path, only);
  };
  EXPECT_EQ(compared({"services", "nat", "pool", "pool1"}),
            "[edit services nat pool pool1]\n+   port {\n+       range low 2000 high 65535;\n+   }\n"
            "[edit nat.pools[pool1]]\n+   port-reuse-hold: 7\n");
  EXPECT_THAT(compared({"services", "nat", "pool", "more"}), HasSubstr("[edit services nat]\n+   pool more {\n"));
  EXPECT_EQ(compared({"services", "nat", "pool"}), compared({"services", "nat"}));
  EXPECT_THAT(compared({"services", "nat"}), Not(HasSubstr("max-flows")));
  EXPECT_EQ(compared({"services", "service-set", "cgn"}), "[edit services service-set cgn]\n+   max-flows 5;\n");
  EXPECT_EQ(compared({"services", "stateful-firewall"}), "");
  present.service_sets[0].inside_unit = 3;
  EXPECT_THAT(compared({"services", "service-set", "cgn"}),
              HasSubstr("[edit groups left services service-set cgn next-hop-service]\n"
                        "-   inside-service-interface ms-0/0/0.1;\n+   inside-service-interface ms-0/0/0.3;\n"));
  EXPECT_EQ(compared({"services", "service-set", "cgn"}, 0),
            "[edit services service-set cgn]\n+   max-flows 5;\n"
            "[edit services service-set cgn next-hop-service]\n"
            "-   inside-service-interface ms-0/0/0.1;\n+   inside-service-interface ms-0/0/0.3;\n");
  present.service_sets[0].inside_unit = 1;
  present.redundancy_sets[0].members[1].card = "ms-9/0/0";
  EXPECT_THAT(compared({"groups", "right"}), HasSubstr("+   members[right].card: ms-9/0/0\n"));
  EXPECT_EQ(compared({"groups", "left"}), "");
  present.redundancy_sets[0].members[1].card = "ms-1/0/0";
  EXPECT_EQ(compared({"interfaces"}), "[edit chassis[left]]\n+   cards[ms-0/0/0].workers: 2\n");
  EXPECT_EQ(compared({"interfaces"}, 1), "");
  EXPECT_THAT(compared({}), HasSubstr("heartbeat-count"));
  EXPECT_THAT(compared({"services"}), Not(HasSubstr("heartbeat-count")));
  EXPECT_EQ(render_comparison(former, former, {}, 1), "");
}

TEST(Configuration, BothFormsSayTheSameOfEveryFile) {
  for (const auto& file : std::filesystem::directory_iterator("cluster-configs")) {
    if (file.path().extension() != ".yaml") continue;
    const auto root = configuration_of(cluster_of(file.path().string()), std::nullopt);
    const std::string braces = render_configuration(root, {}, false);
    const std::string commands = render_configuration(root, {}, true);
    std::ptrdiff_t statements = std::count(braces.begin(), braces.end(), ';');
    std::istringstream lists(braces);
    for (std::string line; std::getline(lists, line);) {
      // A list in brackets is as many commands as it has values: "    applications [ a b ];"
      if (const auto open = line.find("[ "); open != std::string::npos) {
        statements += std::count(line.begin() + static_cast<std::ptrdiff_t>(open) + 2, line.end(), ' ') - 1;
      }
    }
    EXPECT_EQ(statements, std::count(commands.begin(), commands.end(), '\n')) << file.path();
    EXPECT_EQ(std::count(braces.begin(), braces.end(), '{'), std::count(braces.begin(), braces.end(), '}'))
        << file.path();
    std::istringstream lines(commands);
    for (std::string line; std::getline(lines, line);) {
      EXPECT_EQ(line.substr(0, 4), "set ") << file.path();
      EXPECT_THAT(line, Not(HasSubstr("  "))) << file.path();
    }
    for (const auto& pool : cluster_of(file.path().string()).nat_pools)
      EXPECT_THAT(braces, HasSubstr("pool " + pool.name + " {"));
  }
}

}  // namespace
}  // namespace icr::cli
