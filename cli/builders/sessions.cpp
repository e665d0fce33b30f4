#include "cli/builders/sessions.h"

#include <cctype>

#include "cli/result/inferred.h"
#include "cli/result/junos.h"
#include "model/config/keys.h"
#include "model/query/session_order.h"
#include "model/record/source_pool.h"

namespace icr::cli {
namespace {

bool is_icmp(std::uint8_t protocol) { return protocol == ip_protocol::icmp || protocol == ip_protocol::icmp6; }

/// An address, and the port of it that is shown, if one is.
struct ShownEnd {
  const IpAddress& address;
  std::optional<std::uint16_t> port;
};

ShownEnd shown_end(const IpAddress& address, bool with_port, std::uint16_t port) {
  return {address, with_port ? std::optional(port) : std::nullopt};
}

/// Adds one side of a translation. `type` is the text that stands in front of it.
void add_translation(Tree& tree, std::string_view type, const ShownEnd& from, const ShownEnd& to) {
  const Scope nat(tree, "sfw-flow-nat");
  tree.leaf("sfw-flow-nat-type", type);
  tree.leaf("sfw-flow-nat-ip", from.address.to_string());
  if (from.port) tree.leaf("sfw-flow-nat-port", *from.port);
  tree.leaf("sfw-flow-translated-ip", to.address.to_string());
  if (to.port) tree.leaf("sfw-flow-translated-port", *to.port);
}

/// Adds what is translated of a session of an ms- card.
void add_session_nat(Tree& tree, const SessionRecord& record) {
  const FlowKey& in = record.flow[0];
  const FlowKey& back = record.flow[1];
  const bool icmp = is_icmp(in.protocol);
  tree.leaf(inferred::kTranslation, to_string(record.nat_type));
  // An ICMP identifier takes the place of both ports of the key. Unlike flow lines, this line shows it, with the
  // source.
  const bool destination = in.destination != back.source || (!icmp && in.destination_port != back.source_port);
  if (!destination || in.source != back.destination || in.source_port != back.destination_port) {
    const bool ports = icmp || has_ports(in.protocol);
    add_translation(tree, "NAT source", shown_end(in.source, ports, in.source_port),
                    shown_end(back.destination, ports, back.destination_port));
  }
  if (destination) {
    const bool ports = has_ports(in.protocol);
    add_translation(tree, "NAT Destination", shown_end(in.destination, ports, in.destination_port),
                    shown_end(back.source, ports, back.source_port));
  }
}

/// Returns the guarantee of a session: that of the firewall term that admitted it, or of its service set.
Guarantee guarantee_of(const Cluster& cluster, const ServiceSet& set, StableId policy) {
  for (const auto rule : set.firewall_rules) {
    for (const auto& term : cluster.firewall_rules[rule].terms) {
      if (term.stable_id == policy) return term.guarantee.value_or(set.guarantee);
    }
  }
  return set.guarantee;
}

/// Adds the guarantee of a session and whether the peer has its newest state, or that it is too young for the peer.
void add_guarantee(Tree& tree, const Cluster& cluster, const SessionRecord& record) {
  const auto service_set = cluster.service_set_ids.find(record.service_set);
  if (record.newest_state == NewestState::not_said || !service_set) return;
  const ServiceSet& config = cluster.service_sets[*service_set];
  if (record.newest_state == NewestState::withheld) {
    return tree.leaf(inferred::kThreshold, config.replication_threshold_s);
  }
  const auto guarantee = static_cast<std::size_t>(guarantee_of(cluster, config, record.policy));
  tree.leaf(inferred::kGuarantee, words_of(key("service-sets[]", "guarantee"))[guarantee]);
  tree.leaf(inferred::kNewestState, record.newest_state == NewestState::at_peer ? "yes" : "no");
}

/// Adds the place of a session among the largest ones, and what makes it large.
void add_rank(Tree& tree, const SessionRecord& record, const std::optional<Rank>& rank) {
  if (!rank) return;
  tree.leaf(inferred::kRank, rank->number);
  tree.leaf(inferred::kPacketsOfSession, size_of(record, SessionOrder::packets));
  tree.leaf(inferred::kBytesOfSession, size_of(record, SessionOrder::bytes));
  tree.leaf(inferred::kAge, record.age / static_cast<std::uint32_t>(1s / kTick));
  tree.leaf(inferred::kChassis, rank->chassis);
}

void add_jsf_session(Tree& tree, const Cluster& cluster, std::uint16_t set, const SessionRecord& record,
                     const std::optional<Rank>& rank, bool extensive) {
  const Scope session(tree, inferred::kSession);
  add_rank(tree, record, rank);
  tree.leaf("service-set-name", cluster.name_of_service_set(record.service_set));
  tree.leaf(inferred::kSessionId, jsf_session_id(cluster.redundancy_sets[set].number(), record.ref.slot));
  tree.leaf(inferred::kAlg, application_protocol_keyword(record.alg));
  tree.leaf(inferred::kFlags, fmt::format("0x{:04x}", static_cast<unsigned>(record.flag)));
  tree.leaf(inferred::kIpAction, "no");
  tree.leaf(inferred::kOffload, "no");
  tree.leaf(inferred::kAsymmetric, record.asymmetric ? "yes" : "no");
  if (extensive) {
    if (record.lifetime_s != 0) tree.leaf(inferred::kSessionTimeLeft, seconds_left(record.lifetime_s, record.age));
    add_guarantee(tree, cluster, record);
    if (record.nat_type != NatType::none) add_session_nat(tree, record);
  }
  for (unsigned direction = 0; direction < 2; ++direction) {
    begin_flow(tree, record, direction, extensive);
    tree.end();
  }
}

std::string_view ha_state(const Source& source) {
  if (source.stand_alone) return "Stand-alone";
  return source.role == Role::master ? "Active" : "Backup";
}

std::string_view state_word(SessionState state) {
  switch (state) {
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

/// Returns the name of the pool out of which the destination came, or an empty text. For twice NAT the record has the
/// pool of the source only.
std::string_view destination_pool(const Cluster& cluster, const SessionRecord& record) {
  if (record.flow[0].destination == record.flow[1].source) return {};
  const auto service_set = cluster.service_set_ids.find(record.service_set);
  if (!service_set) return {};
  for (const auto rule : cluster.service_sets[*service_set].nat_rules) {
    for (const auto& term : cluster.nat_rules[rule].terms) {
      if (!term.destination_pool) continue;
      const auto& pool = cluster.nat_pools[*term.destination_pool];
      if (pool.contains(record.flow[1].source)) return pool.name;
    }
  }
  return {};
}

void add_wing(Tree& tree, const Cluster& cluster, const Source& source, const SessionRecord& record, unsigned direction,
              bool extensive) {
  const FlowKey& key = record.flow[direction];
  const Scope wing(tree, "flow-information");
  tree.leaf("direction", direction == 0 ? "In" : "Out");
  tree.leaf("source-address", key.source.to_string());
  tree.leaf("source-port", key.source_port);
  tree.leaf("destination-address", key.destination.to_string());
  tree.leaf("destination-port", key.destination_port);
  tree.leaf("protocol", protocol_keyword(key.protocol));
  tree.leaf("conn-tag", "0x0");
  tree.leaf("interface-name", fmt::format("{}.{}", source.interface, unit_of(cluster, record, direction)));
  if (extensive) {
    // Junos describes here what icr does not have.
    const TcpWindow& window = record.tcp[direction];
    const bool fin = record.has_tcp && (window.flags & kTcpWindowFin) != 0;
    tree.leaf("session-token", "0x0");
    tree.leaf("flag", "0x0");
    tree.leaf("route", "0x0");
    tree.leaf("gateway", key.source.to_string());
    tree.leaf("tunnel-id", 0);
    tree.leaf("tunnel-type", "None");
    tree.leaf("port-sequence", 0);
    tree.leaf("fin-sequence", fin ? window.end - 1 : 0);
    tree.leaf("fin-state", fin ? 1 : 0);
  }
  tree.leaf("pkt-cnt", record.counters[direction].packets);
  tree.leaf("byte-cnt", record.counters[direction].bytes);
}

void add_usf_session(Tree& tree, const Cluster& cluster, const Source& source, const SessionRecord& record,
                     const std::optional<Rank>& rank, bool extensive, WallMillis wall_now) {
  // The order is that of the model of flow-session-information.
  const Scope session(tree, "flow-session", {{"junos:style", extensive ? "extensive" : "brief"}});
  add_rank(tree, record, rank);
  tree.leaf("session-identifier", usf_session_id(cluster.redundancy_sets[source.set].number(), record.ref.slot));
  tree.leaf("session-svc-set", cluster.name_of_service_set(record.service_set));
  tree.leaf("session-state", ha_state(source));
  tree.leaf("sess-state", state_word(state_of(record)));
  for (unsigned direction = 0; direction < 2; ++direction) {
    add_wing(tree, cluster, source, record, direction, extensive);
  }
  tree.leaf("policy", policy_name(cluster, record));
  tree.leaf("timeout", seconds_left(record.timeout_s, record.idle));
  if (!extensive) return;
  const std::int64_t age_s = record.age / static_cast<std::uint32_t>(1s / kTick);
  const StableId pool = source_pool_of(record);
  tree.leaf("status", "Normal");
  tree.leaf("nat-source-pool-name", pool == 0 ? std::string("Null") : cluster.name_of_pool(pool));
  if (const auto name = destination_pool(cluster, record); !name.empty()) tree.leaf("nat-dst-pool-name", name);
  tree.leaf("configured-timeout", record.timeout_s);
  tree.leaf("start-time", wall_now / 1000 - age_s);
  tree.leaf("duration", age_s);
  tree.leaf("session-flag", fmt::format("0x{:04x}/0x0/0x0/0x0", static_cast<unsigned>(record.flag)));
  add_guarantee(tree, cluster, record);
}

}  // namespace

void SessionBuilder::add(const Source& source, const SessionRecord& record, const std::optional<Rank>& rank) {
  if (table_ != source.family) {
    end();
    begin(source.family);
  }
  if (source.family == CardFamily::vms) {
    add_usf_session(tree_, cluster_, source, record, rank, extensive_, wall_now_);
    ++shown_.by_state[static_cast<std::size_t>(state_of(record))];
    return;
  }
  if (source.interface != interface_) {
    if (!interface_.empty()) tree_.end();
    interface_ = source.interface;
    tree_.begin(inferred::kSessionsOfInterface);
    tree_.leaf("interface-name", interface_);
  }
  add_jsf_session(tree_, cluster_, source.set, record, rank, extensive_);
}

void SessionBuilder::begin(CardFamily family) {
  table_ = family;
  begin_answer(tree_, family == CardFamily::ms ? "msp-session-table" : "flow-session-information");
}

void SessionBuilder::end() {
  if (!table_) return;
  if (!interface_.empty()) tree_.end();
  interface_.clear();
  if (*table_ == CardFamily::vms) {
    // Junos has these first. Here they are known when all sessions were read.
    const auto count = [&](SessionState state) { return shown_.by_state[static_cast<std::size_t>(state)]; };
    tree_.leaf("displayed-session-valid", count(SessionState::valid));
    tree_.leaf("displayed-session-pending", count(SessionState::pending));
    tree_.leaf("displayed-session-invalidated", count(SessionState::invalid));
    tree_.leaf("displayed-session-other", count(SessionState::other));
    tree_.leaf("displayed-session-count", shown_.total());
  }
  tree_.end();
  table_.reset();
}

void SessionBuilder::finish(CardFamily empty_family) {
  if (!table_) begin(empty_family);
  end();
}

std::string capital_protocol(std::uint8_t protocol) {
  if (protocol == ip_protocol::icmp6) return "ICMPV6";
  std::string out = protocol_keyword(protocol);
  for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

void begin_flow(Tree& tree, const SessionRecord& record, unsigned direction, bool extensive) {
  const FlowKey& key = record.flow[direction];
  const bool ports = has_ports(key.protocol);
  tree.begin("sfw-flow-entry");
  tree.leaf("sfw-flow-protocol", capital_protocol(key.protocol));
  tree.leaf("sfw-flow-source-ip", key.source.to_string());
  if (ports) tree.leaf("sfw-flow-source-port", key.source_port);
  tree.leaf("sfw-flow-destination-ip", key.destination.to_string());
  if (ports) tree.leaf("sfw-flow-destination-port", key.destination_port);
  tree.leaf("sfw-flow-state", "Forward");
  tree.leaf("sfw-flow-direction", direction == 0 ? "I" : "O");
  tree.leaf("sfw-flow-frame-counter", record.counters[direction].packets);
  if (!extensive) return;
  tree.leaf("sfw-flow-table-byte-count", record.counters[direction].bytes);
  tree.leaf("sfw-flow-table-role", direction == 0 ? "Initiator" : "Responder");
  tree.leaf("sfw-flow-table-timeout", record.timeout_s);
}

void add_translations(Tree& tree, const FlowKey& arrives, const FlowKey& leaves, bool initiator) {
  const bool icmp = is_icmp(arrives.protocol);
  const bool ports = has_ports(arrives.protocol);
  // The identifier of ICMP belongs to the initiator, which is the source of one flow and the destination of the other.
  const bool source_port = ports || (icmp && initiator);
  const bool destination_port = ports || (icmp && !initiator);
  if (arrives.source != leaves.source || (source_port && arrives.source_port != leaves.source_port)) {
    add_translation(tree, "NAT source", shown_end(arrives.source, source_port, arrives.source_port),
                    shown_end(leaves.source, source_port, leaves.source_port));
  }
  if (arrives.destination != leaves.destination ||
      (destination_port && arrives.destination_port != leaves.destination_port)) {
    add_translation(tree, "NAT dest", shown_end(arrives.destination, destination_port, arrives.destination_port),
                    shown_end(leaves.destination, destination_port, leaves.destination_port));
  }
}

std::string policy_name(const Cluster& cluster, const SessionRecord& record) {
  const auto service_set = cluster.service_set_ids.find(record.service_set);
  std::size_t number = 0;
  if (service_set) {
    for (const auto rule : cluster.service_sets[*service_set].firewall_rules) {
      for (const auto& term : cluster.firewall_rules[rule].terms) {
        ++number;
        if (term.stable_id == record.policy) return fmt::format("{}/{}", term.name, number);
      }
    }
  }
  if (record.policy != 0) return text_of_id(record.policy) + "/0";
  return number == 0 ? "ACCEPT/0" : "UNKNOWN/0";
}

std::uint32_t seconds_left(std::uint32_t limit_s, Ticks used) {
  const std::uint32_t used_s = used / static_cast<std::uint32_t>(1s / kTick);
  return used_s >= limit_s ? 0 : limit_s - used_s;
}

}  // namespace icr::cli
