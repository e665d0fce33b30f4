#include "node/ports/icmp_errors.h"

#include <algorithm>
#include <cstring>

#include "node/packet/headers.h"
#include "node/packet/rewrite.h"

namespace icr::node {

std::uint32_t IcmpErrors::make(const Packet& about, const IcmpErrorKind& kind, std::uint32_t field,
                               const std::optional<IpAddress>& own, TimePoint now, std::uint8_t* out) {
  Headers headers;
  // RFC 1812 section 4.3.2.7, RFC 4443 section 2.4: no error is sent about an ICMP error, a later fragment, an
  // unreadable packet, or one from or to an address that does not belong to a single host.
  if (read_headers(about.data, about.length, headers) != HeaderError::none) return 0;
  if (headers.later_fragment || headers.icmp == IcmpKind::error) return 0;
  if (now - second_ >= 1s) {
    second_ = now;
    this_second_ = 0;
  }
  if (!own || this_second_ == kPerSecond) {
    ++suppressed_;
    return 0;
  }
  ++this_second_;
  const std::uint32_t length =
      make_icmp_error(headers, headers.v6 ? kind.type6 : kind.type4, headers.v6 ? kind.code6 : kind.code4, field, out);
  Headers error;
  if (read_headers(out, length, error) != HeaderError::none) return 0;
  FlowKey from_here = error.key;
  from_here.source = *own;
  rewrite(error, from_here);
  ++sent_;
  return length;
}

void IcmpErrors::tell_card(const Packet& about, const IcmpErrorKind& kind, std::uint32_t field,
                           const std::optional<IpAddress>& own, TimePoint now) {
  if (waiting_count_ == kWaiting) {
    ++suppressed_;
    return;
  }
  Error& error = waiting_[waiting_count_];
  error.length = make(about, kind, field, own, now, error.packet.data());
  if (error.length != 0) ++waiting_count_;
}

std::size_t IcmpErrors::take(std::span<Packet> packets) {
  const std::size_t count = std::min(waiting_count_, packets.size());
  for (std::size_t i = 0; i < count; ++i) {
    Packet& packet = packets[i];
    std::memcpy(packet.data, waiting_[i].packet.data(), waiting_[i].length);
    packet.length = waiting_[i].length;
    packet.unit = unit_;
    packet.segment_bytes = 0;
    packet.partial_checksum = false;
  }
  const auto begin = waiting_.begin();
  std::move(begin + static_cast<std::ptrdiff_t>(count), begin + static_cast<std::ptrdiff_t>(waiting_count_), begin);
  waiting_count_ -= count;
  return count;
}

void IcmpErrors::append_to(CounterList& out) const {
  out.push_back({"icmp-errors-sent", sent_});
  out.push_back({"icmp-errors-suppressed", suppressed_});
}

}  // namespace icr::node
