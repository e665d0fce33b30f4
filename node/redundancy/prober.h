// Asks the kernel of the peer's machine whether it lives: ICMP and ICMPv6 echo (RFC 792, RFC 4443 section 4.1).
//
// Only the I/O. When to ask, and what an answer means, is the detector's matter (detector.h). A ping socket is used
// where the machine allows them (net.ipv4.ping_group_range), else a raw one (CAP_NET_RAW); without either nothing is
// asked, which warning() says.
//
// Contract: one thread. Nothing blocks. What cannot be sent is counted and not repeated.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/cluster.h"
#include "model/counters.h"
#include "model/time.h"

namespace icr::node {

class Prober {
 public:
  /// `identifier` tells this prober's requests from those of others on the machine.
  explicit Prober(std::uint16_t identifier);
  ~Prober();
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  /// An echo request with `nonce` to `address`.
  void send(TimePoint now, const IpAddress& address, std::uint64_t nonce);
  /// The number of an answer that has arrived and was not taken yet; 0: there is none.
  [[nodiscard]] std::uint64_t take_answer(TimePoint now);
  /// Adds descriptors that become readable when answers arrive; none while none are expected.
  void append_descriptors(TimePoint now, std::vector<int>& out) const;
  /// Why the peer's machine cannot be asked; empty: it can.
  [[nodiscard]] const std::string& warning() const { return warning_; }
  void append_to(CounterList& out) const;

 private:
  /// One family's way out.
  struct Socket {
    int descriptor = -1;
    bool raw = false;
  };
  void open(Socket& socket, int family);
  [[nodiscard]] std::uint64_t receive(const Socket& socket, bool v4);
  [[nodiscard]] bool expecting(TimePoint now) const { return now < expecting_until_; }

  std::uint16_t identifier_;
  std::uint16_t sequence_ = 0;
  Socket v4_;
  Socket v6_;
  TimePoint expecting_until_;
  std::string warning_;
  std::uint64_t not_sent_ = 0;
  std::uint64_t strange_ = 0;
};

/// Addresses of this machine on the service networks of a set: of the interfaces that are steered into its ports, that
/// its ports read, or that carry its virtual addresses; without link-local ones and the cluster's virtual ones. At most
/// `most`, IPv4 before IPv6.
[[nodiscard]] std::vector<IpAddress> service_addresses(const Cluster& cluster, std::uint16_t set, std::uint16_t chassis,
                                                       std::size_t most);

}  // namespace icr::node
