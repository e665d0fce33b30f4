// What a flow engine counts. Every packet that comes in is forwarded, held, answered or dropped under exactly one of
// these names.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "model/counters.h"
#include "node/packet/headers.h"

namespace icr::node {

/// Why a packet was dropped, beyond the header errors of node/packet/headers.h.
enum class Drop : std::uint8_t {
  unknown_interface,  ///< the unit it came in on belongs to no service set
  not_master,         ///< this chassis is not master of the redundancy set
  handing_over,       ///< new session while mastership is being handed over
  wrong_interface,    ///< belongs to a session, but came in on its other side
  firewall_discard,
  firewall_reject,
  tcp_non_syn,  ///< no session, and not a SYN
  tcp_bad_sequence,
  tcp_bad_ack,
  tcp_bad_rst,
  tcp_bad_handshake,
  out_of_ports,        ///< NAT pool exhausted
  nat_conflict,        ///< translated flow would collide with another session
  nat_no_session,      ///< to a pool address, without a session
  session_limit,       ///< session-limit of the service set
  session_setup_rate,  ///< max-session-setup-rate of the service set
  no_session_id,       ///< no free slot
  flow_index_full,
  icmp_error_no_session,
  icmp_error_malformed,  ///< too little of the packet inside, or a fragment
  icmp_checksum,
  icmp_no_session,  ///< echo reply, or another ICMP message that starts nothing
  fragment_overlap,
  fragment_limit,
  fragment_table_full,
  fragment_timeout,  ///< held, but the first fragment did not come
  fragment_refused,  ///< later fragment of a packet whose first fragment was refused
  count
};

struct EngineCounters {
  std::uint64_t packets_in = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t packets_out = 0;
  std::uint64_t sessions_created = 0;
  std::uint64_t sessions_reused = 0;  ///< a SYN on a connection that was over
  std::uint64_t icmp_errors_translated = 0;
  std::uint64_t rejects_sent = 0;
  std::uint64_t rejects_suppressed = 0;  ///< not sent: rate limit
  std::uint64_t fragments_held = 0;
  std::array<std::uint64_t, static_cast<std::size_t>(HeaderError::count)> header_errors{};
  std::array<std::uint64_t, static_cast<std::size_t>(Drop::count)> drops{};

  void drop(Drop reason) { ++drops[static_cast<std::size_t>(reason)]; }
  /// Header errors and drops together.
  [[nodiscard]] std::uint64_t dropped() const;
  void append_to(CounterList& out) const;
};

/// Names as the CLI shows them.
[[nodiscard]] std::string_view to_string(HeaderError error);
[[nodiscard]] std::string_view to_string(Drop reason);

}  // namespace icr::node
