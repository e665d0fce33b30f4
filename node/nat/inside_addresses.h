// Tells which addresses are inside a service set, according to the cluster file. A packet from inside whose destination
// a rule translates to one of them turns around in the card (RFC 4787 REQ-9); all others leave by the outside unit.
// These addresses are inside:
//
//  * the addresses to which destination rules send packets from outside (match-direction output or input-output);
//  * the source addresses of NAT terms for packets from inside (match-direction input);
//  * the networks of virtual addresses on interfaces of the inside unit.
//
// The networks of virtual addresses on interfaces of the outside unit are never inside.
// Thread: any, because the object is immutable.
#pragma once

#include <cstdint>
#include <vector>

#include "model/config/cluster.h"

namespace icr::node {

class InsideAddresses {
 public:
  InsideAddresses() = default;
  InsideAddresses(const Cluster& cluster, std::uint16_t service_set);

  /// Returns false for every IPv6 address, because no rule translates such a destination to the inside.
  [[nodiscard]] bool contains(const IpAddress& address) const;

 private:
  /// Host order, both ends included.
  struct Span {
    std::uint32_t low, high;
  };
  using Spans = std::vector<Span>;

  static void add(Spans& to, const AddressRange& range);
  /// Sorts the spans and joins those that overlap.
  static void join(Spans& spans);
  [[nodiscard]] static bool holds(const Spans& spans, std::uint32_t v4);

  Spans inside_, outside_;
};

}  // namespace icr::node
