// The JSF layout (MS-MPC, ms- cards). The formats are those of captured lines, trailing blanks included.
#include <cctype>
#include <iterator>

#include "cli/render/sessions.h"

namespace icr::cli {
namespace {

std::string capital_protocol(std::uint8_t protocol) {
  if (protocol == ip_protocol::icmp6) return "ICMPV6";
  std::string out = protocol_keyword(protocol);
  for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

bool is_icmp(std::uint8_t protocol) { return protocol == ip_protocol::icmp || protocol == ip_protocol::icmp6; }

/// ":port", or nothing where the protocol has none.
std::string colon_port(bool shown, std::uint16_t port) { return shown ? fmt::format(":{}", port) : std::string(); }

void append_nat_line(std::string_view label, const IpAddress& from, std::uint16_t from_port, const IpAddress& to,
                     std::uint16_t to_port, std::uint8_t protocol, std::string& out) {
  // Here an ICMP identifier does show, other than in the flow lines.
  const bool ports = has_ports(protocol) || is_icmp(protocol);
  fmt::format_to(std::back_inserter(out), "    {:<16}{:>15}{:<6}   -> {:>15}{:<6}  \n", label, from.to_string(),
                 colon_port(ports, from_port), to.to_string(), colon_port(ports, to_port));
}

void append_nat(const SessionRecord& record, std::string& out) {
  const FlowKey& initiator = record.flow[0];
  const FlowKey& responder = record.flow[1];
  fmt::format_to(std::back_inserter(out), "NAT PLugin Data:\n  NAT Action:   Translation Type - {}\n",
                 to_string(record.nat_type));
  append_nat_line("NAT source", initiator.source, initiator.source_port, responder.destination,
                  responder.destination_port, initiator.protocol, out);
  if (initiator.destination != responder.source) {
    append_nat_line("NAT Destination", initiator.destination, initiator.destination_port, responder.source,
                    responder.source_port, initiator.protocol, out);
  }
}

void append_flow(const FlowKey& key, char direction, const FlowCounters& counters, std::string& out) {
  const bool ports = has_ports(key.protocol);
  fmt::format_to(std::back_inserter(out), "{:<8}{:>15}{:<6}  -> {:>15}{:<6}  {:<8} {}{:>16}\n",
                 capital_protocol(key.protocol), key.source.to_string(), colon_port(ports, key.source_port),
                 key.destination.to_string(), colon_port(ports, key.destination_port), "Forward", direction,
                 counters.packets);
}

}  // namespace

void append_jsf_session(const Cluster& cluster, std::uint16_t set, const SessionRecord& record, bool extensive,
                        std::string& out) {
  fmt::format_to(std::back_inserter(out),
                 "Service Set: {}, Session: {}, ALG: {}, Flags: 0x{:04x}, IP Action: no, Offload: no, Asymmetric: no",
                 cluster.service_sets[record.service_set].name, jsf_session_id(set, record.ref.slot),
                 application_protocol_keyword(record.alg), static_cast<unsigned>(record.flag));
  if (extensive && record.lifetime_s != 0) {
    fmt::format_to(std::back_inserter(out), ", Session timeout: {}", seconds_left(record.lifetime_s, record.age));
  }
  out += '\n';
  if (extensive && record.nat_type != NatType::none) append_nat(record, out);
  for (unsigned direction = 0; direction < 2; ++direction) {
    append_flow(record.flow[direction], direction == 0 ? 'I' : 'O', record.counters[direction], out);
    if (!extensive) continue;
    fmt::format_to(std::back_inserter(out), "  Byte count: {}\n  Flow role: {}, Timeout: {}\n",
                   record.counters[direction].bytes, direction == 0 ? "Initiator" : "Responder", record.timeout_s);
  }
}

}  // namespace icr::cli
