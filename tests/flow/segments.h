// TCP segments as the tracker reads them, without the packet around them.
#pragma once

#include <array>
#include <cstdint>

#include "node/flow/tcp_tracker.h"

namespace icr::node::test {

struct SegmentSpec {
  std::uint8_t flags = tcp_flag::ack;
  std::uint32_t seq = 0, ack = 0;
  std::uint32_t payload = 0;
  std::uint16_t window = 65535;
  int scale = -1;  ///< window scale option; -1: none
  bool fragment = false;
};

/// The header of a segment in memory, and what read_headers() would say of it.
class SegmentHeader {
 public:
  explicit SegmentHeader(const SegmentSpec& s) {
    put(4, s.seq);
    put(8, s.ack);
    octets_[12] = s.scale >= 0 ? 6 << 4 : 5 << 4;
    octets_[13] = s.flags;
    octets_[14] = static_cast<std::uint8_t>(s.window >> 8);
    octets_[15] = static_cast<std::uint8_t>(s.window);
    if (s.scale >= 0) {
      octets_[20] = 1;
      octets_[21] = octets_[22] = 3;
      octets_[23] = static_cast<std::uint8_t>(s.scale);
    }
    headers_.l4 = octets_.data();
    headers_.protocol = ip_protocol::tcp;
    headers_.tcp_flags = s.flags;
    headers_.tcp_header_length = s.scale >= 0 ? 24 : 20;
    headers_.payload_length = s.payload;
    headers_.l4_length = headers_.tcp_header_length + s.payload;
    headers_.fragment = headers_.more_fragments = s.fragment;
  }
  SegmentHeader(const SegmentHeader&) = delete;
  SegmentHeader& operator=(const SegmentHeader&) = delete;
  [[nodiscard]] const Headers& headers() const { return headers_; }

 private:
  void put(std::size_t at, std::uint32_t value) {
    for (unsigned i = 0; i < 4; ++i) octets_[at + i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
  }
  std::array<std::uint8_t, 24> octets_{};
  Headers headers_;
};

}  // namespace icr::node::test
