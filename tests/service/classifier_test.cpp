// The classifier says what a plain reading of the rules says, for any rules and any packet.
#include "node/service/classifier.h"

#include <gtest/gtest.h>

#include <random>

namespace icr::node::test {
namespace {

using Rule = RuleClassifier::Rule;
using Match = RuleClassifier::Match;

/// The model: each rule in order, each application in order.
std::optional<Match> plainly(const std::vector<Application>& applications, const std::vector<Rule>& rules,
                             const FlowKey& key, bool input, IcmpQuery query) {
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const Rule& rule = rules[i];
    if (key.source.is_v4() ? !rule.v4 : !rule.v6) continue;
    if (rule.direction != MatchDirection::input_output && (rule.direction == MatchDirection::input) != input) continue;
    if (!rule.from->matches_addresses_and_ports(key)) continue;
    if (rule.from->applications.empty()) return Match{static_cast<std::uint32_t>(i), std::nullopt};
    for (const std::uint16_t application : rule.from->applications) {
      if (applications[application].matches(key, query)) return Match{static_cast<std::uint32_t>(i), application};
    }
  }
  return std::nullopt;
}

/// Random values from small worlds, so that rules overlap and packets hit their borders.
class World {
 public:
  explicit World(std::uint64_t seed) : random_(seed) {}

  std::uint32_t up_to(std::uint32_t most) { return std::uniform_int_distribution<std::uint32_t>(0, most)(random_); }
  bool one_in(std::uint32_t n) { return up_to(n - 1) == 0; }

  IpAddress address(bool v4) {
    constexpr std::array<std::uint32_t, 6> kBases = {0, 0x0a000000, 0x0a0000f0, 0xc6120000, 0xcb007100, 0xfffffff0};
    const std::uint32_t low = kBases[up_to(5)] + up_to(15);
    if (v4) return IpAddress::v4(low);
    IpAddress out = *IpAddress::parse(one_in(2) ? "2001:db8::" : "2001:db8:0:1::");
    if (one_in(8)) out = IpAddress{};
    if (one_in(8)) out.bytes.fill(0xff);
    out.bytes[15] = static_cast<std::uint8_t>(low);
    return out;
  }
  AddressRange range(bool v4) {
    if (one_in(3)) {
      const unsigned widest = v4 ? 32 : 128;
      return AddressRange::of(Prefix::of(address(v4), static_cast<std::uint8_t>(one_in(6) ? 0 : widest - up_to(8))));
    }
    AddressRange out{address(v4), address(v4)};
    if (out.high < out.low) std::swap(out.low, out.high);
    return out;
  }
  std::vector<AddressRange> ranges(std::uint32_t most) {
    std::vector<AddressRange> out(up_to(most));
    for (auto& r : out) r = range(!one_in(3));
    return out;
  }
  std::uint16_t port() {
    constexpr std::array<std::uint16_t, 6> kBases = {0, 20, 80, 1020, 8000, 65525};
    return static_cast<std::uint16_t>(kBases[up_to(5)] + up_to(10));
  }
  PortRange ports() {
    PortRange out{port(), port()};
    if (out.high < out.low) std::swap(out.low, out.high);
    return out;
  }
  std::vector<PortRange> port_list() {
    std::vector<PortRange> out(one_in(2) ? 0 : up_to(3));
    for (auto& p : out) p = ports();
    return out;
  }
  std::uint8_t protocol() {
    constexpr std::array<std::uint8_t, 7> kProtocols = {1, 6, 6, 17, 17, 58, 132};
    return one_in(10) ? static_cast<std::uint8_t>(up_to(255)) : kProtocols[up_to(6)];
  }
  Application application() {
    Application out;
    if (!one_in(8)) out.protocol = protocol();
    if (one_in(4)) out.source_port = ports();
    if (one_in(2)) out.destination_port = ports();
    if (one_in(6))
      out.icmp_type = static_cast<std::uint8_t>(one_in(2) ? 8 : one_in(2) ? 128 : one_in(2) ? 13 : up_to(255));
    if (one_in(10)) out.icmp_code = static_cast<std::uint8_t>(up_to(1));
    return out;
  }
  MatchConditions conditions(std::size_t applications) {
    MatchConditions out;
    if (!one_in(4)) out.source_addresses = ranges(3);
    if (!one_in(4)) out.destination_addresses = ranges(3);
    if (one_in(4)) out.source_except = ranges(2);
    if (one_in(4)) out.destination_except = ranges(2);
    if (one_in(3)) out.source_ports = port_list();
    if (one_in(3)) out.destination_ports = port_list();
    if (one_in(2) && applications != 0) {
      const auto count = up_to(4);
      for (std::uint32_t i = 0; i < count; ++i) {
        out.applications.push_back(static_cast<std::uint16_t>(up_to(static_cast<std::uint32_t>(applications) - 1)));
      }
    }
    return out;
  }
  FlowKey key() {
    const bool v4 = !one_in(3);
    return {address(v4), address(v4), port(), port(), protocol()};
  }

