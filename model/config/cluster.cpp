#include "model/config/cluster.h"

#include <algorithm>

namespace icr {
namespace {

template <class T>
std::optional<std::uint16_t> find_by_name(const std::vector<T>& things, std::string_view name) {
  const auto found = std::find_if(things.begin(), things.end(), [&](const T& thing) { return thing.name == name; });
  if (found == things.end()) return std::nullopt;
  return static_cast<std::uint16_t>(found - things.begin());
}

std::string other_name(const Cluster& cluster, StableId id) {
  const auto told = cluster.other_names.find(id);
  return told == cluster.other_names.end() ? text_of_id(id) : told->second;
}

}  // namespace

const PacketPort* CardConfig::port(std::uint32_t unit) const {
  const auto found = std::find_if(ports.begin(), ports.end(), [&](const PacketPort& p) { return p.unit == unit; });
  return found == ports.end() ? nullptr : &*found;
}

const CardConfig* ChassisConfig::card(std::string_view card_name) const {
  const auto found = std::find_if(cards.begin(), cards.end(), [&](const CardConfig& c) { return c.name == card_name; });
  return found == cards.end() ? nullptr : &*found;
}

std::optional<std::uint16_t> Cluster::find_chassis(std::string_view chassis_name) const {
  return find_by_name(chassis, chassis_name);
}

std::vector<IpAddress> ChassisConfig::inter_chassis_addresses() const {
  std::vector<IpAddress> out{inter_chassis_address};
  out.insert(out.end(), alternate_addresses.begin(), alternate_addresses.end());
  return out;
}

bool Cluster::encrypted() const {
  return security == Security::curve &&
         std::any_of(chassis.begin(), chassis.end(), [](const auto& each) { return !each.public_keys.empty(); });
}

Result<void> Cluster::check_protected() const {
  if (security == Security::none || encrypted()) return {};
  for (const ChassisConfig& each : chassis) {
    auto addresses = each.inter_chassis_addresses();
    addresses.push_back(each.query.address);
    for (const IpAddress& address : addresses) {
      if (is_loopback(address)) continue;
      return fail(
          "no chassis has public-keys, and {} of chassis {} can be reached from other machines: make keys with 'icr "
          "keys generate FILE', or write security: none",
          address.to_string(), each.name);
    }
  }
  return {};
}

std::optional<std::uint16_t> Cluster::find_set(std::string_view set_name) const {
  return find_by_name(redundancy_sets, set_name);
}

std::string Cluster::name_of_service_set(StableId id) const {
  const auto index = service_set_ids.find(id);
  return index ? service_sets[*index].name : other_name(*this, id);
}

std::string Cluster::name_of_pool(StableId id) const {
  const auto index = pool_ids.find(id);
  return index ? nat_pools[*index].name : other_name(*this, id);
}

Endpoint Cluster::control_endpoint(std::uint16_t set, std::uint16_t chassis_index, std::size_t path) const {
  const auto& where = chassis[chassis_index];
  return {where.inter_chassis_addresses().at(path),
          static_cast<std::uint16_t>(where.inter_chassis_port + 2U * (redundancy_sets[set].id - 1U))};
}

std::size_t Cluster::inter_chassis_paths(std::uint16_t set) const {
  return 1 + chassis[redundancy_sets[set].members.front().chassis].alternate_addresses.size();
}

std::optional<std::uint16_t> Cluster::member_on(std::uint16_t set, std::uint16_t chassis_index) const {
  const auto& members = redundancy_sets[set].members;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (members[i].chassis == chassis_index) return static_cast<std::uint16_t>(i);
  }
  return std::nullopt;
}

std::optional<std::string> signal_device(const Cluster& cluster, std::uint16_t set, std::uint16_t chassis) {
  const RedundancySet& config = cluster.redundancy_sets[set];
  const auto member = cluster.member_on(set, chassis);
  const CardConfig* const card = member ? cluster.chassis[chassis].card(config.members[*member].card) : nullptr;
  if (card == nullptr) return std::nullopt;
  for (const std::uint16_t index : config.service_sets) {
    const PacketPort* const port = card->port(cluster.service_sets[index].outside_unit);
    if (port != nullptr && port->kind == PacketPort::Kind::tun) return port->device;
  }
  return std::nullopt;
}

bool may_guarantee(const Cluster& cluster, const ServiceSet& set) {
  if (set.guarantee != Guarantee::asynchronous) return true;
  return std::any_of(set.firewall_rules.begin(), set.firewall_rules.end(), [&cluster](std::uint16_t rule) {
    const auto& terms = cluster.firewall_rules[rule].terms;
    return std::any_of(terms.begin(), terms.end(), [](const FirewallTerm& term) {
      return term.guarantee.value_or(Guarantee::asynchronous) != Guarantee::asynchronous;
    });
  });
}

}  // namespace icr
