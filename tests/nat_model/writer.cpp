#include "tests/nat_model/writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace icr::node::test::nat_model {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& w : words) out += (out.empty() ? "" : ", ") + w;
  return out;
}

std::string in_from(const std::vector<std::string>& conditions) {
  return conditions.empty() ? "" : "from: { " + joined(conditions) + " }, ";
}

const std::vector<std::string>& application_names() {
  static const std::vector<std::string> names = {"web", "names", "high", "echo", "echo6", "any-tcp"};
  return names;
}

}  // namespace

std::string Writer::text() {
  firewall_names_.resize(sets_);
  nat_names_.resize(sets_);
  for (unsigned set = 0; set < sets_; ++set) {
    nat_rules(set);
    firewall_rules(set);
  }
  std::string out = "cluster: model\nchassis:\n" + chassis("left", 1) + chassis("right", 2);
  out += "redundancy-sets:\n  - name: rs1\n    id: 1\n    members:\n";
  out += "      - { chassis: left, card: ms-1/0/0, priority: 200 }\n";
  out += "      - { chassis: right, card: ms-2/0/0, priority: 100 }\n";
  out += fmt::format("    service-sets: [{}]\n    max-sessions: 1024\n", sets_ == 2 ? "s0, s1" : "s0");
  out += "service-sets:\n";
  for (unsigned set = 0; set < sets_; ++set) out += service_set(set);
  if (!firewall_.empty()) out += "stateful-firewall:\n  rules:\n" + firewall_;
  if (!nat_.empty()) out += "nat:\n" + (pools_.empty() ? "" : "  pools:\n" + pools_) + "  rules:\n" + nat_;
  out += "prefix-lists:\n  - { name: homes, prefixes: [198.18.0.0/30, \"2001:db8:18::/127\"] }\n";
  out += "  - { name: friends, prefixes: [198.19.0.2/31] }\n";
  return out + applications() + timeouts();
}

std::string Writer::chassis(const std::string& name, unsigned number) const {
  std::string out = fmt::format(
      "  - name: {}\n    inter-chassis: {{ address: 192.0.2.{}, port: 7400 }}\n"
      "    query: {{ address: 192.0.2.{}, port: 7300 }}\n    cards:\n      - name: ms-{}/0/0\n        ports:\n",
      name, number, number, number);
  for (unsigned unit = 1; unit <= 2 * sets_; ++unit) {
    out += fmt::format("          - {{ unit: {}, type: tun, device: {}{} }}\n", unit, name, unit);
  }
  return out;
}

std::string Writer::applications() {
  const auto idle = [&] {
    return dice_.chance(50) ? fmt::format(", inactivity-timeout: {}", dice_.between(4, 40)) : "";
  };
  std::string out = "applications:\n";
  out += fmt::format("  - {{ name: web, protocol: tcp, destination-port: 80{} }}\n", idle());
  out += fmt::format("  - {{ name: names, protocol: udp, destination-port: 53{} }}\n", idle());
  out += fmt::format("  - {{ name: high, protocol: udp, source-port: 1024-65535{} }}\n", idle());
  out += fmt::format("  - {{ name: echo, protocol: icmp, icmp-type: echo-request{} }}\n", idle());
  out += fmt::format("  - {{ name: echo6, protocol: icmp6{} }}\n", idle());
  out += fmt::format("  - {{ name: any-tcp, protocol: tcp{} }}\n", idle());
  return out + "application-sets:\n  - { name: usual, applications: [web, names, echo] }\n";
}

std::string Writer::timeouts() {
  std::string out = "timeouts:\n";
  const auto line = [&](const char* key, std::uint32_t low, std::uint32_t high) {
    out += fmt::format("  {}: {}\n", key, dice_.between(low, high));
  };
  line("inactivity-timeout", 4, 40);
  if (dice_.chance(40)) line("inactivity-tcp-timeout", 4, 40);
  if (dice_.chance(40)) line("inactivity-non-tcp-timeout", 4, 40);
  line("open-timeout", 4, 10);
  line("close-timeout", 1, 5);
  if (dice_.chance(25)) line("session-timeout", 10, 120);
  line("reassembly-timeout", 1, 5);
  return out;
}

