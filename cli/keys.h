// `icr keys`: makes and exchanges keys. It asks no chassis.
#pragma once

#include <string>
#include <vector>

#include "cli/execute.h"

namespace icr::cli {

/// Executes the words of a command line that begins with `keys`:
///
///   keys generate FILE [folder FOLDER]  makes keys for every chassis of a cluster file and for a client, admin, writes
///                                       the public ones into FILE, and the secret ones into files of the folder
///   keys new KEYFILE                    makes a key
///   keys rotate KEYFILE                 adds a new key to a file, beside the one that it has
///   keys retire KEYFILE                 removes the older of two keys
///   keys show KEYFILE                   shows the public keys
///
/// No file of keys is ever overwritten by another key than a newer one of its own.
[[nodiscard]] ExitCode execute_keys(const std::vector<std::string>& words, const Printer& out, const Printer& error);

}  // namespace icr::cli
