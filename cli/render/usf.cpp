// The USF layout (MX-SPC3, vms- cards). `brief` has the format of captured lines, including trailing commas and blanks;
// `extensive` combines the captured lines of the SRX family with the service set. Lines that describe what icr does not
// have (session tokens, routes, tunnels) carry zeros.
#include <iterator>

#include "cli/render/sessions.h"
#include "model/record/source_pool.h"

namespace icr::cli {
namespace {

std::string_view ha_state(const Source& source) {
  if (source.stand_alone) return "Stand-alone";
  return source.role == Role::master ? "Active" : "Backup";
}

std::string_view state_word(const SessionRecord& record) {
  switch (state_of(record)) {
    case SessionState::valid:
      return "Valid";
    case SessionState::invalid:
      return "Invalid";
    case SessionState::pending:
      return "Pending";
    case SessionState::other:
      break;
  }
  return "Other";
}

/// Returns the unit on which packets of that direction arrive.
std::uint32_t unit_of(const Cluster& cluster, const SessionRecord& record, unsigned direction) {
  const auto index = cluster.service_set_ids.find(record.service_set);
  if (!index) return 0;  // this file does not say on which units the service set is
  const auto& service_set = cluster.service_sets[*index];
  const bool inside = (direction == 0) != record.initiated_outside;
  return inside ? service_set.inside_unit : service_set.outside_unit;
}

void append_brief_wing(const Cluster& cluster, const Source& source, const SessionRecord& record, unsigned direction,
                       std::string& out) {
  const FlowKey& key = record.flow[direction];
  fmt::format_to(std::back_inserter(out), "  {}: {}/{} --> {}/{};{}, Conn Tag: 0x0, If: {}.{}, Pkts: {}, Bytes: {}, \n",
                 direction == 0 ? "In" : "Out", key.source.to_string(), key.source_port, key.destination.to_string(),
                 key.destination_port, protocol_keyword(key.protocol), source.interface,
                 unit_of(cluster, record, direction), record.counters[direction].packets,
                 record.counters[direction].bytes);
}

void append_extensive_wing(const Cluster& cluster, const Source& source, const SessionRecord& record,
                           unsigned direction, std::string& out) {
  const FlowKey& key = record.flow[direction];
  const TcpWindow& window = record.tcp[direction];
  const bool fin = record.has_tcp && (window.flags & kTcpWindowFin) != 0;
  fmt::format_to(std::back_inserter(out), "   {}: {}/{} --> {}/{};{}, \n  Conn Tag: 0x0, Interface: {}.{}, \n",
                 direction == 0 ? "In" : "Out", key.source.to_string(), key.source_port, key.destination.to_string(),
                 key.destination_port, protocol_keyword(key.protocol), source.interface,
                 unit_of(cluster, record, direction));
  fmt::format_to(std::back_inserter(out),
                 "    Session token: 0x0, Flag: 0x0, \n"
                 "    Route: 0x0, Gateway: {}, Tunnel ID: 0, Tunnel type: None, \n"
                 "    Port sequence: 0, FIN sequence: {}, \n"
                 "    FIN state: {}, \n"
                 "    Pkts: {}, Bytes: {}\n",
                 key.source.to_string(), fin ? window.end - 1 : 0, fin ? 1 : 0, record.counters[direction].packets,
                 record.counters[direction].bytes);
}

/// Returns "Destination NAT pool: NAME\n" if the destination came out of a pool, otherwise an empty text. For twice NAT
/// the record has the pool of the source only.
std::string destination_pool_line(const Cluster& cluster, const SessionRecord& record) {
  if (record.flow[0].destination == record.flow[1].source) return {};
  const auto service_set = cluster.service_set_ids.find(record.service_set);
  if (!service_set) return {};
  for (const auto rule : cluster.service_sets[*service_set].nat_rules) {
    for (const auto& term : cluster.nat_rules[rule].terms) {
      if (!term.destination_pool) continue;
      const auto& pool = cluster.nat_pools[*term.destination_pool];
      if (pool.contains(record.flow[1].source)) return fmt::format("Destination NAT pool: {}\n", pool.name);
    }
  }
  return {};
}

void append_extensive(const Cluster& cluster, const Source& source, const SessionRecord& record, WallMillis wall_now,
                      std::string& out) {
  const std::string name = cluster.name_of_service_set(record.service_set);
  const StableId source_pool = source_pool_of(record);
  const std::int64_t age_s = record.age / static_cast<std::uint32_t>(1s / kTick);
  fmt::format_to(std::back_inserter(out), "Session ID: {}, Service-set: {}, Status: Normal",
                 usf_session_id(cluster.redundancy_sets[source.set].number(), record.ref.slot), name);
  fmt::format_to(std::back_inserter(out),
                 "\nFlags: 0x{:04x}/0x0/0x0/0x0\n"
                 "Policy name: {}\n"
                 "Source NAT pool: {}\n"
                 "{}"
                 "Maximum timeout: {}, Current timeout: {}\n"
                 "Session State: {}\n"
                 "{}"
                 "Start time: {}, Duration: {}\n",
                 static_cast<unsigned>(record.flag), policy_name(cluster, record),
                 source_pool == 0 ? std::string("Null") : cluster.name_of_pool(source_pool),
                 destination_pool_line(cluster, record), record.timeout_s, seconds_left(record.timeout_s, record.idle),
                 state_word(record), guarantee_line(cluster, record, ""), wall_now / 1000 - age_s, age_s);
  append_extensive_wing(cluster, source, record, 0, out);
  append_extensive_wing(cluster, source, record, 1, out);
}

}  // namespace

void append_usf_session(const Cluster& cluster, const Source& source, const SessionRecord& record, bool extensive,
                        WallMillis wall_now, std::string& out) {
  if (extensive) {
    append_extensive(cluster, source, record, wall_now, out);
  } else {
    fmt::format_to(std::back_inserter(out),
                   "Session ID: {}, Service-set: {}, Policy name: {}, State: {}, Timeout: {}, {}\n",
                   usf_session_id(cluster.redundancy_sets[source.set].number(), record.ref.slot),
                   cluster.name_of_service_set(record.service_set), policy_name(cluster, record), ha_state(source),
                   seconds_left(record.timeout_s, record.idle), state_word(record));
    append_brief_wing(cluster, source, record, 0, out);
    append_brief_wing(cluster, source, record, 1, out);
  }
  out += '\n';
}

}  // namespace icr::cli
