// The pipe `resolve`: names instead of addresses.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "cli/pipes/host_names.h"
#include "model/record/address.h"

namespace icr::cli {

class PipeStage;

/// An address in a line, as it may be read.
struct ShownAddress {
  std::size_t begin = 0;
  std::size_t size = 0;
  IpAddress address;
};

/// Returns the addresses of hosts in a line, from left to right. An endpoint of IPv6 is shown as address:port, which
/// may be an address as well: both readings are returned, the longer one first, and begin at the same place. Prefixes
/// and ranges are no hosts.
[[nodiscard]] std::vector<ShownAddress> addresses_in(std::string_view line);

/// Returns a step that puts names in the place of addresses. A name is cut to the width of its address, and blanks
/// behind it keep the columns where they are; `full_names` leaves both. It collects lines, so that their addresses are
/// looked up at the same time. REQUIRES: `names` outlives it.
[[nodiscard]] std::unique_ptr<PipeStage> resolve_stage(HostNames& names, bool full_names);

}  // namespace icr::cli
