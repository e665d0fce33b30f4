#include "cli/result/junos.h"

#include <array>
#include <utility>

namespace icr::cli {
namespace {

/// The outermost elements that have a namespace, and the part of Junos that it names.
constexpr std::array<std::pair<std::string_view, std::string_view>, 16> kNamespaces = {{
    {"usf-session-count-information", "junos-flow"},
    {"flow-session-information", "junos-flow"},
    {"service-set-summary-information", "junos-adaptive-services"},
    {"service-set-cpu-statistics-information", "junos-adaptive-services"},
    {"service-set-memory-statistics-information", "junos-adaptive-services"},
    {"service-set-packet-drop-statistics", "junos-adaptive-services"},
    {"source-nat-pool-detail-information", "junos-nat"},
    {"source-nat-rule-detail-information", "junos-nat"},
    {"destination-nat-pool-information", "junos-nat"},
    {"destination-nat-rule-information", "junos-nat"},
    {"static-nat-rule-information", "junos-nat"},
    {"system-uptime-information", "junos"},
    {"alarm-information", "junos-alarm"},
    {"chassis-inventory", "junos-chassis"},
    {"interface-information", "junos-interface"},
    {"policy-hit-count-service-router", "junos-security-policy"},
}};

}  // namespace

std::string junos_namespace(std::string_view part) {
  return fmt::format("http://xml.juniper.net/junos/{}/{}", kJunosRelease, part);
}

void begin_answer(Tree& tree, std::string_view name, std::string_view style) {
  for (const auto& [element, part] : kNamespaces) {
    if (element != name) continue;
    const std::string space = junos_namespace(part);
    if (style.empty()) return tree.begin(name, {{"xmlns", space}});
    return tree.begin(name, {{"xmlns", space}, {"junos:style", style}});
  }
  if (style.empty()) return tree.begin(name);
  tree.begin(name, {{"junos:style", style}});
}

void add_error(Tree& tree, std::string_view message, std::string_view severity) {
  const Scope error(tree, "rpc-error");
  tree.leaf("error-type", "application");
  tree.leaf("error-tag", "operation-failed");
  tree.leaf("error-severity", severity);
  tree.leaf("error-message", message);
}

}  // namespace icr::cli
