// Holds the packets that wait until their next hop is resolved, in a ring of fixed size.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "model/base/time.h"
#include "node/packet/packet.h"

namespace icr::node {

/// Thread: one.
class WaitingPackets {
 public:
  static constexpr std::size_t kPackets = 64;
  /// A longer packet is not held, because no flow starts with one.
  static constexpr std::uint32_t kLongest = 2048;

  WaitingPackets() : places_(kPackets) {}

  [[nodiscard]] bool empty() const { return count_ == 0; }

  /// Copies the packet. Returns false if it is too long or there is no room.
  [[nodiscard]] bool add(const Packet& packet, TimePoint now) {
    if (packet.length > kLongest || count_ == kPackets) return false;
    Place& place = places_[(first_ + count_++) % kPackets];
    place.since = now;
    place.length = packet.length;
    place.segment_bytes = packet.segment_bytes;
    place.partial_checksum = packet.partial_checksum;
    std::memcpy(place.bytes.data(), packet.data, packet.length);
    return true;
  }

  /// Calls `keeps(const Packet&, TimePoint since)` for each packet, in order, and removes those for which it returns
  /// false. REQUIRES: `keeps` does not call add().
  template <class Keeps>
  void review(std::uint32_t unit, Keeps&& keeps) {
    for (std::size_t left = count_; left != 0; --left) {
      Place& place = places_[first_];
      Packet packet{place.bytes.data(), place.length, kLongest, unit};
      packet.segment_bytes = place.segment_bytes;
      packet.partial_checksum = place.partial_checksum;
      const bool kept = keeps(packet, place.since);
      first_ = (first_ + 1) % kPackets;
      --count_;
      if (!kept) continue;
      Place& last = places_[(first_ + count_++) % kPackets];
      if (&last != &place) last = place;
    }
  }

 private:
  struct Place {
    TimePoint since;
    std::uint32_t length;
    std::uint16_t segment_bytes;
    bool partial_checksum;
    std::array<std::uint8_t, kLongest> bytes;
  };
  std::vector<Place> places_;
  std::size_t first_ = 0, count_ = 0;
};

}  // namespace icr::node
