// The table of keys (model/config/keys.h), the reader and docs/cluster-file.md know the same keys.
#include "model/config/keys.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <regex>
#include <set>

#include "model/config/cluster_file.h"
#include "model/config/reader/yaml_reader.h"

namespace icr {
namespace {

const std::string kDocument = "docs/cluster-file.md";
constexpr std::string_view kBegin = "<!-- The table of keys begins. tests/config/keys_test.cpp writes it. -->\n";
constexpr std::string_view kEnd = "<!-- The table of keys ends. -->\n";

std::string read_document() {
  std::ifstream stream(kDocument, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// A file with a key that nobody knows in the section. %s stands for it.
const std::vector<std::pair<std::string_view, std::string_view>> kUnknownKeyIn = {
    {"", "%s"},
    {"chassis[]", "chassis: [{%s}]"},
    {"chassis[].inter-chassis", "chassis: [{inter-chassis: {%s}}]"},
    {"chassis[].query", "chassis: [{query: {%s}}]"},
    {"chassis[].scheduling", "chassis: [{scheduling: {%s}}]"},
    {"chassis[].cards[]", "chassis: [{cards: [{%s}]}]"},
    {"chassis[].cards[].ports[] (tun)", "chassis: [{cards: [{ports: [{type: tun, %s}]}]}]"},
    {"chassis[].cards[].ports[] (af-packet)", "chassis: [{cards: [{ports: [{type: af-packet, %s}]}]}]"},
    {"chassis[].cards[].ports[] (pcap)", "chassis: [{cards: [{ports: [{type: pcap, %s}]}]}]"},
    {"redundancy-sets[]", "redundancy-sets: [{%s}]"},
    {"redundancy-sets[].members[]", "redundancy-sets: [{members: [{%s}, {}]}]"},
    {"redundancy-sets[].virtual-addresses[]", "redundancy-sets: [{virtual-addresses: [{%s}]}]"},
    {"redundancy-sets[].health", "redundancy-sets: [{health: {%s}}]"},
    {"service-sets[]", "service-sets: [{%s}]"},
    {"service-sets[].interface", "service-sets: [{name: a, interface: {%s}}]"},
    {"service-sets[].nat-options", "service-sets: [{nat-options: {%s}}]"},
    {"service-sets[].nat-options.stateful-nat64", "service-sets: [{nat-options: {stateful-nat64: {%s}}}]"},
    {"timeouts", "timeouts: {%s}"},
    {"timeouts", "service-sets: [{timeouts: {%s}}]"},
    {"stateful-firewall", "stateful-firewall: {%s}"},
    {"rules[]", "stateful-firewall: {rules: [{%s}]}"},
    {"rules[]", "nat: {rules: [{%s}]}"},
    {"rules[].terms[]", "stateful-firewall: {rules: [{terms: [{%s}]}]}"},
    {"rules[].terms[]", "nat: {rules: [{terms: [{%s}]}]}"},
    {"from", "stateful-firewall: {rules: [{terms: [{from: {%s}}]}]}"},
    {"from", "nat: {rules: [{terms: [{from: {%s}}]}]}"},
    {"nat", "nat: {%s}"},
    {"nat.pools[]", "nat: {pools: [{%s}]}"},
    {"nat.pools[].port", "nat: {pools: [{port: {%s}}]}"},
    {"nat.pools[].port.range", "nat: {pools: [{port: {range: {%s}}}]}"},
    {"nat.pools[].port.range", "nat: {pools: [{port-range: {%s}}]}"},
    {"secured-port-block-allocation", "nat: {pools: [{port: {secured-port-block-allocation: {%s}}}]}"},
    {"deterministic-port-block-allocation", "nat: {pools: [{port: {deterministic-port-block-allocation: {%s}}}]}"},
    {"nat.rules[].terms[].then", "nat: {rules: [{terms: [{then: {%s}}]}]}"},
    {"translated", "nat: {rules: [{terms: [{then: {translated: {%s}}}]}]}"},
    {"translated.filtering-type",
     "nat: {rules: [{terms: [{then: {translated: {translation-type: napt-44, filtering-type: {%s}}}}]}]}"},
    {"translated.filtering-type.endpoint-independent",
     "nat: {rules: [{terms: [{then: {translated: {translation-type: napt-44, filtering-type: {endpoint-independent: "
     "{%s}}}}}]}]}"},
    {"translated.secure-nat-mapping",
     "nat: {rules: [{terms: [{then: {translated: {translation-type: napt-44, secure-nat-mapping: {%s}}}}]}]}"},
    {"applications[]", "applications: [{%s}]"},
    {"application-sets[]", "application-sets: [{%s}]"},
    {"prefix-lists[]", "prefix-lists: [{%s}]"},
    {"screens[]", "screens: [{%s}]"},
    {"screens[].limit-session", "screens: [{limit-session: {%s}}]"},
    {"screens[].tcp", "screens: [{tcp: {%s}}]"},
    {"screens[].tcp.syn-flood", "screens: [{tcp: {syn-flood: {%s}}}]"},
    {"screens[].icmp", "screens: [{icmp: {%s}}]"},
    {"screens[].icmp.flood", "screens: [{icmp: {flood: {%s}}}]"},
    {"screens[].udp", "screens: [{udp: {%s}}]"},
    {"screens[].udp.flood", "screens: [{udp: {flood: {%s}}}]"},
    {"screens[].ip", "screens: [{ip: {%s}}]"},
};

TEST(Keys, AreThoseThatTheReaderKnows) {
  constexpr std::string_view kUnknown = "unknown-to-everybody";
  std::set<std::string_view> asked;
  for (const auto& [section, text] : kUnknownKeyIn) {
    SCOPED_TRACE(text);
    asked.insert(section);
    std::string file(text);
    file.replace(file.find("%s"), 2, fmt::format("{}: 1", kUnknown));
    const auto cluster = parse_cluster(file, "f");
    ASSERT_FALSE(cluster);
    // What the reader says of a key that it does not know are all the keys that it knows there.
    const auto known = keys_of(section);
    EXPECT_THAT(cluster.error().message + "\n",
                testing::HasSubstr(fmt::format("unknown key '{}'; known here: {}\n", kUnknown, alternatives(known))));
  }
  for (const Key& each : kKeys) EXPECT_TRUE(asked.count(each.section)) << each.section << " is not asked for";
}

TEST(Keys, AreEachExplained) {
  const auto text = read_document();
  const auto prose = text.substr(0, text.find(kBegin));
  std::set<std::string> words;
  const std::regex code("`([^`\n]+)`");
  const std::regex word("[a-z][a-z0-9-]*");
  for (auto span = std::sregex_iterator(prose.begin(), prose.end(), code); span != std::sregex_iterator(); ++span) {
    const std::string inside = (*span)[1];
    for (auto w = std::sregex_iterator(inside.begin(), inside.end(), word); w != std::sregex_iterator(); ++w) {
      words.insert(w->str());
    }
  }
  for (const Key& each : kKeys) {
    EXPECT_TRUE(words.count(std::string(each.name)))
        << kDocument << " does not explain " << each.section << "." << each.name;
  }
}

std::string range_of(const Key& key) {
  if (key.high == 0) return "";
  return key.type == KeyType::text ? fmt::format("up to {} characters", key.high)
                                   : fmt::format("{}..{}", key.low, key.high);
}

std::string table_of_keys() {
  constexpr std::array<std::string_view, 3> kScopes = {"cluster", "peer", "chassis"};
  constexpr std::array<std::string_view, 3> kApplies = {"live", "new sessions", "restart"};
  std::string out = "| section | key | range | default | scope | applies |\n| --- | --- | --- | --- | --- | --- |\n";
  for (const Key& each : kKeys) {
    out += fmt::format("| {} | `{}` | {} | {} | {} | {} |\n", each.section.empty() ? "top level" : each.section,
                       each.name, range_of(each), each.usual, kScopes[static_cast<std::size_t>(each.scope)],
                       kApplies[static_cast<std::size_t>(each.applies)]);
  }
  return out;
}

TEST(Keys, AreTheTableInTheDocument) {
  auto text = read_document();
  const auto begin = text.find(kBegin);
  const auto end = text.find(kEnd);
  ASSERT_TRUE(begin != std::string::npos && end != std::string::npos) << kDocument << " has no place for the table";
  const auto from = begin + kBegin.size();
  const auto table = "\n" + table_of_keys() + "\n";
  if (std::getenv("ICR_UPDATE_GOLDEN") != nullptr) {
    text.replace(from, end - from, table);
    std::ofstream(kDocument, std::ios::binary) << text;
  }
  EXPECT_EQ(text.substr(from, text.find(kEnd) - from), table) << "run this test with ICR_UPDATE_GOLDEN=1";
}

}  // namespace
}  // namespace icr
