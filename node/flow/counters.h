// What a flow engine counts. Every packet that comes in is forwarded, held, relayed, answered or dropped under exactly
// one of these names; each is counted for the card and for the service set that it came in to.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "model/base/counters.h"
#include "model/query/service_set_status.h"
#include "node/packet/headers.h"

namespace icr::node {

/// Why a packet was dropped, beyond the header errors of node/packet/headers.h.
enum class Drop : std::uint8_t {
  unknown_interface,     ///< the unit it came in on belongs to no service set
  not_master,            ///< this chassis is not master of the redundancy set
  relay_no_master,       ///< the same, and there is no master to which it could be relayed
  relay_queue_full,      ///< the same, and the queue of packets for the master is full
  relay_not_master,      ///< it was relayed to this chassis, which has ceased to be master
  handing_over,          ///< new session while mastership is being handed over
  overload_new_session,  ///< new session while packets wait too long for the worker
  standby_new_session,   ///< it has no session, in the grace after this chassis ceased to be master
  commit_buffer_full,    ///< it would have to wait for the peer, and there is no room for it
  commit_no_peer,        ///< it would change a session's state, and nobody is there to know (WithoutPeer::stop)
  commit_not_master,     ///< it waited for the peer when this chassis ceased to be master
  wrong_interface,       ///< belongs to a session, but came in on its other side
  source_route,          ///< IPv4 with a loose or strict source route (RFC 7126 sections 4.3, 4.4)
  firewall_discard,
  firewall_reject,
  tcp_non_syn,        ///< no session, and not a SYN
  tcp_rst_in_listen,  ///< no session, and a RST
  tcp_bad_sequence,   ///< outside the window
  tcp_bad_syn,        ///< SYN or SYN and ACK outside the window of a connection
  tcp_bad_ack,        ///< acknowledges what was never sent
  tcp_bad_syn_ack,    ///< SYN and ACK in answer to another SYN
  tcp_bad_rst,        ///< RST outside the window; inside of it the receiver decides (RFC 5961)
  tcp_bad_rst_in_syn_sent,
  tcp_bad_rst_in_syn_received,
  tcp_bad_handshake,
  tcp_checksum,             ///< checksum wrong, in a segment that would change the state of a connection
  udp_checksum,             ///< checksum wrong, in a datagram that would set up a session
  out_of_ports,             ///< NAT pool exhausted
  out_of_addresses,         ///< the same where whole addresses are given out
  nat_parity,               ///< no port of the right parity left (RFC 4787 section 4.2.2)
  nat_range,                ///< none in the right range left (RFC 4787 section 4.2.1)
  nat_paired_out_of_ports,  ///< none left on the address that the host is paired with
  nat_port_limit,           ///< limit-ports-per-address: the host's ports are full
  nat_out_of_blocks,        ///< no free block of ports for the host
  nat_block_limit,          ///< max-blocks-per-address: the host's blocks are full
  subscriber_limit,         ///< max-sessions-per-subscriber
  nat_no_memory,            ///< no row left for another binding
  nat_untranslatable,       ///< no address or protocol that the translation knows
  nat_filtered,             ///< to a mapping that does not let this sender in (RFC 4787 section 5)
  nat_flow_limit,           ///< eif-flow-limit of a mapping
  nat_conflict,             ///< translated flow would collide with another session
  nat_no_session,           ///< to a pool address, and nothing waits for it
  nat64_hop_limit,          ///< the next values: enum Nat64 in node/packet/nat64.h
  nat64_too_big,
  nat64_source_route,
  nat64_udp_no_checksum,
  nat64_icmp_fragment,
  nat64_icmp_no_equal,
  nat64_protocol,
  nat64_too_long,
  session_limit,       ///< session-limit of the service set
  flow_limit,          ///< max-flows of the service set
  session_setup_rate,  ///< max-session-setup-rate of the service set
  no_session_id,       ///< no free slot
  flow_index_full,
  icmp_error_no_session,
  icmp_error_malformed,  ///< too little of the packet inside, or a fragment
  icmp_error_checksum,   ///< the header of the packet inside has a wrong checksum (RFC 5508 REQ-3 a)
  icmp_checksum,
  icmp_no_session,      ///< echo reply, or another ICMP message that starts nothing
  icmp_echo_direction,  ///< of an echo session: no request of its initiator, and no reply of its responder
  fragment_overlap,     ///< the whole packet is dropped (RFC 5722)
  fragment_duplicate,   ///< covers exactly what another one covers
  fragment_limit,
  fragment_table_full,  ///< no room to hold it, or it was held and gave way to another one
  fragment_timeout,     ///< held, but the first fragment did not come
  fragment_refused,     ///< later fragment of a packet whose first fragment was refused
  screen_icmp_flood,    ///< from here on: checks of the service set's screen (Screen in model/config/rules.h)
  screen_udp_flood,
  screen_syn_flood,              ///< SYNs to one address and port
  screen_syn_flood_source,       ///< SYNs from one address
  screen_syn_flood_destination,  ///< SYNs to one address
  screen_sessions_of_source,
  screen_sessions_of_destination,
  screen_winnuke,
  screen_land,
  screen_no_flag,
  screen_syn_fin,
  screen_fin_no_ack,
  screen_syn_fragment,
  screen_icmp_fragment,
  screen_icmp_large,
  screen_ping_of_death,
  screen_tear_drop,
  screen_source_route,
  screen_bad_option,
  screen_unknown_protocol,
  screen_block_fragment,
  count
};
inline constexpr std::size_t kDropCount = static_cast<std::size_t>(Drop::count);
inline constexpr std::size_t kHeaderErrorCount = static_cast<std::size_t>(HeaderError::count);

/// Drops of the card, or of a service set on it.
struct DropCounters {
  std::array<std::uint64_t, kHeaderErrorCount> header_errors{};
  std::array<std::uint64_t, kDropCount> drops{};

