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

/// Returns ":port", or an empty text if the protocol has no ports.
std::string colon_port(bool shown, std::uint16_t port) { return shown ? fmt::format(":{}", port) : std::string(); }

struct NatLine {
  std::string_view label;
  const IpAddress& from;
  std::uint16_t from_port;
  const IpAddress& to;
  std::uint16_t to_port;
};

void append_nat_line(const NatLine& line, bool ports, std::string& out) {
  fmt::format_to(std::back_inserter(out), "    {:<16}{:>15}{:<6}   -> {:>15}{:<6}  \n", line.label,
                 line.from.to_string(), colon_port(ports, line.from_port), line.to.to_string(),
                 colon_port(ports, line.to_port));
}

void append_nat(const SessionRecord& record, std::string& out) {
  const FlowKey& in = record.flow[0];
  const FlowKey& back = record.flow[1];
  const bool icmp = is_icmp(in.protocol);
  fmt::format_to(std::back_inserter(out), "NAT PLugin Data:\n  NAT Action:   Translation Type - {}\n",
                 to_string(record.nat_type));
  // An ICMP identifier takes the place of both ports of the key. Unlike flow lines, this line shows it, with the
  // source.
  const bool destination = in.destination != back.source || (!icmp && in.destination_port != back.source_port);
  if (!destination || in.source != back.destination || in.source_port != back.destination_port) {
    append_nat_line({"NAT source", in.source, in.source_port, back.destination, back.destination_port},
                    icmp || has_ports(in.protocol), out);
  }
  if (destination) {
    append_nat_line({"NAT Destination", in.destination, in.destination_port, back.source, back.source_port},
                    has_ports(in.protocol), out);
  }
}

}  // namespace

void append_jsf_flow(const FlowKey& key, char direction, const FlowCounters& counters, std::string& out) {
  const bool ports = has_ports(key.protocol);
  fmt::format_to(std::back_inserter(out), "{:<8}{:>15}{:<6}  -> {:>15}{:<6}  {:<8} {}{:>16}\n",
                 capital_protocol(key.protocol), key.source.to_string(), colon_port(ports, key.source_port),
                 key.destination.to_string(), colon_port(ports, key.destination_port), "Forward", direction,
                 counters.packets);
}

void append_jsf_session(const Cluster& cluster, std::uint16_t set, const SessionRecord& record, bool extensive,
                        std::string& out) {
  fmt::format_to(std::back_inserter(out),
                 "Service Set: {}, Session: {}, ALG: {}, Flags: 0x{:04x}, IP Action: no, Offload: no, Asymmetric: {}",
                 cluster.name_of_service_set(record.service_set),
                 jsf_session_id(cluster.redundancy_sets[set].number(), record.ref.slot),
                 application_protocol_keyword(record.alg), static_cast<unsigned>(record.flag),
                 record.asymmetric ? "yes" : "no");
  if (extensive && record.lifetime_s != 0) {
    fmt::format_to(std::back_inserter(out), ", Session timeout: {}", seconds_left(record.lifetime_s, record.age));
  }
  out += '\n';
  if (extensive) out += guarantee_line(cluster, record, "  ");
  if (extensive && record.nat_type != NatType::none) append_nat(record, out);
  for (unsigned direction = 0; direction < 2; ++direction) {
    append_jsf_flow(record.flow[direction], direction == 0 ? 'I' : 'O', record.counters[direction], out);
    if (!extensive) continue;
    fmt::format_to(std::back_inserter(out), "  Byte count: {}\n  Flow role: {}, Timeout: {}\n",
                   record.counters[direction].bytes, direction == 0 ? "Initiator" : "Responder", record.timeout_s);
  }
}

void append_translations(const FlowKey& arrives, const FlowKey& leaves, bool initiator, std::string& out) {
  const bool icmp = is_icmp(arrives.protocol);
  const bool ports = has_ports(arrives.protocol);
  // The identifier of ICMP belongs to the initiator, which is the source of one flow and the destination of the other.
  const auto changes = [&](const IpAddress& from, std::uint16_t from_port, const IpAddress& to, std::uint16_t to_port,
                           bool with_port) { return from != to || (with_port && from_port != to_port); };
  const bool source_port = ports || (icmp && initiator);
  const bool destination_port = ports || (icmp && !initiator);
  if (changes(arrives.source, arrives.source_port, leaves.source, leaves.source_port, source_port)) {
    append_nat_line({"NAT source", arrives.source, arrives.source_port, leaves.source, leaves.source_port}, source_port,
                    out);
  }
  if (changes(arrives.destination, arrives.destination_port, leaves.destination, leaves.destination_port,
              destination_port)) {
    append_nat_line(
        {"NAT dest", arrives.destination, arrives.destination_port, leaves.destination, leaves.destination_port},
        destination_port, out);
  }
}

}  // namespace icr::cli