std::string Writer::service_set(unsigned set) {
  std::string out =
      fmt::format("  - name: s{}\n    inside-unit: {}\n    outside-unit: {}\n", set, 2 * set + 1, 2 * set + 2);
  if (!firewall_names_[set].empty()) out += "    stateful-firewall-rules: [" + joined(firewall_names_[set]) + "]\n";
  if (!nat_names_[set].empty()) out += "    nat-rules: [" + joined(nat_names_[set]) + "]\n";
  if (dice_.chance(20)) out += fmt::format("    session-limit: {}\n", dice_.between(4, 40));
  if (dice_.chance(15)) out += fmt::format("    max-session-setup-rate: {}\n", dice_.between(1, 8));
  if (dice_.chance(15)) out += fmt::format("    max-flows: {}\n", dice_.between(6, 90));
  if (dice_.chance(30)) out += fmt::format("    tcp-mss: {}\n", dice_.between(536, 3000));
  if (dice_.chance(40)) {
    out += fmt::format("    tcp-non-syn: {}\n", dice_.chance(40) ? "drop-flow-send-rst" : "allow");
  }
  if (dice_.chance(60)) out += fmt::format("    session-refusal: {}\n", dice_.chance(50) ? "silent" : "reset");
  std::vector<std::string> options;
  if (dice_.chance(20)) options.push_back(fmt::format("max-sessions-per-subscriber: {}", dice_.between(1, 12)));
  if (dice_.chance(30)) {
    options.push_back(fmt::format("stateful-nat64: {{ ipv6-mtu: {}, clear-dont-fragment-bit: {} }}",
                                  dice_.between(1280, 1600), dice_.chance(50) ? "yes" : "no"));
  }
  if (!options.empty()) out += "    nat-options: { " + joined(options) + " }\n";
  return out;
}

// -- Conditions --

std::string Writer::some_prefix(bool v6, bool near) {
  const std::string base = v6 ? (near ? "2001:db8:18::" : "2001:db8:19::") : near ? "198.18.0." : "198.19.0.";
  const unsigned host = dice_.between(1, 4);
  const unsigned whole = v6 ? 128 : 32;
  const std::string quote = v6 ? "\"" : "";
  switch (dice_.below(3)) {
    case 0:
      return fmt::format("{}{}{}/{}{}", quote, base, host, whole, quote);
    case 1:
      return fmt::format("{}{}{}/{}{}", quote, base, host / 2 * 2, whole - 1, quote);
    default:
      return fmt::format("{}{}{}/{}{}", quote, base, v6 ? "" : "0", v6 ? 64 : 24, quote);
  }
}

std::string Writer::some_port() {
  return std::vector<std::string>{"53", "80", "443", "1-1023", "1024-65535", "50-100"}[dice_.below(6)];
}