  void drop(Drop reason, std::uint64_t packets = 1) { drops[static_cast<std::size_t>(reason)] += packets; }
  void drop(HeaderError error) { ++header_errors[static_cast<std::size_t>(error)]; }
  [[nodiscard]] std::uint64_t of(Drop reason) const { return drops[static_cast<std::size_t>(reason)]; }
  [[nodiscard]] std::uint64_t of(HeaderError error) const { return header_errors[static_cast<std::size_t>(error)]; }
  /// Header errors and drops together.
  [[nodiscard]] std::uint64_t dropped() const;
};

/// Of the card. packets_in + rejects_sent + errors_sent + fragments_made = packets_out + relayed + dropped() + held
/// now.
struct EngineCounters : DropCounters {
  std::uint64_t packets_in = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t packets_out = 0;
  std::uint64_t sessions_created = 0;
  std::uint64_t sessions_reused = 0;       ///< a SYN reused the session of a connection that was closed
  std::uint64_t forwarded_in_grace = 0;    ///< packets of known sessions in the grace; part of packets_out
  std::uint64_t relayed = 0;               ///< packets that came to a standby, which has sent them to its master
  std::uint64_t relayed_here = 0;          ///< packets that the standby has sent to this chassis; part of packets_in
  std::uint64_t self_tests_forwarded = 0;  ///< part of packets_out
  std::uint64_t icmp_errors_translated = 0;
  std::uint64_t rejects_sent = 0;        ///< RST or ICMP for `then reject` and tcp-non-syn
  std::uint64_t errors_sent = 0;         ///< ICMP errors of a NAT64 router
  std::uint64_t rejects_suppressed = 0;  ///< of either kind, not sent: rate limit
  std::uint64_t fragments_held = 0;
  std::uint64_t fragments_made = 0;  ///< IPv6 fragments of one IPv4 packet, beyond the first
  std::uint64_t waits_for_peer = 0;  ///< packets that had to wait until the peer knew what they changed
  std::uint64_t left_late = 0;       ///< of them, those that left when their guarantee-limit was over
  std::uint64_t left_alone = 0;      ///< packets that left without a peer that knew what they changed
  void append_to(CounterList& out) const;
};

/// Of a service set.
struct ServiceSetCounters : DropCounters {
  std::uint64_t new_accepts = 0;       ///< sessions set up
  std::uint64_t existing_accepts = 0;  ///< packets of sessions that were there
  std::uint64_t hairpinned_new = 0;
  std::uint64_t hairpinned_existing = 0;
  std::uint64_t first_not_syn = 0;  ///< TCP packets without session, by what they carry; dropped or not
  std::uint64_t first_rst = 0;
  std::uint64_t first_fin = 0;
  std::uint64_t mss_syns = 0;  ///< SYNs, where tcp-mss or NAT64 limits the segment size
  std::uint64_t mss_lowered = 0;
  std::uint64_t nat64_to_v4 = 0;
  std::uint64_t nat64_to_v6 = 0;
  std::uint64_t fragments_made = 0;
  std::uint64_t icmp_errors = 0;
  std::uint64_t rejects_sent = 0;
  std::uint64_t errors_sent = 0;

  /// Fills the groups of `out`; every drop and header error is in one of them.
  void append_to(ServiceSetStatus& out) const;
};

/// Names as the CLI shows them.
[[nodiscard]] std::string_view to_string(HeaderError error);
[[nodiscard]] std::string_view to_string(Drop reason);

/// Where a counter is shown for a service set. Several may share a leaf, which is then their sum.
struct CounterPlace {
  StatisticsGroup group = StatisticsGroup::packet_drops;
  std::string_view leaf;
};
[[nodiscard]] CounterPlace place_of(HeaderError error);
[[nodiscard]] CounterPlace place_of(Drop reason);

}  // namespace icr::node
