#include "tests/nat_model/world.h"

#include <gtest/gtest.h>

#include "model/config/cluster_file.h"
#include "tests/nat_model/arithmetic.h"
#include "tests/nat_model/rules.h"
#include "tests/nat_model/writer.h"

namespace icr::node::test::nat_model {
namespace {

std::vector<IpAddress> some(const std::string& base, unsigned count) {
  std::vector<IpAddress> out;
  for (unsigned i = 1; i <= count; ++i) out.push_back(*IpAddress::parse(base + std::to_string(i)));
  return out;
}

/// Whom packets may be sent to, beside servers and hosts themselves.
void add_targets(const World& world, const NatTerm& term, World::Side& side) {
  const auto add = [](std::vector<IpAddress>& to, const std::vector<IpAddress>& more) {
    to.insert(to.end(), more.begin(), more.end());
  };
  const auto pool = [&](std::uint16_t index) { return addresses_of(world.cluster.nat_pools[index].addresses); };
  const bool prefixes = term.source_prefix.has_value();
  if (!prefixes) {
    for (const std::uint16_t p : term.source_pools) add(side.external, pool(p));
    if (term.overload_pool) add(side.external, pool(*term.overload_pool));
  }
  if (prefixes && term.type != NatType::twice_basic_nat44) {
    const auto from = term.from.source_addresses[0].as_prefix();
    for (const IpAddress& host : term.type == NatType::nptv6 ? world.hosts6 : world.hosts) {
      const auto external =
          term.type == NatType::nptv6 ? nptv6(host, *from, *term.source_prefix) : same_host(host, *term.source_prefix);
      if (external) side.external.push_back(*external);
    }
  }
  if (term.destination_pool || (term.destination_prefix && term.type != NatType::stateful_nat64)) {
    const auto virtuals = addresses_of(term.from.destination_addresses);
    add(term.type == NatType::dnat44 ? side.external : side.internal, virtuals);
  }
  if (term.type == NatType::stateful_nat64) {
    for (const IpAddress& server : world.servers) side.internal6.push_back(embedded(*term.destination_prefix, server));
  }
}

void find_sides(World& world) {
  world.sides.assign(world.cluster.service_sets.size(), {});
  for (std::uint16_t s = 0; s < world.sides.size(); ++s) {
    for (const NatTerm* term : nat_terms(world.cluster, s)) add_targets(world, *term, world.sides[s]);
  }
}

}  // namespace

std::optional<World> with_file(const World& like, std::string text, std::uint32_t max_sessions) {
  auto cluster = parse_cluster(text, "model");
  if (!cluster) return std::nullopt;
  World out = like;
  out.text = std::move(text);
  out.cluster = std::move(*cluster);
  out.cluster.redundancy_sets[0].max_sessions = max_sessions;
  find_sides(out);
  return out;
}

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
  world.hosts = some("198.18.0.", dice.between(2, 6));
  world.servers = some("198.19.0.", dice.between(1, 4));
  world.hosts6 = some("2001:db8:18::", 3);
  world.servers6 = some("2001:db8:19::", 2);
  find_sides(world);
  for (unsigned i = 0; i < 8; ++i) {
    world.client_ports.push_back(static_cast<std::uint16_t>(i < 2 ? dice.between(1, 1023) : dice.between(1024, 65535)));
  }
  world.server_ports = {53, 80, 443, static_cast<std::uint16_t>(dice.between(1024, 9999))};
  return world;
}

}  // namespace icr::node::test::nat_model
