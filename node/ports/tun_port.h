// A packet port on a TUN device: the kernel routes packets into it and takes what comes out of it for received.
//
// Packets pass unfinished where the kernel has them so (node/ports/offload.h): checksums not computed, TCP segments and
// UDP datagrams up to 64 KB in one packet. One system call moves one packet; there is no other way with TUN.
//
// A device can have several queues (IFF_MULTI_QUEUE), all read by the one worker. The kernel chooses a queue by a hash
// of the flow, the same for both directions. So processors that send at once do not meet in one ring, and a flow that
// floods its queue costs those in other queues nothing: each queue with packets gets its share of a burst. What is sent
// goes by a queue that is detached: from others the kernel learns where the answers are to go, and a flow that moves to
// another queue for that overtakes itself.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/config/cluster.h"
#include "node/ports/port.h"
#include "node/ports/queue_watch.h"

namespace icr::node {

class TunPort final : public Port {
 public:
  /// Creates (or attaches to) the device, brings it up and routes the traffic of `steer_from` into it. The error says
  /// what is missing: the tun module, the capability, an interface.
  [[nodiscard]] static Result<std::unique_ptr<TunPort>> open(const PacketPort& config);
  ~TunPort() override;
  TunPort(const TunPort&) = delete;
  TunPort& operator=(const TunPort&) = delete;

  [[nodiscard]] std::size_t rx_burst(std::span<Packet> packets) override;
  void tx(const Packet& packet) override;
  void was_away(Duration absence, TimePoint now) override;
  [[nodiscard]] Duration waited() const override;
  [[nodiscard]] Load load() const override;
  [[nodiscard]] int descriptor() const override {
    // The descriptors of a device that is gone are always ready, so nobody must wait for them.
    return gone_ ? -1 : queues_.size() == 1 ? queues_.front() : poll_;
  }
  [[nodiscard]] Totals totals() const override {
    return {counters_.rx_packets, counters_.rx_bytes, counters_.tx_packets, counters_.tx_bytes};
  }
  void append_to(CounterList& out) const override;

 private:
  struct Counters {
    std::uint64_t rx_packets = 0, rx_bytes = 0;
    std::uint64_t rx_large = 0;        ///< of them: several segments in one packet
    std::uint64_t rx_oversize = 0;     ///< longer than a packet may be
    std::uint64_t rx_bad_offload = 0;  ///< the virtio-net header contradicts the packet
    std::uint64_t rx_link_local = 0;   ///< the kernel's own speech, not traffic
    std::uint64_t rx_overload = 0;     ///< waited too long, because the worker did not keep up
    std::uint64_t rx_markers = 0;      ///< own markers, which show how long packets wait
    std::uint64_t rx_errors = 0;       ///< the device is gone or the read failed
    std::uint64_t tx_packets = 0, tx_bytes = 0;
    std::uint64_t tx_large = 0;        ///< of them: several segments in one packet
    std::uint64_t tx_oversize = 0;     ///< longer than an IP packet can be
    std::uint64_t tx_bad_offload = 0;  ///< unfinished, and no longer TCP or UDP
    std::uint64_t tx_queue_full = 0;   ///< EAGAIN, ENOBUFS, ENOMEM
    std::uint64_t tx_device_down = 0;  ///< EIO and EBADFD: the device is down or gone
    std::uint64_t tx_refused = 0;      ///< no IP packet, or refused by the kernel (EINVAL)
    std::uint64_t tx_errors = 0;       ///< any other failure
  };

  TunPort(std::uint32_t unit, std::string device) : unit_(unit), device_(std::move(device)) {}

  [[nodiscard]] Result<void> open_queues(std::uint32_t count);
  /// Receives from one queue until it is empty, all packets are filled, or `bytes` were received. How many packets.
  [[nodiscard]] std::size_t receive(std::size_t queue, std::span<Packet> packets, std::size_t bytes);
  /// A packet of our own that tells how long it waited. Any thread's would do that can write the cookie.
  struct Marker {
    std::array<std::uint8_t, 20> ip{};
    std::uint64_t cookie = 0;
    std::int64_t since = 0;
    std::uint32_t fill = 0;
  } __attribute__((packed));
  [[nodiscard]] Result<void> open_marking(int index);
  void send_marker(TimePoint now);
  /// Returns true if the packet was a marker, which has then been handled.
  [[nodiscard]] bool take_marker(std::size_t queue, const std::uint8_t* data);

  std::vector<int> queues_;          ///< descriptors to receive from
  std::vector<QueueWatch> watches_;  ///< of each of them
  int marking_ = -1;                 ///< packet socket that inserts markers into the device; -1 if there is none
  int index_ = 0;
  Marker marker_;
  TimePoint now_{};   ///< time of the burst that is received
  int sending_ = -1;  ///< descriptor to send by: that of the one queue, or of a detached one
  int poll_ = -1;     ///< of several queues: epoll's descriptor, which is readable when one of them is
  std::uint32_t unit_;
  std::string device_;
  bool gone_ = false;            ///< the device was deleted; it does not come back
  bool failure_logged_ = false;  ///< a device that went away is said once, then only counted
  Counters counters_;
};

}  // namespace icr::node
