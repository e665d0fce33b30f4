// Timeouts and the rules of the stateful firewall.
#include "model/config/reader/cluster_draft.h"

namespace icr::cluster_draft {
namespace {

void read_firewall_rule(const YamlField& field, Draft& draft) {
  constexpr std::array<std::string_view, 3> kActions = {"accept", "discard", "reject"};
  const YamlMap map(field, {"name", "match-direction", "terms"});
  FirewallRule out;
  out.name = draft.firewall_rules.define(map);
  out.direction = read_direction(map);
  out.terms = read_terms<FirewallTerm>(map, draft, [&](const YamlField& then, const YamlMap&, FirewallTerm& term) {
    if (const auto action = then.one_of(kActions)) term.then = static_cast<FirewallAction>(*action);
  });
  draft.cluster.firewall_rules.push_back(std::move(out));
}

}  // namespace

void read_timeouts(const YamlField& field, Timeouts& out) {
  const YamlMap map(field,
                    {"inactivity-timeout", "inactivity-tcp-timeout", "inactivity-non-tcp-timeout", "open-timeout",
                     "close-timeout", "session-timeout", "reassembly-timeout", "fragment-limit"});
  const auto read = [&](std::string_view key, std::uint64_t low, std::uint64_t high, auto& value) {
    const auto f = map.get(key);
    const auto number = f ? f->number(low, high) : std::nullopt;
    if (number) value = static_cast<std::uint32_t>(*number);
  };
  read("inactivity-timeout", 4, 86400, out.inactivity_s);
  read("inactivity-tcp-timeout", 4, 86400, out.inactivity_tcp_s);
  read("inactivity-non-tcp-timeout", 4, 86400, out.inactivity_non_tcp_s);
  read("open-timeout", 4, 300, out.open_s);
  read("close-timeout", 1, 300, out.close_s);
  read("session-timeout", 4, 86400, out.session_s);
  read("reassembly-timeout", 1, 60, out.reassembly_s);
  read("fragment-limit", 1, 250, out.fragment_limit);
}

void read_stateful_firewall(const YamlField& field, Draft& draft) {
  const YamlMap map(field, {"rules"});
  if (const auto rules = map.get("rules")) {
    for (const auto& item : rules->list(0)) read_firewall_rule(item, draft);
  }
}

}  // namespace icr::cluster_draft
