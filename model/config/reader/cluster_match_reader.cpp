// What terms match: applications, application sets, prefix lists and the conditions of `from`.
#include <algorithm>

#include "model/config/reader/cluster_draft.h"

namespace icr::cluster_draft {
namespace {

constexpr std::size_t kMaxPortRanges = 1024;  // of one condition
constexpr std::string_view kExcept = " except";

/// An entry of a list that may end with the word "except", as in `198.18.0.66/32 except`.
struct MaybeExcept {
  explicit MaybeExcept(const YamlField& field) : node(field.node()), entry(node, field.path(), field.mistakes()) {
    if (!field.is_scalar() || node.quoted || node.text.size() <= kExcept.size() || !node.text.ends_with(kExcept)) {
      return;
    }
    except = true;
    node.text.erase(node.text.size() - kExcept.size());
    node.text.erase(node.text.find_last_not_of(' ') + 1);
  }
  MaybeExcept(const MaybeExcept&) = delete;
  MaybeExcept& operator=(const MaybeExcept&) = delete;

  YamlNode node;
  YamlField entry;  ///< without the word
  bool except = false;
};

/// False, and reported once, when all conditions of the file have too many entries.
bool take_conditions(const YamlField& field, Draft& draft, std::size_t count) {
  const bool had_room = draft.conditions <= kMaxConditions;
  draft.conditions += count;
  if (draft.conditions <= kMaxConditions) return true;
  if (had_room) {
    field.wrong(fmt::format("the conditions of all terms have more than {} entries, prefix lists and application sets "
                            "counted where they are used",
                            kMaxConditions),
                "write fewer or shorter lists");
  }
  return false;
}

std::optional<std::uint8_t> read_icmp_type(const YamlField& field, const Key& key,
                                           std::optional<std::uint8_t> protocol) {
  const bool six = protocol == ip_protocol::icmp6;
  if (field.is_scalar() && field.node().text == "echo-request") return static_cast<std::uint8_t>(six ? 128 : 8);
  if (field.is_scalar() && field.node().text == "echo-reply") return static_cast<std::uint8_t>(six ? 129 : 0);
  const auto number = field.number(key.low, key.high);
  return number ? std::optional(static_cast<std::uint8_t>(*number)) : std::nullopt;
}

void read_application(const YamlField& field, Draft& draft) {
  constexpr std::string_view kSection = "applications[]";
  constexpr Key kProtocol = key(kSection, "protocol");
  const Section map(field, kSection);
  Application out;
  out.name = draft.applications.define(map);
  if (const auto f = map.get(kProtocol)) {
    if (f->is_scalar()) out.protocol = parse_protocol(f->node().text);
    if (!out.protocol) {
      f->wrong("no IP protocol is called so",
               fmt::format("write tcp, udp, icmp ..., or a number from {} to {}", kProtocol.low, kProtocol.high));
    }
  }
  for (const Key& each : {key(kSection, "source-port"), key(kSection, "destination-port")}) {
    const auto f = map.get(each);
    if (!f) continue;
    (each.name == "source-port" ? out.source_port : out.destination_port) = read_ports(*f, each);
    if (!map.has(kProtocol) || (out.protocol && !has_ports(*out.protocol))) {
      f->wrong("a port without a protocol that has ports", "add protocol: tcp, udp or sctp");
    }
  }
  constexpr Key kType = key(kSection, "icmp-type");
  if (const auto f = map.get(kType)) out.icmp_type = read_icmp_type(*f, kType, out.protocol);
  map.number(key(kSection, "icmp-code"), out.icmp_code);
  for (const Key& each : {kType, key(kSection, "icmp-code")}) {
    const bool of_icmp = !out.protocol || *out.protocol == ip_protocol::icmp || *out.protocol == ip_protocol::icmp6;
    if (const auto f = map.get(each); f && (!map.has(kProtocol) || !of_icmp)) {
      f->wrong(fmt::format("{} without protocol icmp or icmp6", each.name), "add protocol: icmp or icmp6");
    }
  }
  constexpr Key kTimeout = key(kSection, "inactivity-timeout");
  if (const auto f = map.get(kTimeout); f && f->is_scalar() && f->node().text == "never") {
    out.inactivity_timeout_s = kNeverSeconds;
  } else {
    map.number(kTimeout, out.inactivity_timeout_s);
  }
  if (const auto f = map.get(key(kSection, "application-protocol"))) {
    const auto parsed = f->is_scalar() ? parse_application_protocol(f->node().text) : std::nullopt;
    if (parsed) {
      out.application_protocol = *parsed;
    } else {
      const auto guess = f->is_scalar() ? nearest(f->node().text, application_protocols()) : std::string_view{};
      f->wrong("no application protocol is called so", guess.empty()
                                                           ? "write one of Junos' keywords, as http, dns or ssh"
                                                           : fmt::format("did you mean '{}'?", guess));
    }
  }
  draft.cluster.applications.push_back(std::move(out));
}

void add_unless_there(std::vector<std::uint16_t>& out, std::uint16_t index) {
  if (std::find(out.begin(), out.end(), index) == out.end()) out.push_back(index);
}

/// Applications and application sets of a map, as applications, each once.
std::vector<std::uint16_t> read_application_names(const YamlMap& map, Draft& draft) {
  std::vector<std::uint16_t> out;
  if (const auto f = map.get("applications")) {
    out = draft.applications.find_all(*f);
    if (!take_conditions(*f, draft, out.size())) return out;
  }
  if (const auto f = map.get("application-sets")) {
    for (const auto set : draft.application_sets.find_all(*f)) {
      const auto& members = draft.application_set_members[set];
      if (!take_conditions(*f, draft, members.size())) return out;
      for (const auto index : members) add_unless_there(out, index);
    }
  }
  return out;
}

void read_application_set(const YamlField& field, Draft& draft) {
  const Section map(field, "application-sets[]");
  if (field.is_map() && !map.has("applications") && !map.has("application-sets")) {
    field.wrong("an application set without applications", "write applications, application-sets or both");
  }
  // A set is known by its name only to those below it, so that no set can hold itself.
  auto members = read_application_names(map, draft);
  (void)draft.application_sets.define(map);
  draft.application_set_members.push_back(std::move(members));
}

void read_prefix_list(const YamlField& field, Draft& draft) {
  const Section map(field, "prefix-lists[]");
  (void)draft.prefix_lists.define(map);
  std::vector<Prefix> out;
  if (const auto f = map.get(key("prefix-lists[]", "prefixes"))) {
    for (const auto& item : f->list_or_one()) {
      if (const auto prefix = item.prefix()) out.push_back(*prefix);
    }
  }
  draft.prefix_list_members.push_back(std::move(out));
}

/// One side of `from`: addresses, ranges and prefix lists.
struct Side {
  std::string_view address, range, list;
};

void read_side(const YamlMap& map, const Side& keys, Draft& draft, std::vector<AddressRange>& in,
               std::vector<AddressRange>& except) {
  if (const auto f = map.get(keys.address)) {
    for (const auto& item : f->list_or_one()) {
      const MaybeExcept parsed(item);
      const auto prefix = parsed.entry.prefix();
      if (!prefix) continue;
      if (!take_conditions(item, draft, 1)) return;
      (parsed.except ? except : in).push_back(AddressRange::of(*prefix));
    }
  }
  if (const auto f = map.get(keys.range)) {
    for (const auto& item : items_of(*f)) {
      const YamlMap bounds(item, {"low", "high", "except"});
      const auto range = read_address_bounds(bounds);
      const auto not_these = bounds.get("except");
      const bool is_except = not_these && not_these->yes_no().value_or(false);
      if (!range) continue;
      if (!take_conditions(item, draft, 1)) return;
      (is_except ? except : in).push_back(*range);
    }
  }
  if (const auto f = map.get(keys.list)) {
    for (const auto& item : f->list_or_one()) {
      const MaybeExcept parsed(item);
      const auto index = draft.prefix_lists.find(parsed.entry);
      if (!index) continue;
      const auto& members = draft.prefix_list_members[*index];
      if (!take_conditions(item, draft, members.size())) return;
      for (const auto& prefix : members) (parsed.except ? except : in).push_back(AddressRange::of(prefix));
    }
  }
}

std::vector<PortRange> read_port_conditions(const YamlField& field, const Key& key, Draft& draft) {
  std::vector<PortRange> out;
  for (const auto& item : items_of(field)) {
    const auto ports = read_ports_or_range(item, key);
    if (!ports) continue;
    if (!take_conditions(item, draft, 1)) break;
    if (out.size() == kMaxPortRanges) {
      item.wrong(fmt::format("more than {} port ranges", kMaxPortRanges), "write fewer");
      break;
    }
    out.push_back(*ports);
  }
  return out;
}

bool any_of_family(const std::vector<AddressRange>& ranges, bool four) {
  return ranges.empty() ||
         std::any_of(ranges.begin(), ranges.end(), [&](const AddressRange& r) { return r.is_v4() == four; });
}

}  // namespace

std::optional<PortRange> read_ports(const YamlField& field, const Key& key) {
  const auto right = fmt::format("write a port from {} to {}, or LOW-HIGH", key.low, key.high);
  if (!field.is_scalar() || field.node().text.find('-') == std::string::npos) {
    const auto port = field.number(key.low, key.high);
    if (!port) return std::nullopt;
    return PortRange{static_cast<std::uint16_t>(*port), static_cast<std::uint16_t>(*port)};
  }
  const std::string& text = field.node().text;
  const auto dash = text.find('-');
  std::array<std::uint32_t, 2> bounds{};
  const std::array<std::string_view, 2> parts = {std::string_view(text).substr(0, dash),
                                                 std::string_view(text).substr(dash + 1)};
  for (std::size_t i = 0; i < 2; ++i) {
    const bool digits = !parts[i].empty() && parts[i].size() <= 5 && parts[i][0] != '0' &&
                        std::all_of(parts[i].begin(), parts[i].end(), [](char c) { return c >= '0' && c <= '9'; });
    if (digits) bounds[i] = static_cast<std::uint32_t>(std::stoul(std::string(parts[i])));
    if (!digits || bounds[i] < key.low || bounds[i] > key.high) {
      field.wrong("'" + text.substr(0, 60) + "' is no range of ports", right);
      return std::nullopt;
    }
  }
  if (bounds[0] > bounds[1]) {
    field.wrong("the range '" + text + "' ends before it begins", right);
    return std::nullopt;
  }
  return PortRange{static_cast<std::uint16_t>(bounds[0]), static_cast<std::uint16_t>(bounds[1])};
}

void read_translated_port(const YamlField& field, const YamlField& from_place, const Draft& draft, NatTerm& term) {
  const auto to = read_ports_or_range(field, key("translated", "translated-port"));
  if (!to) return;
  const auto& applications = draft.cluster.applications;
  const auto names = [&](std::uint16_t index) { return applications[index].destination_port.has_value(); };
  const auto& from = term.from;
  const bool named =
      !from.destination_ports.empty() ||
      (!from.applications.empty() && std::all_of(from.applications.begin(), from.applications.end(), names));
  if (!named) {
    from_place.wrong("translated-port, and packets to any port match",
                     "write destination-port: PORT, or applications with a destination-port");
    return;
  }
  const auto without_port = [&](std::uint16_t index) { return applications[index].protocol == ip_protocol::sctp; };
  if (std::any_of(from.applications.begin(), from.applications.end(), without_port)) {
    from_place.wrong("translated-port for SCTP, whose ports are not translated", "write applications of TCP or UDP");
    return;
  }
  const auto ports = forwarded_ports(from, applications);
  if (to->low != to->high && (!ports || ports->high - ports->low != to->high - to->low)) {
    field.wrong(ports ? fmt::format("{} ports for {} of from", to->high - to->low + 1, ports->high - ports->low + 1)
                      : "a range of ports for several ranges of from",
                "write one port, or as many as the one range of destination-port has");
    return;
  }
  term.translated_ports = to;
}

std::optional<PortRange> read_ports_or_range(const YamlField& field, const Key& key) {
  if (!field.is_map()) return read_ports(field, key);
  const YamlMap map(field, {"range"});
  const auto range = map.require("range", "{ low, high }");
  if (!range) return std::nullopt;
  const YamlMap bounds(*range, {"low", "high"});
  const auto low = bounds.require("low", fmt::format("the first port, from {} to {}", key.low, key.high));
  const auto high = bounds.require("high", fmt::format("the last port, from {} to {}", key.low, key.high));
  const auto first = low ? low->number(key.low, key.high) : std::nullopt;
  const auto last = high ? high->number(key.low, key.high) : std::nullopt;
  return first && last ? make_port_range(*range, *first, *last) : std::nullopt;
}

std::optional<PortRange> make_port_range(const YamlField& field, std::uint64_t low, std::uint64_t high) {
  if (low > high) {
    field.wrong(fmt::format("low {} is above high {}", low, high), "write the lower port as low");
    return std::nullopt;
  }
  return PortRange{static_cast<std::uint16_t>(low), static_cast<std::uint16_t>(high)};
}

std::optional<AddressRange> read_address_bounds(const YamlMap& range) {
  const auto low = range.require("low", "the first address");
  const auto high = range.require("high", "the last address");
  const auto first = low ? low->address() : std::nullopt;
  const auto last = high ? high->address() : std::nullopt;
  if (!first || !last) return std::nullopt;
  if (first->is_v4() != last->is_v4()) {
    range.field().wrong("low and high are of different families", "write both as IPv4 or both as IPv6");
    return std::nullopt;
  }
  if (*last < *first) {
    range.field().wrong(fmt::format("low {} is above high {}", first->to_string(), last->to_string()),
                        "write the lower address as low");
    return std::nullopt;
  }
  return AddressRange{*first, *last};
}

std::vector<YamlField> items_of(const YamlField& field) {
  if (field.is_map()) return {field};
  return field.list_or_one();
}

std::vector<Prefix> read_prefix_list_names(const YamlField& field, Draft& draft) {
  std::vector<Prefix> out;
  for (const auto index : draft.prefix_lists.find_all(field)) {
    const auto& members = draft.prefix_list_members[index];
    if (!take_conditions(field, draft, members.size())) break;
    out.insert(out.end(), members.begin(), members.end());
  }
  return out;
}

MatchConditions read_from(const YamlField& field, Draft& draft) {
  constexpr std::string_view kSection = "from";
  constexpr Key kSourcePort = key(kSection, "source-port");
  constexpr Key kDestinationPort = key(kSection, "destination-port");
  const Section map(field, kSection);
  MatchConditions out;
  read_side(map, {"source-address", "source-address-range", "source-prefix-list"}, draft, out.source_addresses,
            out.source_except);
  read_side(map, {"destination-address", "destination-address-range", "destination-prefix-list"}, draft,
            out.destination_addresses, out.destination_except);
  if (const auto f = map.get(kSourcePort)) out.source_ports = read_port_conditions(*f, kSourcePort, draft);
  if (const auto f = map.get(kDestinationPort)) {
    out.destination_ports = read_port_conditions(*f, kDestinationPort, draft);
  }
  out.applications = read_application_names(map, draft);
  if (!admits_family(out, true) && !admits_family(out, false)) {
    field.wrong("source-address and destination-address are of different families, so nothing can match",
                "write both as IPv4 or both as IPv6");
  }
  return out;
}

MatchDirection read_direction(const Section& rule) {
  MatchDirection out = MatchDirection::input;
  rule.word(key("rules[]", "match-direction"), out);
  return out;
}

bool admits_family(const MatchConditions& from, bool four) {
  return any_of_family(from.source_addresses, four) && any_of_family(from.destination_addresses, four);
}

void read_applications(const YamlField& field, Draft& draft) {
  for (const auto& item : field.list(0)) read_application(item, draft);
}

void read_application_sets(const YamlField& field, Draft& draft) {
  for (const auto& item : field.list(0)) read_application_set(item, draft);
}

void read_prefix_lists(const YamlField& field, Draft& draft) {
  for (const auto& item : field.list(0)) read_prefix_list(item, draft);
}

}  // namespace icr::cluster_draft
