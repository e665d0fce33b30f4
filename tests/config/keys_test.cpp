// The table of keys (model/config/keys.h), the reader, the settings and docs/cluster-file.md say the same of each key.
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
#include "model/config/settings.h"

namespace icr {
namespace {

const std::string kDocument = "docs/cluster-file.md";
constexpr std::string_view kBegin = "<!-- The table of keys begins. tests/config/keys_test.cpp writes it. -->\n";
constexpr std::string_view kEnd = "<!-- The table of keys ends. -->\n";

std::string read_document() {
  std::ifstream stream(kDocument, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// A file with one key in the section. %s stands for it.
const std::vector<std::pair<std::string_view, std::string_view>> kFileWithKeyIn = {
    {"", "%s"},
    {"chassis[]", "chassis: [{%s}]"},
    {"chassis[].inter-chassis", "chassis: [{inter-chassis: {%s}}]"},
    {"chassis[].query", "chassis: [{query: {%s}}]"},
    {"chassis[].scheduling", "chassis: [{scheduling: {%s}}]"},
    {"chassis[].cards[]", "chassis: [{cards: [{%s}]}]"},
    {"chassis[].cards[].ports[] (tun)", "chassis: [{cards: [{ports: [{type: tun, %s}]}]}]"},
    {"chassis[].cards[].ports[] (af-packet)", "chassis: [{cards: [{ports: [{type: af-packet, %s}]}]}]"},
    {"chassis[].cards[].ports[] (pcap)", "chassis: [{cards: [{ports: [{type: pcap, %s}]}]}]"},
    {"clients[]", "clients: [{%s}]"},
    {"redundancy-sets[]", "redundancy-sets: [{%s}]"},
    {"redundancy-sets[].members[]", "redundancy-sets: [{members: [{%s}, {}]}]"},
    {"redundancy-sets[].virtual-addresses[]", "redundancy-sets: [{virtual-addresses: [{%s}]}]"},
    {"redundancy-sets[].signal-routes[]", "redundancy-sets: [{signal-routes: [{%s}]}]"},
    {"redundancy-sets[].health", "redundancy-sets: [{health: {%s}}]"},
    {"redundancy-sets[].probes[]", "redundancy-sets: [{probes: [{%s}]}]"},
    {"service-sets[]", "service-sets: [{%s}]"},
    {"service-sets[].interface", "service-sets: [{name: a, interface: {%s}}]"},
    {"service-sets[].nat-options", "service-sets: [{nat-options: {%s}}]"},
    {"service-sets[].nat-options.stateful-nat64", "service-sets: [{nat-options: {stateful-nat64: {%s}}}]"},
    {"witness", "witness: {%s}"},
    {"timeouts", "timeouts: {%s}"},
    {"timeouts", "service-sets: [{timeouts: {%s}}]"},
    {"stateful-firewall", "stateful-firewall: {%s}"},
    {"rules[]", "stateful-firewall: {rules: [{%s}]}"},
    {"rules[]", "nat: {rules: [{%s}]}"},
    {"stateful-firewall.rules[].terms[]", "stateful-firewall: {rules: [{terms: [{%s}]}]}"},
    {"nat.rules[].terms[]", "nat: {rules: [{terms: [{%s}]}]}"},
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

/// Files in which the reader comes as far as keys that it reads only after others.
const std::vector<std::pair<std::string_view, std::string_view>> kFurtherFileWithKeyIn = {
    {"chassis[].cards[].ports[] (tun)", "chassis: [{cards: [{ports: [{%s}]}]}]"},
    {"stateful-firewall.rules[].terms[]", "stateful-firewall: {rules: [{terms: [{then: accept, %s}]}]}"},
    {"translated", "nat: {rules: [{terms: [{then: {translated: {translation-type: dnat-44, %s}}}]}]}"},
    {"translated", "nat: {rules: [{terms: [{then: {translated: {translation-type: napt-44, %s}}}]}]}"},
};

constexpr std::string_view kUnknown = "unknown-to-everybody";

/// Returns the mistakes of the file with `key` in place of %s, each with a newline at its end.
std::string mistakes_of(std::string_view text, std::string_view key) {
  std::string file(text);
  file.replace(file.find("%s"), 2, key);
  const auto cluster = parse_cluster(file, "f");
  EXPECT_FALSE(cluster) << file;
  return cluster ? "" : cluster.error().message + "\n";
}

/// Returns true if a file with the key in its section makes a mistake with these words.
bool is_wrong(const Key& key, std::string_view value, std::string_view words) {
  const auto has_words = [&](const auto& file) {
    return file.first == key.section &&
           mistakes_of(file.second, fmt::format("{}: {}", key.name, value)).find(words) != std::string::npos;
  };
  return std::any_of(kFileWithKeyIn.begin(), kFileWithKeyIn.end(), has_words) ||
         std::any_of(kFurtherFileWithKeyIn.begin(), kFurtherFileWithKeyIn.end(), has_words);
}

TEST(Keys, AreThoseThatTheReaderKnows) {
  std::set<std::string_view> asked;
  for (const auto& [section, text] : kFileWithKeyIn) {
    SCOPED_TRACE(text);
    asked.insert(section);
    // What the reader says of a key that it does not know are all the keys that it knows there.
    const auto known = keys_of(section);
    EXPECT_THAT(mistakes_of(text, fmt::format("{}: 1", kUnknown)),
                testing::HasSubstr(fmt::format("unknown key '{}'; known here: {}\n", kUnknown, alternatives(known))));
  }
  for (const Key& each : kKeys) EXPECT_TRUE(asked.count(each.section)) << each.section << " is not asked for";
}

TEST(Keys, ThatAreRequiredAreMissed) {
  for (const auto& [section, text] : kFileWithKeyIn) {
    SCOPED_TRACE(text);
    const std::string mistakes = mistakes_of(text, fmt::format("{}: 1", kUnknown));
    // The section has the place of its unknown key: "f:1:9: PATH: unknown key ...".
    std::smatch found;
    const std::regex place(fmt::format("f:[0-9]+:[0-9]+: (.*)unknown key '{}'", kUnknown));
    ASSERT_TRUE(std::regex_search(mistakes, found, place)) << mistakes;
    const std::string path = found[1];
    for (const Key& each : kKeys) {
      if (each.section != section || text.find(fmt::format("{}: ", each.name)) != std::string_view::npos) continue;
      // A pool needs one of three keys for its addresses, and none of them alone.
      const bool expected = !each.missing.empty() || (section == "nat.pools[]" && each.name == "addresses");
      const auto missed = fmt::format(" {}'{}' is missing; write {}: {}", path, each.name, each.name, each.missing);
      EXPECT_EQ(mistakes.find(missed) != std::string::npos, expected) << each.name << "\n" << mistakes;
    }
  }
}

TEST(Keys, HaveTheirRangesInTheReader) {
  int seen = 0;
  for (const Key& each : kKeys) {
    SCOPED_TRACE(fmt::format("{}.{}", each.section, each.name));
    std::string right;
    switch (each.type) {
      case KeyType::number:
      case KeyType::thousands:
      case KeyType::ports:
        right = fmt::format("is out of range; write a whole number from {} to {}", each.low, each.high);
        break;
      case KeyType::seconds:
        right = fmt::format("is out of range; write seconds from {} to {}", each.low, each.high);
        break;
      case KeyType::text: {
        const auto wrong = fmt::format("a text of {} characters; write 1 to {}", each.high + 1, each.high);
        EXPECT_TRUE(is_wrong(each, std::string(each.high + 1, 'a'), wrong));
        EXPECT_FALSE(is_wrong(each, std::string(each.high, 'a'), "characters; write"));
        ++seen;
        continue;
      }
      default:
        continue;
    }
    ++seen;
    ASSERT_GE(each.high, each.low);
    EXPECT_TRUE(is_wrong(each, std::to_string(each.high + 1), fmt::format("'{}' {}\n", each.high + 1, right)) ||
                is_wrong(each, std::to_string(each.high + 1), fmt::format("'{}' {}, ", each.high + 1, right)));
    EXPECT_FALSE(is_wrong(each, std::to_string(each.high), "is out of range"));
    EXPECT_FALSE(is_wrong(each, std::to_string(each.low), "is out of range"));
    EXPECT_TRUE(each.low == 0 || is_wrong(each, std::to_string(each.low - 1), "is out of range"));
  }
  EXPECT_GT(seen, 60);
}

TEST(Keys, OfListsAndWordsHaveTheirBoundsInTheReader) {
  for (const Key& each : kKeys) {
    SCOPED_TRACE(fmt::format("{}.{}", each.section, each.name));
    if (each.type == KeyType::list || each.type == KeyType::names) {
      const bool exact = each.low != 0 && each.low == each.high;
      const auto wrong = exact ? std::string("write exactly two members") : fmt::format("write at least {}", each.low);
      EXPECT_TRUE(each.low == 0 || is_wrong(each, "[]", wrong));
    } else if (each.type == KeyType::word && each.high != 0) {
      EXPECT_TRUE(is_wrong(each, std::to_string(each.high + 1), fmt::format("from {} to {}", each.low, each.high)));
      EXPECT_FALSE(is_wrong(each, std::to_string(each.high), fmt::format("from {} to {}", each.low, each.high)));
    }
  }
}

TEST(Keys, OfPublicKeysHaveTheirBoundsInTheReader) {
  constexpr std::string_view kThree =
      "[\"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7\", \"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID\", "
      "\"D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs\"]";
  int seen = 0;
  for (const Key& each : kKeys) {
    if (each.type != KeyType::public_keys) continue;
    SCOPED_TRACE(fmt::format("{}.{}", each.section, each.name));
    ++seen;
    EXPECT_TRUE(is_wrong(each, "[]", fmt::format("write at least {}", each.low)));
    EXPECT_TRUE(is_wrong(each, kThree, fmt::format("more than {} public keys", each.high)));
    EXPECT_TRUE(is_wrong(each, "[abc]", "a text of 3 characters that is no public key"));
  }
  EXPECT_EQ(seen, 2);
}

TEST(Keys, OfAddressesHaveTheirBoundsInTheReader) {
  int seen = 0;
  for (const Key& each : kKeys) {
    if (each.type != KeyType::addresses) continue;
    SCOPED_TRACE(fmt::format("{}.{}", each.section, each.name));
    ++seen;
    std::string many;
    for (std::uint64_t i = 0; i <= each.high; ++i) many += fmt::format("{}192.0.2.{}", i == 0 ? "" : ", ", 65 + i);
    EXPECT_TRUE(is_wrong(each, "[]", fmt::format("write at least {}", each.low)));
    EXPECT_TRUE(is_wrong(each, "[" + many + "]", fmt::format("more than {} alternate addresses", each.high)));
    EXPECT_TRUE(is_wrong(each, "[224.0.0.1]", "is no address that others can connect to"));
  }
  EXPECT_EQ(seen, 1);
}

TEST(Keys, HaveTheirWordsInTheReader) {
  int seen = 0;
  for (const Key& each : kKeys) {
    SCOPED_TRACE(fmt::format("{}.{}", each.section, each.name));
    const auto words = words_of(each);
    // The type of a port decides of which section it is, so a wrong one is of the section of TUN ports.
    const bool chooses_section = each.name == "type" && each.section != "chassis[].cards[].ports[] (tun)";
    if (words.empty() || chooses_section) continue;
    ++seen;
    EXPECT_TRUE(is_wrong(each, "no-word", fmt::format("'no-word' is not known here; write {}\n", alternatives(words))));
    for (const std::string_view word : words) EXPECT_FALSE(is_wrong(each, word, "is not known here")) << word;
  }
  EXPECT_GT(seen, 10);
}

/// Every section is there, and has only what it must have.
constexpr std::string_view kSections = R"(cluster: lab
chassis:
  - name: left
    inter-chassis: { address: 127.0.0.1, port: 7400 }
    query: { address: 127.0.0.1, port: 7300 }
    scheduling: {}
    cards:
      - { name: ms-0/0/0, ports: [{ unit: 1, type: tun, device: a1 }, { unit: 2, type: tun, device: a2 }] }
  - name: right
    inter-chassis: { address: 127.0.0.2, port: 7400 }
    query: { address: 127.0.0.2, port: 7300 }
    cards:
      - { name: ms-0/0/0, ports: [{ unit: 1, type: tun, device: a1 }, { unit: 2, type: tun, device: a2 }] }
redundancy-sets:
  - name: rs1
    id: 1
    members: [{ chassis: left, card: ms-0/0/0, priority: 200 }, { chassis: right, card: ms-0/0/0 }]
    service-sets: [all]
    health: {}
service-sets:
  - name: all
    inside-unit: 1
    outside-unit: 2
    stateful-firewall-rules: all
    nat-rules: source
    screen: all
    nat-options: { stateful-nat64: {} }
    timeouts: {}
timeouts: {}
screens: [{ name: all, limit-session: {}, tcp: { syn-flood: {} }, icmp: {}, udp: {}, ip: {} }]
applications: [{ name: web, protocol: tcp, destination-port: 80 }]
stateful-firewall:
  rules: [{ name: all, match-direction: input, terms: [{ name: all, from: { applications: web }, then: accept }] }]
nat:
  pools:
    - { name: plain, addresses: 203.0.113.0/28, port: {} }
    - { name: blocks, addresses: 203.0.113.16/28, port: { secured-port-block-allocation: {} } }
    - { name: fixed, addresses: 203.0.113.32/28, port: { deterministic-port-block-allocation: {} } }
  rules:
    - name: source
      match-direction: input
      terms:
        - name: plain
          from: { source-address: 198.18.0.0/24 }
          then: { translated: { source-pool: [plain, blocks], translation-type: napt-44 } }
        - name: fixed
          from: { source-address: 198.18.1.0/24 }
          then: { translated: { source-pool: fixed, translation-type: deterministic-napt44 } }
)";

TEST(Keys, ThatAreAbsentHaveTheirDefaults) {
  const auto cluster = parse_cluster(kSections, "f");
  ASSERT_TRUE(cluster) << cluster.error().message;
  // A key that has its default makes no setting.
  std::vector<std::string> others;
  for (const auto& part : parts_of(*cluster)) {
    for (const auto& setting : part.settings) {
      const std::string_view name = std::string_view(setting.path).substr(setting.path.rfind('.') + 1);
      const bool has_default = std::any_of(kKeys.begin(), kKeys.end(),
                                           [&](const Key& each) { return each.name == name && !each.usual.empty(); });
      if (has_default) others.push_back(setting.path);
    }
  }
  // The first is written in the file, and the second is computed from it.
  EXPECT_THAT(others, testing::ElementsAre("redundancy-sets[rs1].members[left].priority",
                                           "nat.pools[fixed].port.deterministic-port-block-allocation.block-size"));
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
  if (!key.words.empty()) return alternatives(words_of(key));
  if (key.high == 0) return "";
  return key.type == KeyType::text ? fmt::format("up to {} characters", key.high)
                                   : fmt::format("{}..{}", key.low, key.high);
}

std::string table_of_keys() {
  constexpr std::array<std::string_view, 3> kScopes = {"cluster", "peer", "chassis"};
  constexpr std::array<std::string_view, 3> kApplies = {"live", "new sessions", "restart"};
  std::string out =
      "| section | key | range | default | required | scope | applies |\n| --- | --- | --- | --- | --- | --- | --- |\n";
  for (const Key& each : kKeys) {
    out += fmt::format("| {} | `{}` | {} | {} | {} | {} | {} |\n", each.section.empty() ? "top level" : each.section,
                       each.name, range_of(each), each.usual, each.missing.empty() ? "" : "yes",
                       kScopes[static_cast<std::size_t>(each.scope)], kApplies[static_cast<std::size_t>(each.applies)]);
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
