// Service sets and redundancy sets: what runs where, and together with what.
#include <algorithm>
#include <charconv>

#include "model/config/reader/cluster_draft.h"

namespace icr::cluster_draft {
namespace {

/// The card that `chassis` and `card` of `map` name; reports what is missing or not defined.
std::optional<RedundancyMember> read_where(const YamlMap& map, const Draft& draft) {
  const auto chassis = map.require("chassis", "the name of a chassis");
  const auto card = map.require("card", "the name of a card of that chassis");
  if (!chassis || !card) return std::nullopt;
  const auto index = draft.chassis.find(*chassis);
  const auto name = card->name();
  if (!index || !name) return std::nullopt;
  const auto& cards = draft.cluster.chassis[*index].cards;
  if (draft.cluster.chassis[*index].card(*name) == nullptr) {
    std::vector<std::string_view> known;
    for (const auto& c : cards) known.emplace_back(c.name);
    card->wrong(fmt::format("chassis {} has no card {}", chassis->node().text, *name),
                known.empty() ? "define it" : "write " + alternatives(known));
    return std::nullopt;
  }
  RedundancyMember out;
  out.chassis = *index;
  out.card = *name;
  return out;
}

void read_members(const YamlField& field, const Draft& draft, RedundancySet& set) {
  const auto items = field.list(0);
  if (items.size() != 2) {
    field.wrong(fmt::format("a redundancy set with {} member{}", items.size(), items.size() == 1 ? "" : "s"),
                "write exactly two members, on two chassis");
  }
  for (const auto& item : items) {
    const YamlMap map(item, {"chassis", "card", "priority"});
    auto member = read_where(map, draft);
    const auto priority = map.get("priority");
    const auto number = priority ? priority->number(1, 255) : std::nullopt;
    if (!member || (priority && !number)) continue;
    if (number) member->priority = static_cast<std::uint32_t>(*number);
    set.members.push_back(std::move(*member));
  }
  // With less than two good members there is nothing to compare, and the mistakes are reported.
  if (items.size() != 2 || set.members.size() != 2) {
    set.members.clear();
    return;
  }
  if (set.members[0].chassis == set.members[1].chassis) {
    items[1].wrong(fmt::format("both members are on chassis {}", draft.cluster.chassis[set.members[0].chassis].name),
                   "put the second member on another chassis");
  }
  if (set.members[0].priority == set.members[1].priority) {
    items[1].wrong(fmt::format("both members have priority {}", set.members[0].priority),
                   "give the preferred member a higher one");
  }
  // The place of a member decides which terms are its own, so it must not depend on the order in the file.
  const auto& chassis = draft.cluster.chassis;
  if (chassis[set.members[1].chassis].name < chassis[set.members[0].chassis].name) {
    std::swap(set.members[0], set.members[1]);
  }
}

void read_virtual_address(const YamlField& field, RedundancySet& set, std::vector<YamlField>& places) {
  const YamlMap map(field, {"interface", "address"});
  VirtualAddress out;
  if (const auto f = map.require("interface", "a network interface of the chassis")) {
    out.interface = f->interface_name().value_or("");
  }
  const auto f = map.require("address", "ADDRESS/LENGTH");
  if (!f) return;
  const std::string& text = f->node().text;
  const auto prefix = f->is_scalar() && text.find('/') != std::string::npos ? Prefix::parse(text) : std::nullopt;
  const auto address = IpAddress::parse(std::string_view(text).substr(0, text.find('/')));
  if (!prefix || !address) {
    f->wrong("no address with a prefix length", "write ADDRESS/LENGTH, as 198.18.0.1/24 or 2001:db8:18::1/64");
    return;
  }
  const bool four = address->is_v4();
  const unsigned host_bits = (four ? 32U : 128U) - prefix->length;
  const bool no_host =
      host_bits > 1 && (*address == prefix->base || (four && !prefix->contains(IpAddress::v4(address->to_v4() + 1))));
  const bool unusable =
      four ? address->to_v4() >> 24 == 0 || address->to_v4() >> 24 == 127 || address->to_v4() >> 28 >= 14
           : address->bytes[0] == 0xff || *address == IpAddress{};
  if (no_host || unusable || prefix->length == 0) {
    f->wrong(text + " is no address that a host can have",
             "write a host address of the network with its prefix length");
    return;
  }
  out.address = *address;
  out.prefix_length = prefix->length;
  set.virtual_addresses.push_back(std::move(out));
  places.push_back(*f);
}

HealthWeights read_health(const YamlField& field) {
  const YamlMap map(field, {"interface", "kernel", "store", "self-test"});
  HealthWeights out;
  const auto read = [&map](std::string_view key, std::uint32_t& weight) {
    if (const auto f = map.get(key)) weight = static_cast<std::uint32_t>(f->number(0, 255).value_or(weight));
  };
  read("interface", out.interface);
  read("kernel", out.kernel);
  read("store", out.store);
  read("self-test", out.self_test);
  return out;
}

void read_redundancy_set(const YamlField& field, Draft& draft) {
  const YamlMap map(
      field, {"name", "id", "members", "service-sets", "virtual-addresses", "heartbeat-interval", "heartbeat-count",
              "silence-limit", "hold-time", "preempt", "claim-limit", "max-sessions", "health"});
  RedundancySet out;
  out.name = draft.sets.define(map);
  std::vector<YamlField> uses;
  std::vector<YamlField> places;
  if (const auto f = map.require("id", fmt::format("the number of the redundancy set, from 1 to {}", kMaxSetId))) {
    out.id = static_cast<std::uint16_t>(f->number(1, kMaxSetId).value_or(0));
    const auto [other, fresh] = draft.set_ids.emplace(out.id, out.name);
    if (!fresh && out.id != 0) {
      f->wrong(fmt::format("redundancy set {} has id {} already", other->second, out.id), "write another number");
    }
  }
  if (const auto f = map.require("members", "two of { chassis, card, priority }")) read_members(*f, draft, out);
  if (const auto f = map.require("service-sets", "the names of the service sets that fail over together")) {
    for (const auto& item : f->list(1)) {
      const auto index = draft.service_sets.find(item);
      if (!index) continue;
      out.service_sets.push_back(*index);
      uses.push_back(item);
    }
  }
  if (const auto f = map.get("virtual-addresses")) {
    for (const auto& item : f->list(0)) read_virtual_address(item, out, places);
  }
  if (const auto f = map.get("heartbeat-interval")) {
    if (const auto ms = f->number(10, 10'000)) out.heartbeat_interval = std::chrono::milliseconds(*ms);
  }
  if (const auto f = map.get("heartbeat-count")) {
    out.heartbeat_count = static_cast<std::uint32_t>(f->number(2, 100).value_or(out.heartbeat_count));
  }
  if (const auto f = map.get("silence-limit")) {
    if (const auto ms = f->number(20, 60'000)) {
      out.silence_limit = std::chrono::milliseconds(*ms);
      if (*out.silence_limit < out.detection_floor()) {
        f->wrong(fmt::format("{} ms is less than {} heartbeats take", *ms, out.heartbeat_count),
                 fmt::format("write at least {}", out.detection_floor() / 1ms));
      }
    }
  }
  if (const auto f = map.get("hold-time")) out.hold_time = f->seconds(0s, 1800s).value_or(out.hold_time);
  if (const auto f = map.get("preempt")) out.preempt = f->yes_no().value_or(out.preempt);
  if (const auto f = map.get("claim-limit")) {
    if (const auto ms = f->number(0, 10'000)) out.claim_limit = std::chrono::milliseconds(*ms);
  }
  if (const auto f = map.get("health")) out.health = read_health(*f);
  if (const auto f = map.get("max-sessions")) {
    out.max_sessions = static_cast<std::uint32_t>(f->number(kMinSlots, kMaxSlots).value_or(out.max_sessions));
  }
  for (const auto& member : out.members) count_set(field, member.chassis, draft);
  if (draft.cluster.redundancy_sets.size() == kMaxThings) return;  // too many, which is reported
  draft.set_service_uses.push_back(std::move(uses));
  draft.virtual_fields.push_back(std::move(places));
  draft.cluster.redundancy_sets.push_back(std::move(out));
}

/// N, or Nk for N thousand.
std::optional<std::uint32_t> read_thousands(const YamlField& field) {
  constexpr std::uint64_t kMost = 100'000'000;
  const std::string_view text = field.is_scalar() && !field.node().quoted ? field.node().text : std::string_view{};
  const std::string_view digits = text.substr(0, text.find('k'));
  const bool in_thousands = !digits.empty() && digits.size() + 1 == text.size() &&
                            std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (in_thousands) {
    std::uint64_t thousands = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), thousands);
    if (error == std::errc{} && digits.front() != '0' && thousands <= kMost / 1000) {
      return static_cast<std::uint32_t>(thousands * 1000);
    }
    // The error is reported here, because number() would quote the text without its "k".
    field.wrong(fmt::format("'{}' is out of range", text),
                fmt::format("write a whole number from 1 to {}, or of thousands from 1k to {}k", kMost, kMost / 1000));
    return std::nullopt;
  }
  const auto number = field.number(1, kMost);
  return number ? std::optional(static_cast<std::uint32_t>(*number)) : std::nullopt;
}

void read_nat_options(const YamlField& field, ServiceSet& out) {
  const YamlMap map(field, {"max-sessions-per-subscriber", "stateful-nat64"});
  if (const auto f = map.get("max-sessions-per-subscriber")) {
    out.max_sessions_per_subscriber = static_cast<std::uint32_t>(f->number(1, 32'000).value_or(0));
  }
  if (const auto f = map.get("stateful-nat64")) {
    const YamlMap nat64(*f, {"ipv6-mtu", "clear-dont-fragment-bit"});
    if (const auto mtu = nat64.get("ipv6-mtu")) {
      out.nat64.ipv6_mtu = static_cast<std::uint32_t>(mtu->number(1280, 9192).value_or(out.nat64.ipv6_mtu));
    }
    if (const auto clear = nat64.get("clear-dont-fragment-bit")) {
      out.nat64.clear_dont_fragment = clear->yes_no().value_or(false);
    }
  }
}

void read_service_set(const YamlField& field, Draft& draft) {
  constexpr std::array<std::string_view, 3> kNonSyn = {"drop-flow", "drop-flow-send-rst", "allow"};
  const YamlMap map(field, {"name", "inside-unit", "outside-unit", "interface", "stateful-firewall-rules", "nat-rules",
                            "policy-rematch", "session-limit", "max-flows", "max-session-setup-rate", "tcp-non-syn",
                            "session-refusal", "tcp-mss", "nat-options", "screen", "timeouts"});
  ServiceSet out;
  out.name = draft.service_sets.define(map);
  const auto inside = map.require("inside-unit", "the unit that faces the inside network");
  const auto outside = map.require("outside-unit", "the unit that faces the outside network");
  constexpr std::uint64_t kBad = kMaxUnit + 1;
  const std::uint64_t inside_unit = inside ? inside->number(0, kMaxUnit).value_or(kBad) : kBad;
  const std::uint64_t outside_unit = outside ? outside->number(0, kMaxUnit).value_or(kBad) : kBad;
  if (inside_unit == outside_unit && inside_unit != kBad) {
    outside->wrong(fmt::format("unit {} is the inside unit, too", outside_unit), "write another unit");
  }
  out.inside_unit = static_cast<std::uint32_t>(inside_unit);
  out.outside_unit = static_cast<std::uint32_t>(outside_unit);
  if (const auto f = map.get("stateful-firewall-rules")) out.firewall_rules = draft.firewall_rules.find_all(*f);
  if (const auto f = map.get("nat-rules")) out.nat_rules = draft.nat_rules.find_all(*f);
  if (field.is_map() && !map.has("stateful-firewall-rules") && !map.has("nat-rules")) {
    field.wrong("a service set without rules", "write stateful-firewall-rules, nat-rules or both");
  }
  if (const auto f = map.get("policy-rematch")) out.policy_rematch = f->yes_no().value_or(false);
  const auto limit = map.get("session-limit");
  if (limit) {
    const auto number = limit->number(1, kMaxSlots);
    if (number) out.max_sessions = static_cast<std::uint32_t>(*number);
  }
  if (const auto f = map.get("max-session-setup-rate")) out.max_session_setup_rate = read_thousands(*f);
  if (const auto f = map.get("max-flows")) out.max_flows = read_thousands(*f).value_or(0);
  if (const auto f = map.get("tcp-mss")) out.tcp_mss = static_cast<std::uint16_t>(f->number(536, 65535).value_or(0));
  if (const auto f = map.get("nat-options")) read_nat_options(*f, out);
  if (const auto f = map.get("screen")) out.screen = draft.screens.find(*f);
  if (const auto f = map.get("session-refusal")) {
    constexpr std::array<std::string_view, 3> kRefusals = {"silent", "icmp", "reset"};
    out.session_refusal = static_cast<SessionRefusal>(f->one_of(kRefusals).value_or(1));
  }
  if (const auto f = map.get("tcp-non-syn")) out.tcp_non_syn = static_cast<TcpNonSyn>(f->one_of(kNonSyn).value_or(0));
  out.timeouts = draft.timeouts;
  if (const auto f = map.get("timeouts")) read_timeouts(*f, out.timeouts);
  draft.interface_fields.push_back(map.get("interface"));
  draft.service_set_fields.push_back(field);
  draft.session_limit_fields.push_back(limit);
  draft.cluster.service_sets.push_back(std::move(out));
}

/// Makes the stand-alone set of a service set that names its card.
void place_alone(const YamlField& interface, std::uint16_t service_set, Draft& draft) {
  const YamlMap map(interface, {"chassis", "card", "max-sessions"});
  RedundancySet set;
  set.name = draft.cluster.service_sets[service_set].name;
  if (auto member = read_where(map, draft)) set.members.push_back(std::move(*member));
  if (const auto f = map.get("max-sessions")) {
    set.max_sessions = static_cast<std::uint32_t>(f->number(kMinSlots, kMaxSlots).value_or(set.max_sessions));
  }
  set.service_sets.push_back(service_set);
  if (draft.sets.has(set.name)) {
    interface.wrong(fmt::format("a redundancy set is called {}, and so would be the stand-alone set", set.name),
                    "rename one of them");
  }
  for (const auto& member : set.members) count_set(interface, member.chassis, draft);
  draft.set_service_uses.push_back({interface});
  draft.virtual_fields.emplace_back();
  draft.cluster.redundancy_sets.push_back(std::move(set));
}

}  // namespace

void count_set(const YamlField& place, std::uint16_t chassis, Draft& draft) {
  if (++draft.sets_of_chassis[chassis] != kMaxSetsOfChassis + 1) return;
  place.wrong(fmt::format("more than {} redundancy sets and stand-alone service sets on chassis {}", kMaxSetsOfChassis,
                          draft.cluster.chassis[chassis].name),
              "move some of them to another chassis");
}

void read_service_sets(const YamlField& field, Draft& draft) {
  for (const auto& item : field.list(1)) read_service_set(item, draft);
}

void read_redundancy_sets(const YamlField& field, Draft& draft) {
  for (const auto& item : field.list(0)) read_redundancy_set(item, draft);
}

void place_service_sets(Draft& draft) {
  auto& cluster = draft.cluster;
  std::vector<std::optional<std::size_t>> owner(cluster.service_sets.size());
  for (std::size_t s = 0; s < cluster.redundancy_sets.size(); ++s) {
    const auto& uses = cluster.redundancy_sets[s].service_sets;
    for (std::size_t i = 0; i < uses.size(); ++i) {
      auto& own = owner[uses[i]];
      if (own) {
        draft.set_service_uses[s][i].wrong(
            fmt::format("service set {} is in redundancy set {} already", cluster.service_sets[uses[i]].name,
                        cluster.redundancy_sets[*own].name),
            "a service set is in one redundancy set");
      } else {
        own = s;
      }
    }
  }
  const bool clean = draft.mistakes.empty();  // otherwise a set may be homeless because of a mistake that is reported
  for (std::uint16_t i = 0; i < cluster.service_sets.size(); ++i) {
    const auto& service = cluster.service_sets[i];
    const auto& field = draft.service_set_fields[i];
    const auto& interface = draft.interface_fields[i];
    if (owner[i]) {
      if (interface) {
        interface->wrong(fmt::format("redundancy set {} says already where service set {} runs",
                                     cluster.redundancy_sets[*owner[i]].name, service.name),
                         "remove the key");
      }
    } else if (interface) {
      place_alone(*interface, i, draft);
    } else if (clean && draft.service_sets.owns(service.name, i)) {
      field.wrong(fmt::format("service set {} runs nowhere", service.name),
                  "add it to a redundancy set, or write interface: { chassis: NAME, card: NAME }");
    }
  }
}

}  // namespace icr::cluster_draft
