#include "cli/each_chassis.h"

#include <utility>

namespace icr::cli {

std::set<std::uint16_t> asked_chassis(const Asking& asking) {
  std::set<std::uint16_t> out;
  for (std::uint16_t i = 0; i < asking.cluster().chassis.size(); ++i) {
    if (asking.environment().only_chassis.value_or(i) == i) out.insert(i);
  }
  return out;
}

std::map<std::uint16_t, SystemStatus> ask_systems(Asking& asking) {
  for (const std::uint16_t chassis : asked_chassis(asking)) {
    QueryRequest request;
    request.kind = QueryKind::system;
    asking.environment().transport.ask(chassis, std::move(request));
  }
  std::map<std::uint16_t, SystemStatus> out;
  while (auto answer = asking.environment().transport.next()) {
    if (const auto* reply = asking.accepted(*answer)) out[answer->chassis] = reply->system;
  }
  return out;
}

void build_each(Asking& asking, const std::set<std::uint16_t>& chassis,
                const std::function<void(std::uint16_t chassis)>& build) {
  Tree& tree = asking.tree();
  if (asking.environment().only_chassis || asking.cluster().chassis.size() == 1) {
    for (const std::uint16_t each : chassis) build(each);
    return;
  }
  const Scope results(tree, "multi-routing-engine-results");
  for (const std::uint16_t each : chassis) {
    const Scope item(tree, "multi-routing-engine-item");
    tree.leaf("re-name", asking.cluster().chassis[each].name);
    build(each);
  }
}

}  // namespace icr::cli
