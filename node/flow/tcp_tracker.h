// TCP as a middlebox follows it: connection state and sequence windows (RFC 9293; the window rules are those of G. van
// Rooij, "Real Stateful TCP Packet Filtering in IP Filter", 2001). Works on the session in place; no time, no I/O.
#pragma once

#include "node/flow/session_table.h"
#include "node/packet/headers.h"

namespace icr::node {

/// What a segment may do.
enum class TcpVerdict : std::uint8_t {
  accept,          ///< forward
  new_connection,  ///< a SYN of the initiator on a connection that is over: forget the session, set a new one up
  bad_sequence,    ///< outside the window: drop
  bad_syn,         ///< the same, and it carries SYN: drop
  bad_ack,         ///< acknowledges what was never sent: drop
  bad_syn_ack,     ///< SYN and ACK that acknowledges another SYN: drop
  bad_rst,         ///< RST outside the window, or in answer to another SYN: drop
  bad_handshake,   ///< flags that do not fit the handshake: drop
};

class TcpTracker {
 public:
  /// First segment of a session: a SYN, or (where tcp-non-syn allows it) one from the middle of a connection.
  static void start(Session& session, const Headers& segment, std::uint16_t window_epoch);

  /// Judges a segment of direction `d` and follows it. Sets `state_changed` when TcpState moved. Windows learnt in
  /// another epoch (before a takeover, from a checkpoint) are in doubt: they are learnt again from the next segments of
  /// each side, and until the sides agree a RST or FIN changes the state only if an acknowledgement of its receiver, or
  /// the replicated state, proves it. No segment is refused for numbers that are in doubt.
  ///
  /// A RST closes the connection where its receiver would believe it (RFC 5961 section 3.2): at the end of what was
  /// forwarded, or at what was last acknowledged. Elsewhere in the window it is accepted and moves nothing: the
  /// receiver answers with a challenge ACK. If the side whose RST closed it sends on, the connection is open again.
  /// Old segments, which carry nothing new, are accepted and move nothing either.
  [[nodiscard]] static TcpVerdict follow(Session& session, Direction d, const Headers& segment,
                                         std::uint16_t window_epoch, bool& state_changed);

  /// Returns true if follow() might do more than move the windows of an established connection: set up, begin anew,
  /// close, reopen, or learn numbers that are in doubt.
  [[nodiscard]] static bool may_change_state(const Session& session, const Headers& segment,
                                             std::uint16_t window_epoch);

  /// The usual case of follow(): a segment with ACK and without SYN, FIN and RST (`tcp`: its header; after that
  /// come `payload_length` octets), in both windows of an established connection of which everything is known. True:
  /// accepted and followed. False: nothing was done, ask follow().
  [[nodiscard]] static bool follow_established(Session& session, Direction d, const std::uint8_t* tcp,
                                               std::uint32_t payload_length, std::uint16_t window_epoch);
};

}  // namespace icr::node
