// Service sets and redundancy sets: what runs where, and together with what.
#include <algorithm>
#include <charconv>

#include "model/config/reader/cluster_draft.h"

namespace icr::cluster_draft {
namespace {

/// The card that `chassis` and `card` of `map` name; reports what is missing or not defined.
std::optional<RedundancyMember> read_where(const Section& map, const Draft& draft) {
  const auto chassis = map.get("chassis");
  const auto card = map.get("card");
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
  constexpr std::string_view kSection = "redundancy-sets[].members[]";
  const auto items = field.list(0);
  if (items.size() != 2) {
    field.wrong(fmt::format("a redundancy set with {} member{}", items.size(), items.size() == 1 ? "" : "s"),
                "write exactly two members, on two chassis");
  }
  for (const auto& item : items) {
    const Section map(item, kSection);
    auto member = read_where(map, draft);
    std::uint32_t priority = usual_number(kSection, "priority");
    const bool good = map.number(key(kSection, "priority"), priority) || !map.has(key(kSection, "priority"));
    if (!member || !good) continue;
    member->priority = priority;
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
  constexpr std::string_view kSection = "redundancy-sets[].virtual-addresses[]";
  const Section map(field, kSection);
  VirtualAddress out;
  map.interface_name(key(kSection, "interface"), out.interface);
  const auto f = map.get(key(kSection, "address"));
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

void read_signal_route(const YamlField& field, RedundancySet& set, std::vector<YamlField>& places) {
  constexpr std::string_view kSection = "redundancy-sets[].signal-routes[]";
  constexpr std::uint32_t kDefaultTable = 253;
  constexpr std::uint32_t kLocalTable = 255;
  const Section map(field, kSection);
  SignalRoute out;
  map.number(key(kSection, "table"), out.table);
  if (out.table == kDefaultTable || out.table == kLocalTable) {
    map.get(key(kSection, "table"))
        ->wrong(fmt::format("table {} is the kernel's own", out.table),
                "write 254 for the main table, or another number");
    return;
  }
  const auto f = map.get(key(kSection, "prefix"));
  const auto prefix = f ? f->prefix() : std::nullopt;
  if (!prefix) return;
  out.prefix = *prefix;
  set.signal_routes.push_back(out);
  places.push_back(*f);
}

HealthWeights read_health(const YamlField& field) {
  constexpr std::string_view kSection = "redundancy-sets[].health";
  const Section map(field, kSection);
  HealthWeights out;
  map.number(key(kSection, "interface"), out.interface);
  map.number(key(kSection, "kernel"), out.kernel);
  map.number(key(kSection, "store"), out.store);
  map.number(key(kSection, "self-test"), out.self_test);
  return out;
}

void read_probe(const YamlField& field, RedundancySet& set) {
  constexpr std::string_view kSection = "redundancy-sets[].probes[]";
  const Section map(field, kSection);
  AddressProbe out;
  map.interface_name(key(kSection, "interface"), out.interface);
  map.milliseconds(key(kSection, "interval"), out.interval);
  map.number(key(kSection, "count"), out.count);
  map.number(key(kSection, "weight"), out.weight);
  const auto f = map.get(key(kSection, "address"));
  const auto address = f ? f->address() : std::nullopt;
  if (!address) return;
  out.address = *address;
  const bool four = address->is_v4();
  const bool unusable =
      four ? address->to_v4() >> 24 == 0 || address->to_v4() >> 24 == 127 || address->to_v4() >> 28 >= 14
           : address->bytes[0] == 0xff || *address == IpAddress{} ||
                 *address == IpAddress::parse("::1").value_or(IpAddress{});
  const bool link_local = !four && address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0U) == 0x80;
  if (unusable) {
    f->wrong(address->to_string() + " is no address of another host", "write the address of a host or router");
  } else if (link_local && out.interface.empty()) {
    f->wrong(address->to_string() + " exists on each link", "add the interface of the link");
  } else if (std::any_of(set.probes.begin(), set.probes.end(), [&out](const AddressProbe& p) {
               return p.address == out.address && p.interface == out.interface;
             })) {
    f->wrong(address->to_string() + " is probed already", "remove one of both, or name another interface");
  } else if (std::any_of(set.virtual_addresses.begin(), set.virtual_addresses.end(),
                         [&out](const VirtualAddress& v) { return v.address == out.address; })) {
    f->wrong(address->to_string() + " is a virtual address of the set, which the master itself answers for",
             "write the address of another host");
  } else if (set.probes.size() == kMostProbes) {
    f->wrong(fmt::format("{} addresses are probed already", kMostProbes), "remove some");
  } else {
    set.probes.push_back(std::move(out));
  }
}

/// Reads http://ADDRESS:PORT, with an IPv6 address in brackets.
std::optional<Endpoint> read_url(const YamlField& field) {
  constexpr std::string_view kScheme = "http://";
  const auto text = field.text(64);
  if (!text) return std::nullopt;
  const std::string_view all = *text;
  const std::size_t colon = all.rfind(':');
  Endpoint out;
  if (all.substr(0, kScheme.size()) == kScheme && colon > kScheme.size()) {
    std::string_view host = all.substr(kScheme.size(), colon - kScheme.size());
    const bool brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (brackets) host = host.substr(1, host.size() - 2);
    const auto address = IpAddress::parse(host);
    const std::string_view digits = all.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
    if (address && address->is_v4() != brackets && error == std::errc{} && end == digits.data() + digits.size() &&
        out.port != 0 && digits.front() != '0') {
      out.address = *address;
      return out;
    }
  }
  field.wrong(fmt::format("'{}' is no endpoint of etcd", all), "write http://ADDRESS:PORT");
  return std::nullopt;
}

void read_redundancy_set(const YamlField& field, Draft& draft) {
  constexpr std::string_view kSection = "redundancy-sets[]";
  const Section map(field, kSection);
  RedundancySet out;
  out.name = draft.sets.define(map);
  std::vector<YamlField> uses;
  std::vector<YamlField> places;
  std::vector<YamlField> signals;
  if (map.number(key(kSection, "id"), out.id)) {
    const auto [other, fresh] = draft.set_ids.emplace(out.id, out.name);
    if (!fresh) {
      map.get(key(kSection, "id"))
          ->wrong(fmt::format("redundancy set {} has id {} already", other->second, out.id), "write another number");
    }
  }
  if (const auto f = map.get(key(kSection, "members"))) read_members(*f, draft, out);
  if (const auto f = map.get(key(kSection, "service-sets"))) {
    for (const auto& item : f->list(key(kSection, "service-sets").low)) {
      const auto index = draft.service_sets.find(item);
      if (!index) continue;
      out.service_sets.push_back(*index);
      uses.push_back(item);
    }
  }
  if (const auto f = map.get(key(kSection, "virtual-addresses"))) {
    for (const auto& item : f->list(0)) read_virtual_address(item, out, places);
  }
  if (const auto f = map.get(key(kSection, "signal-routes"))) {
    for (const auto& item : f->list(0)) read_signal_route(item, out, signals);
  }
  map.milliseconds(key(kSection, "heartbeat-interval"), out.heartbeat_interval);
  map.number(key(kSection, "heartbeat-count"), out.heartbeat_count);
  if (Duration limit{}; map.milliseconds(key(kSection, "silence-limit"), limit)) {
    out.silence_limit = limit;
    if (limit < out.detection_floor()) {
      map.get(key(kSection, "silence-limit"))
          ->wrong(fmt::format("{} ms is less than {} heartbeats take", limit / 1ms, out.heartbeat_count),
                  fmt::format("write at least {}", out.detection_floor() / 1ms));
    }
  }
  map.seconds(key(kSection, "hold-time"), out.hold_time);
  map.yes_no(key(kSection, "preempt"), out.preempt);
  map.milliseconds(key(kSection, "claim-limit"), out.claim_limit);
  map.word(key(kSection, "asymmetric-traffic"), out.asymmetric_traffic);
  if (const auto f = map.get(key(kSection, "health"))) out.health = read_health(*f);
  if (const auto f = map.get(key(kSection, "probes"))) {
    for (const auto& item : f->list(0)) read_probe(item, out);
  }
  map.yes_no(key(kSection, "witness"), out.witness);
  map.number(key(kSection, "max-sessions"), out.max_sessions);
  for (const auto& member : out.members) count_set(field, member.chassis, draft);
  if (draft.cluster.redundancy_sets.size() == kMaxThings) return;  // too many, which is reported
  draft.set_service_uses.push_back(std::move(uses));
  draft.virtual_fields.push_back(std::move(places));
  draft.signal_fields.push_back(std::move(signals));
  draft.cluster.redundancy_sets.push_back(std::move(out));
}

/// Reads N, or Nk for N thousand, within the range of the key.
std::optional<std::uint32_t> read_thousands(const YamlField& field, const Key& key) {
  const std::string_view text = field.is_scalar() && !field.node().quoted ? field.node().text : std::string_view{};
  const std::string_view digits = text.substr(0, text.find('k'));
  const bool in_thousands = !digits.empty() && digits.size() + 1 == text.size() &&
                            std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (in_thousands) {
    std::uint64_t thousands = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), thousands);
    if (error == std::errc{} && digits.front() != '0' && thousands <= key.high / 1000) {
      return static_cast<std::uint32_t>(thousands * 1000);
    }
    // The error is reported here, because number() would quote the text without its "k".
    field.wrong(fmt::format("'{}' is out of range", text),
                fmt::format("write a whole number from {} to {}, or of thousands from 1k to {}k", key.low, key.high,
                            key.high / 1000));
    return std::nullopt;
  }
  const auto number = field.number(key.low, key.high);
  return number ? std::optional(static_cast<std::uint32_t>(*number)) : std::nullopt;
}

void read_nat_options(const YamlField& field, ServiceSet& out) {
  constexpr std::string_view kSection = "service-sets[].nat-options";
  constexpr std::string_view kNat64 = "service-sets[].nat-options.stateful-nat64";
  const Section map(field, kSection);
  map.number(key(kSection, "max-sessions-per-subscriber"), out.max_sessions_per_subscriber);
  if (const auto f = map.get(key(kSection, "stateful-nat64"))) {
    const Section nat64(*f, kNat64);
    nat64.number(key(kNat64, "ipv6-mtu"), out.nat64.ipv6_mtu);
    nat64.yes_no(key(kNat64, "clear-dont-fragment-bit"), out.nat64.clear_dont_fragment);
  }
}

void read_service_set(const YamlField& field, Draft& draft) {
  constexpr std::string_view kSection = "service-sets[]";
  const Section map(field, kSection);
  ServiceSet out;
  out.name = draft.service_sets.define(map);
  constexpr Key kRules = key(kSection, "stateful-firewall-rules");
  constexpr Key kNatRules = key(kSection, "nat-rules");
  constexpr std::uint32_t kNoUnit = key(kSection, "inside-unit").high + 1;
  out.inside_unit = out.outside_unit = kNoUnit;
  map.number(key(kSection, "inside-unit"), out.inside_unit);
  map.number(key(kSection, "outside-unit"), out.outside_unit);
  if (out.inside_unit == out.outside_unit && out.inside_unit != kNoUnit) {
    map.get(key(kSection, "outside-unit"))
        ->wrong(fmt::format("unit {} is the inside unit, too", out.outside_unit), "write another unit");
  }
  if (const auto f = map.get(kRules)) out.firewall_rules = draft.firewall_rules.find_all(*f);
  if (const auto f = map.get(kNatRules)) out.nat_rules = draft.nat_rules.find_all(*f);
  if (field.is_map() && !map.has(kRules) && !map.has(kNatRules)) {
    field.wrong("a service set without rules", "write stateful-firewall-rules, nat-rules or both");
  }
  map.yes_no(key(kSection, "policy-rematch"), out.policy_rematch);
  map.number(key(kSection, "drain-time"), out.drain_time_s);
  constexpr Key kRate = key(kSection, "max-session-setup-rate");
  constexpr Key kFlows = key(kSection, "max-flows");
  map.number(key(kSection, "session-limit"), out.max_sessions);
  if (const auto f = map.get(kRate)) out.max_session_setup_rate = read_thousands(*f, kRate);
  if (const auto f = map.get(kFlows)) out.max_flows = read_thousands(*f, kFlows).value_or(0);
  map.number(key(kSection, "tcp-mss"), out.tcp_mss);
  if (const auto f = map.get(key(kSection, "nat-options"))) read_nat_options(*f, out);
  if (const auto f = map.get(key(kSection, "screen"))) out.screen = draft.screens.find(*f);
  map.word(key(kSection, "session-refusal"), out.session_refusal);
  constexpr Key kGuarantee = key(kSection, "guarantee");
  if (map.word(kGuarantee, out.guarantee) && out.guarantee != Guarantee::asynchronous &&
      map.has(key(kSection, "interface"))) {
    map.get(kGuarantee)
        ->wrong("a stand-alone service set has no peer that could guarantee anything",
                "write asynchronous, or put the service set into a redundancy set");
  }
  map.number(key(kSection, "guarantee-limit"), out.guarantee_limit_ms);
  map.word(key(kSection, "without-peer"), out.without_peer);
  constexpr Key kThreshold = key(kSection, "replication-threshold");
  if (map.number(kThreshold, out.replication_threshold_s) && out.replication_threshold_s != 0) {
    if (map.has(key(kSection, "interface"))) {
      map.get(kThreshold)
          ->wrong("a stand-alone service set has no peer to which sessions could be replicated",
                  "write 0, or put the service set into a redundancy set");
    } else if (out.guarantee != Guarantee::asynchronous) {
      map.get(kThreshold)
          ->wrong("a guarantee needs the peer to know each session at once, and with this the peer does not",
                  "write 0, or guarantee: asynchronous");
    }
  }
  map.word(key(kSection, "tcp-non-syn"), out.tcp_non_syn);
  out.timeouts = draft.timeouts;
  if (const auto f = map.get(key(kSection, "timeouts"))) read_timeouts(*f, out.timeouts);
  draft.interface_fields.push_back(map.get(key(kSection, "interface")));
  draft.service_set_fields.push_back(field);
  draft.session_limit_fields.push_back(map.get(key(kSection, "session-limit")));
  draft.cluster.service_sets.push_back(std::move(out));
}

/// Makes the stand-alone set of a service set that names its card.
void place_alone(const YamlField& interface, std::uint16_t service_set, Draft& draft) {
  constexpr std::string_view kSection = "service-sets[].interface";
  const Section map(interface, kSection);
  RedundancySet set;
  set.name = draft.cluster.service_sets[service_set].name;
  if (auto member = read_where(map, draft)) set.members.push_back(std::move(*member));
  map.number(key(kSection, "max-sessions"), set.max_sessions);
  set.service_sets.push_back(service_set);
  if (draft.sets.has(set.name)) {
    interface.wrong(fmt::format("a redundancy set is called {}, and so would be the stand-alone set", set.name),
                    "rename one of them");
  }
  for (const auto& member : set.members) count_set(interface, member.chassis, draft);
  draft.set_service_uses.push_back({interface});
  draft.virtual_fields.emplace_back();
  draft.signal_fields.emplace_back();
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
  for (const auto& item : field.list(key("", "service-sets").low)) read_service_set(item, draft);
}

void read_witness(const YamlField& field, Draft& draft) {
  constexpr std::string_view kSection = "witness";
  const Section map(field, kSection);
  WitnessConfig out;
  (void)map.has_word(key(kSection, "type"));
  if (const auto f = map.get(key(kSection, "endpoints"))) {
    for (const auto& item : f->list(key(kSection, "endpoints").low)) {
      if (const auto endpoint = read_url(item)) out.endpoints.push_back(*endpoint);
    }
  }
  map.number(key(kSection, "lease"), out.lease_s);
  draft.cluster.witness = std::move(out);
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
