// Asks the kernel of the peer's machine whether it is alive: ICMP and ICMPv6 echo (RFC 792, RFC 4443 section 4.1).
//
// This class does the I/O only; the detector (detector.h) decides when to ask and what an answer means. A ping socket
// is used where the machine allows it (net.ipv4.ping_group_range), otherwise a raw socket (CAP_NET_RAW). Without either
// no request is sent, and warning() says so.
//
// Thread: one. No call blocks. A request that cannot be sent is counted and not repeated.
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

  /// Sends an echo request with `nonce` to `address`.
  void send(TimePoint now, const IpAddress& address, std::uint64_t nonce);
  /// Returns the nonce of an answer that has arrived and was not taken yet, or 0 if there is none.
  [[nodiscard]] std::uint64_t take_answer(TimePoint now);
  /// Appends the descriptors that become readable when answers arrive; none while no answer is expected.
  void append_descriptors(TimePoint now, std::vector<int>& out) const;
  /// Returns why the peer's machine cannot be asked; empty if it can.
  [[nodiscard]] const std::string& warning() const { return warning_; }
  void append_to(CounterList& out) const;

 private:
  /// The socket of one address family.
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

/// Returns the addresses of this machine on the service networks of a set: those of interfaces that are steered into
/// its ports, that its ports read, or that carry its virtual addresses. Link-local addresses and virtual addresses of
/// the cluster are left out. At most `most` are returned, IPv4 before IPv6.
[[nodiscard]] std::vector<IpAddress> service_addresses(const Cluster& cluster, std::uint16_t set, std::uint16_t chassis,
                                                       std::size_t most);

}  // namespace icr::node
