// Where a program listens: an address and a TCP port.
#pragma once

#include <cstdint>
#include <string>

#include "model/record/address.h"

namespace icr {

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;

  /// Returns "192.0.2.1:7300" or "[2001:db8::1]:7300".
  [[nodiscard]] std::string to_string() const;
};

}  // namespace icr
