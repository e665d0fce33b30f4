#include "cli/render/sessions.h"

#include "model/config/keys.h"

namespace icr::cli {

void SessionRenderer::add(const Source& source, const SessionRecord& record, std::string& out) {
  if (source.family == CardFamily::vms) {
    if (jsf_before_) out += '\n';
    jsf_before_ = false;
    interface_.clear();
    append_usf_session(cluster_, source, record, extensive_, wall_now_, out);
    return;
  }
  if (source.interface != interface_) {
    if (jsf_before_) out += '\n';
    interface_ = source.interface;
    out += interface_;
    out += '\n';
  }
  jsf_before_ = true;
  append_jsf_session(cluster_, source.set, record, extensive_, out);
}

std::string policy_name(const Cluster& cluster, const SessionRecord& record) {
  const auto service_set = cluster.service_set_ids.find(record.service_set);
  std::size_t number = 0;
  if (service_set) {
    for (const auto rule : cluster.service_sets[*service_set].firewall_rules) {
      for (const auto& term : cluster.firewall_rules[rule].terms) {
        ++number;
        if (term.stable_id == record.policy) return fmt::format("{}/{}", term.name, number);
      }
    }
  }
  if (record.policy != 0) return text_of_id(record.policy) + "/0";
  return number == 0 ? "ACCEPT/0" : "UNKNOWN/0";
}

namespace {

/// Returns the guarantee of a session: that of the firewall term that admitted it, or of its service set.
Guarantee guarantee_of(const Cluster& cluster, const ServiceSet& set, StableId policy) {
  for (const auto rule : set.firewall_rules) {
    for (const auto& term : cluster.firewall_rules[rule].terms) {
      if (term.stable_id == policy) return term.guarantee.value_or(set.guarantee);
    }
  }
  return set.guarantee;
}

}  // namespace

std::string guarantee_line(const Cluster& cluster, const SessionRecord& record, std::string_view indent) {
  const auto service_set = cluster.service_set_ids.find(record.service_set);
  if (record.newest_state == NewestState::not_said || !service_set) return {};
  const ServiceSet& config = cluster.service_sets[*service_set];
  if (record.newest_state == NewestState::withheld) {
    return fmt::format("{}Replication threshold: {} s, not reached: the peer does not have the session\n", indent,
                       config.replication_threshold_s);
  }
  const auto guarantee = static_cast<std::size_t>(guarantee_of(cluster, config, record.policy));
  return fmt::format("{}Guarantee: {}, newest state at the peer: {}\n", indent,
                     words_of(key("service-sets[]", "guarantee"))[guarantee],
                     record.newest_state == NewestState::at_peer ? "yes" : "no");
}

std::uint32_t seconds_left(std::uint32_t limit_s, Ticks used) {
  const std::uint32_t used_s = used / static_cast<std::uint32_t>(1s / kTick);
  return used_s >= limit_s ? 0 : limit_s - used_s;
}

}  // namespace icr::cli