 private:
  std::mt19937_64 random_;
};

void compare(std::uint64_t seed, std::uint32_t most_rules, std::uint32_t packets) {
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  World world(seed);
  std::vector<Application> applications(world.up_to(6));
  for (auto& a : applications) a = world.application();
  std::vector<MatchConditions> conditions(world.up_to(most_rules));
  for (auto& c : conditions) c = world.conditions(applications.size());
  std::vector<Rule> rules;
  for (const auto& c : conditions) {
    rules.push_back({&c, static_cast<MatchDirection>(world.up_to(2)), !world.one_in(6), !world.one_in(6)});
  }
  const RuleClassifier classifier(applications, rules);
  for (std::uint32_t i = 0; i < packets; ++i) {
    const FlowKey key = world.key();
    const bool input = world.one_in(2);
    const IcmpQuery query = world.one_in(2) ? IcmpQuery::timestamp : IcmpQuery::echo;
    const auto expected = plainly(applications, rules, key, input, query);
    const auto found = classifier.first(key, input, query);
    ASSERT_EQ(found.has_value(), expected.has_value())
        << key.source.to_string() << " " << key.destination.to_string() << " " << key.source_port << " "
        << key.destination_port << " " << unsigned{key.protocol};
    if (!found) continue;
    ASSERT_EQ(found->rule, expected->rule);
    ASSERT_EQ(found->application, expected->application);
  }
}

TEST(Classifier, AgreesWithAPlainReadingOfFewRules) {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) compare(seed, 12, 300);
}

TEST(Classifier, AgreesWithAPlainReadingOfManyRules) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) compare(seed, 500, 3000);
}

TEST(Classifier, AgreesAcrossGroups) {
  // More entries than a group holds, most of which never match, so that later groups decide.
  World world(77);
  std::vector<MatchConditions> conditions(5000);
  for (std::size_t i = 0; i < conditions.size(); ++i) {
    const auto host = IpAddress::v4(0xc6120000U + static_cast<std::uint32_t>(i) * 2);
    conditions[i].source_addresses = {{host, host}};
  }
  conditions.back().source_addresses.clear();
  std::vector<Rule> rules;
  for (const auto& c : conditions) rules.push_back({&c, MatchDirection::input});
  const RuleClassifier classifier({}, rules);
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    FlowKey key = world.key();
    if (key.source.is_v4()) key.source = IpAddress::v4(0xc6120000U + i);
    const auto expected = plainly({}, rules, key, true, IcmpQuery::echo);
    const auto found = classifier.first(key, true);
    ASSERT_TRUE(expected && found);
    ASSERT_EQ(found->rule, expected->rule) << i;
    ASSERT_FALSE(classifier.first(key, false));
  }
}

TEST(Classifier, MemoryFollowsTheConditions) {
  // 1,000 rules with a host each: some hundred kilobytes.
  std::vector<MatchConditions> conditions(1000);
  for (std::size_t i = 0; i < conditions.size(); ++i) {
    const auto host = IpAddress::v4(0xc6120000U + static_cast<std::uint32_t>(i) * 2);
    conditions[i].source_addresses = {{host, host}};
  }
  std::vector<Rule> rules;
  for (const auto& c : conditions) rules.push_back({&c});
  EXPECT_LT(RuleClassifier({}, rules).memory(), std::size_t{400} << 10);
  // One list of 10,000 prefixes that all rules share costs its borders, not borders times rules.
  MatchConditions shared;
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    const auto host = IpAddress::v4(0x0a000000U + i * 2);
    shared.source_addresses.push_back({host, host});
  }
  rules.assign(1000, Rule{&shared});
  EXPECT_LT(RuleClassifier({}, rules).memory(), std::size_t{400} << 10);
}

TEST(Classifier, NothingMatchesWithoutRules) {
  const RuleClassifier empty;
  EXPECT_FALSE(empty.first(World(1).key(), true));
}

}  // namespace
}  // namespace icr::node::test
