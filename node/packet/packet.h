// A packet in memory, as ports hand it to the engine and back.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

namespace icr::node {

/// Largest IP packet that is handled; a longer one is refused by the port and counted.
inline constexpr std::uint32_t kMaxPacketBytes = 65535;
/// Room in front of a packet that comes from a port: an IPv6 header with a fragment header needs 28 octets more than
/// the IPv4 header it takes the place of.
inline constexpr std::uint32_t kPacketHeadroom = 64;

/// An IP packet (no link layer). The buffer belongs to whoever made the Packet (PacketBuffers, the fragment store);
/// `capacity` bytes may be written, and `headroom` bytes before them: a longer header needs no move.
///
/// Offloads. A kernel hands over packets that it has not finished, and takes such packets back: `partial_checksum` and
/// `segment_bytes` go with the packet from one port to the other, and the port that sends it finishes what is missing
/// (node/ports/offload.h). The engine may change addresses, ports and header lengths in the meantime, so the sending
/// port must read the headers again. Fragments are never like that.
struct Packet {
  std::uint8_t* data = nullptr;
  std::uint32_t length = 0;
  std::uint32_t capacity = 0;
  std::uint32_t unit = 0;  ///< unit of the card: where it came from, and after the engine where it goes
  std::uint32_t headroom = 0;
  /// Not 0: several TCP segments (or UDP datagrams) of one flow in one packet, up to 64 KB. Each but the last one
  /// carries so many octets of payload. Implies partial_checksum.
  std::uint16_t segment_bytes = 0;
  /// The TCP or UDP checksum is not computed yet: its field has no meaning, and the sending port sets it.
  bool partial_checksum = false;
};

/// A fixed set of packet buffers for one burst. Allocated once.
class PacketBuffers {
 public:
  explicit PacketBuffers(std::size_t count)
      : packets_(count), memory_(std::make_unique<std::uint8_t[]>(count * kStride)) {
    for (std::size_t i = 0; i < count; ++i) {
      packets_[i] = Packet{memory_.get() + i * kStride + kPacketHeadroom, 0, kMaxPacketBytes, 0, kPacketHeadroom};
    }
  }
  [[nodiscard]] std::vector<Packet>& packets() { return packets_; }

 private:
  // Not a multiple of 4096: headers of a burst must not all fall into the same cache set.
  static constexpr std::size_t kStride = 65536 + 192;
  static_assert(kPacketHeadroom + kMaxPacketBytes <= kStride);
  std::vector<Packet> packets_;
  std::unique_ptr<std::uint8_t[]> memory_;
};

}  // namespace icr::node