std::vector<std::string> Writer::conditions(bool v6, bool from_inside, bool fixed_source, bool fixed_destination) {
  std::vector<std::string> out;
  const auto side = [&](const std::string& name, bool near) {
    switch (dice_.below(v6 ? 1 : 5)) {
      case 0:
      case 1:
        return name + "-address: [" + some_prefix(v6, near) + "]";
      case 2:
        return name + "-address: [" + some_prefix(v6, near) +
               fmt::format(", 198.{}.0.{}/32 except]", near ? 18 : 19, dice_.between(1, 4));
      case 3:
        return name + fmt::format("-address-range: {{ low: 198.{}.0.{}, high: 198.{}.0.{} }}", near ? 18 : 19,
                                  dice_.between(1, 2), near ? 18 : 19, dice_.between(2, 5));
      default:
        return name + std::string("-prefix-list: [") + (near ? "homes" : "friends") + "]";
    }
  };
  if (!fixed_source && dice_.chance(30)) out.push_back(side("source", from_inside));
  if (!fixed_destination && dice_.chance(20)) out.push_back(side("destination", !from_inside));
  if (dice_.chance(10)) out.push_back("source-port: [" + some_port() + "]");
  if (dice_.chance(15)) out.push_back("destination-port: [" + some_port() + ", " + some_port() + "]");
  if (dice_.chance(20)) {
    std::vector<std::string> names;
    for (unsigned n = dice_.between(1, 3); names.size() < n;) names.push_back(dice_.pick(application_names()));
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    out.push_back("applications: [" + joined(names) + "]");
  } else if (dice_.chance(10)) {
    out.emplace_back("application-sets: [usual]");
  }
  return out;
}

void Writer::firewall_rules(unsigned set) {
  if (!nat_names_[set].empty() && dice_.chance(30)) return;  // everything passes
  const unsigned rules = dice_.between(1, 3);
  for (unsigned r = 0; r < rules; ++r) {
    firewall_names_[set].push_back(fmt::format("fw{}-{}", set, r));
    const bool last = r + 1 == rules;
    const auto direction = last ? 2 : dice_.below(3);
    constexpr std::array<const char*, 3> kDirections = {"input", "output", "input-output"};
    firewall_ +=
        fmt::format("    - name: fw{}-{}\n      match-direction: {}\n      terms:\n", set, r, kDirections[direction]);
    const unsigned terms = dice_.between(1, 4);
    for (unsigned t = 0; t < terms; ++t) {
      const auto roll = dice_.below(100);
      firewall_ += fmt::format("        - {{ name: t{}, {}then: {} }}\n", t,
                               in_from(conditions(dice_.chance(20), direction != 1)),
                               roll < 70   ? "accept"
                               : roll < 85 ? "discard"
                                           : "reject");
    }
    if (last && dice_.chance(80)) firewall_ += "        - { name: rest, then: accept }\n";
  }
}

// -- NAT --

std::string Writer::take_addresses(unsigned length) {
  const unsigned count = 1U << (32 - length);
  next_address_ = (next_address_ + count - 1) / count * count;
  const std::string out = fmt::format("203.0.{}.{}/{}", 113 + next_address_ / 256, next_address_ % 256, length);
  next_address_ += count;
  return out;
}

std::string Writer::pool_port() {
  if (given_ports_.empty()) return some_port();
  const auto [low, high] = dice_.pick(given_ports_);
  const unsigned first = dice_.between(low, high);
  return dice_.chance(50) ? fmt::format("{}", first) : fmt::format("{}-{}", first, dice_.between(first, high));
}

std::string Writer::translated_port(const std::string& from) {
  if (dice_.chance(50)) return "";
  const auto dash = from.find('-');
  if (dash == std::string::npos || dice_.chance(30)) return fmt::format(", translated-port: {}", dice_.between(1, 3));
  const unsigned more = static_cast<unsigned>(std::stoul(from.substr(dash + 1)) - std::stoul(from.substr(0, dash)));
  const unsigned low = dice_.between(1, 65535 - more);
  return fmt::format(", translated-port: {}-{}", low, low + more);
}

std::string Writer::port_options() {
  const bool both = dice_.chance(15);  // ports below and above 1024
  const unsigned low = both               ? dice_.between(1000, 1020)
                       : dice_.chance(15) ? dice_.between(1, 900)
                                          : dice_.between(1024, 60000);
  const unsigned count = both ? dice_.between(30, 44) : dice_.between(2, 40);
  std::string out = fmt::format("range: {{ low: {}, high: {} }}", low, low + count - 1);
  given_ports_.emplace_back(low, low + count - 1);
  if (dice_.chance(30)) out += ", automatic: sequential";
  if (dice_.chance(20)) out += ", preserve-parity: yes";
  if (both) out += ", preserve-range: yes";
  if (dice_.chance(40)) {
    out += fmt::format(", secured-port-block-allocation: {{ block-size: {}, max-blocks-per-address: {}{} }}",
                       dice_.between(1, std::min(8U, count)), dice_.between(1, 4),
                       dice_.chance(40) ? fmt::format(", active-block-timeout: {}", dice_.between(1, 30)) : "");
  }
  return out;
}

