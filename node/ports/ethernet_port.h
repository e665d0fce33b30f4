// A packet port on an Ethernet interface of the machine (AF_PACKET): frames are received and sent on the interface
// itself, past the kernel's IP forwarding. A VLAN is an interface like any other (eth1.100).
//
// What is whose. Frames that are addressed to the interface and carry IPv4 or IPv6 are ours, unless their destination
// is an address of the machine (a login, a routing protocol, ping to the gateway): that is the kernel's, as are ARP,
// neighbour discovery, multicast, and tagged frames on the untagged interface. The kernel still sees all frames; a rule
// and a blackhole route keep it from forwarding what we forward (node/kernel/tun_routing.h).
//
// A packet that leaves is framed for the next hop that the kernel's main table and neighbours name
// (node/kernel/next_hops.h). The port does what a router does (docs/steering.md has the list): it takes one off the hop
// limit, fragments IPv4 packets that are longer than the MTU, and sends the ICMP errors about packets that it drops
// (node/ports/icmp_errors.h).
//
// Frames come and go in batches (recvmmsg, sendmmsg) with virtio-net headers, so partial checksums and segments up to
// 64 KB pass as with TUN. Not memory-mapped rings: their frames have one fixed size, or wait in blocks for a time-out,
// and a rewritten packet would be copied out of the ring all the same.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/config/cluster.h"
#include "node/ports/icmp_errors.h"
#include "node/ports/offload.h"
#include "node/ports/packet_socket.h"
#include "node/ports/port.h"
#include "node/ports/queue_watch.h"
#include "node/ports/waiting_packets.h"

namespace icr::node {

class NextHops;
using EthernetAddress = std::array<std::uint8_t, 6>;

class EthernetPort final : public Port {
 public:
  /// Opens the port. The interface must exist (node/ports/late_port.h waits for it) and be Ethernet, and is not brought
  /// up. `schedule` runs first in the thread that follows routes and neighbours. The error says what is missing.
  [[nodiscard]] static Result<std::unique_ptr<EthernetPort>> open(const PacketPort& config,
                                                                  std::function<void()> schedule);
  ~EthernetPort() override;
  EthernetPort(const EthernetPort&) = delete;
  EthernetPort& operator=(const EthernetPort&) = delete;

  [[nodiscard]] std::size_t rx_burst(std::span<Packet> packets) override;
  void tx(const Packet& packet) override;
  void flush() override;
  [[nodiscard]] Duration waited() const override { return watch_.waited(); }
  [[nodiscard]] int descriptor() const override { return poll_; }
  [[nodiscard]] Totals totals() const override {
    return {counters_.rx_packets, counters_.rx_bytes, counters_.tx_packets, counters_.tx_bytes};
  }
  void append_to(CounterList& out) const override;

 private:
  static constexpr std::size_t kBatch = 32;
  static constexpr std::size_t kEthernet = 14;
  /// What is longer is sent at once instead of being copied.
  static constexpr std::size_t kSmall = 2048;

  struct Counters {
    std::uint64_t rx_packets = 0, rx_bytes = 0;
    std::uint64_t rx_large = 0;        ///< of them: several segments in one packet
    std::uint64_t rx_own = 0;          ///< for an address of this machine, so the kernel handles it
    std::uint64_t rx_link_local = 0;   ///< link-local, so the kernel handles it
    std::uint64_t rx_hop_limit = 0;    ///< had no hop left
    std::uint64_t rx_ether_type = 0;   ///< the IP versions of frame and packet differ
    std::uint64_t rx_bad_option = 0;   ///< IPv4 options that cannot be read
    std::uint64_t rx_oversize = 0;     ///< longer than a packet may be
    std::uint64_t rx_bad_offload = 0;  ///< the virtio-net header contradicts the packet
    std::uint64_t rx_kernel_full = 0;  ///< the socket's buffer was full: the worker was too slow
    std::uint64_t rx_overload = 0;     ///< waited too long, because the worker did not keep up
    std::uint64_t rx_errors = 0;
    std::uint64_t tx_packets = 0, tx_bytes = 0;
    std::uint64_t tx_large = 0;
    std::uint64_t tx_fragmented = 0;  ///< longer than the interface's MTU, sent in fragments
    std::uint64_t tx_fragments = 0;   ///< these
    std::uint64_t tx_mtu = 0;         ///< longer than the interface's MTU, and must not be fragmented
    std::uint64_t tx_no_route = 0;    ///< the main table has no route out of this interface
    std::uint64_t tx_broadcast = 0;
    std::uint64_t tx_unresolved = 0;  ///< the next hop does not answer
    std::uint64_t tx_held = 0;        ///< waited for the next hop; sent later, or counted as unresolved
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

  EthernetPort(std::uint32_t unit, std::string interface);
  Result<void> open_socket(int index);
  /// Takes over news of next hops, now and then or when idle; sends what waited for them.
  void look_around(bool idle);
  void read_mtu();
  void send_waiting();
  /// Checks a received packet as a router does. Returns false if the kernel handles it, or if it was dropped and
  /// counted.
  [[nodiscard]] bool may_forward(Packet& packet, const FrameHeader& header);
  /// Sends an ICMP error about a received packet back to its sender.
  void tell_sender(const Packet& packet, const IcmpErrorKind& kind, std::uint32_t field = 0);
  void tell_card(const Packet& packet, const IcmpErrorKind& kind, std::uint32_t field = 0);
  void send_to(const Packet& packet, const EthernetAddress& to);
  /// Fills the header of a frame. Returns false if the packet cannot be sent as it is; it was dropped then, or sent in
  /// fragments.
  [[nodiscard]] bool frame(const Packet& packet, const EthernetAddress& to, FrameHeader& out);
  /// Handles a packet that is longer than the MTU.
  void send_long(const Packet& packet, const EthernetAddress& to);
  void send_fragments(const Packet& packet, const EthernetAddress& to);
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
  WaitingPackets waiting_;
  IcmpErrors errors_;
  std::vector<std::uint8_t> fragment_, datagram_;  ///< in which one is made
  Counters counters_;
};

}  // namespace icr::node
