#include "model/query/session_filter.h"

#include <algorithm>

#include "model/record/source_pool.h"

namespace icr {
namespace {

bool is_rpc(ApplicationProtocol value) {
  static const auto kFamily = [] {
    std::vector<ApplicationProtocol> family;
    for (const auto* keyword : {"rpc", "rpc-portmap", "dce-rpc", "dce-rpc-portmap"}) {
      if (const auto found = parse_application_protocol(keyword)) family.push_back(*found);
    }
    return family;
  }();
  return std::find(kFamily.begin(), kFamily.end(), value) != kFamily.end();
}

}  // namespace

bool SessionFilter::has_service_set(StableId service_set) const {
  return service_sets.empty() || std::binary_search(service_sets.begin(), service_sets.end(), service_set);
}

bool SessionFilter::only_service_sets() const {
  return !application_protocol && !protocol && !source_port && !destination_port && !source_prefix &&
         !destination_prefix && !xlated_prefix && !xlated_port && !translated && !nat_pool;
}

bool SessionFilter::admits(const FlowKey& key) const {
  if (protocol && *protocol != key.protocol) return false;
  if (source_port && !(has_ports(key.protocol) && *source_port == key.source_port)) return false;
  if (destination_port && !(has_ports(key.protocol) && *destination_port == key.destination_port)) return false;
  if (source_prefix && !source_prefix->contains(key.source)) return false;
  if (destination_prefix && !destination_prefix->contains(key.destination)) return false;
  return true;
}

bool SessionFilter::matches(const SessionRecord& record) const {
  if (!admits(record.flow[0]) || !has_service_set(record.service_set)) return false;
  if (translated && record.nat_type == NatType::none) return false;
  if (xlated_prefix || xlated_port) {
    const auto is_meant = [&](const IpAddress& address, std::uint16_t port) {
      return (!xlated_prefix || xlated_prefix->contains(address)) && (!xlated_port || *xlated_port == port);
    };
    const FlowKey& in = record.flow[0];
    const FlowKey& back = record.flow[1];
    const bool source = !(in.source == back.destination && in.source_port == back.destination_port);
    const bool target = !(in.destination == back.source && in.destination_port == back.source_port);
    const bool meant = (source && is_meant(back.destination, back.destination_port)) ||
                       (target && is_meant(in.destination, in.destination_port));
    if (!meant) return false;
  }
  if (nat_pool && source_pool_of(record) != *nat_pool) return false;
  if (application_protocol && *application_protocol != record.alg &&
      !(is_rpc(*application_protocol) && is_rpc(record.alg))) {
    return false;
  }
  return true;
}

bool SessionFilter::matches(const BindingRecord& binding) const {
  if (!has_service_set(binding.service_set)) return false;
  if (nat_pool && binding.pool != *nat_pool) return false;
  if (protocol && binding.protocol != *protocol) return false;
  if (source_port && binding.internal_port != *source_port) return false;
  if (destination_port && binding.external_port != *destination_port) return false;
  if (xlated_prefix && !xlated_prefix->contains(binding.external)) return false;
  if (xlated_port) {
    const std::uint16_t last = std::max(binding.last_port, binding.external_port);
    if (*xlated_port < binding.external_port || *xlated_port > last) return false;
  }
  if (source_prefix && !source_prefix->contains(binding.internal)) return false;
  return !destination_prefix || destination_prefix->contains(binding.external);
}

}  // namespace icr