std::string Writer::pool(bool with_ports) {
  const std::string name = fmt::format("p{}", next_pool_++);
  given_.push_back(take_addresses(dice_.between(with_ports ? 30 : 29, 32)));
  pools_ += fmt::format("    - {{ name: {}, address: [{}]", name, given_.back());
  if (with_ports) pools_ += ", port: { " + port_options() + " }";
  if (dice_.chance(25)) pools_ += ", address-allocation: round-robin";
  if (with_ports && dice_.chance(25)) pools_ += fmt::format(", limit-ports-per-address: {}", dice_.between(1, 10));
  if (dice_.chance(30)) pools_ += fmt::format(", port-reuse-hold: {}", dice_.below(40));
  pools_ += fmt::format(", mapping-timeout: {} }}\n", dice_.between(4, 60));
  return name;
}

std::string Writer::source_pools(bool with_ports) {
  std::string names = pool(with_ports);
  if (dice_.chance(30)) names += ", " + pool(with_ports);
  return "source-pool: [" + names + "]";
}

std::string Writer::to_servers(const std::string& all, const std::string& one) {
  const std::string name = fmt::format("p{}", next_pool_++);
  pools_ += fmt::format("    - {{ name: {}, address: [{}] }}\n", name, dice_.chance(50) ? all : one);
  return "destination-pool: " + name;
}

std::string Writer::mapping_options() {
  std::string out;
  if (dice_.chance(40)) out += ", address-pooling: paired";
  if (!dice_.chance(50)) return out;
  out += ", mapping-type: endpoint-independent";
  if (!dice_.chance(60)) return out;
  out += dice_.chance(60) ? ", filtering-type: endpoint-independent"
                          : ", filtering-type: { endpoint-independent: { prefix-list: [friends] } }";
  if (dice_.chance(40)) out += fmt::format(", secure-nat-mapping: {{ eif-flow-limit: {} }}", dice_.between(1, 4));
  return out;
}

