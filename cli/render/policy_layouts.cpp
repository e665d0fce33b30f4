// Hits of firewall terms, and the peers of redundancy sets. The text of Junos is not public: columns and labels are
// made from the names of the leaves.
#include "cli/render/layouts.h"

namespace icr::cli {

void add_policy_layouts(Layouts& layouts) {
  Layout hits = table_layout(
      "policy-hit-count-service-router",
      "Index   Service set       Interface    Policy name       Rule name         Direction     Hit count\n",
      "policy-hit-count-service-router-entry",
      "{policy-hit-count-service-router-index:<8}{policy-hit-count-service-router-service-set:<18}"
      "{policy-hit-count-service-router-interface:<13}{policy-hit-count-service-router-policy-name:<18}"
      "{policy-hit-count-service-router-sfw-rule-name:<18}{policy-hit-count-service-router-direction:<14}"
      "{policy-hit-count-service-router-count}\n");
  layouts[{Verb::show_hit_counts, Level::none}] = std::move(hits);

  constexpr std::string_view kPeer =
      "Interface: {interface-name}, HA type: {ha-type}, HA role: {ha-role}\n"
      "  Connection status: {ha-conn-status}, Synchronization: {ha-sync-type}\n"
      "  Local address: {ha-local-ip}, Local port: {ha-local-port}\n"
      "  Remote address: {ha-remote-ip}, Remote port: {ha-remote-port}\n";
  constexpr std::string_view kCounters = "{#rs-counter}    {counter-name:<40}{counter-value:>20}\n{/rs-counter}";
  static const std::string with_counters = std::string(kPeer) + std::string(kCounters);
  RowLayout peer = row_layout("service-ha-info", kPeer);
  RowLayout counted = row_layout("service-ha-info", with_counters);
  peer.between = counted.between = "\n";
  layouts[{Verb::show_ha, Level::none}] = {{{"", Template(), {}, false, {std::move(peer)}}}, {}};
  layouts[{Verb::show_ha, Level::statistics}] = {{{"", Template(), {}, false, {std::move(counted)}}}, {}};
}

}  // namespace icr::cli
