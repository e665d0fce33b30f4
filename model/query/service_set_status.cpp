#include "model/query/service_set_status.h"

namespace icr {

std::string_view to_string(StatisticsGroup group) {
  static constexpr std::array<std::string_view, kStatisticsGroupCount> kNames = {
      "tcp", "tcp-mss", "packet-drops", "integrity-drops", "screen-drops", "stateful-firewall", "nat"};
  return kNames[static_cast<std::size_t>(group)];
}

}  // namespace icr