std::string Writer::nat_term(const std::string& name) {
  const auto finish = [&](const std::vector<std::string>& from, const std::string& then) {
    return fmt::format("        - {{ name: {}, {}then: {} }}\n", name, in_from(from), then);
  };
  const auto translated = [&](const std::vector<std::string>& from, const std::string& how, const std::string& type) {
    return finish(from, "{ translated: { " + how + ", translation-type: " + type + " } }");
  };
  const auto with = [](std::vector<std::string> first, const std::vector<std::string>& rest) {
    first.insert(first.end(), rest.begin(), rest.end());
    return first;
  };
  const bool pool_of_prefix = dice_.chance(40);
  const auto one_to_one = [&](unsigned length) {
    const std::string prefix = take_addresses(length);
    if (!pool_of_prefix) return "source-prefix: " + prefix;
    const std::string pool_name = fmt::format("p{}", next_pool_++);
    pools_ += fmt::format("    - {{ name: {}, address: [{}] }}\n", pool_name, prefix);
    return "source-pool: " + pool_name;
  };
  const auto destination = [&](std::vector<std::string>& from) {
    if (!given_.empty() && dice_.chance(30)) {  // a server, or a host, by an address that hosts share
      from.push_back("destination-address: [" + dice_.pick(given_) + "]");
      const std::string pool_name = fmt::format("p{}", next_pool_++);
      pools_ += fmt::format("    - {{ name: {}, address: [198.{}.0.1/32] }}\n", pool_name, dice_.chance(50) ? 18 : 19);
      return "destination-pool: " + pool_name;
    }
    if (dice_.chance(20)) {  // servers by their own addresses, of which one may stand for all
      from.emplace_back("destination-address: [198.19.0.0/30]");
      return to_servers("198.19.0.0/30", "198.19.0.1/32");
    }
    if (dice_.chance(50)) {
      from.emplace_back("destination-address: [192.0.2.128/30]");
      return std::string("destination-prefix: 198.19.0.0/30");
    }
    const std::string pool_name = fmt::format("p{}", next_pool_++);
    const bool one = dice_.chance(50);
    pools_ += fmt::format("    - {{ name: {}, address: [{}] }}\n", pool_name, one ? "198.19.0.1/32" : "198.19.0.0/30");
    from.emplace_back("destination-address: [192.0.2.128/30]");
    return "destination-pool: " + pool_name;
  };
  const auto roll = dice_.below(100);
  if (roll < 8) return finish(conditions(dice_.chance(20), true), "no-translation");
  if (roll < 42) {
    return translated(conditions(false, true), source_pools(true) + mapping_options(), "napt-44");
  }
  if (roll < 50) {
    const std::string pool_name = fmt::format("p{}", next_pool_++);
    const bool boundary = dice_.chance(30);
    const unsigned hosts = boundary ? 8 : 6;
    const unsigned ports = dice_.between(hosts * 2, 60);
    const unsigned low = dice_.between(1024, 60000);
    pools_ += fmt::format(
        "    - {{ name: {}, address: [{}], port: {{ range: {{ low: {}, high: {} }}{}, "
        "deterministic-port-block-allocation: {{ block-size: {}{} }} }}{} }}\n",
        pool_name, take_addresses(dice_.between(31, 32)), low, low + ports - 1,
        dice_.chance(30) ? ", preserve-parity: yes" : "", dice_.chance(50) ? 0 : ports / hosts,
        boundary ? ", include-boundary-addresses: yes" : "",
        dice_.chance(20) ? fmt::format(", limit-ports-per-address: {}", dice_.between(1, 4)) : "");
    return translated(with({"source-address: [198.18.0.0/29]"}, conditions(false, true, true)),
                      "source-pool: " + pool_name, "deterministic-napt44");
  }
  if (roll < 58) {
    return translated(with({"source-address: [198.18.0.0/29]"}, conditions(false, true, true)), one_to_one(29),
                      "basic-nat44");
  }
  if (roll < 66) {
    std::string how = source_pools(false);
    if (dice_.chance(40)) how += ", overload-pool: " + pool(true);
    return translated(conditions(false, true), how, "dynamic-nat44");
  }
  if (roll < 84) {
    std::vector<std::string> from;
    const std::string to = destination(from);
    if (roll < 70) {
      from.emplace_back("source-address: [198.18.0.0/29]");
      return translated(with(from, conditions(false, true, true, true)), one_to_one(29) + ", " + to,
                        "twice-basic-nat-44");
    }
    if (roll < 76) {
      std::string how = source_pools(false);
      if (dice_.chance(50)) how += ", overload-pool: " + pool(true);
      return translated(with(from, conditions(false, true, false, true)), how + ", " + to, "twice-dynamic-nat-44");
    }
    return translated(with(from, conditions(false, true, false, true)),
                      source_pools(true) + ", " + to + mapping_options(), "twice-napt-44");
  }
  if (roll < 92) {
    constexpr std::array<const char*, 5> kPrefixes = {"2001:db8:6464::/96", "2001:db8:6464::/64",
                                                      "2001:db8:6464:1200::/56", "2001:db8:6464::/48",
                                                      "2001:db8:6400::/40"};
    return translated(
        conditions(true, true, false, true),
        source_pools(true) + fmt::format(", destination-prefix: \"{}\"", kPrefixes[dice_.below(5)]) + mapping_options(),
        "stateful-nat64");
  }
  const unsigned length = dice_.chance(50) ? 48 : 64;
  return translated(with({fmt::format("source-address: [\"2001:db8:18::/{}\"]", length)}, conditions(true, true, true)),
                    fmt::format("source-prefix: \"2001:db8:{}::/{}\"", 0xf0 + next_pool_++, length), "nptv6");
}

