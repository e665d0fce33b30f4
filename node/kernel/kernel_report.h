// What the kernel guard tells a redundancy set about the state of the kernel.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/record/address.h"

namespace icr::node {

/// The problems of one set's kernel state, as they were read last.
struct KernelReport {
  std::vector<std::string> interfaces;  ///< what is wrong with interfaces: "interface inside0 has no carrier"
  std::vector<std::string> kernel;      ///< other state that is missing and cannot be restored
  /// Interfaces whose IPv6 packets cannot get into the card, each with the reason.
  std::map<std::string, std::string> closed_ipv6;
  std::vector<IpAddress> addresses;  ///< at which the peer can ask this machine whether it lives (service_addresses.h)

  friend bool operator==(const KernelReport&, const KernelReport&) = default;
};

}  // namespace icr::node
