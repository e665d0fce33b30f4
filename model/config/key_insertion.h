// Writes public keys into a cluster file, whose comments and layout stay as they are.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "model/base/result.h"

namespace icr {

/// Returns the text with the public key of each chassis (`of_chassis`, by name) behind its name, and with a client of
/// class super-user at the end. Returns an error if the file has keys or clients already, or is written in a way in
/// which they cannot be added. `file` names it in errors. REQUIRES: the text is a cluster file with these chassis.
[[nodiscard]] Result<std::string> insert_public_keys(std::string_view text, std::string_view file,
                                                     const std::map<std::string, std::string>& of_chassis,
                                                     std::string_view client, std::string_view client_key);

}  // namespace icr
