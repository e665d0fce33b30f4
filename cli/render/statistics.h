// The labels of statistics.
#pragma once

#include <string>
#include <string_view>

namespace icr::cli {

/// Returns the label of an XML leaf: "TCP first pkt not SYN" for "tcp-first-pkt-not-syn".
[[nodiscard]] std::string label_of(std::string_view leaf);

}  // namespace icr::cli
