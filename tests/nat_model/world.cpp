#include "tests/nat_model/world.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "model/cluster_file.h"

namespace icr::node::test::nat_model {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& w : words) out += (out.empty() ? "" : ", ") + w;
  return out;
}

/// Writes the cluster file.
class Writer {
 public:
  explicit Writer(Dice& dice) : dice_(dice), sets_(dice.chance(30) ? 2 : 1) {}

  std::string text() {
    std::string out = "cluster: model\nchassis:\n" + chassis("left", 1) + chassis("right", 2);
    out += "redundancy-sets:\n  - name: rs1\n    id: 1\n    members:\n";
    out += "      - { chassis: left, card: ms-1/0/0, priority: 200 }\n";
    out += "      - { chassis: right, card: ms-2/0/0, priority: 100 }\n";
    out += fmt::format("    service-sets: [{}]\n    max-sessions: 1024\n", sets_ == 2 ? "s0, s1" : "s0");
    applications();
    const std::string pools_and_rules = nat();
    const std::string rules = firewall_rules();
    out += "service-sets:\n";
    for (unsigned i = 0; i < sets_; ++i) out += service_set(i);
    if (!rules.empty()) out += "stateful-firewall:\n  rules:\n" + rules;
    out += pools_and_rules;
    out += "applications:\n" + applications_;
    return out + timeouts("");
  }

 private:
  std::string chassis(const std::string& name, unsigned number) const {
    std::string out = fmt::format(
        "  - name: {}\n    inter-chassis: {{ address: 192.0.2.{}, port: 7400 }}\n"
        "    query: {{ address: 192.0.2.{}, port: 7300 }}\n    cards:\n      - name: ms-{}/0/0\n        ports:\n",
        name, number, number, number);
    for (unsigned unit = 1; unit <= 2 * sets_; ++unit) {
      out += fmt::format("          - {{ unit: {}, type: tun, device: {}{} }}\n", unit, name, unit);
    }
    return out;
  }

  void applications() {
    application_names_ = {"web", "names", "high", "echo", "any-tcp"};
    const auto idle = [&] {
      return dice_.chance(50) ? fmt::format(", inactivity-timeout: {}", dice_.between(4, 40)) : "";
    };
    applications_ = fmt::format("  - {{ name: web, protocol: tcp, destination-port: 80{} }}\n", idle());
    applications_ += fmt::format("  - {{ name: names, protocol: udp, destination-port: 53{} }}\n", idle());
    applications_ += fmt::format("  - {{ name: high, protocol: udp, source-port: 1024-65535{} }}\n", idle());
    applications_ += fmt::format("  - {{ name: echo, protocol: icmp{} }}\n", idle());
    applications_ += fmt::format("  - {{ name: any-tcp, protocol: tcp{} }}\n", idle());
  }

  std::string conditions(bool v4_only, bool from_inside) {
    std::vector<std::string> out;
    const bool v6 = !v4_only && dice_.chance(15);
    const std::string near = v6 ? "2001:db8:18::" : "198.18.0.";
    const std::string away = v6 ? "2001:db8:19::" : "198.19.0.";
    const auto prefix = [&](const std::string& base) {
      const unsigned host = dice_.between(1, 4);
      const unsigned whole = v6 ? 128 : 32;
      switch (dice_.below(3)) {
        case 0:
          return fmt::format("{}{}/{}", base, host, whole);
        case 1:
          return fmt::format("{}{}/{}", base, host / 2 * 2, whole - 1);
        default:
          return fmt::format("{}0/{}", base, v6 ? 64 : 24);
      }
    };
    if (dice_.chance(35)) out.push_back("source-address: [" + prefix(from_inside ? near : away) + "]");
    if (dice_.chance(20)) out.push_back("destination-address: [" + prefix(from_inside ? away : near) + "]");
    if (dice_.chance(25)) {
      std::vector<std::string> names;
      for (unsigned n = dice_.between(1, 3); names.size() < n;) names.push_back(dice_.pick(application_names_));
      std::sort(names.begin(), names.end());
      names.erase(std::unique(names.begin(), names.end()), names.end());
      out.push_back("applications: [" + joined(names) + "]");
    }
    return out.empty() ? "" : "from: { " + joined(out) + " }, ";
  }

  std::string firewall_rules() {
    std::string out;
    firewall_.resize(sets_);
    for (unsigned set = 0; set < sets_; ++set) {
      if (!nat_[set].empty() && dice_.chance(25)) continue;  // no firewall: everything passes
      const unsigned rules = dice_.between(1, 3);
      for (unsigned r = 0; r < rules; ++r) {
        const std::string name = fmt::format("fw{}-{}", set, r);
        firewall_[set].push_back(name);
        const auto direction = dice_.below(3);
        const bool last = r + 1 == rules;
        constexpr std::array<const char*, 3> kDirections = {"input", "output", "input-output"};
        out += fmt::format("    - name: {}\n      match-direction: {}\n      terms:\n", name,
                           kDirections[last ? 2 : direction]);
        const unsigned terms = dice_.between(1, 4);
        for (unsigned t = 0; t < terms; ++t) {
          const auto roll = dice_.below(100);
          out += fmt::format("        - {{ name: t{}, {}then: {} }}\n", t, conditions(false, direction != 1),
                             roll < 70   ? "accept"
                             : roll < 85 ? "discard"
                                         : "reject");
        }
        if (last && dice_.chance(70)) out += "        - { name: rest, then: accept }\n";
      }
    }
    return out;
  }

