#include "cli/merge/survey.h"

#include <algorithm>
#include <tuple>

namespace icr::cli {
namespace {

/// The rank of a copy of a set; the most important criterion comes first.
auto rank(const SetStatus& status) {
  const auto by_role = [&status] {
    switch (status.role) {
      case Role::master:
        return 3;
      case Role::standby:
      case Role::claiming:
        return status.warned ? 1 : 2;
      case Role::initializing:
        break;
    }
    return 0;
  };
  return std::tuple(by_role(), status.sync == Sync::hot, status.term, status.applied_sequence);
}

/// Returns true if the set is configured on the card that reports it. Otherwise the answer is invalid.
bool belongs(const Cluster& cluster, const SetReport& report) {
  const auto member = cluster.member_on(report.status.set, report.chassis);
  const auto& card = cluster.chassis[report.chassis].cards[report.card];
  return member && cluster.redundancy_sets[report.status.set].members[*member].card == card.name;
}

}  // namespace

void add_unreachable(std::vector<Unreachable>& unreachable, std::uint16_t chassis, const std::string& why) {
  if (!is_unreachable(unreachable, chassis)) unreachable.push_back({chassis, why});
}

bool is_unreachable(const std::vector<Unreachable>& unreachable, std::uint16_t chassis) {
  return std::any_of(unreachable.begin(), unreachable.end(),
                     [&](const Unreachable& s) { return s.chassis == chassis; });
}

Survey take_survey(const Cluster& cluster, Transport& transport, std::optional<std::uint16_t> only, bool counters) {
  Survey out;
  for (std::size_t chassis = 0; chassis < cluster.chassis.size(); ++chassis) {
    if (only && *only != chassis) continue;
    for (std::size_t card = 0; card < cluster.chassis[chassis].cards.size(); ++card) {
      QueryRequest request;
      request.kind = QueryKind::status;
      request.without_counters = !counters;
      request.card = static_cast<std::uint16_t>(card);
      transport.ask(static_cast<std::uint16_t>(chassis), std::move(request));
    }
  }
  while (auto answer = transport.next()) {
    if (!answer->reply) {
      add_unreachable(out.unreachable, answer->chassis, answer->reply.error().message);
      continue;
    }
    if (answer->reply->error != QueryError::none) {
      add_unreachable(out.unreachable, answer->chassis, "it refused the question: " + answer->reply->reason);
      continue;
    }
    const bool other = answer->reply->cluster_digest != 0 && answer->reply->cluster_digest != cluster.digest;
    if (other) {
      out.other_configuration.push_back(answer->chassis);
      out.names.insert(out.names.end(), answer->reply->names.begin(), answer->reply->names.end());
    }
    for (auto& status : answer->reply->status) {
      const auto set = cluster.set_ids.find(status.set_id);
      // A set that only the chassis' file has is not asked about: this file does not say who its members are.
      if (!set && other) continue;
      status.set = set.value_or(0);
      SetReport report{answer->chassis, answer->request.card, std::move(status)};
      if (set && belongs(cluster, report)) {
        out.sets.push_back(std::move(report));
      } else if (!other) {
        add_unreachable(out.unreachable, answer->chassis,
                        "its answer is invalid: a redundancy set that its card does not run");
      }
    }
    out.cards.push_back({answer->chassis, answer->request.card, answer->reply->utilization});
  }
  std::sort(out.sets.begin(), out.sets.end(), [](const SetReport& a, const SetReport& b) {
    return std::tie(a.chassis, a.card, a.status.set) < std::tie(b.chassis, b.card, b.status.set);
  });
  std::sort(out.cards.begin(), out.cards.end(), [](const CardReport& a, const CardReport& b) {
    return std::tie(a.chassis, a.card) < std::tie(b.chassis, b.card);
  });
  std::sort(out.other_configuration.begin(), out.other_configuration.end());
  out.other_configuration.erase(std::unique(out.other_configuration.begin(), out.other_configuration.end()),
                                out.other_configuration.end());
  std::sort(out.unreachable.begin(), out.unreachable.end(),
            [](const Unreachable& a, const Unreachable& b) { return a.chassis < b.chassis; });
  return out;
}

std::vector<Source> choose_sources(const Cluster& cluster, const Survey& survey, bool every_copy) {
  std::vector<Source> out;
  for (const auto& report : survey.sets) {
    const bool best = std::none_of(survey.sets.begin(), survey.sets.end(), [&](const SetReport& other) {
      if (other.status.set != report.status.set || &other == &report) return false;
      // Of equally good copies, the first one is the source.
      return rank(other.status) > rank(report.status) ||
             (rank(other.status) == rank(report.status) && &other < &report);
    });
    if (!best && !every_copy) continue;
    const auto& card = cluster.chassis[report.chassis].cards[report.card];
    out.push_back(
        {report.chassis, report.card, report.status.set, card.name, card.family, report.status.role,
         cluster.redundancy_sets[report.status.set].stand_alone(),
         std::binary_search(survey.other_configuration.begin(), survey.other_configuration.end(), report.chassis)});
  }
  std::sort(out.begin(), out.end(), [](const Source& a, const Source& b) {
    return std::tie(a.interface, a.set, a.chassis) < std::tie(b.interface, b.set, b.chassis);
  });
  return out;
}

bool Selection::includes(const Cluster& cluster, const Source& source) const {
  if (nothing || (!card.empty() && card != source.interface)) return false;
  const auto& service_sets = cluster.redundancy_sets[source.set].service_sets;
  return std::any_of(service_sets.begin(), service_sets.end(),
                     [&](std::uint16_t each) { return filter.has_service_set(cluster.service_sets[each].stable_id); });
}

Selection select(const Cluster& cluster, const Command& command) {
  Selection out;
  out.filter.application_protocol = command.application_protocol;
  out.filter.protocol = command.protocol;
  out.filter.source_port = command.source_port;
  out.filter.destination_port = command.destination_port;
  out.filter.source_prefix = command.source_prefix;
  out.filter.destination_prefix = command.destination_prefix;
  out.filter.xlated_prefix = command.xlated_ip;
  out.filter.xlated_port = command.xlated_port;
  if (command.interface) out.card = command.interface->card;
  out.filter.translated = command.nat;
  if (command.source_nat_pool) {
    const auto pool = std::find_if(cluster.nat_pools.begin(), cluster.nat_pools.end(),
                                   [&](const NatPool& each) { return each.name == *command.source_nat_pool; });
    out.nothing = pool == cluster.nat_pools.end();
    if (!out.nothing) out.filter.nat_pool = pool->stable_id;
  }
  if (command.overload_index) {
    // No port is used twice at the same time, so every translated session has the overload index 0.
    out.nothing = out.nothing || *command.overload_index != 0;
    out.filter.translated = true;
  }
  const bool by_unit = command.interface && command.interface->unit;
  if (!command.service_set && !by_unit) return out;
  for (const auto& service_set : cluster.service_sets) {
    if (command.service_set && *command.service_set != service_set.name) continue;
    if (by_unit && *command.interface->unit != service_set.inside_unit &&
        *command.interface->unit != service_set.outside_unit) {
      continue;
    }
    out.filter.service_sets.push_back(service_set.stable_id);
  }
  std::sort(out.filter.service_sets.begin(), out.filter.service_sets.end());
  out.nothing = out.nothing || out.filter.service_sets.empty();
  return out;
}

}  // namespace icr::cli
