// TCP as two ends would see it: what is surely legal must pass, what is surely not must be dropped with its counter
// (RFC 9293, RFC 5961). Segments in the grey zone in between are not made.
#pragma once

#include <array>
#include <optional>

#include "model/record/session.h"
#include "node/flow/counters.h"
#include "tests/nat_model/wire.h"
#include "tests/nat_model/world.h"

namespace icr::node::test::nat_model {

struct Tcp {
  struct End {
    std::uint32_t next = 0;   ///< sequence number that it sends next
    std::uint32_t acked = 0;  ///< what the other end has acknowledged
    /// What whoever watches knows that the other end expects next: what it said last, or what was replicated when
    /// another chassis took over.
    std::optional<std::uint32_t> told;
    bool cut = false;  ///< its last segment came in fragments: nobody saw where it ends
    bool spoke = false;
    bool fin = false, fin_acked = false;
    int scale = -1;
  };
  /// Whose RST closed it; unknown after a takeover.
  enum class ResetBy : std::uint8_t { unknown, initiator, responder, refusal };
  TcpState state = TcpState::none;
  ResetBy reset_by = ResetBy::unknown;
  std::array<End, 2> end;
  /// False when the engine cannot know everything: after a takeover, or when a segment came in fragments.
  bool strict = true;
};

enum class TcpFate : std::uint8_t {
  pass,
  restart,  ///< a SYN on a connection that is over begins a new one
  bad_sequence,
  bad_ack,
  bad_rst,
  bad_handshake,
};
/// The counter of a segment with this fate, by the state of the connection that it meets.
[[nodiscard]] std::optional<Drop> drop_of(TcpFate fate, const Tcp& tcp, const Wire& s);

/// What must happen to a segment of `direction`.
[[nodiscard]] TcpFate judge(const Tcp& tcp, unsigned direction, const Wire& segment);
/// A segment that opens a session.
void open(Tcp& tcp, const Wire& segment);
/// A segment that passed.
void follow(Tcp& tcp, unsigned direction, const Wire& segment);
/// The last segment of that direction came in fragments.
void cut_up(Tcp& tcp, unsigned direction);
/// Another chassis goes on, with what was replicated.
void take_over(Tcp& tcp);

struct Segment {
  unsigned direction = 0;
  std::uint8_t flags = 0;
  std::uint32_t seq = 0, ack = 0;
  std::size_t payload = 0;
  int scale = -1, mss = -1;
};
/// The next segment of a connection, or one that has no business there.
[[nodiscard]] Segment next_segment(const Tcp& tcp, Dice& dice);

}  // namespace icr::node::test::nat_model
