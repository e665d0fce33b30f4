// Makes the ICMP errors that a port sends, as a router does, for packets that it drops (RFC 1812 sections 4.3 and
// 5.2.7, RFC 4443).
//
// An error about a packet that was received goes straight back to its sender, who is on this side of the translation.
// One about a packet that the card sends goes into the card, as if the next router had sent it. So it is translated
// like any other, with the packet that it quotes, and does not reveal addresses of the other side.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "model/base/counters.h"
#include "model/base/time.h"
#include "model/record/address.h"
#include "node/packet/packet.h"
#include "node/packet/reply.h"

namespace icr::node {

/// Type and code of an error in ICMP and in ICMPv6.
struct IcmpErrorKind {
  std::uint8_t type4, code4;
  std::uint8_t type6, code6;
};
inline constexpr IcmpErrorKind kTimeExceeded{11, 0, 3, 0};
inline constexpr IcmpErrorKind kTooBig{3, 4, 2, 0};            ///< the field is the MTU (RFC 1191, RFC 8201)
inline constexpr IcmpErrorKind kNetUnreachable{3, 0, 1, 0};    ///< there is no route
inline constexpr IcmpErrorKind kHostUnreachable{3, 1, 1, 3};   ///< the next hop does not answer
inline constexpr IcmpErrorKind kRouteUnreachable{3, 1, 1, 0};  ///< a route of type unreachable
inline constexpr IcmpErrorKind kProhibited{3, 13, 1, 1};       ///< a route of type prohibit
inline constexpr IcmpErrorKind kParameterProblem{12, 0, 4, 0};

/// The ICMP errors of one port. Thread: one.
class IcmpErrors {
 public:
  /// The most errors of all kinds in a second (RFC 1812 section 4.3.2.8), and the most that wait for the card's next
  /// burst.
  static constexpr std::uint32_t kPerSecond = 100;
  static constexpr std::size_t kWaiting = 16;

  explicit IcmpErrors(std::uint32_t unit) : unit_(unit), waiting_(kWaiting) {}

  /// Writes an error about a packet, sent from `own`, to `out` (kReplyBytes). Returns its length, or 0 where none must
  /// be sent (about an error, a later fragment or an unreadable packet) or none can be (`own` is empty, or too many
  /// were).
  [[nodiscard]] std::uint32_t make(const Packet& about, const IcmpErrorKind& kind, std::uint32_t field,
                                   const std::optional<IpAddress>& own, TimePoint now, std::uint8_t* out);

  /// Makes an error and keeps it for the card, which gets it by take().
  void tell_card(const Packet& about, const IcmpErrorKind& kind, std::uint32_t field,
                 const std::optional<IpAddress>& own, TimePoint now);
  /// Moves the errors that wait for the card into the first packets of a burst. Returns how many.
  [[nodiscard]] std::size_t take(std::span<Packet> packets);

  void append_to(CounterList& out) const;

 private:
  struct Error {
    std::uint32_t length = 0;
    std::array<std::uint8_t, kReplyBytes> packet;
  };

  const std::uint32_t unit_;
  std::vector<Error> waiting_;
  std::size_t waiting_count_ = 0;
  TimePoint second_{};
  std::uint32_t this_second_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t suppressed_ = 0;  ///< not sent, because there were too many or no address to send them from
};

}  // namespace icr::node
