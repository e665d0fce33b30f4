// Asks the kernel of the peer's machine whether it is alive, or another address whether it answers: ICMP and ICMPv6
// echo (RFC 792, RFC 4443 section 4.1). The kernel finds a neighbour by ARP or ND before it can send.
//
// This class does the I/O only; the detector (detector.h) or AddressProbes (address_probes.h) decides when to ask and
// what an answer means. A ping socket
// is used where the machine allows it (net.ipv4.ping_group_range), otherwise a raw socket (CAP_NET_RAW). Without either
// no request is sent, and warning() says so.
//
// Requests to addresses that the peer told have a hop limit of 1: they reach hosts on the networks of this machine and
// nobody behind a router, whatever addresses a forged heartbeat names.
//
// Thread: one. No call blocks. A request that cannot be sent is counted and not repeated.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/base/counters.h"
#include "model/base/time.h"
#include "model/record/address.h"

namespace icr::node {

class Prober {
 public:
  /// One look reads at most this many messages, however many a stranger sends.
  static constexpr std::size_t kMessagesPerLook = 64;

  /// `identifier` tells this prober's requests from those of others on the machine. `far` is an address that may be
  /// behind routers.
  Prober(std::uint16_t identifier, const IpAddress& far);
  struct Anywhere {};
  /// For addresses that the cluster file names: each of them may be behind routers. Requests leave by `interface`, a
  /// network interface or a VRF, if it is not empty.
  Prober(std::uint16_t identifier, Anywhere anywhere, std::string interface);
  ~Prober();
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  /// Sends an echo request with `nonce` to `address`.
  void send(TimePoint now, const IpAddress& address, std::uint64_t nonce);
  /// Returns the nonces of answers that have arrived, never 0. What one look leaves is taken by the next one. The
  /// result is valid until the next call.
  [[nodiscard]] std::span<const std::uint64_t> take_answers(TimePoint now);
  /// Appends the descriptors that become readable when answers arrive; none while no answer is expected.
  void append_descriptors(TimePoint now, std::vector<int>& out) const;
  /// Returns why nobody can be asked; empty if somebody can.
  [[nodiscard]] const std::string& warning() const { return warning_; }
  void append_to(CounterList& out) const;

 private:
  /// The socket of one address family.
  struct Socket {
    int descriptor = -1;
    bool raw = false;
  };
  void open(Socket& socket, int family);
  /// Reads at most `most` messages. Returns how many it read, and adds nonces of answers to `answers_`.
  std::size_t receive(const Socket& socket, bool v4, std::size_t most);
  [[nodiscard]] bool expecting(TimePoint now) const { return now < expecting_until_; }

  const std::uint16_t identifier_;
  const IpAddress far_;
  const bool anywhere_ = false;
  const std::string interface_;
  std::uint16_t sequence_ = 0;
  Socket v4_;
  Socket v6_;
  TimePoint expecting_until_;
  std::string warning_;
  std::array<std::uint64_t, kMessagesPerLook> answers_{};
  std::size_t answered_ = 0;  ///< how many of answers_ the last look found
  std::uint64_t not_sent_ = 0;
  std::uint64_t strange_ = 0;
};

}  // namespace icr::node
