// A packet port on an Ethernet interface of the machine (AF_PACKET): frames are received and sent on the interface
// itself, past the kernel's IP forwarding. A VLAN is an interface like any other (eth1.100).
//
// What is whose. Frames that are addressed to the interface and carry IPv4 or IPv6 are ours, unless their destination
// is an address of the machine (a login, a routing protocol, ping to the gateway): that is the kernel's, as are ARP,
// neighbour discovery, multicast, and tagged frames on the untagged interface. The kernel still sees all frames; a rule
// and a blackhole route keep it from forwarding what we forward (node/ports/tun_routing.h).
//
// A packet that leaves is framed for the next hop that the kernel's main table and neighbours name
// (node/ports/next_hops.h). A router takes one off the hop limit; here the port that receives does, and tells the
// sender when none is left. What is longer than the MTU is not sent; its sender is told (RFC 1191, RFC 8201) by an ICMP
// error that this port *receives*: so it is translated like one from the next router. IPv4 packets that might be
// fragmented are not: they are dropped.
//
// Frames come and go in batches (recvmmsg, sendmmsg) with virtio-net headers, so partial checksums and segments up to
// 64 KB pass as with TUN. Not memory-mapped rings: their frames have one fixed size, or wait in blocks for a time-out,
// and a rewritten packet would be copied out of the ring all the same.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "model/cluster.h"
#include "node/packet/reply.h"
#include "node/ports/offload.h"
#include "node/ports/packet_socket.h"
#include "node/ports/port.h"
#include "node/ports/queue_watch.h"

namespace icr::node {

class NextHops;
using EthernetAddress = std::array<std::uint8_t, 6>;

class EthernetPort final : public Port {
 public:
  /// The interface must exist, be Ethernet, and is not brought up. The error says what is missing.
  [[nodiscard]] static Result<std::unique_ptr<EthernetPort>> open(const PacketPort& config);
  ~EthernetPort() override;
  EthernetPort(const EthernetPort&) = delete;
  EthernetPort& operator=(const EthernetPort&) = delete;

  [[nodiscard]] std::size_t rx_burst(std::span<Packet> packets) override;
  void tx(const Packet& packet) override;
  void flush() override;
  [[nodiscard]] Duration waited() const override { return watch_.waited(); }
  [[nodiscard]] int descriptor() const override { return poll_; }
  void append_to(CounterList& out) const override;

 private:
  static constexpr std::size_t kBatch = 32;
  static constexpr std::size_t kEthernet = 14;
  /// What is longer is sent at once instead of being copied.
  static constexpr std::size_t kSmall = 2048;
  /// Packets that wait for their next hop to be resolved.
  static constexpr std::size_t kWaiting = 64;
  /// ICMP errors about packets that were too long, until the next burst; and of all kinds in a second.
  static constexpr std::size_t kErrors = 16;
  static constexpr std::uint32_t kErrorsPerSecond = 100;

  struct Counters {
    std::uint64_t rx_packets = 0, rx_bytes = 0;
    std::uint64_t rx_large = 0;        ///< of them: several segments in one packet
    std::uint64_t rx_own = 0;          ///< for an address of this machine: the kernel's
    std::uint64_t rx_link_local = 0;   ///< the kernel's, too
    std::uint64_t rx_hop_limit = 0;    ///< had no hop left
    std::uint64_t rx_oversize = 0;     ///< longer than a packet may be
    std::uint64_t rx_bad_offload = 0;  ///< the virtio-net header contradicts the packet
    std::uint64_t rx_kernel_full = 0;  ///< the socket's buffer was full: the worker was too slow
    std::uint64_t rx_overload = 0;     ///< waited too long: the worker did not keep up
    std::uint64_t rx_errors = 0;
    std::uint64_t tx_packets = 0, tx_bytes = 0;
    std::uint64_t tx_large = 0;
    std::uint64_t errors_sent = 0;        ///< ICMP errors of our own
    std::uint64_t errors_suppressed = 0;  ///< not sent: too many, or no address to send them from
    std::uint64_t tx_mtu = 0;             ///< longer than the interface's MTU
    std::uint64_t tx_no_route = 0;        ///< the main table does not send it out here
    std::uint64_t tx_unresolved = 0;      ///< the next hop does not answer
    std::uint64_t tx_held = 0;            ///< waited for the next hop; sent later, or counted as unresolved
    std::uint64_t tx_bad_offload = 0;
    std::uint64_t tx_queue_full = 0;
    std::uint64_t tx_device_down = 0;
    std::uint64_t tx_errors = 0;
  };
  struct FrameHeader {
    offload::VnetHeader vnet;
    std::array<std::uint8_t, kEthernet> ethernet{};
  };
  static_assert(sizeof(FrameHeader) == sizeof(offload::VnetHeader) + kEthernet);
  /// A frame of the batch to send.
  struct Staged {
    FrameHeader header;
    std::uint32_t length = 0;
    std::array<std::uint8_t, kSmall> packet;
  };
  struct Waiting {
    TimePoint since;
    std::uint32_t length;
    std::uint16_t segment_bytes;
    bool partial_checksum;
    std::array<std::uint8_t, kSmall> packet;
  };

  EthernetPort(std::uint32_t unit, std::string interface);
  Result<void> open_socket(int index);
  /// Takes over news of next hops, now and then or when idle; sends what waited for them.
  void look_around(bool idle);
  void read_mtu();
  void send_waiting();
  void hold(const Packet& packet);
  [[nodiscard]] bool frame(const Packet& packet, const EthernetAddress& to, FrameHeader& out);
  /// Makes an ICMP error about a packet, from this interface; its length, or 0 if there must not or cannot be one.
  [[nodiscard]] std::uint32_t make_error(const Packet& about, std::uint8_t type, std::uint8_t code, std::uint32_t field,
                                         std::uint8_t* out);
  void tell_hop_limit(const Packet& packet);
  void tell_mtu(const Packet& packet);
  [[nodiscard]] std::size_t take_errors(std::span<Packet> packets);
  void count_failure(int error_number);
  void count_sent(const FrameHeader& header, std::uint32_t length);

  const std::uint32_t unit_;
  const std::string interface_;
  int index_ = 0;
  int socket_ = -1;
  int control_ = -1;  ///< a socket to ask for the MTU by
  int poll_ = -1;     ///< polls readable when frames wait, or news of next hops
  EthernetAddress mac_{};
  std::uint32_t mtu_ = 1500;
  std::unique_ptr<NextHops> hops_;
  TimePoint now_{};
  TimePoint looked_{};
  bool failure_logged_ = false;

  std::array<FrameHeader, kBatch> rx_headers_;
  std::array<iovec, 2 * kBatch> rx_parts_{};
  std::array<mmsghdr, kBatch> rx_messages_{};
  alignas(cmsghdr) std::array<std::uint8_t, packet_socket::kStampBytes> rx_stamp_{};
  QueueWatch watch_;
  std::vector<Staged> staged_;
  std::size_t staged_count_ = 0;
  std::array<iovec, 2 * kBatch> tx_parts_{};
  std::array<mmsghdr, kBatch> tx_messages_{};
  std::vector<Waiting> waiting_;  ///< a ring
  std::size_t first_waiting_ = 0, waiting_count_ = 0;
  struct Error {
    std::uint32_t length;
    std::array<std::uint8_t, kReplyBytes> packet;
  };
  std::vector<Error> errors_;
  std::size_t error_count_ = 0;
  TimePoint error_second_{};
  std::uint32_t errors_this_second_ = 0;
  Counters counters_;
};

}  // namespace icr::node
