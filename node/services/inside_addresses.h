// Which addresses are inside a service set, as far as the cluster file says. A packet from inside whose destination a
// rule translates to one of them turns around in the card (RFC 4787 REQ-9); all others leave by the outside unit.
// Inside are:
//
//  * where destination rules send what comes in from outside (match-direction output or input-output);
//  * what NAT terms for packets from inside (match-direction input) name as their source;
//  * the networks of virtual addresses on interfaces of the inside unit.
//
// The networks of virtual addresses on interfaces of the outside unit never are. Immutable; any thread may ask.
#pragma once

#include <cstdint>
#include <vector>

#include "model/cluster.h"

namespace icr::node {

class InsideAddresses {
 public:
  InsideAddresses() = default;
  InsideAddresses(const Cluster& cluster, std::uint16_t service_set);

  /// False for every IPv6 address: no rule translates such a destination to the inside.
  [[nodiscard]] bool contains(const IpAddress& address) const;

 private:
  /// Host order, both ends included.
  struct Span {
    std::uint32_t low, high;
  };
  using Spans = std::vector<Span>;

  static void add(Spans& to, const AddressRange& range);
  /// Sorts the spans and joins those that overlap.
  static void settle(Spans& spans);
  [[nodiscard]] static bool holds(const Spans& spans, std::uint32_t v4);

  Spans inside_, outside_;
};

}  // namespace icr::node
