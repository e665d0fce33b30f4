// Timeouts, applications, NAT pools and the rules of service sets.
#include <algorithm>

#include "model/cluster_draft.h"

namespace icr::cluster_draft {
namespace {

constexpr std::array<std::string_view, 14> kOtherTranslations = {"basic-nat44",
                                                                 "basic-nat66",
                                                                 "basic-nat-pt",
                                                                 "deterministic-napt44",
                                                                 "deterministic-napt64",
                                                                 "dnat-44",
                                                                 "dynamic-nat44",
                                                                 "napt-66",
                                                                 "napt-pt",
                                                                 "stateful-nat464",
                                                                 "stateful-nat64",
                                                                 "twice-basic-nat-44",
                                                                 "twice-napt-44",
                                                                 "twice-dynamic-nat-44"};

/// A port, or LOW-HIGH in one word.
std::optional<Application::PortRange> read_ports(const YamlField& field) {
  constexpr std::string_view kRight = "write a port from 1 to 65535, or LOW-HIGH";
  if (!field.is_scalar() || field.node().text.find('-') == std::string::npos) {
    const auto port = field.number(1, 65535);
    if (!port) return std::nullopt;
    return Application::PortRange{static_cast<std::uint16_t>(*port), static_cast<std::uint16_t>(*port)};
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
    if (!digits || bounds[i] > 65535) {
      field.wrong("'" + text.substr(0, 60) + "' is no range of ports", kRight);
      return std::nullopt;
    }
  }
  if (bounds[0] > bounds[1]) {
    field.wrong("the range '" + text + "' ends before it begins", kRight);
    return std::nullopt;
  }
  return Application::PortRange{static_cast<std::uint16_t>(bounds[0]), static_cast<std::uint16_t>(bounds[1])};
}

void read_application(const YamlField& field, Draft& draft) {
  const YamlMap map(
      field, {"name", "protocol", "source-port", "destination-port", "inactivity-timeout", "application-protocol"});
  Application out;
  out.name = draft.applications.define(map);
  if (const auto f = map.get("protocol")) {
    if (f->is_scalar()) out.protocol = parse_protocol(f->node().text);
    if (!out.protocol) f->wrong("no IP protocol is called so", "write tcp, udp, icmp ..., or a number from 0 to 255");
  }
  for (const std::string_view key : {"source-port", "destination-port"}) {
    const auto f = map.get(key);
    if (!f) continue;
    (key == "source-port" ? out.source_port : out.destination_port) = read_ports(*f);
    if (!map.has("protocol") || (out.protocol && !has_ports(*out.protocol))) {
      f->wrong("a port without a protocol that has ports", "add protocol: tcp, udp or sctp");
    }
  }
  if (const auto f = map.get("inactivity-timeout")) {
    if (const auto seconds = f->number(4, 86400)) out.inactivity_timeout_s = static_cast<std::uint32_t>(*seconds);
  }
  if (const auto f = map.get("application-protocol")) {
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

void read_pool(const YamlField& field, Draft& draft) {
  const YamlMap map(field, {"name", "addresses", "port-range"});
  NatPool out;
  out.name = draft.pools.define(map);
  if (const auto addresses = map.require("addresses", "a list of IPv4 prefixes")) {
    std::uint64_t count = 0;
    for (const auto& item : addresses->list_or_one()) {
      const auto prefix = item.prefix();
      if (!prefix) continue;
      if (!prefix->base.is_v4()) {
        item.wrong(prefix->to_string() + " is IPv6", "write IPv4 prefixes: napt-44 translates to IPv4 addresses");
        continue;
      }
      const auto first_octet = prefix->base.to_v4() >> 24;
      if (prefix->length < 8 || first_octet == 0 || first_octet == 127 || first_octet >= 224) {
        item.wrong(prefix->to_string() + " holds addresses that no host can have", "write unicast IPv4 prefixes");
        continue;
      }
      const auto before = count;
      count += std::uint64_t{1} << (32U - prefix->length);
      if (count > kMaxPoolAddresses && before <= kMaxPoolAddresses) {
        item.wrong(fmt::format("the pool grows to {} addresses", count),
                   fmt::format("write at most {}", kMaxPoolAddresses));
        continue;
      }
      const auto same = std::find_if(out.addresses.begin(), out.addresses.end(),
                                     [&](const Prefix& other) { return other.overlaps(*prefix); });
      if (same != out.addresses.end()) {
        item.wrong(fmt::format("{} overlaps {} of the same pool", prefix->to_string(), same->to_string()),
                   "write each address once");
        continue;
      }
      for (const auto& other : draft.cluster.nat_pools) {
        const auto taken = std::find_if(other.addresses.begin(), other.addresses.end(),
                                        [&](const Prefix& p) { return p.overlaps(*prefix); });
        if (taken == other.addresses.end()) continue;
        item.wrong(fmt::format("{} overlaps {} of nat pool {}", prefix->to_string(), taken->to_string(), other.name),
                   "give each address to one pool");
      }
      out.addresses.push_back(*prefix);
    }
  }
  if (const auto ports = map.get("port-range")) {
    const YamlMap range(*ports, {"low", "high"});
    const auto low = range.require("low", "the first port, from 1 to 65535");
    const auto high = range.require("high", "the last port, from 1 to 65535");
    const std::uint64_t low_number = low ? low->number(1, 65535).value_or(0) : 0;
    const std::uint64_t high_number = high ? high->number(1, 65535).value_or(0) : 0;
    if (low_number != 0 && high_number != 0) {
      if (low_number > high_number) {
        ports->wrong(fmt::format("low {} is above high {}", low_number, high_number), "write the lower port as low");
      }
      out.port_low = static_cast<std::uint16_t>(low_number);
      out.port_high = static_cast<std::uint16_t>(high_number);
    }
  }
  draft.pool_fields.push_back(field);
  draft.cluster.nat_pools.push_back(std::move(out));
}

std::vector<Prefix> read_prefixes(const YamlField& field) {
  std::vector<Prefix> out;
  for (const auto& item : field.list_or_one()) {
    if (const auto prefix = item.prefix()) out.push_back(*prefix);
  }
  return out;
}

bool any_of_family(const std::vector<Prefix>& prefixes, bool four) {
  return prefixes.empty() ||
         std::any_of(prefixes.begin(), prefixes.end(), [&](const Prefix& p) { return p.base.is_v4() == four; });
}

MatchConditions read_from(const YamlField& field, const Draft& draft) {
  const YamlMap map(field, {"source-address", "destination-address", "applications"});
  MatchConditions out;
  if (const auto f = map.get("source-address")) out.source_addresses = read_prefixes(*f);
  if (const auto f = map.get("destination-address")) out.destination_addresses = read_prefixes(*f);
  if (const auto f = map.get("applications")) out.applications = draft.applications.find_all(*f);
  const bool four = any_of_family(out.source_addresses, true) && any_of_family(out.destination_addresses, true);
  const bool six = any_of_family(out.source_addresses, false) && any_of_family(out.destination_addresses, false);
  if (!four && !six) {
    field.wrong("source-address and destination-address are of different families, so nothing can match",
                "write both as IPv4 or both as IPv6");
  }
  return out;
}

/// `then` of a NAT term: no-translation, or { translated: { source-pool: P, translation-type: napt-44 } }.
std::optional<std::uint16_t> read_translation(const YamlField& field, const Draft& draft) {
  constexpr std::string_view kRight =
      "write no-translation or { translated: { source-pool: POOL, translation-type: napt-44 } }";
  if (field.is_scalar() && field.node().text == "no-translation") return std::nullopt;
  if (!field.is_map()) {
    field.wrong("not an action of a nat term", kRight);
    return std::nullopt;
  }
  const YamlMap then(field, {"translated"});
  const auto translated = then.require("translated", "source-pool and translation-type");
  if (!translated) return std::nullopt;
  const YamlMap map(*translated, {"source-pool", "translation-type"});
  if (const auto type = map.require("translation-type", "napt-44")) {
    const bool known = type->is_scalar() && std::find(kOtherTranslations.begin(), kOtherTranslations.end(),
                                                      type->node().text) != kOtherTranslations.end();
    if (known) {
      type->wrong("translation-type " + type->node().text + " is not supported yet", "use napt-44");
    } else {
      constexpr std::array<std::string_view, 1> kTypes = {"napt-44"};
      (void)type->one_of(kTypes);
    }
  }
  const auto pool = map.require("source-pool", "the name of a nat pool");
  return pool ? draft.pools.find(*pool) : std::nullopt;
}

MatchDirection read_direction(const YamlMap& rule) {
  const auto field = rule.require("match-direction", "input, output or input-output");
  const auto index = field ? field->one_of(kMatchDirections) : std::nullopt;
  return static_cast<MatchDirection>(index.value_or(0));
}

/// Reads the terms of a rule; `read_then` takes the value of `then` and the conditions.
template <class Term, class ReadThen>
std::vector<Term> read_terms(const YamlMap& rule, const Draft& draft, ReadThen&& read_then) {
  std::vector<Term> out;
  const auto terms = rule.require("terms", "a list of terms with name, from and then");
  if (!terms) return out;
  NameBook names("term");
  for (const auto& item : terms->list(1)) {
    const YamlMap map(item, {"name", "from", "then"});
    Term term;
    term.name = names.define(map);
    if (const auto from = map.get("from")) term.from = read_from(*from, draft);
    if (const auto then = map.require("then", "what is done with packets that match")) read_then(*then, map, term);
    out.push_back(std::move(term));
  }
  return out;
}

void read_nat_rule(const YamlField& field, Draft& draft) {
  const YamlMap map(field, {"name", "match-direction", "terms"});
  NatRule out;
  out.name = draft.nat_rules.define(map);
  out.direction = read_direction(map);
  out.terms = read_terms<NatTerm>(map, draft, [&](const YamlField& then, const YamlMap& term_map, NatTerm& term) {
    term.source_pool = read_translation(then, draft);
    if (term.source_pool &&
        !(any_of_family(term.from.source_addresses, true) && any_of_family(term.from.destination_addresses, true))) {
      term_map.get("from")->wrong("only IPv6 packets match, and napt-44 translates IPv4", "write IPv4 prefixes");
    }
  });
  draft.nat_rule_fields.push_back(field);
  draft.cluster.nat_rules.push_back(std::move(out));
}

void read_firewall_rule(const YamlField& field, Draft& draft) {
  constexpr std::array<std::string_view, 3> kActions = {"accept", "discard", "reject"};
  const YamlMap map(field, {"name", "match-direction", "terms"});
  FirewallRule out;
  out.name = draft.firewall_rules.define(map);
  out.direction = read_direction(map);
  out.terms = read_terms<FirewallTerm>(map, draft, [&](const YamlField& then, const YamlMap&, FirewallTerm& term) {
    if (const auto action = then.one_of(kActions)) term.then = static_cast<FirewallAction>(*action);
  });
  draft.firewall_rule_fields.push_back(field);
  draft.cluster.firewall_rules.push_back(std::move(out));
}

}  // namespace

void read_timeouts(const YamlField& field, Timeouts& out) {
  const YamlMap map(field,
                    {"inactivity-timeout", "inactivity-tcp-timeout", "inactivity-non-tcp-timeout", "open-timeout",
                     "close-timeout", "session-timeout", "reassembly-timeout", "fragment-limit"});
  const auto read = [&](std::string_view key, std::uint64_t low, std::uint64_t high, auto& value) {
    const auto f = map.get(key);
    const auto number = f ? f->number(low, high) : std::nullopt;
    if (number) value = static_cast<std::uint32_t>(*number);
  };
  read("inactivity-timeout", 4, 86400, out.inactivity_s);
  read("inactivity-tcp-timeout", 4, 86400, out.inactivity_tcp_s);
  read("inactivity-non-tcp-timeout", 4, 86400, out.inactivity_non_tcp_s);
  read("open-timeout", 4, 300, out.open_s);
  read("close-timeout", 1, 300, out.close_s);
  read("session-timeout", 4, 86400, out.session_s);
  read("reassembly-timeout", 1, 60, out.reassembly_s);
  read("fragment-limit", 1, 250, out.fragment_limit);
}

void read_applications(const YamlField& field, Draft& draft) {
  for (const auto& item : field.list(0)) read_application(item, draft);
}

void read_nat(const YamlField& field, Draft& draft) {
  const YamlMap map(field, {"pools", "rules"});
  if (const auto pools = map.get("pools")) {
    for (const auto& item : pools->list(0)) read_pool(item, draft);
  }
  if (const auto rules = map.get("rules")) {
    for (const auto& item : rules->list(0)) read_nat_rule(item, draft);
  }
}

void read_stateful_firewall(const YamlField& field, Draft& draft) {
  const YamlMap map(field, {"rules"});
  if (const auto rules = map.get("rules")) {
    for (const auto& item : rules->list(0)) read_firewall_rule(item, draft);
  }
}

}  // namespace icr::cluster_draft
