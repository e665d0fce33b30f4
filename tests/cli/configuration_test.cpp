// `show configuration`: a cluster file in the words of Junos, with braces and as `set` commands.
#include "cli/render/configuration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>

#include "model/config/cluster_file.h"

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
  EXPECT_EQ(render_comparison(configuration_of(former, {}), configuration_of(present, {})), "");
  present.service_sets[0].max_sessions = 7;
  present.firewall_rules[0].terms[1].name = "everybody";
  EXPECT_EQ(render_comparison(configuration_of(former, 0), configuration_of(present, 0)),
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