  std::string nat() {
    std::string pools, rules;
    nat_.resize(sets_);
    for (unsigned set = 0; set < sets_; ++set) {
      if (dice_.chance(15)) continue;
      const unsigned pool_count = dice_.between(1, 2);
      for (unsigned p = 0; p < pool_count; ++p) {
        const unsigned low = dice_.chance(20) ? dice_.between(1, 900) : dice_.between(1024, 60000);
        pools += fmt::format(
            "    - {{ name: pool{}-{}, addresses: [203.0.113.{}/{}], port-range: {{ low: {}, high: {} }} }}\n", set, p,
            set * 64 + p * 16, dice_.between(30, 32), low, low + dice_.between(1, 40));
      }
      nat_[set].push_back(fmt::format("nat{}", set));
      rules += fmt::format("    - name: nat{}\n      match-direction: input\n      terms:\n", set);
      const unsigned terms = dice_.between(1, 3);
      for (unsigned t = 0; t < terms; ++t) {
        const std::string from = conditions(true, true);
        const std::string then =
            dice_.chance(15) ? "no-translation"
                             : fmt::format("{{ translated: {{ source-pool: pool{}-{}, translation-type: napt-44 }} }}",
                                           set, dice_.below(pool_count));
        rules += fmt::format("        - {{ name: t{}, {}then: {} }}\n", t, from, then);
      }
    }
    if (pools.empty()) return {};
    return "nat:\n  pools:\n" + pools + "  rules:\n" + rules;
  }

  std::string timeouts(const std::string& indent) {
    std::string out = indent + "timeouts:\n";
    const auto line = [&](const char* key, std::uint32_t low, std::uint32_t high) {
      out += fmt::format("{}  {}: {}\n", indent, key, dice_.between(low, high));
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

  std::string service_set(unsigned set) {
    std::string out =
        fmt::format("  - name: s{}\n    inside-unit: {}\n    outside-unit: {}\n", set, 2 * set + 1, 2 * set + 2);
    if (!firewall_[set].empty()) out += "    stateful-firewall-rules: [" + joined(firewall_[set]) + "]\n";
    if (!nat_[set].empty()) out += "    nat-rules: [" + joined(nat_[set]) + "]\n";
    if (dice_.chance(25)) out += fmt::format("    session-limit: {}\n", dice_.between(4, 40));
    if (dice_.chance(20)) out += fmt::format("    max-session-setup-rate: {}\n", dice_.between(1, 8));
    if (dice_.chance(30)) out += "    tcp-non-syn: allow\n";
    return out;
  }

  Dice& dice_;
  unsigned sets_;
  std::vector<std::string> application_names_;
  std::string applications_;
  std::vector<std::vector<std::string>> firewall_, nat_;
};

}  // namespace

World make_world(Dice& dice) {
  World world;
  world.text = Writer(dice).text();
  auto cluster = parse_cluster(world.text, "model");
  if (!cluster) {
    ADD_FAILURE() << cluster.error().message << "\n" << world.text;
    return world;
  }
  world.cluster = std::move(*cluster);
  // Fewer than a file may say, so that slots run out.
  world.cluster.redundancy_sets[0].max_sessions = dice.chance(30) ? dice.between(6, 40) : 300;
  const auto add = [](std::vector<IpAddress>& to, const std::string& base, unsigned count) {
    for (unsigned i = 1; i <= count; ++i) to.push_back(*IpAddress::parse(base + std::to_string(i)));
  };
  add(world.hosts, "198.18.0.", dice.between(2, 5));
  add(world.servers, "198.19.0.", dice.between(1, 4));
  add(world.hosts6, "2001:db8:18::", 3);
  add(world.servers6, "2001:db8:19::", 2);
  for (const NatPool& pool : world.cluster.nat_pools) {
    for (const auto& range : pool.addresses) {
      for (std::uint32_t a = range.low.to_v4(); range.contains(IpAddress::v4(a)); ++a) {
        world.pool_addresses.push_back(IpAddress::v4(a));
      }
    }
  }
  for (unsigned i = 0; i < 8; ++i) {
    world.client_ports.push_back(static_cast<std::uint16_t>(i < 2 ? dice.between(1, 1023) : dice.between(1024, 65535)));
  }
  world.server_ports = {53, 80, 443, static_cast<std::uint16_t>(dice.between(1024, 9999))};
  return world;
}

}  // namespace icr::node::test::nat_model
