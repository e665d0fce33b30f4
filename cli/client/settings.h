// What the options and the environment of `icr` say: which cluster is asked, and with which key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/base/result.h"
#include "model/config/cluster.h"
#include "transport/keys.h"

namespace icr::cli {

struct Settings {
  std::string cluster_file;  ///< empty: $ICR_CLUSTER, then /etc/icr/cluster.yaml
  std::string key_file;      ///< empty: the usual places beside the cluster file
  std::string chassis;       ///< empty: all
  unsigned timeout_ms = 2000;
  std::uint32_t screen_lines = 0;  ///< what `| last` shows; 0: as many as the terminal has

  bool in_shell = false;  ///< the command was typed into the shell, which carries out `set cli`

  /// Returns the path of the cluster file.
  [[nodiscard]] std::string file() const;
};

/// Returns the name of the user who runs the program.
[[nodiscard]] std::string user_name();

/// Returns the key with which to ask `cluster`, or an error if it cannot be asked.
[[nodiscard]] Result<std::optional<transport::KeyPair>> key_for(const Cluster& cluster, const Settings& settings);

}  // namespace icr::cli