std::string Writer::destination_term(const std::string& name) {
  if (dice_.chance(20)) {  // hosts by their own addresses, of which one may stand for all
    return fmt::format(
        "        - {{ name: {}, from: {{ destination-address: [198.18.0.0/30] }}, then: {{ translated: {{ {}, "
        "translation-type: dnat-44 }} }} }}\n",
        name, to_servers("198.18.0.0/30", "198.18.0.2/32"));
  }
  if (dice_.chance(40)) {
    return fmt::format(
        "        - {{ name: {}, from: {{ destination-address: [192.0.2.64/30] }}, then: {{ translated: {{ "
        "destination-prefix: 198.18.0.0/30, translation-type: dnat-44 }} }} }}\n",
        name);
  }
  const std::string pool_name = fmt::format("p{}", next_pool_++);
  const bool shared = !given_.empty() && dice_.chance(50);  // a port of an address that hosts share
  const bool one = shared || dice_.chance(50);
  pools_ += fmt::format("    - {{ name: {}, address: [{}] }}\n", pool_name, one ? "198.18.0.2/32" : "198.18.0.0/30");
  const std::string ports = shared && dice_.chance(60) ? pool_port() : some_port();
  return fmt::format(
      "        - {{ name: {}, from: {{ destination-address: [{}], destination-port: [{}] }}, then: {{ "
      "translated: {{ destination-pool: {}{}, translation-type: dnat-44 }} }} }}\n",
      name, shared ? dice_.pick(given_) : "192.0.2.64/30", ports, pool_name, translated_port(ports));
}

std::string Writer::inbound_term(const std::string& name) {
  const auto term = [&](const std::string& how) {
    return fmt::format("        - {{ name: {}, {}then: {{ translated: {{ {} }} }} }}\n", name,
                       in_from(conditions(false, false)), how);
  };
  const auto roll = dice_.below(100);
  if (roll < 60) {
    // Hosts outside get no mappings.
    const std::string paired = dice_.chance(40) ? ", address-pooling: paired" : "";
    return term(source_pools(true) + paired + ", translation-type: napt-44");
  }
  if (roll < 85) {
    const std::string how = source_pools(false);
    return term(how + (dice_.chance(40) ? ", overload-pool: " + pool(true) : "") + ", translation-type: dynamic-nat44");
  }
  return fmt::format(
      "        - {{ name: {}, from: {{ source-address: 198.19.0.0/29 }}, then: {{ translated: {{ source-prefix: {}, "
      "translation-type: basic-nat44 }} }} }}\n",
      name, take_addresses(29));
}

void Writer::nat_rules(unsigned set) {
  given_.clear();
  given_ports_.clear();
  if (dice_.chance(12)) return;
  nat_names_[set].push_back(fmt::format("nat{}", set));
  nat_ += fmt::format("    - name: nat{}\n      match-direction: input\n      terms:\n", set);
  const unsigned terms = dice_.between(1, 4);
  for (unsigned t = 0; t < terms; ++t) nat_ += nat_term(fmt::format("t{}", t));
  if (!dice_.chance(50)) return;
  nat_names_[set].push_back(fmt::format("back{}", set));
  nat_ += fmt::format("    - name: back{}\n      match-direction: output\n      terms:\n", set);
  const unsigned more = dice_.between(1, 3);
  for (unsigned t = 0; t < more; ++t) {
    const std::string name = fmt::format("b{}", t);
    nat_ += dice_.chance(50) ? destination_term(name) : inbound_term(name);
  }
}

}  // namespace icr::node::test::nat_model
