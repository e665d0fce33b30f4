// The options of `icr serve`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/result.h"
#include "model/record/address.h"

namespace icr::cli::http {

struct Options {
  IpAddress address = IpAddress::v4(0x7F000001);
  std::uint16_t port = 8080;  ///< 0: any that is free
  std::string tokens;         ///< the file; empty: nobody needs one
};

/// Reads the words behind `icr serve`.
[[nodiscard]] Result<Options> read_options(const std::vector<std::string>& words);

/// Returns true if a request that names `host` (the header Host) was meant for this machine, and not for a name that
/// somebody else lets point to it.
[[nodiscard]] bool names_this_machine(std::string_view host);

}  // namespace icr::cli::http
