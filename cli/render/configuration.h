// Shows a cluster file as Junos shows a configuration: `show configuration`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/config/cluster.h"

namespace icr::cli {

/// A statement of a configuration, or a stanza of them.
struct Stanza {
  std::string words;  ///< "pool pool1", "address 203.0.113.0/28"
  std::vector<Stanza> children;
  bool statement = false;  ///< it ends with a semicolon and has no braces
};

/// Returns what Junos has words for: interfaces, service sets, rules, pools and applications. The cards are those of
/// every chassis, or of `only_chassis`. A service set on cards of different names has its interfaces in a group for
/// each chassis, as the nodes of a chassis cluster have. Values that are the default are left out, as in a
/// configuration that somebody typed.
[[nodiscard]] Stanza configuration_of(const Cluster& cluster, std::optional<std::uint16_t> only_chassis);

/// Returns the part of a configuration that `path` names ("services", "nat", "pool", "pool1"), with braces, or with
/// `as_set` as commands that make it. Returns an empty text if there is no such part.
[[nodiscard]] std::string render_configuration(const Stanza& root, const std::vector<std::string>& path, bool as_set);

/// Returns one stanza or statement as it stands in a configuration.
[[nodiscard]] std::string with_braces(const Stanza& stanza);

}  // namespace icr::cli
