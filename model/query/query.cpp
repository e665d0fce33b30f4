#include "model/query/query.h"

#include <algorithm>

namespace icr {

void CardUtilization::add(const CardUtilization& other) {
  sessions += other.sessions;
  slots += other.slots;
  setup_rate += other.setup_rate;
  setup_rate_limit += other.setup_rate_limit;
  drop_rate += other.drop_rate;
  teardown_rate += other.teardown_rate;
  cpu_permyriad += other.cpu_permyriad;
}

SessionState state_of(const SessionRecord& record) {
  const bool closed = record.tcp_state == TcpState::time_wait || record.tcp_state == TcpState::closed;
  return closed ? SessionState::invalid : SessionState::valid;
}

void PortTraffic::add(const PortTraffic& other) {
  input_packets += other.input_packets;
  input_bytes += other.input_bytes;
  output_packets += other.output_packets;
  output_bytes += other.output_bytes;
  input_pps += other.input_pps;
  input_bps += other.input_bps;
  output_pps += other.output_pps;
  output_bps += other.output_bps;
  input_errors += other.input_errors;
  output_errors += other.output_errors;
}

bool addresses_a_set(QueryKind kind) {
  switch (kind) {
    case QueryKind::status:
    case QueryKind::counters:
    case QueryKind::server_counters:
    case QueryKind::analysis:
    case QueryKind::usage:
    case QueryKind::clear_analysis:
    case QueryKind::commit:
    case QueryKind::system:
    case QueryKind::traffic:
    case QueryKind::log:
      return false;
    default:
      return true;
  }
}

void RateHistogram::add(std::uint64_t per_second) {
  const auto bucket = std::find_if(kFrom.begin(), kFrom.end(), [&](std::uint32_t from) { return per_second >= from; });
  ++seconds[static_cast<std::size_t>(bucket - kFrom.begin())];
}

void RateHistogram::add(const RateHistogram& other) {
  for (std::size_t i = 0; i < seconds.size(); ++i) seconds[i] += other.seconds[i];
}

void LiveSessions::OfProtocol::add(const OfProtocol& other) {
  total += other.total;
  ipv4 += other.ipv4;
}

void LiveSessions::count(const SessionRecord& record) {
  const FlowKey& initiator = record.flow[0];
  const OfProtocol one{1, initiator.source.is_v4() ? std::uint64_t{1} : std::uint64_t{0}};
  all.add(one);
  if (initiator.protocol == ip_protocol::tcp) tcp.add(one);
  if (initiator.protocol == ip_protocol::udp) udp.add(one);
}

void LiveSessions::add(const LiveSessions& other) {
  all.add(other.all);
  tcp.add(other.tcp);
  udp.add(other.udp);
}

void CardAnalysis::add(const CardAnalysis& other) {
  peak_sessions += other.peak_sessions;
  peak_created_per_second += other.peak_created_per_second;
  peak_deleted_per_second += other.peak_deleted_per_second;
  packets_received += other.packets_received;
  packets_transmitted += other.packets_transmitted;
  slow_path_forward += other.slow_path_forward;
  slow_path_discard += other.slow_path_discard;
  samples += other.samples;
  created.add(other.created);
  deleted.add(other.deleted);
}

}  // namespace icr
