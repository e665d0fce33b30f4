#include "cli/render/twins.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "cli/builders/sessions.h"
#include "cli/render/tables.h"

namespace icr::cli {
namespace {

std::string text_of(const FlowKey& key) {
  return fmt::format("{} {}:{} -> {}:{}", protocol_keyword(key.protocol), key.source.to_string(), key.source_port,
                     key.destination.to_string(), key.destination_port);
}

std::string text_of(const BindingRecord& b) {
  return fmt::format("{}:{} -> {}:{}", b.internal.to_string(), b.internal_port, b.external.to_string(),
                     b.external_port);
}

std::string_view name_of(RecordKind kind) {
  switch (kind) {
    case RecordKind::port_block:
      return "Port block";
    case RecordKind::mapping:
      return "Mapping";
    case RecordKind::pairing:
      return "Pairing";
    case RecordKind::session:
      break;
  }
  return "Session";
}

/// Collects the fields in which two records of a slot differ.
class Fields {
 public:
  Fields(std::string_view master, std::string_view standby) : names_{master, standby} {}

  void compare(std::string_view field, const std::string& a, const std::string& b) {
    if (a == b) return;
    fmt::format_to(std::back_inserter(text_), "{}{} {} on {}, {} on {}", text_.empty() ? "" : "; ", field, a, names_[0],
                   b, names_[1]);
  }
  void compare(std::string_view field, std::uint64_t a, std::uint64_t b) {
    compare(field, std::to_string(a), std::to_string(b));
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string_view names_[2];
  std::string text_;
};

void compare_sessions(const Cluster& cluster, const SessionRecord& a, const SessionRecord& b, Fields& fields) {
  fields.compare("initiator flow", text_of(a.flow[0]), text_of(b.flow[0]));
  fields.compare("responder flow", text_of(a.flow[1]), text_of(b.flow[1]));
  fields.compare("TCP state", std::string(to_string(a.tcp_state)), std::string(to_string(b.tcp_state)));
  fields.compare("translation type", std::string(to_string(a.nat_type)), std::string(to_string(b.nat_type)));
  fields.compare("application protocol", std::uint64_t{a.alg}, std::uint64_t{b.alg});
  fields.compare("initiated outside", a.initiated_outside ? "yes" : "no", b.initiated_outside ? "yes" : "no");
  fields.compare("hairpin", a.hairpin ? "yes" : "no", b.hairpin ? "yes" : "no");
  fields.compare("service set", cluster.name_of_service_set(a.service_set), cluster.name_of_service_set(b.service_set));
  fields.compare("policy", policy_name(cluster, a), policy_name(cluster, b));
  fields.compare("NAT pool", cluster.name_of_pool(a.nat_pool), cluster.name_of_pool(b.nat_pool));
  fields.compare("timeout", a.timeout_s, b.timeout_s);
  fields.compare("session timeout", a.lifetime_s, b.lifetime_s);
}

void compare_bindings(const Cluster& cluster, const BindingRecord& a, const BindingRecord& b, Fields& fields) {
  fields.compare("ends", text_of(a), text_of(b));
  fields.compare("last port", a.last_port, b.last_port);
  fields.compare("protocol", a.protocol, b.protocol);
  fields.compare("flags", a.flags & ~unsigned{kBindingInUse}, b.flags & ~unsigned{kBindingInUse});
  fields.compare("NAT pool", cluster.name_of_pool(a.pool), cluster.name_of_pool(b.pool));
  fields.compare("service set", cluster.name_of_service_set(a.service_set), cluster.name_of_service_set(b.service_set));
  fields.compare("timeout", a.timeout_s, b.timeout_s);
  fields.compare("term", a.term, b.term);
}

std::string describe(const Cluster& cluster, const Twins& twins, const TwinComparison::Slot& slot) {
  const auto& [of_master, of_standby] = slot.records;
  const SessionRecord& record = of_master ? *of_master : *of_standby;
  const bool session = record.kind == RecordKind::session;
  const std::uint32_t number = cluster.redundancy_sets[twins.master.set].number();
  std::string out = session ? fmt::format("Session {}", twins.master.family == CardFamily::vms
                                                            ? usf_session_id(number, record.ref.slot)
                                                            : jsf_session_id(number, record.ref.slot))
                            : std::string(name_of(record.kind));
  out += " " + (session ? text_of(record.flow[0]) : text_of(record.binding));
  const std::string& master = cluster.chassis[twins.master.chassis].name;
  const std::string& standby = cluster.chassis[twins.standby.chassis].name;
  if (!of_master || !of_standby) return out + ": only on " + (of_master ? master : standby);
  Fields fields(master, standby);
  fields.compare("generation", of_master->ref.generation, of_standby->ref.generation);
  if (of_master->kind != of_standby->kind) {
    fields.compare("kind", std::string(name_of(of_master->kind)), std::string(name_of(of_standby->kind)));
  } else if (session) {
    compare_sessions(cluster, *of_master, *of_standby, fields);
  } else {
    compare_bindings(cluster, of_master->binding, of_standby->binding, fields);
  }
  fields.compare("version", of_master->version, of_standby->version);
  return out + ": " + fields.text();
}

/// Returns a number with the noun that fits it: "1 session", "2 sessions".
std::string counted(std::uint64_t number, std::string_view noun) {
  return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s");
}

void append_counts(std::string_view what, const TwinComparison& comparison, std::string& out) {
  const std::uint64_t compared = comparison.equal() + comparison.doubts().size() + comparison.not_examined();
  fmt::format_to(std::back_inserter(out), "   {:<14}{} compared, {} equal, {} different", what, compared,
                 comparison.equal(), comparison.different());
  if (comparison.changing() > 0) fmt::format_to(std::back_inserter(out), ", {} changing", comparison.changing());
  if (comparison.not_examined() > 0) {
    fmt::format_to(std::back_inserter(out), ", {} not examined", comparison.not_examined());
  }
  if (comparison.withheld() > 0) {
    fmt::format_to(std::back_inserter(out), "; {} below the replication-threshold", comparison.withheld());
  }
  out += "\n";
}

}  // namespace

Result<Twins> find_twins(const Cluster& cluster, const Survey& survey, const std::vector<Source>& sources,
                         std::uint16_t set) {
  std::vector<const Source*> members;
  for (const auto& source : sources) {
    if (source.set == set) members.push_back(&source);
  }
  if (members.size() < 2) return fail("only {} of its members answers", members.size());
  const auto master =
      std::find_if(members.begin(), members.end(), [](const Source* s) { return s->role == Role::master; });
  const auto standby =
      std::find_if(members.begin(), members.end(), [](const Source* s) { return s->role == Role::standby; });
  if (master == members.end()) return fail("it has no master");
  if (standby == members.end()) return fail("it has no standby");
  for (const auto& report : survey.sets) {
    if (report.status.set != set || report.chassis != (*standby)->chassis || report.status.sync == Sync::hot) continue;
    return fail("the copy of standby {} is not complete", cluster.chassis[report.chassis].name);
  }
  return Twins{**master, **standby};
}

std::string render_twins_heading(const Cluster& cluster, const RedundancySet& set) {
  std::string out = fmt::format("RG-ID {0}, RS-ID {0}: redundancy set {1}, members", set.id, set.name);
  for (const auto& member : set.members) {
    fmt::format_to(std::back_inserter(out), "{} {}", &member == &set.members.front() ? "" : ",",
                   cluster.chassis[member.chassis].name);
  }
  return out + "\n";
}

TwinVerdict verdict_of(const TwinComparison& sessions, const TwinComparison& bindings) {
  if (sessions.different() + bindings.different() > 0) return TwinVerdict::different;
  if (sessions.not_examined() + bindings.not_examined() > 0) return TwinVerdict::not_examined;
  return sessions.changing() + bindings.changing() > 0 ? TwinVerdict::changing : TwinVerdict::equal;
}

std::vector<std::string> differences_of(const Cluster& cluster, const Twins& twins, const TwinComparison& sessions,
                                        const TwinComparison& bindings, std::size_t most) {
  std::vector<std::string> out;
  for (const auto* comparison : {&sessions, &bindings}) {
    for (const auto& [number, slot] : comparison->doubts()) {
      if (slot.different && out.size() < most) out.push_back(describe(cluster, twins, slot));
    }
  }
  return out;
}

std::uint64_t only_on_master(const TwinComparison& comparison) {
  return static_cast<std::uint64_t>(std::count_if(
      comparison.doubts().begin(), comparison.doubts().end(),
      [](const auto& slot) { return slot.second.different && slot.second.records[0] && !slot.second.records[1]; }));
}

std::string render_twins(const Cluster& cluster, const Twins& twins, const TwinComparison& sessions,
                         const TwinComparison& bindings, bool extensive) {
  std::string out = fmt::format("   Master: {}, standby: {}\n", cluster.chassis[twins.master.chassis].name,
                                cluster.chassis[twins.standby.chassis].name);
  append_counts("Sessions:", sessions, out);
  append_counts("NAT bindings:", bindings, out);
  switch (verdict_of(sessions, bindings)) {
    case TwinVerdict::different:
      out += "   The twins are different\n";
      break;
    case TwinVerdict::not_examined:
      out += "   No difference is proved, but some slots that differed were not examined\n";
      break;
    case TwinVerdict::changing:
      out += "   No difference is proved, but some sessions or bindings changed at each look\n";
      break;
    case TwinVerdict::equal:
      out += "   The twins are equal\n";
      break;
  }
  const std::uint64_t different = sessions.different() + bindings.different();
  for (const auto& each :
       differences_of(cluster, twins, sessions, bindings, extensive ? different : kShownDifferences)) {
    fmt::format_to(std::back_inserter(out), "     {}\n", each);
  }
  if (!extensive && different > kShownDifferences) {
    fmt::format_to(std::back_inserter(out), "     and {} more\n", different - kShownDifferences);
  }
  return out;
}

std::string refusal_of_switchover(const SetStatus& master) {
  if (master.handing_over) return "a switchover is under way";
  if (!master.connected || !master.peer_role) return "the peer is not connected";
  if (*master.peer_role != Role::standby)
    return fmt::format("the peer is {}, not STANDBY", to_string(*master.peer_role));
  if (master.sync != Sync::hot) return fmt::format("the standby is {}, not Hot", to_string(master.sync));
  if (master.peer_health_weight >= kIllWeight) {
    return fmt::format("the standby's health is Failed: {}", master.peer_health_reasons);
  }
  if (master.peer_warned) return "the standby is warned, which only force overrides";
  return {};
}

std::string render_dry_run(const Cluster& cluster, const SetReport& master, const std::string& refusal) {
  std::string out = "   On the way to the standby: " + counted(master.status.pending, "changed session");
  auto to = std::back_inserter(out);
  if (master.status.peer) {
    fmt::format_to(to, ", {} ({}) that it has not acknowledged",
                   counted(master.status.peer->unacknowledged_records, "record"),
                   counted(master.status.peer->unacknowledged_bytes, "byte"));
  }
  out += "; a switchover waits until all of this has arrived\n";
  if (!refusal.empty()) {
    fmt::format_to(to, "   {} would refuse a switchover: {}\n", cluster.chassis[master.chassis].name, refusal);
  }
  return out;
}

std::string render_cost(const TwinComparison& sessions, const TwinComparison& bindings) {
  const std::uint64_t lost_sessions = only_on_master(sessions);
  const std::uint64_t lost_bindings = only_on_master(bindings);
  if (sessions.not_examined() + bindings.not_examined() > 0) return "   What a switchover would lose is not known\n";
  if (lost_sessions + lost_bindings == 0) return "   A switchover would lose no session\n";
  return fmt::format("   A switchover would lose {} and {}\n", counted(lost_sessions, "session"),
                     counted(lost_bindings, "NAT binding"));
}

}  // namespace icr::cli
